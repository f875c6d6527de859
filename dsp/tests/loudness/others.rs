//! The meter beside ffmpeg's, whose figures are read to three digits after the point.
//!
//! What parts the two, quantity by quantity:
//! - K-weighting: ffmpeg bends the printed filters to other rates by the bilinear transform, which reads this programme up to
//!   0.005 LU apart at 44.1 kHz and 0.025 LU at 96 kHz; at 48 kHz both are the printed ones.
//! - Integrated loudness and range: ffmpeg sorts levels into bins of 0.01 LU and goes on with the lower edge of each.
//! - Loudness range: ffmpeg's lower rank is that of ⌊n/10 + 1/2⌋ values, Tech 3342's is round((n − 1)/10 + 1), mostly the next.
//!   And it appends no silence to a file: here the file holds it.
//! - True peak: ffmpeg reads 192 000 points a second, and prints thousandths of full scale.

use core::f64::consts::{PI, TAU};
use std::process::Command;

use mixdown_dsp::loudness::Meter;
use mixdown_dsp::math;
use mixdown_dsp::units::{db_from_gain, db_from_power, gain_from_db};

use super::measure;
use super::signals::{Noise, buffer, part};

/// Half of the last digit that ffmpeg prints.
const PRINTED: f64 = 0.000_5;
/// The width of the bins that ffmpeg sorts levels into, in LU.
const BIN_LU: f64 = 0.01;

/// What ffmpeg's meter says at the end of every tenth of a second: LUFS, LU, and the linear true peak so far.
struct Reading {
    momentary: f64,
    short_term: f64,
    integrated: f64,
    range: f64,
    true_peak: f64,
}

