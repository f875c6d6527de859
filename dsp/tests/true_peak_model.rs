//! The accurate reader on programme against a plain oversampler in f64: every sample's surroundings summed by a windowed sinc at
//! 16 points, many times as long as the reader's own.
#![expect(clippy::disallowed_methods, reason = "oracles need not have the same bits everywhere")]

mod signals;

use core::f64::consts::PI;

use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::units::db_from_gain;
use signals::{Noise, sound};

const RATES: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];
/// Samples to either side of what is summed.
const REACH: i64 = 200;
const POINTS: u32 = 16;

/// sin(πt)/(πt) under a Hann window.
fn sinc(t: f64) -> f64 {
    let window = 0.5 + 0.5 * (PI * t / (REACH as f64 + 1.0)).cos();
    if t == 0.0 { 1.0 } else { window * (PI * t).sin() / (PI * t) }
}

/// The greatest magnitude of the band-limited signal, looked for where a sample has at least this share of the greatest.
fn model(samples: &[f32], share: f32) -> f64 {
    let greatest = samples.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    let taps: Vec<Vec<f64>> = (0..POINTS)
        .map(|point| (-REACH..=REACH).map(|k| sinc(f64::from(point) / f64::from(POINTS) - k as f64)).collect())
        .collect();
    let mut peak = f64::from(greatest);
    for at in 0..samples.len() as i64 - 1 {
        if samples[at as usize].abs().max(samples[at as usize + 1].abs()) < share * greatest {
            continue;
        }
        for taps in &taps {
            let sum: f64 = (-REACH..=REACH)
                .zip(taps)
                .filter_map(|(k, tap)| Some(tap * f64::from(*samples.get(usize::try_from(at + k).ok()?)?)))
                .sum();
            peak = peak.max(sum.abs());
        }
    }
    peak
}

/// White noise without what lies above 0.45 of its rate: 601 taps under a Blackman window, from 0.43 on.
fn noise(seed: u64, frames: usize) -> Vec<f32> {
    const HALF: i64 = 300;
    let mut noise = Noise::new(seed);
    let white: Vec<f64> = (0..frames).map(|_| 0.5 * f64::from(noise.next())).collect();
    let taps: Vec<f64> = (-HALF..=HALF)
        .map(|k| {
            let t = PI * k as f64 / (HALF as f64 + 1.0);
            let window = 0.42 + 0.5 * t.cos() + 0.08 * (2.0 * t).cos();
            window * if k == 0 { 0.88 } else { (0.88 * PI * k as f64).sin() / (PI * k as f64) }
        })
        .collect();
    (0..frames as i64)
        .map(|n| {
            let at = |k: i64| usize::try_from(n - k).ok().and_then(|at| white.get(at)).copied().unwrap_or(0.0);
            (-HALF..=HALF).zip(&taps).map(|(k, tap)| tap * at(k)).sum::<f64>() as f32
        })
        .collect()
}

#[test]
fn programme_and_noise_read_as_a_plain_oversampler_in_f64_does_at_every_rate() {
    let (mut lowest, mut highest, mut rise) = (0.0_f64, 0.0_f64, 0.0_f64);
    for rate in RATES {
        let programme = sound(rate, 2);
        // Noise up to 0.45 of the rate may peak far between low samples.
        for (what, samples, share) in [("programme", programme, 0.7), ("noise", noise(u64::from(rate), 20_000), 0.2)] {
            let expected = model(&samples, share);
            let mut reader = TruePeakReader::new();
            reader.push(&samples);
            let difference = db_from_gain(reader.finish()) - db_from_gain(expected);
            assert!((-0.05..=0.02).contains(&difference), "{what} at {rate} Hz: {difference:+.4} dB");
            (lowest, highest) = (lowest.min(difference), highest.max(difference));
            let samples = samples.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
            rise = rise.max(db_from_gain(expected / f64::from(samples)));
        }
    }
    println!("{lowest:+.4} to {highest:+.4} dB of the model; peaks up to {rise:.2} dB above the samples");
    assert!(rise > 0.3, "the signals peak between their samples");
}
