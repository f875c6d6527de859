//! The finish: loudness and ceiling as an independent meter reads them, and what is said when both cannot hold.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::process::Command;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::execute::ExecuteError;
use mixdown_dsp::finish::report::Report;
use mixdown_dsp::finish::{LimitedBy, Solution, deliver, solve};
use mixdown_dsp::math;
use mixdown_dsp::media::pcm::PcmWriter;
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::document::Dither;
use mixdown_dsp::session::{ValidSession, from_json};
use mixdown_dsp::units::gain_from_db;
use serde_json::{Value, json};

const RATE: u32 = 48_000;
const SECONDS: u64 = 12;

/// A mix: drum hits over a chord that swells, with its peaks at `peak_dbfs`.
fn mix(folder: &Path, peak_dbfs: f64) -> PathBuf {
    let path = folder.join("mix");
    let frames = u64::from(RATE) * SECONDS;
    let mut writer = PcmWriter::create(&path, 2, RATE, frames).unwrap();
    let mut block = Buffer::new(2, 4800);
    let mut state = 1u32;
    for start in (0..frames).step_by(4800) {
        let (left, right) = block.stereo_mut();
        for (index, (left, right)) in left.iter_mut().zip(right).enumerate() {
            let t = (start + index as u64) as f64 / f64::from(RATE);
            let sine = |hz: f64| math::sin(2.0 * std::f64::consts::PI * hz * t);
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0;
            let hit = math::exp(-(t % 0.5) * 25.0);
            let swell = 0.5 + 0.5 * sine(0.1);
            let chord = swell * (sine(220.0) + sine(277.2) + sine(329.6)) / 3.0;
            let level = gain_from_db(peak_dbfs) / 1.3;
            *left = (level * (hit * (0.6 * sine(60.0) + 0.4 * noise) + 0.3 * chord)) as f32;
            *right = (level * (hit * (0.6 * sine(60.0) - 0.4 * noise) + 0.3 * chord)) as f32;
        }
        writer.write(&block).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn session(loudness: Value, deliverables: Value) -> ValidSession {
    let document = json!({
        "version": 1, "sample_rate_hz": RATE, "end": format!("{SECONDS}s"),
        "assets": { "a.wav": { "digest": "0".repeat(64), "size_bytes": 1, "frames": 48000, "sample_rate_hz": RATE,
            "channels": 2, "lossy": false } },
        "tracks": [{ "name": "A", "clips": [{ "file": "a.wav" }] }],
        "loudness": loudness, "deliverables": deliverables,
    });
    from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn master(session: &ValidSession, mix: &Path, index: usize) -> (PathBuf, Report) {
    let solution = session.loudness.as_ref().map(|loudness| solve(mix, None, loudness, 2, &Unwatched).unwrap());
    let (path, report) =
        deliver(mix, session, index, solution.as_ref(), None, mix.parent().unwrap(), 2, &Unwatched).unwrap();
    (path, serde_json::from_value(report).unwrap())
}

/// Integrated loudness and true peak as ffmpeg's ebur128 filter reads them.
fn ffmpeg(path: &Path) -> (f64, f64) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(path)
        .args(["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is there; `make test` installs it");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = text.rsplit("Summary:").next().unwrap();
    let value = |name: &str| -> f64 {
        let line = summary.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (value("I:"), value("Peak:"))
}

fn files() -> Value {
    json!([
        { "name": "a", "mix": "main", "format": "wav", "depth": "24" },
        { "name": "b", "mix": "main", "format": "wav", "depth": "16", "sample_rate_hz": 44100 },
        { "name": "c", "mix": "main", "format": "wav", "depth": "32f", "sample_rate_hz": 96000 },
        { "name": "d", "mix": "main", "format": "flac", "depth": "24" },
    ])
}

#[test]
fn loudness_and_ceiling_hold_in_every_file_by_ffmpegs_meter() {
    let folder = tempfile::tempdir().unwrap();
    let mix = mix(folder.path(), -3.0);
    let session = session(json!({ "integrated_lufs": -14.0, "max_limiting_db": 12.0 }), files());
    for index in 0..4 {
        let (path, report) = master(&session, &mix, index);
        let (integrated, peak) = ffmpeg(&path);
        assert!((integrated + 14.0).abs() <= 0.1, "{}: {integrated} LUFS", report.file);
        assert!(peak <= -1.0, "{}: {peak} dBTP", report.file);
        let measured = &report.measurement;
        assert!(measured.true_peak_dbtp.unwrap() <= -1.0, "{measured:?}");
        assert!(measured.true_peak_dbtp.unwrap() >= -1.1, "the ceiling is used: {measured:?}");
        assert!((measured.integrated_lufs.unwrap() - integrated).abs() <= 0.08, "{measured:?} against {integrated}");
        let loudness = report.loudness.unwrap();
        assert!(loudness.max_gain_reduction_db > 1.0, "{loudness:?}");
        assert_eq!((loudness.limited_by, loudness.trim_db), (None, 0.0));
    }
}

#[test]
fn a_quiet_target_needs_no_limiter_and_changes_the_gain_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mix = mix(folder.path(), -3.0);
    let session = session(json!({ "integrated_lufs": -30.0 }), files());
    let solution = solve(&mix, None, session.loudness.as_ref().unwrap(), 2, &Unwatched).unwrap();
    assert_eq!(solution.steps, 0);
    let (path, report) = master(&session, &mix, 0);
    let (integrated, _) = ffmpeg(&path);
    assert!((integrated + 30.0).abs() <= 0.1);
    assert_eq!(report.loudness.unwrap().max_gain_reduction_db, 0.0);
}

#[test]
fn a_target_that_needs_too_much_limiting_is_missed_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let mix = mix(folder.path(), -3.0);
    let session = session(json!({ "integrated_lufs": -6.0, "max_limiting_db": 3.0 }), files());
    let (path, report) = master(&session, &mix, 0);
    let (integrated, peak) = ffmpeg(&path);
    let loudness = report.loudness.unwrap();
    assert_eq!(loudness.limited_by, Some(LimitedBy::MaxLimiting));
    assert!(integrated < -6.5 && peak <= -1.0, "{integrated} {peak}");
    assert!((loudness.reached_lufs.unwrap() - integrated).abs() < 0.1);
    assert!(loudness.note.contains("of -6.0 asked"), "{}", loudness.note);
    assert!(loudness.max_gain_reduction_db <= 3.6, "{loudness:?}");
}

#[test]
fn silence_gets_no_gain_and_no_invented_loudness() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mix");
    let mut writer = PcmWriter::create(&path, 2, RATE, u64::from(RATE) * SECONDS).unwrap();
    for _ in 0..SECONDS {
        writer.write(&Buffer::new(2, RATE as usize)).unwrap();
    }
    writer.finish().unwrap();
    let session = session(json!({ "integrated_lufs": -14.0 }), files());
    let solution: Solution = solve(&path, None, session.loudness.as_ref().unwrap(), 2, &Unwatched).unwrap();
    assert_eq!((solution.gain_db, solution.limited_by), (0.0, Some(LimitedBy::Silence)));
    let (_, report) = master(&session, &path, 2);
    assert_eq!((report.measurement.integrated_lufs, report.measurement.true_peak_dbtp), (None, None));
}

#[test]
fn without_a_target_an_over_fails_an_integer_file_and_passes_a_float_one() {
    let folder = tempfile::tempdir().unwrap();
    let mix = mix(folder.path(), 4.0);
    let session = session(Value::Null, files());
    let delivered = |index| deliver(&mix, &session, index, None, None, folder.path(), 2, &Unwatched);
    let Err(ExecuteError::BadSession(message)) = delivered(0) else { panic!("an over passed") };
    assert!(message.contains("a.wav") && message.contains("pull it down by"), "{message}");
    let (path, _) = delivered(2).unwrap();
    assert!(ffmpeg(&path).1 > 0.0);
}

#[test]
fn the_same_mix_gives_the_same_bytes_again() {
    let folder = tempfile::tempdir().unwrap();
    let mix = mix(folder.path(), -3.0);
    let session = session(json!({ "integrated_lufs": -12.0, "max_limiting_db": 12.0 }), files());
    for index in 0..4 {
        let first = std::fs::read(master(&session, &mix, index).0).unwrap();
        let second = std::fs::read(master(&session, &mix, index).0).unwrap();
        assert!(first == second);
    }
}

/// A mix of whole numbers of 16 bits, up to full scale, with silence in it.
fn mix_of_16_bits(folder: &Path) -> (PathBuf, Vec<i32>) {
    let path = folder.join("whole");
    let frames = u64::from(RATE) * SECONDS;
    let code = |frame: u64| if frame % 7000 < 3000 { 0 } else { (frame * 48_271 % 65_536) as i32 - 32_768 };
    let codes: Vec<i32> = (0..frames).map(code).collect();
    let mut writer = PcmWriter::create(&path, 1, RATE, frames).unwrap();
    for part in codes.chunks(4800) {
        let mut block = Buffer::new(1, part.len());
        block.channel_mut(0).iter_mut().zip(part).for_each(|(to, code)| *to = *code as f32 / 32_768.0);
        writer.write(&block).unwrap();
    }
    writer.finish().unwrap();
    (path, codes)
}

#[test]
fn a_file_whose_depth_does_not_fall_gets_no_dither() {
    let folder = tempfile::tempdir().unwrap();
    let (mix, codes) = mix_of_16_bits(folder.path());
    let session = session(
        Value::Null,
        json!([
            { "name": "flat", "mix": "main", "format": "wav", "depth": "16" },
            { "name": "shaped", "mix": "main", "format": "wav", "depth": "16", "dither": "threshold_9" },
            { "name": "deeper", "mix": "main", "format": "wav", "depth": "24" },
            { "name": "faded", "mix": "main", "format": "wav", "depth": "16",
                "fade_in": { "length": 5000, "curve": "linear" } },
        ]),
    );
    for index in 0..3 {
        let (path, report) = master(&session, &mix, index);
        assert_eq!(report.dither, Dither::None, "{}", report.file);
        let mut reader = hound::WavReader::open(path).unwrap();
        let shift = if index == 2 { 256 } else { 1 };
        let written: Vec<i32> = reader.samples::<i32>().map(Result::unwrap).collect();
        assert!(written.iter().zip(&codes).all(|(written, code)| *written == code * shift), "{}", report.file);
        assert_eq!(written.len(), codes.len());
    }
    // Faded, it no longer fits 16 bits.
    assert_eq!(master(&session, &mix, 3).1.dither, Dither::Tpdf);
}

#[test]
fn a_sample_that_is_no_number_is_refused_at_its_place_by_every_format_and_by_the_meter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken");
    let frames = u64::from(RATE) * SECONDS;
    let files: Vec<Value> = [("wav", "16"), ("wav", "32f"), ("flac", "24"), ("aiff", "24")]
        .iter()
        .map(|(format, depth)| json!({ "name": format!("{format} {depth}"), "mix": "main", "format": format, "depth": depth }))
        .chain([json!({ "name": "other rate", "mix": "main", "format": "wav", "depth": "24", "sample_rate_hz": 44_100 })])
        .chain(["opus", "vorbis"].map(|format| json!({ "name": format, "mix": "main", "format": format })))
        .collect();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut writer = PcmWriter::create(&path, 2, RATE, frames).unwrap();
        let mut block = Buffer::new(2, 4800);
        for start in (0..frames).step_by(4800) {
            block.clear();
            if start == 96_000 {
                // The later channel has it first.
                (block.channel_mut(0)[30], block.channel_mut(1)[17]) = (value, value);
            }
            writer.write(&block).unwrap();
        }
        writer.finish().unwrap();
        let place = "channel 2 is NaN or infinite at frame 96017 (2.000354 s)";
        let session = session(json!({ "integrated_lufs": -14.0 }), json!(files));
        let told = |error: ExecuteError, what: &str| {
            let ExecuteError::BadSession(message) = &error else { panic!("{what}: {error:?}") };
            assert!(message.contains(place), "{what}: {message}");
            message.clone()
        };
        told(solve(&path, None, session.loudness.as_ref().unwrap(), 2, &Unwatched).unwrap_err(), "the meter");
        for (index, asked) in session.deliverables.iter().enumerate() {
            let what = &asked.file_name;
            let error = deliver(&path, &session, index, None, None, folder.path(), 2, &Unwatched).unwrap_err();
            let message = told(error, what);
            assert!(message.contains(what.as_str()) && message.contains("in main"), "{message}");
        }
    }
}
