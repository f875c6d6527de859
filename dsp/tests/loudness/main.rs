//! The meter against ITU-R BS.1770-5, EBU Tech 3341 and Tech 3342 (2023), and against ffmpeg's.

mod others;
#[path = "../signals/mod.rs"]
mod signals;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::loudness::{Measurement, Meter};
use mixdown_dsp::units::{db_from_power, gain_from_db};
use signals::{Noise, buffer, part, tones};

const RATES: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

fn measure(sample_rate_hz: u32, channels: &[&[f32]]) -> Measurement {
    let mut meter = Meter::loudness_only(sample_rate_hz, channels.len());
    meter.push(&buffer(channels));
    meter.finish()
}

fn stereo(sample_rate_hz: u32, segments: &[(f64, f64)]) -> Measurement {
    let tone = tones(sample_rate_hz, segments);
    measure(sample_rate_hz, &[&tone, &tone])
}

/// A tone of 1000 Hz stands 0.0067 dB above one of 997 Hz: the nominal figures hold for the latter.
const OF_1000_HZ: f64 = 0.0067;
/// What the standards allow a meter to be off, and what we allow ours.
const ALLOWED_LU: f64 = 0.1;
const GOAL_LU: f64 = 0.02;

#[track_caller]
fn assert_lufs(what: &str, measured: Option<f64>, expected: f64, tolerance: f64) {
    let measured = measured.unwrap_or_else(|| panic!("{what}: nothing was measured"));
    assert!((measured - (expected + OF_1000_HZ)).abs() <= tolerance, "{what}: {measured:.4} for {expected}");
}

fn power_of(level_db: f64) -> f64 {
    gain_from_db(level_db) * gain_from_db(level_db)
}

/// Tones as (seconds, level in dBFS).
type Segments<'a> = &'a [(f64, f64)];

/// The exact powers of windows over stereo tones, by arithmetic on their levels: what a meter without a filter's
/// transients would find.
struct Model<'a>(Segments<'a>);

impl Model<'_> {
    fn energy_until(&self, seconds: f64) -> f64 {
        let (mut start, mut energy) = (0.0, 0.0);
        for &(length, level) in self.0 {
            let inside = (seconds - start).clamp(0.0, length);
            energy += inside * power_of(level);
            start += length;
        }
        energy
    }

    /// Loudness of each whole window of this length at each step, in LUFS.
    fn windows(&self, length: f64, step: f64) -> Vec<f64> {
        let total: f64 = self.0.iter().map(|segment| segment.0).sum();
        let count = ((total - length) / step + 1e-6).floor() as usize + 1;
        (0..count)
            .map(|at| at as f64 * step)
            .map(|start| db_from_power((self.energy_until(start + length) - self.energy_until(start)) / length))
            .collect()
    }

    fn integrated(&self) -> f64 {
        let blocks = self.windows(0.4, 0.1);
        let mean = |gate: f64| {
            let above: Vec<f64> = blocks.iter().filter(|&&level| level > gate).map(|&level| power_of(level)).collect();
            db_from_power(above.iter().sum::<f64>() / above.len() as f64)
        };
        mean((mean(-70.0) - 10.0).max(-70.0))
    }

    fn maximum(&self, length: f64) -> f64 {
        self.windows(length, 0.01).into_iter().fold(f64::NEG_INFINITY, f64::max)
    }
}

#[test]
fn a_full_scale_sine_of_997_hz_in_one_channel_reads_minus_3_01() {
    for rate in RATES {
        let sine: Vec<f32> = signals::sine(997.0 / f64::from(rate), 1.0, 0.0, rate as usize * 5);
        let silence = vec![0.0; sine.len()];
        let measured = measure(rate, &[&sine, &silence]).momentary_max_lufs.unwrap();
        assert!((measured + 3.0103).abs() < 0.01, "{rate} Hz: {measured}");
    }
}

