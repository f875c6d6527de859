//! The meter against BS.1770-5 written down a second time, plainly: all samples in f64, the coefficients that the
//! recommendation prints, every window summed by itself from means of 10 ms.
#![expect(clippy::disallowed_methods, reason = "test signals and oracles need not have the same bits everywhere")]

mod model;
mod signals;

use mixdown_dsp::loudness::{Measurement, Meter};
use model::{k_weighted, lufs};
use signals::{Noise, buffer, sound, tones};

const RATES: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];
/// Rate of the model, for which the coefficients are printed.
const MODEL_HZ: u32 = 48_000;
const HOP: usize = MODEL_HZ as usize / 100;

/// What the model reads, in LUFS and LU.
#[derive(Debug)]
struct Reading {
    integrated: f64,
    momentary: f64,
    short_term: f64,
    range: f64,
}

fn model(channels: &[&[f32]], weights: &[f64]) -> Reading {
    let mut power = vec![0.0; channels[0].len()];
    for (channel, weight) in channels.iter().zip(weights) {
        for (sum, z) in power.iter_mut().zip(k_weighted(channel)) {
            *sum += weight * z * z;
        }
    }
    let mean = |window: &[f64]| window.iter().sum::<f64>() / window.len() as f64;
    let by_hop = |power: &[f64]| -> Vec<f64> { power.chunks_exact(HOP).map(mean).collect() };
    let windows = |power: &[f64], hops: usize, step: usize| -> Vec<f64> {
        by_hop(power).windows(hops).step_by(step).map(mean).collect()
    };
    let gated = |levels: &[f64], gate: f64| -> Vec<f64> {
        levels.iter().copied().filter(|level| lufs(*level) > gate).collect()
    };
    let greatest = |levels: Vec<f64>| lufs(levels.into_iter().fold(0.0, f64::max));
    let blocks = gated(&windows(&power, 40, 10), -70.0);
    let integrated = lufs(mean(&gated(&blocks, lufs(mean(&blocks)) - 10.0)));
    let (momentary, short_term) = (greatest(windows(&power, 40, 1)), greatest(windows(&power, 300, 1)));
    // Tech 3342: 1.5 s of silence behind the file, S at 10 Hz, gates of −70 LUFS and of 20 LU below the mean.
    power.resize(power.len() + 150 * HOP, 0.0);
    let blocks = gated(&windows(&power, 300, 10), -70.0);
    let mut levels = gated(&blocks, lufs(mean(&blocks)) - 20.0);
    levels.sort_by(f64::total_cmp);
    let rank = |percent: f64| levels[((levels.len() - 1) as f64 * percent / 100.0).round() as usize];
    let range = if levels.is_empty() { f64::NAN } else { lufs(rank(95.0)) - lufs(rank(10.0)) };
    Reading { integrated, momentary, short_term, range }
}

fn measure(sample_rate_hz: u32, channels: &[&[f32]], speakers: u32) -> Measurement {
    let mut meter = Meter::loudness_only(sample_rate_hz, channels.len()).with_speakers(speakers);
    meter.push(&buffer(channels));
    meter.finish()
}

/// The greatest difference of I, M and S from the model, and that of the range.
#[track_caller]
fn differences(what: &str, ours: &Measurement, model: &Reading) -> (f64, f64) {
    let pairs = [
        (ours.integrated_lufs, model.integrated),
        (ours.momentary_max_lufs, model.momentary),
        (ours.short_term_max_lufs, model.short_term),
    ];
    let mut worst = 0.0_f64;
    for (ours, model) in pairs {
        match ours {
            // A file shorter than the window: the model finds nothing either.
            None => assert!(!model.is_finite(), "{what}: nothing, the model {model}"),
            Some(ours) => worst = worst.max((ours - model).abs()),
        }
    }
    (worst, (ours.loudness_range_lu.unwrap_or(f64::NAN) - model.range).abs())
}

/// The cases of Tech 3341 that are tones in both channels, and those of Tech 3342.
fn cases() -> Vec<(String, Vec<(f64, f64)>)> {
    const OFF: f64 = f64::NEG_INFINITY;
    let mut cases: Vec<(String, Vec<(f64, f64)>)> = vec![
        ("3341-1".into(), vec![(20.0, -23.0)]),
        ("3341-2".into(), vec![(20.0, -33.0)]),
        ("3341-3".into(), vec![(10.0, -36.0), (60.0, -23.0), (10.0, -36.0)]),
        ("3341-4".into(), vec![(10.0, -72.0), (10.0, -36.0), (60.0, -23.0), (10.0, -36.0), (10.0, -72.0)]),
        ("3341-5".into(), vec![(20.0, -26.0), (20.1, -20.0), (20.0, -26.0)]),
        ("3341-9".into(), [(1.34, -20.0), (1.66, -30.0)].repeat(5)),
        ("3341-12".into(), [(0.18, -20.0), (0.22, -30.0)].repeat(25)),
        ("3342-1".into(), vec![(20.0, -20.0), (20.0, -30.0)]),
        ("3342-2".into(), vec![(20.0, -20.0), (20.0, -15.0)]),
        ("3342-3".into(), vec![(20.0, -40.0), (20.0, -20.0)]),
        ("3342-4".into(), [-50.0, -35.0, -20.0, -35.0, -50.0].map(|level| (20.0, level)).to_vec()),
    ];
    for i in 0..20 {
        let (long, short, level) = (f64::from(i) * 0.15, f64::from(i) * 0.02, -38.0 + f64::from(i));
        cases.push((format!("3341-10-{i}"), vec![(long, OFF), (3.0, -23.0), (1.0, OFF)]));
        cases.push((format!("3341-11-{i}"), vec![(long, OFF), (3.0, level), (3.0 - long, OFF)]));
        cases.push((format!("3341-13-{i}"), vec![(short, OFF), (0.4, -23.0), (1.0, OFF)]));
        cases.push((format!("3341-14-{i}"), vec![(short, OFF), (0.4, level), (0.4 - short, OFF)]));
    }
    cases
}

