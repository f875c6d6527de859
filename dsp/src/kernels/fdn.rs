//! The two halves of an algorithmic reverb: diffusers, and the feedback delay network they feed.
//!
//! *References*: J.-M. Jot, A. Chaigne, "Digital delay networks for designing artificial reverberators", AES 90, 1991,
//! for decay by what each line takes away; G. Luff, "Let's write a reverb", 2021, for Hadamard diffusers before a Householder loop.

use core::f64::consts::{FRAC_1_SQRT_2, TAU};

use super::absorption::{Absorber, Decay, OCTAVES_HZ};
use super::delay_line::DelayLine;
use super::lanes::{Lanes, without_dust};
use crate::math;

/// Lines of the feedback network.
pub const LINES: usize = 16;

/// Channels of the diffusers.
pub const CHANNELS: usize = 8;

/// Diffusers in series.
const STAGES: usize = 4;

/// The most frames processed at once; no line is shorter.
pub const RUN_FRAMES: usize = 16;

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

/// Echoes multiply: four times eight delays, mixed by Hadamard matrices, make one click some thousand.
pub struct Diffuser {
    lines: [[DelayLine<f32>; CHANNELS]; STAGES],
}

impl Diffuser {
    /// Diffusers for a room of `scale` (1 is a middle-sized one).
    #[must_use]
    pub fn new(scale: f64, sample_rate_hz: f64) -> Self {
        let line = |ms: f64| {
            let frames = (ms * scale * 0.001 * sample_rate_hz) as usize;
            DelayLine::new(frames.max(RUN_FRAMES), 0.0)
        };
        Self { lines: DIFFUSER_MS.map(|stage| stage.map(line)) }
    }

    /// The longest way through, in frames.
    #[must_use]
    pub fn longest_frames(&self) -> usize {
        self.lines.iter().map(|stage| stage.iter().map(DelayLine::length).max().unwrap_or(0)).sum()
    }

    /// Diffuses up to [`RUN_FRAMES`] frames in place.
    pub fn run(&mut self, frames: &mut [[f64; CHANNELS]]) {
        for (lines, signs) in self.lines.iter_mut().zip(&SIGNS) {
            for (channel, line) in lines.iter_mut().enumerate() {
                let [slots, wrapped] = line.advance(frames.len());
                let (head, tail) = frames.split_at_mut(slots.len());
                exchange(channel, head, slots);
                exchange(channel, tail, wrapped);
            }
            for frame in frames.iter_mut() {
                hadamard(frame);
                for (value, sign) in frame.iter_mut().zip(signs) {
                    *value *= sign * HADAMARD_SCALE;
                }
            }
        }
    }

    /// Makes all lines silent.
    pub fn reset(&mut self) {
        self.lines.iter_mut().flatten().for_each(DelayLine::reset);
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

/// The length of all lines together against the longest decay, at least: modes per hertz for each second of it. With fewer,
/// modes ring apart (Jot & Chaigne).
const MODES_PER_DECAY: f64 = 0.15;

/// Pairs of lines that the modulation turns.
const PAIRS: usize = LINES / 2;

/// Sixteen delay lines that feed one another through a Householder matrix, which keeps all energy; what decays, decays by
/// the filter of each line, so that all decay alike.
///
/// Before the matrix, pairs of lines may be turned into each other by small angles that move slowly: that keeps all energy
/// too, so it leaves the decay alone, but no mode rings on by itself.
///
/// *Reference*: S. J. Schlecht, E. A. P. Habets, "Time-varying feedback matrices in feedback delay networks and their
/// application in artificial reverberation", JASA 138(3), 2015.
pub struct Network {
    lines: Vec<DelayLine<f32>>,
    absorber: Absorber<LINES>,
    energy: f64,
    /// Frames in a row in which nothing but 0 went into the lines, up to the longest line.
    quiet_frames: usize,
}

/// The turns of all pairs at one frame: cosine and sine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turns {
    cos: [f64; PAIRS],
    sin: [f64; PAIRS],
}

impl Turns {
    /// The turns at a phase (2^64 is a whole round; each pair is an eighth of one apart) to at most `angle` radians.
    #[must_use]
    pub fn at(phase: u64, angle: f64) -> Self {
        let angles: [f64; PAIRS] = core::array::from_fn(|pair| {
            let phase = phase.wrapping_add((pair as u64) << 61);
            angle * math::sin(TAU * ((phase >> 11) as f64 / (1u64 << 53) as f64))
        });
        Self { cos: angles.map(math::cos), sin: angles.map(math::sin) }
    }

    /// Turns at `t` of the way to others close by.
    #[must_use]
    #[inline(always)]
    pub fn towards(&self, to: &Self, t: f64) -> Self {
        Self {
            cos: core::array::from_fn(|pair| self.cos[pair] + (to.cos[pair] - self.cos[pair]) * t),
            sin: core::array::from_fn(|pair| self.sin[pair] + (to.sin[pair] - self.sin[pair]) * t),
        }
    }

