//! Noise-shaped dither: the curves in closed form, the noise against them, and beside that of other tools.

use std::process::Command;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::dither::Quantizer;
use mixdown_dsp::kernels::noise_shape::{LIPSHITZ_5, NoiseShape, THRESHOLD_9, WANNAMAKER_9};

use super::{FRAMES, NOISE_DB, TAU, mono, quantize, strongest_spur, transform};

const SHAPES: [(&str, &NoiseShape); 3] =
    [("lipshitz_5", &LIPSHITZ_5), ("wannamaker_9", &WANNAMAKER_9), ("threshold_9", &THRESHOLD_9)];

fn shaped(shape: &'static NoiseShape, block: &Buffer, seed: u64) -> Vec<i32> {
    let mut out = Vec::new();
    Quantizer::shaped(16, shape, seed).process(block, 0, &mut out);
    out
}

fn decibels(power: f64) -> f64 {
    10.0 * power.log10()
}

/// |1 − Σ cₖ·z⁻ᵏ|² at a frequency.
fn curve(shape: &NoiseShape, hz: f64) -> f64 {
    let w = TAU * hz / f64::from(shape.sample_rate_hz);
    let (re, im) = shape.coefficients.iter().zip(1..).fold((1.0, 0.0), |(re, im), (c, k)| {
        let (sin, cos) = (w * f64::from(k)).sin_cos();
        (re - c * cos, im + c * sin)
    });
    re * re + im * im
}

/// The level of 1 kHz-normalised A-weighting (IEC 61672-1, annex E), in dB.
fn a_weight_db(hz: f64) -> f64 {
    let f2 = hz * hz;
    let low = (f2 + 20.598_997 * 20.598_997) * ((f2 + 107.652_65 * 107.652_65) * (f2 + 737.862_23 * 737.862_23)).sqrt();
    decibels((12_194.217_f64.powi(2) * f2 * f2 / (low * (f2 + 12_194.217_f64.powi(2)))).powi(2)) + 2.0
}

/// The threshold of hearing (Terhardt 1979) in dB over that at 3.3 kHz, turned round.
fn threshold_weight_db(hz: f64) -> f64 {
    let threshold = |khz: f64| 3.64 * khz.powf(-0.8) - 6.5 * (-0.6 * (khz - 3.3).powi(2)).exp() + 0.001 * khz.powi(4);
    threshold(3.3) - threshold(hz / 1000.0)
}

/// The mean of powers at many frequencies from 20 Hz to half the rate, each weighted in dB.
fn mean(rate_hz: u32, power: impl Fn(f64) -> f64, weight_db: impl Fn(f64) -> f64) -> f64 {
    let points = 8192;
    let hz = |point: usize| (point as f64 + 0.5) / points as f64 * f64::from(rate_hz) / 2.0;
    let weighted = |hz: f64| power(hz) * 10f64.powf(weight_db(hz) / 10.0);
    (0..points).map(hz).filter(|hz| *hz > 20.0).map(weighted).sum::<f64>() / points as f64
}

/// The mean of powers over a third of an octave.
fn third(centre_hz: f64, power: impl Fn(f64) -> f64) -> f64 {
    let (low, high) = (centre_hz * 2f64.powf(-1.0 / 6.0), centre_hz * 2f64.powf(1.0 / 6.0));
    (0..100).map(|point| power(low + (high - low) * (f64::from(point) + 0.5) / 100.0)).sum::<f64>() / 100.0
}