fn ffmpeg(sample_rate_hz: u32, channels: &[&[f32]], layout: &str) -> Vec<Reading> {
    let folder = tempfile::tempdir().expect("a folder for the signal");
    let file = folder.path().join("signal.f32");
    let bytes: Vec<u8> = (0..channels[0].len())
        .flat_map(|n| channels.iter().flat_map(move |channel| channel[n].to_le_bytes()))
        .collect();
    std::fs::write(&file, bytes).expect("room for the signal");
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-v", "error", "-f", "f32le"])
        .args(["-ar", &sample_rate_hz.to_string(), "-ch_layout", layout, "-i"])
        .arg(&file)
        .args(["-af", "ebur128=peak=true:metadata=1,ametadata=print:file=-", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is the oracle of this test but is not on PATH: run `make test`, which installs it");
    assert!(output.status.success(), "ffmpeg failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let log = String::from_utf8_lossy(&output.stdout);
    let reading = |frame: &str| {
        let all = |key: &str| -> Vec<f64> {
            let values = frame.lines().filter_map(|line| line.strip_prefix("lavfi.r128.")?.strip_prefix(key));
            values.filter_map(|rest| rest.split_once('=')?.1.parse().ok()).collect()
        };
        let first = |key: &str| *all(key).first().unwrap_or_else(|| panic!("ffmpeg printed no {key}\n{frame}"));
        Reading {
            momentary: first("M"),
            short_term: first("S"),
            integrated: first("I"),
            range: first("LRA"),
            true_peak: all("true_peaks_ch").into_iter().fold(f64::NAN, f64::max),
        }
    };
    log.split("frame:").skip(1).map(reading).collect()
}

/// Music-like noise: swells over 30 dB, lows stronger than highs, channels related but not alike.
fn programme(sample_rate_hz: u32, seconds: u32) -> [Vec<f32>; 2] {
    let mut noise = Noise::new(77);
    let frames = (sample_rate_hz * seconds) as usize;
    let (mut low, mut last, mut left, mut right) = (0.0_f32, [0.0; 2], Vec::new(), Vec::new());
    for n in 0..frames {
        let swell = math::sin(n as f64 / f64::from(sample_rate_hz) * 0.7) * 15.0 - 20.0;
        let gain = gain_from_db(swell) as f32;
        low += (noise.next() - low) * 0.05;
        let own = [noise.next(), noise.next()];
        left.push(gain * (low + 0.1 * (own[0] + last[0])));
        right.push(gain * (low + 0.1 * (own[1] + last[1])));
        last = own;
    }
    [left, right]
}

/// Our momentary and short-term loudness at the end of every tenth of a second, in LUFS; NaN while a window is not full.
fn courses(sample_rate_hz: u32, channels: &[&[f32]]) -> [Vec<f64>; 2] {
    let (whole, step) = (buffer(channels), sample_rate_hz as usize / 10);
    let mut meter = Meter::loudness_only(sample_rate_hz, channels.len());
    let (mut momentary, mut short_term) = (Vec::new(), Vec::new());
    for start in (0..whole.frames()).step_by(step) {
        meter.push(&part(&whole, start, start + step));
        let level = |power: Option<f64>| power.map_or(f64::NAN, |power| db_from_power(power) - 0.691);
        momentary.push(level(meter.momentary_power()));
        short_term.push(level(meter.short_term_power()));
    }
    [momentary, short_term]
}

/// Asserts that two courses read the same wherever the window is full and there is something to read.
#[track_caller]
fn assert_alike(what: &str, ours: &[f64], theirs: impl Iterator<Item = f64>, tolerance: f64) {
    let pairs: Vec<_> = ours.iter().zip(theirs).filter(|(ours, _)| **ours > -70.0).collect();
    assert!(pairs.len() > 500, "{what}: {} readings", pairs.len());
    let worst = pairs.iter().map(|(ours, theirs)| (*ours - theirs).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance, "{what}: {worst:.4} LU apart");
}

#[test]
fn ffmpeg_reads_the_same_loudness_at_every_tenth_of_a_second() {
    for (rate, weighting_db) in [(44_100, 0.005), (48_000, 0.000_1), (96_000, 0.025)] {
        let mut sides = programme(rate, 60);
        // The silence that a file meter hears behind the file: Tech 3342, section 4.
        sides.iter_mut().for_each(|side| side.resize(rate as usize * 615 / 10, 0.0));
        let both = sides.each_ref().map(Vec::as_slice);
        let sounding = both.map(|side| &side[..rate as usize * 60]);
        let (ours, theirs) = (measure(rate, &sounding), ffmpeg(rate, &both, "stereo"));
        assert_eq!(theirs.len(), 615);
        let [momentary, short_term] = courses(rate, &both);
        let (within, name) = (weighting_db + PRINTED, |what: &str| format!("{what} at {rate} Hz"));
        assert_alike(&name("momentary"), &momentary, theirs.iter().map(|reading| reading.momentary), within);
        assert_alike(&name("short-term"), &short_term, theirs.iter().map(|reading| reading.short_term), within);

        let above = ours.integrated_lufs.unwrap() - theirs[599].integrated;
        assert!((-within..=BIN_LU + within).contains(&above), "{}: {above:+.4} LU", name("integrated"));

        // Both ranks on the levels that pass Tech 3342's gates.
        let levels: Vec<f64> = short_term.into_iter().filter(|level| *level >= -70.0).collect();
        let power = |level: &f64| gain_from_db(*level) * gain_from_db(*level);
        let gate = db_from_power(levels.iter().map(power).sum::<f64>() / levels.len() as f64) - 20.0;
        let mut levels: Vec<f64> = levels.into_iter().filter(|level| *level >= gate).collect();
        levels.sort_by(f64::total_cmp);
        let n = levels.len() as f64;
        let between = |low: f64, high: f64| levels[high as usize - 1] - levels[low as usize - 1];
        let by_the_standard = between(((n - 1.0) * 0.1 + 1.0).round(), ((n - 1.0) * 0.95 + 1.0).round());
        let by_ffmpeg = between((0.1 * n + 0.5).floor(), (0.95 * n + 0.5).floor());
        let range = ours.loudness_range_lu.unwrap();
        assert!((range - by_the_standard).abs() < 1e-6, "{}: {range} LU, not {by_the_standard}", name("range"));
        // The difference of two bins.
        let apart = (by_ffmpeg - theirs[614].range).abs();
        assert!(
            apart <= BIN_LU + within,
            "{}: {by_ffmpeg:.4} LU by its ranks, ffmpeg {}",
            name("range"),
            theirs[614].range
        );
    }
}

#[test]
fn ffmpeg_finds_the_same_true_peak_where_its_points_lie_close() {
    // 24 partials below 4 kHz: 192 000 points a second miss at most 1 − cos(π·4/192) of any of them.
    const HIGHEST_HZ: f64 = 4000.0;
    let missed_db = -db_from_gain(math::cos(PI * HIGHEST_HZ / 192_000.0));
    for rate in [44_100, 48_000, 88_200, 96_000, 192_000] {
        let mut noise = Noise::new(23);
        let mut draw = || f64::from(noise.next()) * 0.5 + 0.5;
        let partials: Vec<[f64; 2]> = (0..24).map(|_| [HIGHEST_HZ * draw(), TAU * draw()]).collect();
        let frames = rate as usize * 2;
        let signal: Vec<f32> = (0..frames)
            .map(|n| {
                let t = n as f64 / f64::from(rate);
                let sum: f64 = partials.iter().map(|[hz, phase]| math::sin(TAU * hz * t + phase)).sum();
                // Faded in and out: beyond the ends ffmpeg takes the mirror image of the signal for granted.
                (0.07 * sum * (n.min(frames - n) as f64 / f64::from(rate) * 20.0).min(1.0)) as f32
            })
            .collect();
        let mut meter = Meter::new(rate, 1);
        meter.push(&buffer(&[&signal]));
        let ours = meter.finish().true_peak_dbtp.unwrap();
        let theirs = ffmpeg(rate, &[&signal], "mono").last().expect("two seconds of readings").true_peak;
        let printed_db = db_from_gain(1.0 + PRINTED / theirs);
        let above = ours - db_from_gain(theirs);
        // Ours may miss 0.0001 dB itself, and ffmpeg's low pass adds as much.
        let allowed = -printed_db - 0.000_2..=missed_db + printed_db + 0.000_2;
        assert!(
            allowed.contains(&above),
            "{rate} Hz: {ours:.4} dBTP, {above:+.4} dB above ffmpeg, allowed {allowed:?}"
        );
    }
}

#[test]
fn ffmpeg_weighs_the_channels_of_5_1_alike() {
    let mut noise = Noise::new(5);
    let channels: Vec<Vec<f32>> = (1..=6).map(|n| (0..480_000).map(|_| noise.next() / n as f32).collect()).collect();
    let channels: Vec<&[f32]> = channels.iter().map(Vec::as_slice).collect();
    let theirs = ffmpeg(48_000, &channels, "5.1").last().expect("ten seconds of readings").integrated;
    let above = measure(48_000, &channels).integrated_lufs.unwrap() - theirs;
    assert!((-PRINTED..=BIN_LU + PRINTED).contains(&above), "{above:+.4} LU above ffmpeg");
}