    #[inline(always)]
    fn apply(&self, row: &mut [f64; LINES]) {
        let (first, second) = row.split_at_mut(PAIRS);
        for pair in 0..PAIRS {
            let (a, b) = (first[pair], second[pair]);
            first[pair] = self.cos[pair] * a - self.sin[pair] * b;
            second[pair] = self.sin[pair] * a + self.cos[pair] * b;
        }
    }
}

impl Network {
    /// A network whose lines are about `shortest_ms` to `longest_ms` long (prime numbers of frames, so that no two share
    /// an echo) and whose sound decays as `decay` says.
    ///
    /// However small the room, the lines together are so long that no mode rings apart.
    #[must_use]
    pub fn new(shortest_ms: f64, longest_ms: f64, decay: &Decay, sample_rate_hz: f64) -> Self {
        let ratio = longest_ms / shortest_ms;
        let share = |line: usize| math::powf(ratio, line as f64 / (LINES - 1) as f64);
        let total_s: f64 = (0..LINES).map(|line| share(line) * shortest_ms * 0.001).sum();
        let stretch = (MODES_PER_DECAY * decay.longest_s() / total_s).max(1.0);
        let mut lengths = [0; LINES];
        let mut after = RUN_FRAMES;
        for (line, length) in lengths.iter_mut().enumerate() {
            let wanted = (share(line) * shortest_ms * stretch * 0.001 * sample_rate_hz) as usize;
            *length = next_prime(wanted.max(after));
            after = *length + 1;
        }
        // The energy that one round leaves, per octave; what is left of all rounds follows.
        let kept = |frames: usize, seconds: f64| math::powf(10.0, -6.0 * frames as f64 / (sample_rate_hz * seconds));
        let energies = OCTAVES_HZ.map(|hz| {
            let seconds = decay.at(hz);
            let per_round = lengths.iter().map(|length| kept(*length, seconds)).sum::<f64>() / LINES as f64;
            per_round / (1.0 - per_round)
        });
        Self {
            absorber: Absorber::new(decay, &lengths, sample_rate_hz),
            energy: energies.iter().sum::<f64>() / energies.len() as f64,
            quiet_frames: lengths[LINES - 1],
            lines: lengths.into_iter().map(|frames| DelayLine::new(frames, 0.0)).collect(),
        }
    }

    /// The energy of one output over that of noise fed to all channels, as a mean over the octaves.
    #[must_use]
    pub fn energy(&self) -> f64 {
        self.energy
    }

    /// Feeds up to [`RUN_FRAMES`] frames of the diffusers to the lines and writes what leaves them, left and right.
    pub fn run(&mut self, diffused: &[[f64; CHANNELS]], turns: impl Fn(usize) -> Option<Turns>, out: &mut [Lanes<2>]) {
        let mut rows = [[0.0f64; LINES]; RUN_FRAMES];
        let rows = &mut rows[..diffused.len()];
        for (line, delay) in self.lines.iter().enumerate() {
            let [oldest, wrapped] = delay.oldest(diffused.len());
            let (head, tail) = rows.split_at_mut(oldest.len());
            head.iter_mut().zip(oldest).for_each(|(row, sample)| row[line] = f64::from(*sample));
            tail.iter_mut().zip(wrapped).for_each(|(row, sample)| row[line] = f64::from(*sample));
        }
        for (index, ((row, diffused), out)) in rows.iter_mut().zip(diffused).zip(out).enumerate() {
            self.absorber.run(row);
            if let Some(turns) = turns(index) {
                turns.apply(row);
            }
            let mut quarters = [0.0; 4];
            for four in row.chunks_exact(4) {
                for (quarter, value) in quarters.iter_mut().zip(four) {
                    *quarter += value;
                }
            }
            let [a, b, c, d] = quarters;
            // Signs that are orthogonal to each other and to the sum: left and right are uncorrelated.
            *out = Lanes([(a - b) + (c - d), (a + b) - (c + d)]);
            let share = ((a + b) + (c + d)) * (2.0 / LINES as f64);
            // Both halves of the lines hear the diffusers, the second upside down.
            for channel in 0..CHANNELS {
                let fed = diffused[channel] * FRAC_1_SQRT_2;
                row[channel] = without_dust(row[channel] - share + fed);
                row[channel + CHANNELS] = without_dust(row[channel + CHANNELS] - share - fed);
            }
        }
        for (line, delay) in self.lines.iter_mut().enumerate() {
            let [slots, wrapped] = delay.advance(diffused.len());
            let (head, tail) = rows.split_at(slots.len());
            slots.iter_mut().zip(head).for_each(|(slot, row)| *slot = row[line] as f32);
            wrapped.iter_mut().zip(tail).for_each(|(slot, row)| *slot = row[line] as f32);
        }
        let silent = rows.iter().rev().take_while(|row| **row == [0.0; LINES]).count();
        let longest = self.lines[LINES - 1].length();
        self.quiet_frames = if silent == rows.len() { (self.quiet_frames + silent).min(longest) } else { silent };
    }

    /// Clears filter states that have decayed to nothing; to be called at absolute frames.
    pub fn tidy(&mut self) {
        self.absorber.tidy();
    }

    /// Whether nothing is left to sound.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.quiet_frames == self.lines[LINES - 1].length() && self.absorber.is_silent()
    }

    /// Makes the network silent.
    pub fn reset(&mut self) {
        self.lines.iter_mut().for_each(DelayLine::reset);
        self.absorber.reset();
        self.quiet_frames = self.lines[LINES - 1].length();
    }
}

/// The least prime number from `from` on.
fn next_prime(from: usize) -> usize {
    let is_prime = |n: usize| n > 1 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d));
    (from..).find(|&n| is_prime(n)).expect("because there are always more primes")
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

    #[test]
    fn lines_have_prime_lengths_that_together_suffice_for_the_modes() {
        for (sample_rate_hz, decay_s) in [(44100.0, 0.1), (48000.0, 1.8), (192000.0, 20.0)] {
            let network = Network::new(18.0, 45.0, &Decay::measured_as(&[decay_s; 8]), sample_rate_hz);
            let lengths: Vec<usize> = network.lines.iter().map(DelayLine::length).collect();
            assert!(lengths.windows(2).all(|pair| pair[0] < pair[1]), "{lengths:?}");
            assert!(lengths.iter().all(|&length| next_prime(length) == length), "{lengths:?}");
            assert!(lengths.iter().sum::<usize>() as f64 >= 0.15 * decay_s * sample_rate_hz, "{lengths:?}");
        }
    }
}
