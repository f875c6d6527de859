//! Head, tail and direct current of delivered files: trim, fades, removal of the mean.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::finish::report::{EdgesReport, Report};
use mixdown_dsp::finish::{deliver, solve};
use mixdown_dsp::math;
use mixdown_dsp::media::Decoder;
use mixdown_dsp::media::pcm::PcmWriter;
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::{ValidSession, from_json};
use serde_json::{Value, json};

const RATE: u32 = 48_000;
const FRAMES: usize = 3 * RATE as usize;
/// The tone sounds from here to there.
const SOUND: core::ops::Range<usize> = 24_000..96_000;

/// A mix: left and right of each frame.
fn mix(folder: &Path, at: impl Fn(usize) -> [f32; 2]) -> PathBuf {
    let path = folder.join("mix");
    let mut writer = PcmWriter::create(&path, 2, RATE, FRAMES as u64).unwrap();
    let mut block = Buffer::new(2, FRAMES);
    let (left, right) = block.stereo_mut();
    for (frame, (left, right)) in left.iter_mut().zip(right).enumerate() {
        [*left, *right] = at(frame);
    }
    writer.write(&block).unwrap();
    writer.finish().unwrap();
    path
}

fn tone(frame: usize) -> [f32; 2] {
    if !SOUND.contains(&frame) {
        return [0.0; 2];
    }
    // Not 0 at either end of the stretch.
    let sine = math::cos(2.0 * core::f64::consts::PI * 441.0 * frame as f64 / f64::from(RATE)) as f32;
    [0.5 * sine, -0.25 * sine]
}

fn document(deliverable: &Value) -> Value {
    let mut file = json!({ "name": "a", "mix": "main", "format": "wav", "depth": "32f" });
    file.as_object_mut().unwrap().extend(deliverable.as_object().unwrap().clone());
    json!({
        "version": 1, "sample_rate_hz": RATE, "end": FRAMES,
        "assets": { "a.wav": { "digest": "0".repeat(64), "size_bytes": 1, "frames": 48000, "sample_rate_hz": RATE,
            "channels": 2, "lossy": false } },
        "tracks": [{ "name": "A", "clips": [{ "file": "a.wav" }] }],
        "deliverables": [file],
    })
}

fn session(document: &Value) -> ValidSession {
    from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The samples of the file that `deliverable` asks for, and its report.
fn delivered(mix: &Path, deliverable: &Value) -> (Vec<Vec<f32>>, Report) {
    let session = session(&document(deliverable));
    let (path, report) = deliver(mix, &session, 0, None, None, mix.parent().unwrap(), 2, &Unwatched).unwrap();
    (decode(&path), serde_json::from_value(report).unwrap())
}

fn decode(path: &Path) -> Vec<Vec<f32>> {
    let mut decoder = Decoder::open(path).unwrap();
    let mut block = Buffer::new(2, 10 * FRAMES);
    decoder.read(&mut block).unwrap();
    block.iter().map(<[f32]>::to_vec).collect()
}

fn edges(report: &Report) -> &EdgesReport {
    report.edges.as_ref().unwrap()
}

#[test]
fn a_trim_leaves_the_sound_and_what_is_to_be_kept_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let mix = mix(folder.path(), tone);
    for (rate, per_frame) in [(48_000, 1.0), (44_100, 0.91875), (96_000, 2.0)] {
        let whole = json!({ "sample_rate_hz": rate });
        let trimmed = json!({ "sample_rate_hz": rate, "trim": { "keep_head_ms": 10, "keep_tail_ms": 100 } });
        let ((whole, _), (trimmed, report)) = (delivered(&mix, &whole), delivered(&mix, &trimmed));
        let at = |frame: usize| (frame as f64 * per_frame + 0.5) as usize;
        let kept = at(SOUND.start - 480)..at(SOUND.end + 4_800);
        for (whole, trimmed) in whole.iter().zip(&trimmed) {
            assert_eq!(whole[kept.clone()], trimmed[..], "{rate} Hz");
        }
        assert_eq!(report.measurement.frames, trimmed[0].len() as u64);
        assert_eq!((edges(&report).trimmed_head_ms, edges(&report).trimmed_tail_ms), (490.0, 900.0));
    }
}

