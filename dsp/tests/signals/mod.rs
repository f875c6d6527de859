//! Test signals made in code.

#![allow(dead_code, reason = "each test binary uses its own part")]

use core::f64::consts::{PI, TAU};

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

/// fs/6 at half scale with one period of fs/4 at full scale in it, as cases 20 to 23 of Tech 3341, each offset in its turn.
pub fn short_periods(frames: usize) -> Vec<f32> {
    let at_4_fs: Vec<f64> = (0..4 * frames)
        .map(|n| {
            let (turn, at) = (n / 9_601, n % 9_601);
            let sine = if (4_800..4_816).contains(&at) {
                math::sin(TAU * at as f64 / 16.0)
            } else {
                0.5 * math::sin(TAU * at as f64 / 24.0)
            };
            if turn % 2 == 0 { sine } else { -sine }
        })
        .collect();
    // 48 zero crossings of a low pass at 0.45 of the lower rate.
    let low_pass: Vec<f64> = (-192..=192)
        .map(|k| {
            let t = f64::from(k) * 0.225;
            let sinc = if k == 0 { 1.0 } else { math::sin(PI * t) / (PI * t) };
            0.225 * sinc * (0.5 + 0.5 * math::cos(PI * f64::from(k) / 193.0))
        })
        .collect();
    (0..frames)
        .map(|n| {
            let value = low_pass.iter().enumerate().fold(0.0, |sum, (k, tap)| {
                sum + tap * (4 * n + k).checked_sub(192).and_then(|at| at_4_fs.get(at)).copied().unwrap_or(0.0)
            });
            value as f32
        })
        .collect()
}

/// Hits of noise and a low note over a steady one, 6 dB too loud, clipped at full scale.
pub fn clipped_music(sample_rate_hz: u32, frames: usize) -> Vec<f32> {
    let mut noise = Noise::new(13);
    (0..frames)
        .map(|n| {
            let t = n as f64 / f64::from(sample_rate_hz);
            let hit = math::exp(-(t % 0.25) * 20.0);
            let note = math::sin(TAU * 60.0 * t) + f64::from(noise.next());
            ((2.0 * hit * note + math::sin(TAU * 220.0 * t)) as f32).clamp(-1.0, 1.0)
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

/// A sine that goes on by itself: 1·e^(jφ), turned on with every sample.
struct Turning([f64; 2], [f64; 2]);

impl Turning {
    fn new(hz: f64, phase: f64, sample_rate_hz: u32) -> Self {
        let step = TAU * hz / f64::from(sample_rate_hz);
        Self([math::cos(phase), math::sin(phase)], [math::cos(step), math::sin(step)])
    }

    fn next(&mut self) -> f64 {
        let ([re, im], [c, s]) = (self.0, self.1);
        self.0 = [re * c - im * s, re * s + im * c];
        im
    }
}

/// The same sound at any rate: 24 partials from 25 Hz to 19 kHz under swells of their own and one of 24 dB over them all.
pub fn sound(sample_rate_hz: u32, seconds: u32) -> Vec<f32> {
    let mut noise = Noise::new(12);
    let mut draw = || f64::from(noise.next()) * 0.5 + 0.5;
    let mut partials: Vec<(f64, Turning, Turning)> = (0..24)
        .map(|n| {
            let hz = 25.0 * math::exp2(math::log2(19_000.0 / 25.0) * (f64::from(n) + draw()) / 24.0);
            let sine = Turning::new(hz, draw() * TAU, sample_rate_hz);
            (0.05 * draw(), sine, Turning::new(0.1 + 0.4 * draw(), draw() * TAU, sample_rate_hz))
        })
        .collect();
    let mut over_all = Turning::new(0.08, 0.0, sample_rate_hz);
    (0..sample_rate_hz * seconds)
        .map(|_| {
            let level = 0.53 + 0.47 * over_all.next();
            let sum: f64 = partials.iter_mut().map(|(a, sine, swell)| *a * (1.0 + swell.next()) * sine.next()).sum();
            (level * sum) as f32
        })
        .collect()
}