#[test]
fn every_curve_is_of_minimum_phase_and_the_derived_one_is_what_its_script_derives() {
    for (name, shape) in SHAPES {
        // Jensen: with all zeros inside the unit circle the mean of the logarithm is 0, with any outside it lies above.
        let hz = |point: u32| (f64::from(point) + 0.5) / 131_072.0 * f64::from(shape.sample_rate_hz);
        let log_db = (0..65_536).map(|point| decibels(curve(shape, hz(point)))).sum::<f64>() / 65_536.0;
        assert!(log_db.abs() < 1e-3, "{name}: mean level {log_db} dB");
        let power = (0..65_536).map(|point| curve(shape, hz(point))).sum::<f64>() / 65_536.0;
        assert!((power / shape.power() - 1.0).abs() < 1e-9, "{name}: {power}");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dither/threshold_9.py");
    let output = Command::new("python3").arg(script).output().expect("because `make test` installs Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout);
    let derived: Vec<f64> = printed.split(',').map(|c| c.trim().parse().expect("because it prints numbers")).collect();
    assert_eq!(derived, THRESHOLD_9.coefficients, "{script}");
}

/// The powers of the noise of silence over 1 LSB², in 4096 bins, mean of many windows.
fn noise_spectrum(noise: &[i32]) -> Vec<f64> {
    let size = 8192;
    let mut powers = vec![0.0; size / 2];
    let windows = FRAMES / size;
    for at in 0..windows {
        let hann = |index: usize| 0.5 - 0.5 * (TAU * index as f64 / size as f64).cos();
        let mut re: Vec<f64> = (0..size).map(|index| f64::from(noise[at * size + index]) * hann(index)).collect();
        let mut im = vec![0.0; size];
        transform(&mut re, &mut im);
        for (power, (re, im)) in powers.iter_mut().zip(re.iter().zip(&im)) {
            // The energy of a Hann window is 3/8 of its length.
            *power += (re * re + im * im) / (0.375 * size as f64) / windows as f64;
        }
    }
    powers
}

/// One row as in other tools' measurements: noise in LSB rms and dBFS, A-weighted and threshold-weighted dBFS, the quietest
/// third of an octave from 2 to 5 kHz and the loudest above 10 kHz against flat dither in dB, the mean error in LSB.
fn row(rate_hz: u32, power: impl Fn(f64) -> f64 + Copy, dc: f64) -> [f64; 7] {
    let total = mean(rate_hz, power, |_| 0.0);
    let of = |weight: fn(f64) -> f64| NOISE_DB + decibels(mean(rate_hz, |hz| power(hz) / 0.25, weight));
    let thirds = |from: i32, to: i32| (from..=to).map(move |n| 1000.0 * 2f64.powf(f64::from(n) / 3.0));
    let level = |hz: f64| decibels(third(hz, power) / 0.25);
    let quietest = thirds(3, 7).map(level).fold(f64::INFINITY, f64::min);
    let loudest = thirds(10, 13).map(level).fold(f64::NEG_INFINITY, f64::max);
    [total.sqrt(), NOISE_DB + decibels(total / 0.25), of(a_weight_db), of(threshold_weight_db), quietest, loudest, dc]
}

/// The rows of other tools at 44.1 kHz, as measured in November 2026: ffmpeg 5.1.9, SoX 14.4.2.
const OTHERS: [(&str, [f64; 7]); 11] = [
    ("sox dither", [0.500, -96.3, -98.7, -105.1, 0.0, 0.1, 0.004]),
    ("ffmpeg triangular", [0.499, -96.4, -98.8, -105.1, -0.1, 0.0, 0.003]),
    ("ffmpeg triangular_hp", [0.497, -96.4, -101.0, -109.4, -4.6, 3.0, 0.007]),
    ("shibata", [8.10, -72.1, -81.0, -120.6, -21.5, 32.5, 0.002]),
    ("ffmpeg low_shibata", [3.09, -80.5, -89.2, -117.7, -18.4, 22.6, 0.057]),
    ("ffmpeg high_shibata", [14.55, -67.1, -76.3, -122.3, -24.0, 37.9, 0.254]),
    ("sox gesemann", [2.52, -82.3, -90.8, -119.1, -20.9, 19.9, 0.001]),
    ("ffmpeg lipshitz", [2.04, -84.1, -92.8, -114.5, -22.0, 18.5, 0.035]),
    ("ffmpeg f_weighted", [4.17, -77.9, -87.2, -116.6, -24.3, 25.1, 0.074]),
    ("modified-e-weighted", [1.19, -88.8, -96.5, -115.8, -20.8, 13.0, 0.001]),
    ("ffmpeg improved_e_weighted", [7.18, -73.2, -82.6, -117.4, -27.5, 29.9, 0.124]),
];

#[test]
fn the_noise_has_the_shape_of_its_curve_and_no_other_tool_beats_its_whole_row() {
    for (name, shape) in SHAPES {
        let powers = noise_spectrum(&shaped(shape, &Buffer::new(1, FRAMES), 5));
        let rate = f64::from(shape.sample_rate_hz);
        let measured = |hz: f64| powers[((hz / rate * 8192.0).round() as usize).min(4095)];
        for n in -6..=12 {
            let hz = 1000.0 * 2f64.powf(f64::from(n) / 3.0);
            let (found, theory) = (decibels(third(hz, measured)), decibels(0.25 * third(hz, |hz| curve(shape, hz))));
            // So many windows and bins scatter by up to 0.3 dB in the lowest thirds.
            assert!((found - theory).abs() < 0.5, "{name} at {hz:.0} Hz: {found} dB, theory {theory} dB");
        }
        let noise = shaped(shape, &mono(vec![0.3 / 32_768.0; FRAMES]), 9);
        let dc = (noise.iter().map(|q| f64::from(*q)).sum::<f64>() / FRAMES as f64 - 0.3).abs();
        let ours = row(shape.sample_rate_hz, |hz| 0.25 * curve(shape, hz), dc);
        println!("{name}: {ours:.4?}");
        let total = powers.iter().sum::<f64>() / powers.len() as f64;
        assert!((decibels(total / (0.25 * shape.power()))).abs() < 0.05, "{name}: {total} LSB²");
        assert!(dc < 0.002, "{name}: mean error {dc} LSB");
        for (tool, theirs) in OTHERS {
            let ahead = ours.iter().zip(theirs).any(|(ours, theirs)| *ours < theirs - 1e-9);
            assert!(ahead, "{tool} beats {name}");
        }
    }
}

#[test]
fn flat_dither_is_flat_and_no_other_tool_beats_its_whole_row() {
    let powers = noise_spectrum(&quantize(&Buffer::new(1, FRAMES), 16, true, 5));
    let measured = |hz: f64| powers[((hz / 44_100.0 * 8192.0).round() as usize).min(4095)];
    for n in -6..=13 {
        let level = decibels(third(1000.0 * 2f64.powf(f64::from(n) / 3.0), measured) / 0.25);
        assert!(level.abs() < 0.5, "third {n}: {level} dB over flat");
    }
    let noise = quantize(&mono(vec![0.3 / 32_768.0; FRAMES]), 16, true, 9);
    let dc = (noise.iter().map(|q| f64::from(*q)).sum::<f64>() / FRAMES as f64 - 0.3).abs();
    let ours = row(44_100, |_| 0.25, dc);
    println!("tpdf: {ours:.4?}");
    for (tool, theirs) in OTHERS {
        // Sox's and ffmpeg's triangular dither is the same noise: what they are behind by is the mean error, and the 0.13 and
        // 0.09 dB by which theirs moves with the signal, where ours keeps within 0.02 (see the parent module).
        assert!(ours.iter().zip(theirs).any(|(ours, theirs)| *ours < theirs - 1e-9), "{tool} beats tpdf");
    }
}

/// The power in LSB² of the errors that were fed back: the filter of the curve undone.
fn fed_back_power(shape: &NoiseShape, quantized: &[i32], level: f64) -> f64 {
    let mut errors = vec![0.0; quantized.len()];
    for (frame, code) in quantized.iter().enumerate() {
        let past = shape.coefficients.iter().enumerate().take(frame);
        let fed: f64 = past.map(|(k, c)| c * errors[frame - 1 - k]).sum();
        errors[frame] = f64::from(*code) - level + fed;
    }
    errors.iter().map(|error| error * error).sum::<f64>() / quantized.len() as f64
}

#[test]
fn neither_the_shaped_noise_nor_its_mean_moves_with_the_signal() {
    for (name, shape) in SHAPES {
        let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
        for step in 0..=8 {
            let offset = f64::from(step) / 8.0;
            let block = mono(vec![(offset / 32_768.0) as f32; FRAMES]);
            let power =
                (11..15).map(|seed| fed_back_power(shape, &shaped(shape, &block, seed), offset)).sum::<f64>() / 4.0;
            let level = NOISE_DB + decibels(power / 0.25);
            assert!((level - NOISE_DB).abs() <= 0.02, "{name}: {level} dB at an offset of {offset} LSB");
            (lowest, highest) = (lowest.min(level), highest.max(level));
        }
        println!("{name}: errors {lowest:.4} to {highest:.4} dB");
        assert!(highest - lowest <= 0.02, "{name}: the noise moves by {} dB", highest - lowest);
    }
}

#[test]
fn a_tone_far_below_the_last_bit_has_no_spurs_in_shaped_noise() {
    for (name, shape) in SHAPES {
        let rate = f64::from(shape.sample_rate_hz);
        let tone: Vec<f32> = (0..FRAMES).map(|at| ((TAU * 997.0 * at as f64 / rate).sin() * 1e-5) as f32).collect();
        let quantized: Vec<Vec<i32>> = (0..4).map(|seed| shaped(shape, &mono(tone.clone()), seed)).collect();
        // Up to 8 kHz every curve only takes away.
        let spur = strongest_spur(&quantized, rate, 997.0, 8000.0);
        println!("{name}: strongest line up to 8 kHz beside the tone {spur:.1} dBFS");
        assert!(spur <= -135.0, "{name}: a spur at {spur} dBFS");
    }
}

#[test]
fn a_clip_is_not_made_up_for_afterwards() {
    for (_, shape) in SHAPES {
        let loud: Vec<f32> = (0..4000).map(|frame| if frame % 1000 < 500 { 1.5 } else { -1.5 }).collect();
        let mut out = Vec::new();
        let mut quantizer = Quantizer::shaped(16, shape, 3);
        assert_eq!(quantizer.process(&mono(loud), 0, &mut out), 4000);
        assert!(out.iter().all(|q| *q == 32_767 || *q == -32_768));
        // After a clip all is as at the start.
        let quiet = mono(vec![0.01; 500]);
        let (mut after, mut fresh) = (Vec::new(), Vec::new());
        quantizer.process(&quiet, 4000, &mut after);
        Quantizer::shaped(16, shape, 3).process(&quiet, 4000, &mut fresh);
        assert!(after == fresh);
    }
}
