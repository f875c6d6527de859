//! Quantisation: the figures of Lipshitz, Wannamaker & Vanderkooy (JAES 40(5) 1992), and the same noise however cut.
#![expect(clippy::disallowed_methods, reason = "test signals and oracles need not have the same bits everywhere")]

use std::f64::consts::{PI, TAU};

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::kernels::dither::Quantizer;
use mixdown_dsp::kernels::noise_shape::WANNAMAKER_9;
use proptest::prelude::*;

#[path = "../support/long.rs"]
mod long;
mod shaped;

const FRAMES: usize = 1 << 20;
/// Δ²/4 at 16 bits, re 1.0: 10·log10(2^-30 / 4).
const NOISE_DB: f64 = -96.329_6;

fn mono(samples: Vec<f32>) -> Buffer {
    let mut buffer = Buffer::new(1, samples.len());
    buffer.channel_mut(0).copy_from_slice(&samples);
    buffer
}

fn quantize(block: &Buffer, bits: u32, dithered: bool, seed: u64) -> Vec<i32> {
    let mut out = Vec::new();
    Quantizer::new(bits, dithered, seed).process(block, 0, &mut out);
    out
}

#[test]
fn the_noise_of_silence_has_the_power_of_theory_at_16_and_24_bits() {
    for (bits, theory) in [(16, NOISE_DB), (24, NOISE_DB - 48.164_8)] {
        let scale = f64::from(1 << (bits - 1));
        let noise = quantize(&Buffer::new(1, FRAMES), bits, true, 7);
        let power = noise.iter().map(|q| (f64::from(*q) / scale).powi(2)).sum::<f64>() / FRAMES as f64;
        assert!((10.0 * power.log10() - theory).abs() <= 0.02, "{} dB at {bits} bits", 10.0 * power.log10());
        assert!(noise.iter().all(|q| (-1..=1).contains(q)), "2 LSB peak to peak around 0 reaches -1, 0 and 1");
    }
}

#[test]
fn neither_the_power_nor_the_mean_of_the_error_moves_with_the_signal() {
    let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
    for step in 0..=16 {
        let offset = f64::from(step) / 16.0;
        let block = mono(vec![(offset / 32_768.0) as f32; FRAMES]);
        let errors = quantize(&block, 16, true, 11).into_iter().map(|q| f64::from(q) - offset);
        let (mut mean, mut power) = (0.0, 0.0);
        for error in errors {
            mean += error / FRAMES as f64;
            power += error * error / FRAMES as f64;
        }
        let level = 10.0 * (power / 32_768.0_f64.powi(2)).log10();
        assert!((level - NOISE_DB).abs() <= 0.02, "{level} dB at an offset of {offset} LSB");
        assert!(mean.abs() < 0.003, "mean error {mean} LSB at an offset of {offset} LSB");
        (lowest, highest) = (lowest.min(level), highest.max(level));
    }
    println!("noise {lowest:.4} to {highest:.4} dB");
    assert!(highest - lowest <= 0.02, "the noise moves by {} dB", highest - lowest);
}

/// An in-place transform of 2^n complex numbers (Cooley & Tukey, radix 2).
fn transform(re: &mut [f64], im: &mut [f64]) {
    let n = re.len();
    let shift = n.leading_zeros() + 1;
    for i in 0..n {
        let j = i.reverse_bits() >> shift;
        if i < j {
            re.swap(i, j);
            im.swap(i, j);
        }
    }
    let turns: Vec<(f64, f64)> = (0..n / 2).map(|k| (-TAU * k as f64 / n as f64).sin_cos()).collect();
    let mut half = 1;
    while half < n {
        for start in (0..n).step_by(2 * half) {
            for k in 0..half {
                let (s, c) = turns[k * (n / 2 / half)];
                let (a, b) = (start + k, start + k + half);
                let (x, y) = (re[b] * c - im[b] * s, re[b] * s + im[b] * c);
                (re[b], im[b]) = (re[a] - x, im[a] - y);
                (re[a], im[a]) = (re[a] + x, im[a] + y);
            }
        }
        half *= 2;
    }
}

