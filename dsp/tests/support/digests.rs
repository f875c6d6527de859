//! Digests of what processors, kernels and elementary functions make: the bits that no machine may change.
#![allow(dead_code, reason = "each test binary uses its part")]

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::dither::Quantizer;
use mixdown_dsp::kernels::noise_shape::{LIPSHITZ_5, THRESHOLD_9, WANNAMAKER_9};
use mixdown_dsp::kernels::resampler::Resampler;
use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::loudness::Meter;
use mixdown_dsp::math;
use mixdown_dsp::nodes::Processor;

use crate::support::{Rig, moving_lanes, noise, paths};

/// Digests of a processor, each with its name: those [`at_48_khz`], and `name@44100` and `name@192000` at those rates.
pub fn of_processor(name: &str, frames: usize) -> Vec<(String, String)> {
    let mut digests = at_48_khz(name, frames);
    for rate_hz in [44_100, 192_000] {
        digests.push((format!("{name}@{rate_hz}"), of_paths(&on_all_paths(name), rate_hz, frames, None)));
    }
    digests
}

/// `name` at 48 kHz, and `name+key` with a side-chain key, where the processor listens to one.
pub fn at_48_khz(name: &str, frames: usize) -> Vec<(String, String)> {
    let processors = on_all_paths(name);
    let mut digests = vec![(name.to_owned(), of_paths(&processors, 48_000, frames, None))];
    if processors[0].parameters().accepts_sidechain() {
        // Two more channels of noise, in bursts.
        let mut key = noise(4, frames, 0.9).split_off(2);
        key.iter_mut().flatten().enumerate().filter(|(n, _)| n / 3000 % 2 == 1).for_each(|(_, sample)| *sample *= 0.01);
        digests.push((format!("{name}+key"), of_paths(&processors, 48_000, frames, Some(&key))));
    }
    digests
}

fn on_all_paths(name: &str) -> Vec<Processor> {
    paths().into_iter().map(|(_, processor)| processor).filter(|processor| processor.name() == name).collect()
}

/// BLAKE3 over what processors make of noise, still and automated, mono and stereo.
fn of_paths(processors: &[Processor], rate_hz: u32, frames: usize, key: Option<&[Vec<f32>]>) -> String {
    let mut hasher = blake3::Hasher::new();
    for processor in processors {
        for channels in [1, 2] {
            for lanes in [Vec::new(), moving_lanes(processor, frames as u64)] {
                let mut rig = Rig::new(processor, rate_hz, channels, &lanes);
                for sample in rig.run(&noise(channels, frames, 0.7), key, &[1024]).iter().flatten() {
                    hasher.update(&sample.to_le_bytes());
                }
            }
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// The digest of what something makes of so many frames.
pub type DigestOver = fn(usize) -> String;

/// What the finish and the clips are made with, beside the processors.
pub const KERNELS: [(&str, DigestOver); 7] = [
    ("resampler", resampler),
    ("true_peak", true_peak),
    ("loudness", loudness),
    ("dither", dither),
    ("noise_shape", noise_shape),
    ("math", |frames| elementary_functions(5 * frames)),
    ("math_million", |frames| elementary_functions(50 * frames)),
];

fn stereo(frames: usize) -> Buffer {
    let mut buffer = Buffer::new(2, frames);
    for (channel, samples) in buffer.iter_mut().zip(noise(2, frames, 0.9)) {
        channel.copy_from_slice(&samples);
    }
    buffer
}

fn resampler(frames: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    for (from_hz, to_hz) in [(44_100, 48_000), (96_000, 44_100), (48_000, 192_000), (44_101, 48_000)] {
        let (mut resampler, mut out) = (Resampler::new(from_hz, to_hz, 2), Buffer::new(2, 0));
        let mut hash = |out: &Buffer| {
            out.iter().flatten().for_each(|sample| {
                hasher.update(&sample.to_le_bytes());
            });
        };
        resampler.process(&stereo(frames), &mut out);
        hash(&out);
        resampler.flush(&mut out);
        hash(&out);
    }
    hasher.finalize().to_hex().to_string()
}

fn true_peak(frames: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    for mut reader in [TruePeakReader::new(), TruePeakReader::strict()] {
        for part in noise(1, frames, 0.9)[0].chunks(500) {
            reader.push(part);
            hasher.update(&reader.take_peak(0.0).to_le_bytes());
        }
        hasher.update(&reader.finish().to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn loudness(frames: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    for sample_rate_hz in [44_100, 48_000, 96_000] {
        let mut meter = Meter::new(sample_rate_hz, 2);
        for _ in 0..10 {
            meter.push(&stereo(frames));
        }
        let is = meter.finish();
        for value in [is.integrated_lufs, is.momentary_max_lufs, is.true_peak_dbtp, is.sample_peak_dbfs] {
            hasher.update(&value.unwrap_or(0.0).to_le_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

fn dither(frames: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    for (bits, dithered) in [(16, true), (24, true), (16, false)] {
        let mut integers = Vec::new();
        Quantizer::new(bits, dithered, 1).process(&stereo(frames), 12_345, &mut integers);
        integers.iter().for_each(|integer| {
            hasher.update(&integer.to_le_bytes());
        });
    }
    hasher.finalize().to_hex().to_string()
}

fn noise_shape(frames: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    for shape in [&LIPSHITZ_5, &WANNAMAKER_9, &THRESHOLD_9] {
        let mut integers = Vec::new();
        Quantizer::shaped(16, shape, 1).process(&stereo(frames), 0, &mut integers);
        integers.iter().for_each(|integer| {
            hasher.update(&integer.to_le_bytes());
        });
    }
    hasher.finalize().to_hex().to_string()
}

/// Ten functions at so many places each: a hundred thousand and a million at 20 000 frames.
fn elementary_functions(places: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut state = 1_u64;
    for _ in 0..places {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (part, angle) = ((state >> 11) as f64 / (1_u64 << 53) as f64, f64::from((state >> 40) as u32) * 1e-3);
        let positive = f64::from_bits(state >> 2 | 1 << 60);
        for value in [
            math::sin(angle),
            math::cos(angle),
            math::tan(angle),
            math::exp(part * 100.0 - 50.0),
            math::exp2(part * 200.0 - 100.0),
            math::ln(positive),
            math::log2(positive),
            math::powf(angle + part, part * 20.0 - 10.0),
            math::quick_exp2(part * 200.0 - 100.0),
            math::quick_log2(part + 1e-9),
        ] {
            hasher.update(&value.to_le_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}
