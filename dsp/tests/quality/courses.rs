//! Series over time against plain sums in f64.

use super::model::{k_weighted, lufs};
use super::signals::{Noise, sound};
use super::{analyse, analyse_bits};

const RATE: u32 = 48_000;
const HOP: usize = RATE as usize / 100;

#[test]
fn momentary_and_short_term_loudness_over_time_are_those_of_a_model_in_f64() {
    // 20 s are 2000 hops: two a column. 3 s of silence, then a sound that swells by 24 dB.
    let mut left = vec![0.0; 3 * RATE as usize];
    left.extend(sound(RATE, 17));
    let right: Vec<f32> = left.iter().map(|x| 0.6 * x).collect();
    let quality = analyse(RATE, &[&left, &right]).quality;
    assert_eq!(quality.column_seconds, 0.02);
    let power: Vec<f64> =
        k_weighted(&left).iter().zip(k_weighted(&right)).map(|(left, right)| left * left + right * right).collect();
    let course = &quality.loudness;
    for (name, series, hops) in
        [("momentary", &course.momentary_lufs, 40), ("short-term", &course.short_term_lufs, 300)]
    {
        assert_eq!(series.len(), 1000, "{name}");
        let window = |hop: usize| {
            let end = (hop + 1) * HOP;
            let start = end.checked_sub(hops * HOP)?;
            Some(lufs(power[start..end].iter().sum::<f64>() / (hops * HOP) as f64)).filter(|level| *level >= -70.0)
        };
        let mut told = 0;
        for (column, found) in series.iter().enumerate() {
            let expected = [2 * column, 2 * column + 1].into_iter().filter_map(window).reduce(f64::max);
            match (found, expected) {
                (Some(found), Some(expected)) => {
                    assert!((found - expected).abs() <= 0.0051, "{name}, column {column}: {found}, not {expected}");
                    told += 1;
                }
                // At the gate itself the rounding decides.
                (found, expected) => {
                    let near = |level: Option<f64>| level.is_none_or(|level| level < -69.99);
                    assert!(near(*found) && near(expected), "{name}, column {column}: {found:?}, not {expected:?}");
                }
            }
        }
        assert!(told > 700, "{name}: {told}");
    }
    // The loudest of the series is the maximum, and it stands where it is told.
    let loudest = course.momentary_lufs.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let column = (course.momentary_max_at_seconds.unwrap() / 0.02 - 1e-6).floor() as usize;
    assert_eq!(course.momentary_lufs[column], Some(loudest));
}

#[test]
fn the_waveform_holds_the_lowest_and_highest_sample_and_the_mean_square_of_every_column() {
    for rate in [44_100, 48_000, 192_000] {
        // 17 s are 1700 hops: two a column, 850 columns.
        let mut noise = Noise::new(u64::from(rate));
        let frames = 17 * rate as usize;
        let channels: [Vec<f32>; 2] = [0.9, 0.3]
            .map(|gain| (0..frames).map(|n| gain * noise.next() * (n % 30_011) as f32 / 30_011.0 + 0.01).collect());
        let quality = analyse_bits(rate, &[&channels[0], &channels[1]], 24).quality;
        let column = 2 * rate as usize / 100;
        for (samples, channel) in channels.iter().zip(&quality.channels) {
            assert_eq!(channel.waveform_min.len(), 850);
            for (index, samples) in samples.chunks(column).enumerate() {
                let ten_thousandths = |value: f64| (10_000.0 * value).round() as i32;
                let extreme = |pick: fn(f32, f32) -> f32| samples.iter().copied().reduce(pick).map(f64::from).unwrap();
                let near = |found: i32, expected: i32| (found - expected).abs() <= 1;
                let mean = samples.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>() / samples.len() as f64;
                for (name, found, expected) in [
                    ("lowest", channel.waveform_min[index], ten_thousandths(extreme(f32::min))),
                    ("highest", channel.waveform_max[index], ten_thousandths(extreme(f32::max))),
                    ("mean square", channel.waveform_rms[index], ten_thousandths(mean.sqrt())),
                ] {
                    assert!(near(found, expected), "{rate} Hz, column {index}, {name}: {found}, not {expected}");
                }
            }
        }
    }
}
