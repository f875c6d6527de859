//! Lossy files after decoding: what the report says of them is what ffmpeg finds, and the ceiling is kept where it is asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::process::Command;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::finish::report::Report;
use mixdown_dsp::finish::{MAX_ENCODINGS, Solution, deliver};
use mixdown_dsp::media::pcm::PcmWriter;
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::document::Format;
use mixdown_dsp::session::{ValidSession, from_json};
use serde_json::{Value, json};

const RATE: u32 = 48_000;
const FRAMES: usize = 2 * 48_000 + 77;
const CEILING_DBTP: f64 = -1.0;

/// White noise by a linear congruential generator, ±`peak`.
fn noise(peak: f32) -> impl FnMut(usize) -> f32 {
    let mut state = 0x1234_5678_9abc_def1_u64;
    move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        peak * ((state >> 40) as i32 - (1 << 23)) as f32 / (1 << 23) as f32
    }
}

/// A square of 110 Hz, ±`peak`.
fn square(peak: f32) -> impl FnMut(usize) -> f32 {
    move |frame| if (frame * 220 / RATE as usize).is_multiple_of(2) { peak } else { -peak }
}

/// A mix of the signal, silent at both ends: beyond them, ffmpeg's meter takes the mirror image of what is there for granted.
fn source(folder: &Path, mut signal: impl FnMut(usize) -> f32) -> PathBuf {
    let path = folder.join("source");
    let mut writer = PcmWriter::create(&path, 2, RATE, FRAMES as u64).unwrap();
    let mut block = Buffer::new(2, FRAMES);
    let (left, right) = block.stereo_mut();
    for (frame, (left, right)) in left.iter_mut().zip(right).enumerate() {
        if (2_400..FRAMES - 4_800).contains(&frame) {
            (*left, *right) = (signal(frame), signal(frame + 13));
        }
    }
    writer.write(&block).unwrap();
    writer.finish().unwrap();
    path
}