#[test]
fn cases_1_to_5_of_tech_3341_read_their_integrated_loudness() {
    let cases: [(&str, Segments<'_>, f64); 5] = [
        ("case 1", &[(20.0, -23.0)], -23.0),
        ("case 2", &[(20.0, -33.0)], -33.0),
        ("case 3", &[(10.0, -36.0), (60.0, -23.0), (10.0, -36.0)], -23.0),
        ("case 4", &[(10.0, -72.0), (10.0, -36.0), (60.0, -23.0), (10.0, -36.0), (10.0, -72.0)], -23.0),
        ("case 5", &[(20.0, -26.0), (20.1, -20.0), (20.0, -26.0)], -23.0),
    ];
    for rate in RATES {
        for (case, segments, nominal) in cases {
            let (measured, model) = (stereo(rate, segments), Model(segments));
            let what = format!("{case} at {rate} Hz");
            assert_lufs(&what, measured.integrated_lufs, nominal, ALLOWED_LU);
            assert_lufs(&what, measured.integrated_lufs, model.integrated(), GOAL_LU);
            assert_lufs(&what, measured.momentary_max_lufs, model.maximum(0.4), GOAL_LU);
            assert_lufs(&what, measured.short_term_max_lufs, model.maximum(3.0), GOAL_LU);
        }
    }
}

#[test]
fn case_6_weighs_the_channels_of_5_0_and_leaves_out_the_lfe() {
    for rate in RATES {
        let [front, centre, surround] = [-28.0, -24.0, -30.0].map(|level| tones(rate, &[(20.0, level)]));
        let five = measure(rate, &[&front, &front, &centre, &surround, &surround]);
        let power = 2.0 * power_of(-28.0) + power_of(-24.0) + 2.0 * 1.41 * power_of(-30.0);
        let exact = db_from_power(power / 2.0);
        assert_lufs(&format!("5.0 at {rate} Hz"), five.integrated_lufs, exact, GOAL_LU);
        assert_lufs(&format!("5.0 at {rate} Hz"), five.integrated_lufs, -23.0, ALLOWED_LU);
        let lfe = tones(rate, &[(20.0, -1.0)]);
        let six = measure(rate, &[&front, &front, &centre, &lfe, &surround, &surround]);
        assert_eq!(six.integrated_lufs, five.integrated_lufs, "the LFE of 5.1 counts for nothing");
    }
}

#[test]
fn each_channel_of_each_layout_has_the_weight_of_its_place() {
    const S: f64 = 1.41;
    let layouts: [&[f64]; 8] = [
        &[1.0],
        &[1.0, 1.0],
        &[1.0, 1.0, 1.0],
        &[1.0, 1.0, S, S],
        &[1.0, 1.0, 1.0, S, S],
        &[1.0, 1.0, 1.0, 0.0, S, S],
        &[1.0, 1.0, 1.0, 0.0, 1.0, S, S],
        &[1.0, 1.0, 1.0, 0.0, 1.0, 1.0, S, S],
    ];
    let tone = tones(48_000, &[(1.0, -20.0)]);
    let silence = vec![0.0; tone.len()];
    let alone = measure(48_000, &[&tone]).momentary_max_lufs.unwrap();
    for layout in layouts {
        for (loud, &weight) in layout.iter().enumerate() {
            let channels: Vec<&[f32]> =
                (0..layout.len()).map(|channel| if channel == loud { &tone[..] } else { &silence[..] }).collect();
            let measured = measure(48_000, &channels).momentary_max_lufs;
            let Some(measured) = measured else {
                assert_eq!(weight, 0.0, "channel {loud} of {}", layout.len());
                continue;
            };
            let expected = alone + db_from_power(weight);
            assert!((measured - expected).abs() < 1e-9, "channel {loud} of {}: {measured}", layout.len());
        }
    }
}

/// What a meter reads at the end of every 10 ms of stereo tones from `after` seconds on, in LUFS.
fn readings(sample_rate_hz: u32, segments: Segments<'_>, after: f64, power: fn(&Meter) -> Option<f64>) -> Vec<f64> {
    let tone = tones(sample_rate_hz, segments);
    let whole = buffer(&[&tone, &tone]);
    let mut meter = Meter::loudness_only(sample_rate_hz, 2);
    let end = |hop: u64| (hop * u64::from(sample_rate_hz)).div_ceil(100) as usize;
    let mut readings = Vec::new();
    for hop in (1..).take_while(|hop| end(*hop) <= tone.len()) {
        meter.push(&part(&whole, end(hop - 1), end(hop)));
        if hop as f64 / 100.0 >= after {
            readings.push(db_from_power(power(&meter).expect("because a window is full")) - 0.691);
        }
    }
    readings
}

#[track_caller]
fn assert_stands_still(case: &str, readings: &[f64], least: usize) {
    assert!(readings.len() >= least, "{case}: {} readings", readings.len());
    assert_lufs(&format!("lowest of {case}"), readings.iter().copied().reduce(f64::min), -23.0, ALLOWED_LU);
    assert_lufs(&format!("highest of {case}"), readings.iter().copied().reduce(f64::max), -23.0, ALLOWED_LU);
}

#[test]
fn in_cases_9_and_12_the_reading_stands_still_while_the_tones_alternate() {
    for rate in RATES {
        let tones = [(1.34, -20.0), (1.66, -30.0)].repeat(5);
        let case = format!("case 9 at {rate} Hz");
        assert_stands_still(&case, &readings(rate, &tones, 3.0, Meter::short_term_power), 1200);
        let tones = [(0.18, -20.0), (0.22, -30.0)].repeat(25);
        let case = format!("case 12 at {rate} Hz");
        assert_stands_still(&case, &readings(rate, &tones, 1.0, Meter::momentary_power), 900);
    }
}

#[test]
fn short_term_cases_9_and_10_hold_their_maxima() {
    for rate in RATES {
        let segments: Vec<(f64, f64)> = [(1.34, -20.0), (1.66, -30.0)].repeat(5);
        let (what, measured) = (format!("case 9 at {rate} Hz"), stereo(rate, &segments).short_term_max_lufs);
        assert_lufs(&what, measured, Model(&segments).maximum(3.0), GOAL_LU);
        assert_lufs(&what, measured, -23.0, ALLOWED_LU);
    }
    for rate in RATES {
        for i in 0..20 {
            let shift = f64::from(i) * 0.15;
            let file = [(shift, f64::NEG_INFINITY), (3.0, -23.0), (1.0, f64::NEG_INFINITY)];
            let what = format!("case 10-{i} at {rate} Hz");
            assert_lufs(&what, stereo(rate, &file).short_term_max_lufs, -23.0, GOAL_LU);
        }
    }
}

#[test]
fn momentary_cases_12_and_13_hold_their_maxima() {
    for rate in RATES {
        let segments: Vec<(f64, f64)> = [(0.18, -20.0), (0.22, -30.0)].repeat(25);
        let (what, measured) = (format!("case 12 at {rate} Hz"), stereo(rate, &segments).momentary_max_lufs);
        assert_lufs(&what, measured, Model(&segments).maximum(0.4), GOAL_LU);
        assert_lufs(&what, measured, -23.0, ALLOWED_LU);
        for i in 0..20 {
            let shift = f64::from(i) * 0.02;
            let file = [(shift, f64::NEG_INFINITY), (0.4, -23.0), (1.0, f64::NEG_INFINITY)];
            let what = format!("case 13-{i} at {rate} Hz");
            assert_lufs(&what, stereo(rate, &file).momentary_max_lufs, -23.0, GOAL_LU);
        }
    }
}

/// One file of twenty tones, each 1 dB louder and `step` seconds later in its turn than the one before; a turn lasts two
/// windows. The maximum so far, which the standard has the meter show, is read at the end of each turn.
fn assert_successive_maxima(case: &str, window: f64, step: f64, power: fn(&Meter) -> Option<f64>) {
    const SILENCE: f64 = f64::NEG_INFINITY;
    for rate in RATES {
        let turn = |i: u32| {
            let shift = f64::from(i) * step;
            [(shift, SILENCE), (window, -38.0 + f64::from(i)), (window - shift, SILENCE)]
        };
        let readings = readings(rate, &(0..20).flat_map(turn).collect::<Vec<_>>(), window, power);
        for i in 0..20 {
            // The first reading ends a window.
            let until = (100.0 * window * f64::from(2 * i + 1) + 0.5) as usize;
            let so_far = readings[..=until].iter().copied().reduce(f64::max);
            assert_lufs(&format!("{case}-{i} at {rate} Hz"), so_far, -38.0 + f64::from(i), GOAL_LU);
        }
    }
}

#[test]
fn in_the_one_file_of_case_11_and_of_case_14_each_louder_tone_is_the_next_maximum() {
    assert_successive_maxima("case 11", 3.0, 0.15, Meter::short_term_power);
    assert_successive_maxima("case 14", 0.4, 0.02, Meter::momentary_power);
}

#[test]
fn cases_1_to_4_of_tech_3342_read_their_loudness_range() {
    let cases: [(&[f64], f64); 4] = [
        (&[-20.0, -30.0], 10.0),
        (&[-20.0, -15.0], 5.0),
        (&[-40.0, -20.0], 20.0),
        (&[-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),
    ];
    for rate in RATES {
        for (levels, nominal) in cases {
            let segments: Vec<(f64, f64)> = levels.iter().map(|&level| (20.0, level)).collect();
            let range = stereo(rate, &segments).loudness_range_lu.unwrap();
            assert!((range - nominal).abs() <= 0.1, "{levels:?} at {rate} Hz: {range:.3} LU");
        }
    }
}

#[test]
fn any_split_into_blocks_gives_the_same_bits() {
    let mut noise = Noise::new(3);
    let [left, right]: [Vec<f32>; 2] = core::array::from_fn(|_| (0..200_000).map(|_| noise.next()).collect());
    let whole = buffer(&[&left, &right]);
    let mut meter = Meter::new(44_100, 2);
    meter.push(&whole);
    let expected = meter.finish();
    for size in [1, 64, 441, 1000, 4096] {
        let mut meter = Meter::new(44_100, 2);
        for start in (0..whole.frames()).step_by(size) {
            meter.push(&part(&whole, start, whole.frames().min(start + size)));
        }
        assert_eq!(meter.finish(), expected, "blocks of {size}");
    }
}

#[test]
fn silence_and_nothing_measure_none() {
    for frames in [0, 100, 480_000] {
        let mut meter = Meter::new(48_000, 2);
        meter.push(&Buffer::new(2, frames));
        let measured = meter.finish();
        assert_eq!(measured.frames, frames as u64);
        let levels = [
            measured.integrated_lufs,
            measured.loudness_range_lu,
            measured.momentary_max_lufs,
            measured.short_term_max_lufs,
            measured.true_peak_dbtp,
            measured.sample_peak_dbfs,
        ];
        assert_eq!(levels, [None; 6]);
    }
}

#[test]
fn samples_that_are_no_numbers_never_reach_a_figure() {
    let mut tone = tones(48_000, &[(4.0, -20.0)]);
    tone[1000] = f32::NAN;
    tone[2000] = f32::INFINITY;
    let mut meter = Meter::new(48_000, 1);
    meter.push(&buffer(&[&tone]));
    let measured = meter.finish();
    assert!(measured.integrated_lufs.unwrap().is_finite());
    assert!(measured.true_peak_dbtp.unwrap() < -18.0 && measured.sample_peak_dbfs.unwrap() < -19.0);
}

#[test]
fn a_rate_that_100_does_not_divide_measures_like_any_other() {
    for rate in [11_025, 22_050] {
        let measured = stereo(rate, &[(20.0, -23.0)]);
        assert_lufs(&format!("{rate} Hz"), measured.integrated_lufs, -23.0, 0.001);
    }
}
