//! The converter as a whole: lengths, place, streaming, distortion.
#![expect(clippy::disallowed_methods, reason = "test signals and oracles need not have the same bits everywhere")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::f64::consts::TAU;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::resampler::Resampler;
#[path = "../support/long.rs"]
mod long;
mod others;

use proptest::prelude::*;

const RATES_HZ: [u32; 8] = [8_000, 22_050, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// A mono signal as a buffer.
fn buffer(samples: &[f32]) -> Buffer {
    let mut buffer = Buffer::new(1, samples.len());
    buffer.channel_mut(0).copy_from_slice(samples);
    buffer
}

/// All that comes of `samples`, fed in pieces of the given lengths (the last one again and again).
fn convert_in(resampler: &mut Resampler, samples: &[f32], pieces: &[usize]) -> Vec<f32> {
    let (mut out, mut converted, mut rest) = (Buffer::new(1, 0), Vec::new(), samples);
    let mut lengths = pieces.iter().chain(std::iter::repeat(pieces.last().unwrap()));
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at((*lengths.next().unwrap()).clamp(1, rest.len()));
        resampler.process(&buffer(piece), &mut out);
        converted.extend_from_slice(out.channel(0));
        rest = behind;
    }
    resampler.flush(&mut out);
    converted.extend_from_slice(out.channel(0));
    converted
}

fn convert(from_hz: u32, to_hz: u32, samples: &[f32]) -> Vec<f32> {
    convert_in(&mut Resampler::new(from_hz, to_hz, 1), samples, &[4096])
}

fn noise(frames: usize) -> Vec<f32> {
    let mut state = 99_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state as i64 >> 40) as f32 / 8_388_608.0
    };
    (0..frames).map(|_| next()).collect()
}

#[test]
fn the_length_is_the_input_s_rounded_half_up() {
    // sox converts 147 frames of 96 kHz to 68 of 44.1 kHz; 147 · 44.1/96 = 67.53.
    assert_eq!(Resampler::output_frames(96_000, 44_100, 147), 68);
    assert_eq!(Resampler::output_frames(48_000, 24_000, 1), 1);
    assert_eq!(Resampler::output_frames(48_000, 24_000, 3), 2);
    for from_hz in RATES_HZ {
        for to_hz in RATES_HZ {
            for frames in [0, 1, 2, 100, 4_001, 30_011] {
                let exact = frames as f64 * f64::from(to_hz) / f64::from(from_hz);
                let converted = convert(from_hz, to_hz, &noise(frames));
                assert_eq!(converted.len(), (exact + 0.5).floor() as usize, "{from_hz} to {to_hz}: {frames} frames");
            }
        }
    }
}

#[test]
fn equal_rates_pass_the_bits_through() {
    let samples = noise(10_000);
    assert!(convert(44_100, 44_100, &samples) == samples);
}

#[test]
fn an_impulse_stays_where_it_was() {
    for from_hz in RATES_HZ {
        for to_hz in RATES_HZ.into_iter().filter(|to_hz| *to_hz != from_hz) {
            let mut samples = vec![0.0; 8_192];
            samples[4_000] = 1.0;
            let converted = convert(from_hz, to_hz, &samples);
            // The centroid of the response: exact for a symmetric filter sampled at or above its band limit.
            let sum: f64 = converted.iter().map(|sample| f64::from(*sample)).sum();
            let moment: f64 = converted.iter().enumerate().map(|(at, sample)| at as f64 * f64::from(*sample)).sum();
            let place = moment / sum * f64::from(from_hz) / f64::from(to_hz);
            assert!((place - 4_000.0).abs() < 0.0005, "{from_hz} to {to_hz}: at {place}");
        }
    }
}