#[test]
fn every_case_of_the_standards_reads_as_the_model_does() {
    let (mut worst, mut worst_range) = (0.0_f64, 0.0_f64);
    for (case, segments) in cases() {
        let tone = tones(MODEL_HZ, &segments);
        let stereo: [&[f32]; 2] = [&tone, &tone];
        let (level, range) = differences(&case, &measure(MODEL_HZ, &stereo, 0), &model(&stereo, &[1.0, 1.0]));
        assert!(level <= 0.000_1, "{case}: {level:.6} LU");
        (worst, worst_range) = (worst.max(level), worst_range.max(range));
    }
    let [front, centre, surround] = [-28.0, -24.0, -30.0].map(|level| tones(MODEL_HZ, &[(20.0, level)]));
    let five: [&[f32]; 5] = [&front, &front, &centre, &surround, &surround];
    let (level, _) = differences("3341-6", &measure(MODEL_HZ, &five, 0), &model(&five, &[1.0, 1.0, 1.0, 1.41, 1.41]));
    worst = worst.max(level);
    println!("I, M, S within {worst:.7} LU of the model, the range within {worst_range:.7} LU");
    assert!(worst <= 0.000_1 && worst_range <= 0.000_1);
}

#[test]
fn one_sound_reads_alike_at_every_rate() {
    let known = sound(MODEL_HZ, 12);
    let known = model(&[&known], &[1.0]);
    for rate in RATES {
        let sound = sound(rate, 12);
        let (level, range) = differences("a sound", &measure(rate, &[&sound], 0), &known);
        println!("{rate} Hz: {level:.5} LU off in I, M, S, {range:.5} LU in the range");
        assert!(level <= 0.002 && range <= 0.01, "{rate} Hz: {level:.5} LU, {range:.5} LU");
    }
}

#[test]
fn every_channel_has_the_weight_of_the_place_that_the_file_gives_it() {
    const S: f64 = 1.41;
    let layouts: [(&str, u32, &[f64]); 13] = [
        ("mono", 0x4, &[1.0]),
        ("stereo", 0x3, &[1.0, 1.0]),
        ("2.1", 0xB, &[1.0, 1.0, 0.0]),
        ("3.0", 0x7, &[1.0, 1.0, 1.0]),
        ("quad", 0x33, &[1.0, 1.0, S, S]),
        ("4.0", 0x107, &[1.0, 1.0, 1.0, 1.0]),
        ("3.1", 0xF, &[1.0, 1.0, 1.0, 0.0]),
        ("5.0", 0x37, &[1.0, 1.0, 1.0, S, S]),
        ("4.1", 0x10F, &[1.0, 1.0, 1.0, 0.0, 1.0]),
        ("5.1, back", 0x3F, &[1.0, 1.0, 1.0, 0.0, S, S]),
        ("5.1, side", 0x60F, &[1.0, 1.0, 1.0, 0.0, S, S]),
        ("6.1", 0x70F, &[1.0, 1.0, 1.0, 0.0, 1.0, S, S]),
        ("7.1", 0x63F, &[1.0, 1.0, 1.0, 0.0, 1.0, 1.0, S, S]),
    ];
    for (name, mask, weights) in layouts {
        let mut noise = Noise::new(u64::from(mask));
        let channels: Vec<Vec<f32>> =
            (1..=weights.len()).map(|n| (0..200_000).map(|_| noise.next() / n as f32).collect()).collect();
        let channels: Vec<&[f32]> = channels.iter().map(Vec::as_slice).collect();
        let (level, _) = differences(name, &measure(MODEL_HZ, &channels, mask), &model(&channels, weights));
        assert!(level <= 0.000_1, "{name}: {level:.6} LU");
    }
}

#[test]
fn the_lfe_counts_for_true_peak_alone() {
    let (tone, silence) = (tones(MODEL_HZ, &[(4.0, -6.0)]), vec![0.0; 4 * MODEL_HZ as usize]);
    let mut meter = Meter::new(MODEL_HZ, 6);
    meter.push(&buffer(&[&silence, &silence, &silence, &tone, &silence, &silence]));
    let measured = meter.finish();
    assert_eq!((measured.integrated_lufs, measured.momentary_max_lufs), (None, None));
    assert!((measured.true_peak_dbtp.expect("there is a tone") + 6.0).abs() < 0.02);
}

#[test]
fn meters_side_by_side_read_the_same_bits() {
    let sound = sound(44_100, 6);
    let read = || {
        let mut meter = Meter::new(44_100, 1);
        meter.push(&buffer(&[&sound]));
        meter.finish()
    };
    let alone = read();
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
        for other in others {
            assert_eq!(other.join().expect("because a meter does not panic"), alone);
        }
    });
}