/// The strongest line in dBFS (re a full-scale sine) up to a frequency beside the one at `hz`, in the mean power spectrum of several signals of
/// one length, seen through a Hann window.
fn strongest_spur(signals: &[Vec<i32>], sample_rate_hz: f64, hz: f64, up_to_hz: f64) -> f64 {
    let length = signals[0].len();
    let n = length as f64;
    let mut power = vec![0.0; length / 2];
    for signal in signals {
        let window = |at: usize| 0.5 - 0.5 * (TAU * at as f64 / n).cos();
        let mut re: Vec<f64> = signal.iter().enumerate().map(|(at, q)| f64::from(*q) / 32_768.0 * window(at)).collect();
        let mut im = vec![0.0; length];
        transform(&mut re, &mut im);
        for (power, (re, im)) in power.iter_mut().zip(re.iter().zip(&im)) {
            *power += (re * re + im * im) / signals.len() as f64;
        }
    }
    let tone = (hz / sample_rate_hz * n).round() as usize;
    let highest = (up_to_hz / sample_rate_hz * n) as usize;
    let lines = power.iter().enumerate().take(highest).skip(4).filter(|(bin, _)| bin.abs_diff(tone) > 8);
    // A sine of amplitude A makes a line of A·N/4 under a Hann window.
    lines.map(|(_, power)| 20.0 * (power.sqrt() * 4.0 / n).log10()).fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn a_tone_far_below_the_last_bit_has_no_spurs() {
    let tone: Vec<f32> = (0..FRAMES).map(|at| ((TAU * 997.0 * at as f64 / 44_100.0).sin() * 1e-5) as f32).collect();
    let quantized = |level: f32, dithered: bool, rounds: u64| -> Vec<Vec<i32>> {
        let tone = mono(tone.iter().map(|sample| sample * level).collect());
        (0..rounds).map(|seed| quantize(&tone, 16, dithered, seed)).collect()
    };
    let single = strongest_spur(&quantized(1.0, true, 1), 44_100.0, 997.0, 22_050.0);
    let mean = strongest_spur(&quantized(1.0, true, 8), 44_100.0, 997.0, 22_050.0);
    println!("the strongest line beside the tone: {single:.1} dBFS, in the mean of 8 spectra {mean:.1} dBFS");
    assert!(single <= -135.0 && mean <= -140.0, "a spur at {single} dBFS, in the mean {mean} dBFS");
    // The measure can fail: a tone of 1.5 LSB without dither is full of harmonics.
    assert!(strongest_spur(&quantized(4.6, false, 1), 44_100.0, 997.0, 22_050.0) > -115.0);
}

#[test]
fn channels_and_seeds_have_noise_of_their_own() {
    let frames = 1 << 18;
    let draw = |seed: u64| quantize(&Buffer::new(2, frames), 16, true, seed);
    let (first, second) = (draw(1), draw(2));
    let correlation = |a: &mut dyn Iterator<Item = i32>, b: &mut dyn Iterator<Item = i32>| {
        a.zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>() / (frames as f64 * 0.25)
    };
    let left = |signal: &[i32]| signal.iter().step_by(2).copied().collect::<Vec<_>>();
    let right = |signal: &[i32]| signal.iter().skip(1).step_by(2).copied().collect::<Vec<_>>();
    let pairs =
        [(left(&first), right(&first)), (left(&first), left(&second)), (left(&first), left(&first)[1..].to_vec())];
    for (a, b) in pairs {
        let found = correlation(&mut a.into_iter(), &mut b.into_iter());
        // Four standard deviations of the correlation of 2^18 independent pairs.
        assert!(found.abs() < 4.0 / (frames as f64).sqrt(), "correlation {found}");
    }
}

#[test]
fn without_dither_a_sample_on_the_grid_stays_and_others_go_to_the_nearest() {
    let codes = [-8_388_608, -8_388_607, -1, 0, 1, 4_711, 8_388_607];
    let block = mono(codes.iter().map(|code| *code as f32 / 8_388_608.0).collect());
    assert_eq!(quantize(&block, 24, false, 0), codes);
    let between = mono([0.4, 0.5, 0.6, -0.4, -0.5, -0.6].map(|lsb| lsb / 32_768.0).to_vec());
    assert_eq!(quantize(&between, 16, false, 0), [0, 1, 1, 0, 0, -1]);
}

#[test]
fn what_lies_beyond_full_scale_is_clipped_and_counted() {
    let mut out = Vec::new();
    let block = mono(vec![1.0, 1.5, -1.0, -1.5, 0.999_969_5, 1e30, -1e30]);
    let clipped = Quantizer::new(16, false, 0).process(&block, 0, &mut out);
    assert_eq!(out, [32_767, 32_767, -32_768, -32_768, 32_767, 32_767, -32_768]);
    assert_eq!(clipped, 5, "1.0 is one step above the highest code, -1.0 is the lowest");
}

#[test]
fn the_noise_is_the_same_on_every_machine() {
    let ramp = (0..4_096).map(|at| (f64::from(at) * PI / 4_096.0 - 1.0) as f32 / 3.0).collect::<Vec<_>>();
    let bytes: Vec<u8> = quantize(&mono(ramp), 16, true, 42).into_iter().flat_map(i32::to_le_bytes).collect();
    assert_eq!(Digest::of(&bytes).to_string(), "761747278c31b98e9a1c815f950d01ae1c6a2ee61474f52e26f4fed81bb50c34");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(long::rounds(256)))]

    #[test]
    fn any_cut_gives_the_same_codes(cuts in prop::collection::vec(1_usize..300, 1..10), seed: u64) {
        let frames: usize = cuts.iter().sum();
        let level = |at: usize, channel: usize| ((at * 37 + channel * 11) % 101) as f32 / 101.0 - 0.5;
        let block = |from: usize, length: usize| {
            let mut block = Buffer::new(2, length);
            for channel in 0..2 {
                block.channel_mut(channel).iter_mut().enumerate().for_each(|(at, to)| *to = level(from + at, channel));
            }
            block
        };
        let (mut whole, mut piece, mut joined) = (Vec::new(), Vec::new(), Vec::new());
        for quantizer in [Quantizer::new(16, true, seed), Quantizer::shaped(16, &WANNAMAKER_9, seed)] {
            joined.clear();
            quantizer.clone().process(&block(0, frames), 1_000, &mut whole);
            let (mut quantizer, mut at) = (quantizer, 0);
            for cut in &cuts {
                quantizer.process(&block(at, *cut), 1_000 + at as u64, &mut piece);
                joined.extend_from_slice(&piece);
                at += cut;
            }
            prop_assert!(joined == whole);
        }
    }
}
