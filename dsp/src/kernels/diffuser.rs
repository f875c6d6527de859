//! The first half of an algorithmic reverb: what makes thousands of echoes of one click.
//!
//! *Reference*: G. Luff, "Let's write a reverb", 2021, for Hadamard diffusers before a Householder loop.

use core::f64::consts::FRAC_1_SQRT_2;

use super::delay_line::DelayLine;
use super::fdn::RUN_FRAMES;
use super::lanes::without_dust;
use super::moving_tap::{self, REACH};

/// Channels of the diffusers.
pub const CHANNELS: usize = 8;

/// Diffusers in series.
const STAGES: usize = 4;

/// Delays of the diffusers in ms at size ½, stage by stage: one in each eighth of a range that doubles from stage to
/// stage, in an order that pairs other channels in each stage's matrix.
const DIFFUSER_MS: [[f64; CHANNELS]; STAGES] = [
    [1.07, 1.83, 2.49, 3.31, 3.97, 4.85, 5.41, 6.29],
    [6.07, 7.03, 8.63, 9.77, 11.93, 1.61, 3.37, 4.19],
    [2.41, 19.21, 5.03, 17.05, 7.57, 14.83, 9.29, 12.11],
    [17.63, 3.29, 26.39, 12.47, 8.11, 35.83, 21.01, 30.07],
];

/// Which channels are turned upside down after each stage.
const SIGNS: [[f64; CHANNELS]; STAGES] = [
    [-1.0, 1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0],
    [-1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0],
    [1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0],
    [1.0, 1.0, -1.0, -1.0, -1.0, 1.0, -1.0, 1.0],
];

/// A length for every line, stage by stage.
pub type Lengths<T> = [[T; CHANNELS]; STAGES];

/// The lengths in frames for a room of `scale` (1 is a middle-sized one).
#[must_use]
pub fn lengths(scale: f64, sample_rate_hz: f64) -> Lengths<usize> {
    DIFFUSER_MS.map(|stage| stage.map(|ms| ((ms * scale * 0.001 * sample_rate_hz) as usize).max(RUN_FRAMES)))
}

/// Echoes multiply: four times eight delays, mixed by Hadamard matrices, make one click some thousand.
pub struct Diffuser {
    lines: [[DelayLine<f32>; CHANNELS]; STAGES],
}

impl Diffuser {
    /// Diffusers with lines of `lengths` frames.
    #[must_use]
    pub fn still(lengths: &Lengths<usize>) -> Self {
        Self { lines: lengths.map(|stage| stage.map(|frames| DelayLine::new(frames, 0.0))) }
    }

    /// Diffusers whose lines move and are never longer than `longest`.
    #[must_use]
    pub fn moving(longest: &Lengths<usize>) -> Self {
        Self::still(&longest.map(|stage| stage.map(|frames| frames + REACH)))
    }

    /// The longest way through, in frames.
    #[must_use]
    pub fn longest_frames(&self) -> usize {
        self.lines.iter().map(|stage| stage.iter().map(DelayLine::length).max().unwrap_or(0)).sum()
    }

    /// Diffuses up to [`RUN_FRAMES`] frames in place, by lines that stand still.
    pub fn run(&mut self, frames: &mut [[f64; CHANNELS]]) {
        for (lines, signs) in self.lines.iter_mut().zip(&SIGNS) {
            for (channel, line) in lines.iter_mut().enumerate() {
                let [slots, wrapped] = line.advance(frames.len());
                let (head, tail) = frames.split_at_mut(slots.len());
                exchange(channel, head, slots);
                exchange(channel, tail, wrapped);
            }
            frames.iter_mut().for_each(|frame| mix(frame, signs));
        }
    }

    /// Diffuses frames in place; `lengths` gives those of the lines for the frame at an index.
    pub fn run_moving(&mut self, frames: &mut [[f64; CHANNELS]], lengths: impl Fn(usize) -> Lengths<f64>) {
        for (index, frame) in frames.iter_mut().enumerate() {
            let lengths = lengths(index);
            for ((lines, lengths), signs) in self.lines.iter_mut().zip(&lengths).zip(&SIGNS) {
                for ((value, line), length) in frame.iter_mut().zip(lines).zip(lengths) {
                    let oldest = moving_tap::sample(line, *length);
                    line.exchange(without_dust(*value) as f32);
                    *value = oldest;
                }
                mix(frame, signs);
            }
        }
    }

    /// Makes all lines silent.
    pub fn reset(&mut self) {
        self.lines.iter_mut().flatten().for_each(DelayLine::reset);
    }
}

/// Mixes the channels of a stage and turns some upside down.
#[inline(always)]
fn mix(frame: &mut [f64; CHANNELS], signs: &[f64; CHANNELS]) {
    hadamard(frame);
    for (value, sign) in frame.iter_mut().zip(signs) {
        *value *= sign * HADAMARD_SCALE;
    }
}

/// Swaps one channel of `frames` for what stands in the slots of its line.
#[inline(always)]
fn exchange(channel: usize, frames: &mut [[f64; CHANNELS]], slots: &mut [f32]) {
    for (frame, slot) in frames.iter_mut().zip(slots) {
        let oldest = f64::from(*slot);
        *slot = without_dust(frame[channel]) as f32;
        frame[channel] = oldest;
    }
}

/// 1/√8 makes the matrix of [`hadamard`] orthonormal.
const HADAMARD_SCALE: f64 = FRAC_1_SQRT_2 / 2.0;

/// The Hadamard matrix of order 8, by the fast transform.
#[inline(always)]
fn hadamard(values: &mut [f64; CHANNELS]) {
    for half in [1, 2, 4] {
        for start in (0..CHANNELS).step_by(2 * half) {
            for index in start..start + half {
                let (a, b) = (values[index], values[index + half]);
                values[index] = a + b;
                values[index + half] = a - b;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hadamard_keeps_energy_and_undoes_itself() {
        let values: [f64; CHANNELS] = core::array::from_fn(|index| (index * index) as f64 - 7.0);
        let energy = |values: &[f64; CHANNELS]| values.iter().map(|value| value * value).sum::<f64>();
        let mut twice = values;
        hadamard(&mut twice);
        let scale = HADAMARD_SCALE * HADAMARD_SCALE;
        assert!((energy(&twice) * scale / energy(&values) - 1.0).abs() < 1e-14);
        hadamard(&mut twice);
        for (value, back) in values.iter().zip(twice) {
            assert!((value - back * scale).abs() < 1e-13);
        }
    }
}