#[test]
fn what_lies_below_the_threshold_counts_as_silence_and_silence_alone_is_kept_whole() {
    let folder = tempfile::tempdir().unwrap();
    // Noise of -80 dBFS around the tone.
    let hiss = |frame: usize| if (frame * 7919) % 13 < 6 { 1e-4 } else { -1e-4 };
    let noisy = mix(folder.path(), |frame| tone(frame).map(|x| x + hiss(frame)));
    for (threshold, frames) in [(-72.0, SOUND.len()), (-100.0, FRAMES)] {
        let trim = json!({ "trim": { "threshold_dbfs": threshold, "keep_head_ms": 0, "keep_tail_ms": 0 } });
        let (samples, _) = delivered(&noisy, &trim);
        assert!(samples[0].len().abs_diff(frames) < 3, "{threshold} dBFS: {} frames", samples[0].len());
    }
    let silent = mix(folder.path(), |frame| [hiss(frame); 2]);
    let (samples, report) = delivered(&silent, &json!({ "trim": {} }));
    assert_eq!((samples[0].len(), edges(&report).trimmed_head_ms), (FRAMES, 0.0));
}

#[test]
fn fades_follow_their_curve_over_what_the_trim_left() {
    let folder = tempfile::tempdir().unwrap();
    let mix = mix(folder.path(), |frame| if SOUND.contains(&frame) { [0.5, -0.5] } else { [0.0; 2] });
    let asked = json!({
        "trim": { "keep_head_ms": 0, "keep_tail_ms": 0 },
        "fade_in": { "length": "100ms", "curve": "linear" },
        "fade_out": { "length": 9_600, "curve": "s_curve" },
    });
    let (samples, report) = delivered(&mix, &asked);
    let [left, right] = samples.try_into().unwrap();
    assert_eq!(left.len(), SOUND.len());
    for (n, x) in left.iter().enumerate() {
        let rise = ((n as f64 + 0.5) / 4_800.0).min(1.0);
        let left_over = ((left.len() - n) as f64 - 0.5) / 9_600.0;
        let fall = if left_over < 1.0 { (1.0 - math::cos(left_over * core::f64::consts::PI)) / 2.0 } else { 1.0 };
        assert!((f64::from(*x) - 0.5 * rise * fall).abs() < 1e-7, "frame {n}");
    }
    assert!(left.iter().zip(&right).all(|(left, right)| left == &-right));
    assert_eq!((edges(&report).fade_in_ms, edges(&report).fade_out_ms), (100.0, 200.0));
    // At another rate the fades last as long.
    let (at_96, _) =
        delivered(&mix, &json!({ "sample_rate_hz": 96_000, "fade_in": { "length": "1s", "curve": "linear" } }));
    let middle = at_96[0][96_000 * 3 / 4];
    assert!((f64::from(middle) - 0.5 * 0.75).abs() < 1e-4, "{middle}");
    // Fades longer than what is left of the file end with it.
    let (short, _) = delivered(&mix, &json!({ "trim": { "keep_tail_ms": 0 }, "fade_out": { "length": "3s" } }));
    assert!(short[0].windows(2).skip(1000).all(|pair| pair[1] < pair[0] + 1e-6));
}

