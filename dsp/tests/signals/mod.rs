//! Test signals made in code.

#![allow(dead_code, reason = "each test binary uses its own part")]

use core::f64::consts::TAU;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::math;
use mixdown_dsp::units::gain_from_db;

/// White noise from −1 to 1 (xorshift64*), the same for a seed on every machine.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
        bits as f32 / 8_388_608.0 - 1.0
    }
}

/// A sine of a frequency relative to the sample rate, faded in and out over 480 frames.
pub fn sine(frequency: f64, amplitude: f64, degrees: f64, frames: usize) -> Vec<f32> {
    let phase = degrees.to_radians();
    (0..frames)
        .map(|n| {
            let fade = (n.min(frames - 1 - n) as f64 / 480.0).min(1.0);
            (fade * amplitude * math::sin(TAU * frequency * n as f64 + phase)) as f32
        })
        .collect()
}

/// A row of tones of 1000 Hz, phase-continuous, each (seconds, level in dBFS per channel), as the tables of EBU Tech
/// 3341 and 3342 give them. Silence is −∞.
pub fn tones(sample_rate_hz: u32, segments: &[(f64, f64)]) -> Vec<f32> {
    let rate = f64::from(sample_rate_hz);
    // 40 ms hold 40 whole periods.
    let period = (sample_rate_hz / 25) as usize;
    let wave: Vec<f64> = (0..period).map(|n| math::sin(TAU * 40.0 * n as f64 / period as f64)).collect();
    let (mut out, mut seconds) = (Vec::new(), 0.0);
    for &(length, level) in segments {
        seconds += length;
        let amplitude = gain_from_db(level);
        for n in out.len()..(seconds * rate + 0.5) as usize {
            out.push((amplitude * wave[n % period]) as f32);
        }
    }
    out
}

/// A buffer of these channels.
pub fn buffer(channels: &[&[f32]]) -> Buffer {
    let mut buffer = Buffer::new(channels.len(), channels[0].len());
    for (to, from) in buffer.iter_mut().zip(channels) {
        to.copy_from_slice(from);
    }
    buffer
}

/// Frames `start` to `end` of a buffer.
pub fn part(whole: &Buffer, start: usize, end: usize) -> Buffer {
    let channels: Vec<&[f32]> = whole.iter().map(|channel| &channel[start..end]).collect();
    buffer(&channels)
}
