//! The promise of the finish: no true-peak reader sees a delivered file above its ceiling, by 0.00 dB. The readers here are
//! written for this test, in f64, and read the file as any decoder gives it.
#![expect(clippy::disallowed_methods, reason = "test signals and oracles need not have the same bits everywhere")]

#[path = "support/long.rs"]
mod long;
#[path = "support/readers.rs"]
mod readers;
mod signals;

use core::f64::consts::TAU;
use std::path::{Path, PathBuf};

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::finish::report::Report;
use mixdown_dsp::finish::{Solution, deliver};
use mixdown_dsp::media::Decoder;
use mixdown_dsp::media::pcm::PcmWriter;
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::{ValidSession, from_json};
use mixdown_dsp::units::gain_from_db;
use readers::{Reader, by_ffmpeg, over};
use serde_json::json;
use signals::{Noise, buffer};

const RATE: u32 = 48_000;

fn session(rate_hz: u32, frames: usize) -> ValidSession {
    // The curve is one of 48 kHz.
    let shaped = if rate_hz == RATE { "threshold_9" } else { "tpdf" };
    let document = json!({
        "version": 1, "sample_rate_hz": rate_hz, "end": frames,
        "assets": { "a.wav": { "digest": "0".repeat(64), "size_bytes": 1, "frames": 48000, "sample_rate_hz": rate_hz,
            "channels": 2, "lossy": false } },
        "tracks": [{ "name": "A", "clips": [{ "file": "a.wav" }] }],
        "loudness": { "integrated_lufs": -8.0, "max_limiting_db": 24.0 },
        "deliverables": [
            { "name": "24", "mix": "main", "format": "wav", "depth": "24" },
            { "name": "16", "mix": "main", "format": "wav", "depth": "16" },
            { "name": "float", "mix": "main", "format": "wav", "depth": "32f" },
            { "name": "cd", "mix": "main", "format": "wav", "depth": "16", "sample_rate_hz": 44100 },
            { "name": "shaped", "mix": "main", "format": "wav", "depth": "16", "dither": shaped },
            { "name": "shaped cd", "mix": "main", "format": "wav", "depth": "16", "sample_rate_hz": 44100,
                "dither": "wannamaker_9" },
        ],
    });
    from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The delivered file and its report, `gain_db` into the limiter under `ceiling_dbtp`.
fn master(
    folder: &Path,
    session: &ValidSession,
    index: usize,
    signal: &[&[f32]],
    gain_db: f64,
    ceiling_dbtp: f64,
) -> (PathBuf, Report) {
    let source = folder.join("source");
    let mut writer =
        PcmWriter::create(&source, signal.len(), session.sample_rate_hz, signal[0].len() as u64).expect("room for it");
    writer.write(&buffer(signal)).expect("room for it");
    writer.finish().expect("room for it");
    let solution = Solution {
        gain_db,
        ceiling_dbtp,
        target_lufs: -8.0,
        mix_lufs: None,
        mix_dbtp: None,
        reached_lufs: None,
        limited_by: None,
        steps: 0,
    };
    let (path, report) = deliver(&source, session, index, Some(&solution), None, folder, 2, &Unwatched)
        .expect("because it can be finished");
    (path, serde_json::from_value(report).expect("a report"))
}

/// No reader sees more than the report tells.
#[track_caller]
fn assert_reported(report: &Report, read_dbtp: f64, what: &str) {
    let reported = report.measurement.true_peak_dbtp.unwrap_or(f64::NEG_INFINITY);
    assert!(read_dbtp <= reported + 0.000_5, "{what}: {read_dbtp:.5} dBTP, reported {reported:.5}");
}

fn decode(path: &Path) -> Vec<Vec<f32>> {
    let mut decoder = Decoder::open(path).expect("a file");
    let mut block = Buffer::new(decoder.probe().channels as usize, decoder.probe().frames as usize);
    decoder.read(&mut block).expect("its samples");
    block.iter().map(<[f32]>::to_vec).collect()
}

/// (name, signal, gain into the limiter in dB).
fn adversaries(rate_hz: u32, frames: usize) -> Vec<(&'static str, Vec<f32>, f64)> {
    let mut noise = Noise::new(11);
    let white: Vec<f32> = (0..frames).map(|_| noise.next()).collect();
    let mut left = 0_u32;
    let mut alternates = false;
    let runs = (0..frames)
        .map(|n| {
            if left == 0 {
                (left, alternates) = (1 + (noise.next().abs() * 40.0) as u32, noise.next() > 0.0);
            }
            left -= 1;
            if alternates { if n % 2 == 0 { 1.0 } else { -1.0 } } else { noise.next().signum() }
        })
        .collect();
    let bursts = signals::sine(0.25, 1.0, 45.0, frames);
    let bursts = bursts.into_iter().enumerate().map(|(n, x)| if (n / 700) % 2 == 0 { x } else { 0.02 * x }).collect();
    let rate = rate_hz as usize;
    let square = (0..frames).map(|n| if ((n * 882) / rate).is_multiple_of(2) { 1.0 } else { -1.0 }).collect();
    let saw = (0..frames).map(|n| 2.0 * ((n * 441) % rate) as f32 / rate as f32 - 1.0).collect();
    let mut signals = vec![
        ("fs/4 at 45°", signals::sine(0.25, 1.0, 45.0, frames), 6.0),
        ("fs/6 at 60°", signals::sine(1.0 / 6.0, 1.0, 60.0, frames), 6.0),
        ("fs/8 at 67.5°", signals::sine(0.125, 1.0, 67.5, frames), 6.0),
        ("single periods of fs/4", signals::short_periods(frames), 6.0),
        ("white noise", white, 20.0),
        ("clipped music", signals::clipped_music(rate_hz, frames), 12.0),
        ("square", square, 6.0),
        ("saw", saw, 6.0),
        ("bursts of fs/4 at 45°", bursts, 6.0),
        ("alternating runs", runs, 3.0),
    ];
    // As the standard's files: without, ffmpeg would measure what it takes for granted beyond the ends, their mirror images.
    for (_, signal, _) in &mut signals {
        for (n, x) in signal.iter_mut().enumerate() {
            *x *= (n.min(frames - 1 - n) as f32 / 480.0).min(1.0);
        }
    }
    signals
}

/// Delivers each adversary in these ways and holds what all readers read of the files to the ceiling of −1 dBTP.
fn assert_under_the_ceiling_and_using_it(rate_hz: u32, frames: usize, deliverables: &[usize]) {
    let (session, readers) = (session(rate_hz, frames), Reader::all());
    let folder = tempfile::tempdir().expect("a folder");
    for (name, signal, gain_db) in adversaries(rate_hz, frames) {
        let other: Vec<f32> = signal.iter().map(|x| x * -0.7).collect();
        for &index in deliverables {
            let (path, report) = master(folder.path(), &session, index, &[&signal, &other], gain_db, -1.0);
            let channels = decode(&path);
            let ((over, reader), ffmpeg) = (over(&readers, &channels, -1.0), by_ffmpeg(&path, &[]));
            let done = report.loudness.as_ref().expect("it was limited");
            let made = format!("{} corrections, trim {:.4} dB", done.corrections, done.trim_db);
            let what = format!("{name} at {rate_hz} Hz, {}, {made}", report.file);
            assert!(over <= 0.0, "{what}: {over:+.5} dB by {reader}");
            assert_reported(&report, over - 1.0, &what);
            // What lies above 20 kHz is gone at 44.1 kHz, and may take the overs with it.
            let used = done.max_gain_reduction_db == 0.0 || over >= -0.05;
            assert!(used, "{what}: {over:+.4} dB, the ceiling is not used");
            // It prints three digits; and at multiples of 44.1 kHz it reads up to 640 points a sample, of which our 32 miss
            // 0.0105 dB at most.
            let between = rate_hz.is_multiple_of(441) || matches!(index, 3 | 5);
            let allowed = gain_from_db(if between { -0.9895 } else { -1.0 }) + 0.0005;
            assert!(ffmpeg <= allowed, "{what}: ffmpeg reads {ffmpeg}");
        }
    }
}

#[test]
fn the_signals_of_the_standard_and_worse_stay_under_the_ceiling_and_use_it() {
    assert_under_the_ceiling_and_using_it(RATE, 24_000, &[0, 1, 3, 4, 5]);
}

#[test]
fn so_they_do_at_every_other_rate() {
    let both: &[usize] = &[0, 3];
    for (rate_hz, deliverables) in
        [(44_100, &[0][..]), (88_200, both), (96_000, both), (176_400, &[0]), (192_000, &[0])]
    {
        // ffmpeg reads every tenth of a second.
        assert_under_the_ceiling_and_using_it(rate_hz, 12_000.max(rate_hz as usize / 8), deliverables);
    }
}

/// A file of pieces, each of a kind, level and length of its own.
fn random_file(noise: &mut Noise, frames: usize) -> Vec<f32> {
    let mut signal = Vec::new();
    while signal.len() < frames {
        let mut draw = || f64::from(noise.next()) * 0.5 + 0.5;
        let (kind, length, level) = ((draw() * 9.0) as u32, 20 + (draw() * 1_200.0) as usize, draw());
        let (frequency, phase) = (0.5 * draw(), draw() * TAU);
        for n in 0..length {
            let sine = (TAU * frequency * n as f64 + phase).sin();
            let white = f64::from(noise.next());
            let value = match kind {
                0 => white,
                1 => white.signum(),
                2 => (TAU * 0.25 * n as f64 + phase).sin(),
                3 => sine,
                4 => sine.signum(),
                5 => (4.0 * white).clamp(-1.0, 1.0),
                6 => f64::from(n as u32 % 2) * 2.0 - 1.0,
                7 => 0.01 * white,
                _ => {
                    if n % 97 == 0 {
                        white.signum()
                    } else {
                        0.0
                    }
                }
            };
            signal.push((level * value) as f32);
        }
    }
    signal.truncate(frames);
    signal
}

#[test]
fn random_files_stay_under_the_ceiling() {
    const FRAMES: usize = 3_000;
    // Most at 48 kHz, the sixth part at the other rates in turn.
    let sessions = [RATE, 44_100, 88_200, 96_000, 176_400, 192_000].map(|rate_hz| session(rate_hz, FRAMES));
    let readers = Reader::all();
    let folder = tempfile::tempdir().expect("a folder");
    let rounds = long::rounds(600);
    let (mut corrections, mut trims, mut lowest) = (0, 0, 0.0_f64);
    for seed in 0..rounds {
        let mut noise = Noise::new(u64::from(seed) + 1_000);
        let (left, right) = (random_file(&mut noise, FRAMES), random_file(&mut noise, FRAMES));
        let gain_db = 4.0 + 22.0 * f64::from(noise.next().abs());
        let ceiling_dbtp = [-1.0, -0.1, -2.0, -9.0][seed as usize / 6 % 4];
        let signal: &[&[f32]] = if seed % 3 == 0 { &[&left] } else { &[&left, &right] };
        let session = &sessions[if seed % 6 == 5 { 1 + seed as usize / 6 % 5 } else { 0 }];
        // Of the files at other rates, each sixth round's is of another kind.
        let index = (seed as usize + seed as usize / 36) % 6;
        let (path, report) = master(folder.path(), session, index, signal, gain_db, ceiling_dbtp);
        let (over, reader) = over(&readers, &decode(&path), ceiling_dbtp);
        assert!(over <= 0.0, "seed {seed} at {} Hz: {over:+.5} dB by {reader}", session.sample_rate_hz);
        assert_reported(&report, over + ceiling_dbtp, &format!("seed {seed} by {reader}"));
        let done = report.loudness.as_ref().expect("it was limited");
        corrections = corrections.max(done.corrections);
        trims += u32::from(done.trim_db < 0.0);
        // The limiter obeys the longest filter of all, which alone sees some of what lies at half the sample rate.
        let used = report.measurement.true_peak_dbtp.map_or(over, |peak| over.max(peak - ceiling_dbtp));
        // A file that stays below the ceiling anyway has nothing to use it with.
        if done.max_gain_reduction_db > 0.0 && used < lowest {
            println!("seed {seed}: {used:+.3} dB, {} corrections, trimmed by {:.3} dB", done.corrections, done.trim_db);
            lowest = used;
        }
    }
    println!(
        "{rounds} files: {corrections} corrections at most, {trims} trimmed, the least used ceiling {lowest:+.3} dB"
    );
    assert!(lowest >= -0.05, "a ceiling used to {lowest:.3} dB");
}

#[test]
fn below_the_ceiling_no_bit_changes() {
    let frames = 24_000;
    let folder = tempfile::tempdir().expect("a folder");
    let mut noise = Noise::new(2);
    let quiet: Vec<f32> = (0..frames).map(|_| noise.next() * 0.3).collect();
    let tone = signals::sine(0.01, 0.85, 0.0, frames);
    let (path, report) = master(folder.path(), &session(RATE, frames), 2, &[&quiet, &tone], 0.0, -1.0);
    assert_eq!(decode(&path), [quiet, tone]);
    assert_eq!(report.loudness.expect("it went through the limiter").max_gain_reduction_db, 0.0);
}