fn session(files: &Value) -> ValidSession {
    let document = json!({
        "version": 1, "sample_rate_hz": RATE, "end": FRAMES,
        "assets": { "a.wav": { "digest": "0".repeat(64), "size_bytes": 1, "frames": 48000, "sample_rate_hz": RATE,
            "channels": 2, "lossy": false } },
        "tracks": [{ "name": "A", "clips": [{ "file": "a.wav" }] }],
        "loudness": { "integrated_lufs": -8.0, "max_limiting_db": 24.0, "ceiling_dbtp": CEILING_DBTP },
        "deliverables": files,
    });
    from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn deliver_one(source: &Path, session: &ValidSession, index: usize) -> (PathBuf, Report) {
    let solution = Solution {
        gain_db: 6.0,
        ceiling_dbtp: CEILING_DBTP,
        target_lufs: -8.0,
        mix_lufs: None,
        mix_dbtp: None,
        reached_lufs: None,
        limited_by: None,
        steps: 0,
    };
    let folder = source.parent().unwrap();
    let (made, report) = deliver(source, session, index, Some(&solution), None, folder, 2, &Unwatched).unwrap();
    // ffmpeg looks at bytes, but a name that tells the truth helps whoever reads its complaints.
    let path = folder.join(&session.deliverables[index].file_name);
    std::fs::rename(made, &path).unwrap();
    (path, serde_json::from_value(report).unwrap())
}

/// Frames, integrated loudness and true peak of a file as ffmpeg decodes it and its meter reads it.
fn by_ffmpeg(path: &Path) -> (u64, f64, f64) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(path)
        .args(["-af", "ebur128=peak=true:framelog=verbose,astats=measure_perchannel=none", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is there; `make test` installs it");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = |text: &str, name: &str| -> f64 {
        let found = text.lines().find_map(|line| line.split_once(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        found.1.split_whitespace().next().unwrap().parse().unwrap()
    };
    let summary = text.rsplit("Summary:").next().unwrap();
    (value(&text, "Number of samples:") as u64, value(summary, "I:"), value(summary, "Peak:"))
}

fn formats() -> Vec<Value> {
    let mut formats = vec![
        json!({ "format": "opus", "bitrate_kbps": 128 }),
        json!({ "format": "opus", "bitrate_kbps": 64, "bitrate_mode": "cbr" }),
        json!({ "format": "vorbis", "quality": 3 }),
    ];
    if Format::Mp3.why_not_written().is_none() {
        formats.extend([
            json!({ "format": "mp3", "bitrate_kbps": 128 }),
            json!({ "format": "mp3", "quality": 4 }),
            json!({ "format": "mp3", "bitrate_kbps": 320, "sample_rate_hz": 44100 }),
        ]);
    }
    formats
}

/// A deliverable of each format without and with the ceiling kept, in turn.
fn files() -> Value {
    let file = |(index, mut file): (usize, Value), keep: bool| {
        file["name"] = json!(format!("{index} {keep}"));
        file["mix"] = json!("main");
        file["keep_ceiling_decoded"] = json!(keep);
        file
    };
    formats().into_iter().enumerate().flat_map(|of| [file(of.clone(), false), file(of, true)]).collect()
}

#[test]
fn a_decoded_file_keeps_its_ceiling_where_asked_and_its_report_is_what_ffmpeg_reads() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&files());
    for name in ["noise", "square"] {
        let source = match name {
            "noise" => source(folder.path(), noise(0.9)),
            _ => source(folder.path(), square(0.7)),
        };
        let mut overshoots = 0;
        for (index, asked) in session.deliverables.iter().enumerate() {
            let (path, report) = deliver_one(&source, &session, index);
            let lossy = report.lossy.as_ref().unwrap();
            let decoded = lossy.decoded;
            let what = format!("{name}, {} {}", asked.format.label(), lossy.bit_rate);
            let (frames, integrated, peak) = by_ffmpeg(&path);
            assert_eq!((frames, decoded.frames), (report.measurement.frames, report.measurement.frames), "{what}");
            let (our_peak, our_lufs) = (decoded.true_peak_dbtp.unwrap(), decoded.integrated_lufs.unwrap());
            assert!((our_lufs - integrated).abs() <= 0.1, "{what}: {our_lufs} LUFS, by ffmpeg {integrated}");
            // Ours is the most pessimistic of five readers; ffmpeg rounds to 0.1 dB.
            assert!((-0.11..0.5).contains(&(our_peak - peak)), "{what}: {our_peak} dBTP, by ffmpeg {peak}");
            let over = our_peak - CEILING_DBTP;
            assert_eq!(lossy.over_ceiling_db, (over > 0.0).then_some(over), "{what}");
            assert_eq!(report.loudness.as_ref().unwrap().ceiling_dbtp, CEILING_DBTP, "{what}");
            // What went in keeps the ceiling all the same.
            assert!(lossy.encoded_true_peak_dbtp.unwrap() <= CEILING_DBTP - lossy.ceiling_lowered_db, "{what}");
            assert_eq!(report.measurement.true_peak_dbtp, decoded.true_peak_dbtp, "{what}");
            if asked.lossy.unwrap().keep_ceiling_decoded {
                assert!(peak <= CEILING_DBTP + 0.05 && lossy.over_ceiling_db.is_none(), "{what}: {peak}, {lossy:?}");
                assert!(lossy.encodings <= MAX_ENCODINGS && our_peak > CEILING_DBTP - 1.0, "{what}: {lossy:?}");
            } else {
                assert_eq!((lossy.encodings, lossy.ceiling_lowered_db), (1, 0.0), "{what}");
                overshoots += u32::from(peak > CEILING_DBTP + 0.3);
            }
        }
        assert!(overshoots >= 3, "{name}: {overshoots} files overshoot, so that keeping the ceiling proves little");
    }
}

#[test]
fn a_file_whose_ceiling_is_kept_decoded_is_the_same_bytes_each_time_and_leaves_no_spool() {
    let folder = tempfile::tempdir().unwrap();
    let session = session(&files());
    let source = source(folder.path(), noise(0.9));
    let once = deliver_one(&source, &session, 1);
    let bytes = std::fs::read(&once.0).unwrap();
    let again = deliver_one(&source, &session, 1);
    assert!(std::fs::read(&again.0).unwrap() == bytes && once.1 == again.1);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