/// Level in dB of what is left of a steady signal when the sine of `hz` and the mean are taken out by least squares,
/// and the level of that sine.
fn residual_and_tone(signal: &[f32], sample_rate_hz: u32, hz: f64) -> (f64, f64) {
    let w = TAU * hz / f64::from(sample_rate_hz);
    let (mut cc, mut cs, mut ss, mut xc, mut xs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (at, sample) in signal.iter().enumerate() {
        let ((s, c), x) = ((w * at as f64).sin_cos(), f64::from(*sample));
        (cc, cs, ss, xc, xs) = (cc + c * c, cs + c * s, ss + s * s, xc + x * c, xs + x * s);
    }
    let determinant = cc * ss - cs * cs;
    let (a, b) = ((xc * ss - xs * cs) / determinant, (xs * cc - xc * cs) / determinant);
    let left: f64 = signal
        .iter()
        .enumerate()
        .map(|(at, sample)| {
            let (s, c) = (w * at as f64).sin_cos();
            let rest = f64::from(*sample) - a * c - b * s;
            rest * rest
        })
        .sum();
    (10.0 * (left / signal.len() as f64).log10(), 10.0 * (a * a + b * b).log10())
}

fn sine(hz: f64, sample_rate_hz: u32, frames: usize, amplitude: f64) -> Vec<f32> {
    (0..frames).map(|at| ((TAU * hz * at as f64 / f64::from(sample_rate_hz)).sin() * amplitude) as f32).collect()
}

#[test]
fn a_tone_of_19_khz_keeps_its_level_and_gains_no_distortion() {
    for (from_hz, to_hz) in
        [(96_000, 44_100), (48_000, 44_100), (44_100, 48_000), (44_100, 96_000), (192_000, 44_100), (44_100, 192_000)]
    {
        let converted = convert(from_hz, to_hz, &sine(19_000.0, from_hz, from_hz as usize / 2, 0.891_250_938));
        let steady = &converted[2_000..converted.len() - 2_000];
        let (rest, tone) = residual_and_tone(steady, to_hz, 19_000.0);
        assert!(rest <= -150.0, "{from_hz} to {to_hz}: THD+N {rest} dB");
        assert!((tone + 1.0).abs() <= 0.0005, "{from_hz} to {to_hz}: {tone} dB");
    }
}

#[test]
fn a_tone_that_the_lower_rate_cannot_hold_disappears() {
    for hz in [22_050.0, 22_200.0, 23_000.0, 24_100.0, 30_000.0, 43_000.0, 47_000.0] {
        let converted = convert(96_000, 44_100, &sine(hz, 96_000, 48_000, 0.891_250_938));
        let steady = &converted[2_000..converted.len() - 2_000];
        let power: f64 =
            steady.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum::<f64>() / steady.len() as f64;
        // The input's own rounding to f32 is noise at −150 dB, most of which lies in the pass band.
        assert!(10.0 * power.log10() <= -150.0, "{hz} Hz comes through at {} dB", 10.0 * power.log10());
    }
}

#[test]
fn channels_are_converted_alike_however_many_there_are() {
    let samples = noise(25_000);
    let mono = convert(48_000, 44_100, &samples);
    for channels in [2, 3] {
        let mut input = Buffer::new(channels, samples.len());
        input.iter_mut().for_each(|channel| channel.copy_from_slice(&samples));
        let (mut resampler, mut out) = (Resampler::new(48_000, 44_100, channels), Buffer::new(channels, 0));
        resampler.process(&input, &mut out);
        let head = out.frames();
        assert!(out.iter().all(|channel| channel == &mono[..head]));
        resampler.flush(&mut out);
        assert!(out.iter().all(|channel| channel == &mono[head..]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(long::rounds(200)))]

    #[test]
    fn any_split_of_the_input_gives_the_same_bits(
        from in 0..RATES_HZ.len(),
        to in 0..RATES_HZ.len(),
        pieces in prop::collection::vec(prop_oneof![1_usize..700, 1_usize..20_000], 1..12),
    ) {
        // Several blocks of whatever length.
        let samples = noise(50_000);
        let split = convert_in(&mut Resampler::new(RATES_HZ[from], RATES_HZ[to], 1), &samples, &pieces);
        prop_assert!(split == convert(RATES_HZ[from], RATES_HZ[to], &samples));
    }

    #[test]
    fn a_start_at_any_frame_gives_the_bits_of_a_start_at_the_first(
        from in prop::sample::select(vec![8_000_u32, 32_000, 44_100, 44_101, 48_000, 96_000, 192_000]),
        to in prop::sample::select(vec![44_100_u32, 48_000, 88_200, 96_000]),
        part in 0.0_f64..1.0,
    ) {
        let samples = noise(50_000);
        let whole = convert(from, to, &samples);
        let start = (whole.len() as f64 * part) as u64;
        let mut resampler = Resampler::starting_at(from, to, 1, start);
        let rest = &samples[(resampler.next_input_frame() as usize).min(samples.len())..];
        prop_assert!(convert_in(&mut resampler, rest, &[333]) == whole[start as usize..]);
    }
}