#[test]
fn the_mean_is_taken_out_of_what_sounds_and_small_ones_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let offset = |left: f32, right: f32| {
        move |frame: usize| {
            let [a, b] = tone(frame);
            if SOUND.contains(&frame) { [a + left, b + right] } else { [0.0; 2] }
        }
    };
    // 0.01 is -40 dBFS; 0.0003 is -70.5 dBFS.
    let mix = mix(folder.path(), offset(0.01, 0.0003));
    let (plain, _) = delivered(&mix, &json!({}));
    let (samples, report) = delivered(&mix, &json!({ "remove_dc": true }));
    let mean = |channel: &[f32]| channel[SOUND].iter().map(|x| f64::from(*x)).sum::<f64>() / SOUND.len() as f64;
    assert!(mean(&plain[0]) > 0.009 && mean(&samples[0]).abs() < 1e-8, "{}", mean(&samples[0]));
    assert_eq!(samples[1], plain[1], "a mean below -70 dBFS changes no bit");
    assert!(samples[0][..SOUND.start].iter().chain(&samples[0][SOUND.end..]).all(|x| *x == 0.0), "silence stays");
    let [left, right] = edges(&report).dc_removed_dbfs[..] else { panic!("two channels") };
    assert!((left.unwrap() + 40.0).abs() < 0.1 && right.is_none(), "{left:?} {right:?}");
    // An offset over the threshold hides no silence where it is removed first.
    let (trimmed, _) = delivered(&mix, &json!({ "remove_dc": true, "trim": { "threshold_dbfs": -50 } }));
    assert!(trimmed[0].len() < FRAMES - 40_000);
}

#[test]
fn the_ceiling_holds_and_the_loudness_is_reached_in_a_trimmed_and_faded_file() {
    let folder = tempfile::tempdir().unwrap();
    let mix = mix(folder.path(), |frame| tone(frame).map(|x| x + if SOUND.contains(&frame) { 0.02 } else { 0.0 }));
    let mut document = document(&json!({ "depth": "16", "sample_rate_hz": 44_100, "remove_dc": true, "trim": {},
        "fade_in": { "length": "5ms" }, "fade_out": { "length": "200ms" } }));
    document["loudness"] = json!({ "integrated_lufs": -5.0, "max_limiting_db": 12.0 });
    let session = session(&document);
    let solution = solve(&mix, None, session.loudness.as_ref().unwrap(), 2, &Unwatched).unwrap();
    let (path, report) = deliver(&mix, &session, 0, Some(&solution), None, folder.path(), 2, &Unwatched).unwrap();
    let report: Report = serde_json::from_value(report).unwrap();
    let peak = report.measurement.true_peak_dbtp.unwrap();
    assert!((-1.2..=-1.0).contains(&peak), "{peak}");
    assert!((report.measurement.integrated_lufs.unwrap() + 5.0).abs() < 0.5, "{:?}", report.measurement);
    let expected = (SOUND.len() + 960 + 24_000) as f64 * 0.91875;
    assert!((decode(&path)[0].len() as f64 - expected).abs() < 2.0);
}

#[test]
fn bad_values_are_told_with_their_range() {
    let faults = |deliverable: Value| -> Vec<(String, String, String)> {
        let faults = from_json(&document(&deliverable).to_string()).unwrap_err();
        faults.0.iter().map(|f| (f.pointer.clone(), f.code.to_owned(), f.expected.clone())).collect()
    };
    for (deliverable, pointer, range) in [
        (json!({ "trim": { "threshold_dbfs": -10 } }), "/deliverables/0/trim/threshold_dbfs", "-120"),
        (json!({ "trim": { "keep_head_ms": 10_001 } }), "/deliverables/0/trim/keep_head_ms", "10000"),
        (json!({ "trim": { "keep_tail_ms": -1 } }), "/deliverables/0/trim/keep_tail_ms", "60000"),
        (json!({ "fade_in": { "length": "4s" } }), "/deliverables/0/fade_in/length", "144000"),
        (json!({ "fade_out": { "length": "no" } }), "/deliverables/0/fade_out/length", ""),
    ] {
        let found = faults(deliverable.clone());
        assert_eq!(found.len(), 1, "{deliverable}: {found:?}");
        assert!(found[0].0 == pointer && found[0].2.contains(range), "{found:?}");
    }
}
