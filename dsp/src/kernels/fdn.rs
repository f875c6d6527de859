//! The second half of an algorithmic reverb: the feedback delay network that the diffusers feed.
//!
//! *References*: J.-M. Jot, A. Chaigne, "Digital delay networks for designing artificial reverberators", AES 90, 1991,
//! for decay by what each line takes away; G. Luff, "Let's write a reverb", 2021, for a Householder loop.

use core::f64::consts::{FRAC_1_SQRT_2, TAU};

use super::absorption::{Absorber, Loss};
use super::decay::{Decay, OCTAVES_HZ};
use super::delay_line::DelayLine;
use super::diffuser::CHANNELS;
use super::lanes::{Lanes, without_dust};
use super::moving_tap::{self, REACH};
use crate::math;

/// Lines of the feedback network.
pub const LINES: usize = 16;

/// The most frames processed at once; no line is shorter.
pub const RUN_FRAMES: usize = 16;

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
    lines: [DelayLine<f32>; LINES],
    loss: Loss<LINES>,
    absorber: Absorber<LINES>,
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

/// What happens to what comes out of the lines, once it has lost its part: the way back into them.
pub struct Round {
    /// The turns of the lines, if they turn.
    pub turns: Option<Turns>,
    /// The gain of what the diffusers feed.
    pub feed: f64,
}

impl Round {
    /// Turns and mixes a row, adds a frame of the diffusers and gives what leaves the network.
    #[inline(always)]
    fn run(&self, row: &mut [f64; LINES], diffused: &[f64; CHANNELS]) -> Lanes<2> {
        if let Some(turns) = &self.turns {
            turns.apply(row);
        }
        let mut quarters = [0.0; 4];
        for four in row.chunks_exact(4) {
            for (quarter, value) in quarters.iter_mut().zip(four) {
                *quarter += value;
            }
        }
        let [a, b, c, d] = quarters;
        let share = ((a + b) + (c + d)) * (2.0 / LINES as f64);
        let scale = FRAC_1_SQRT_2 * self.feed;
        // Both halves of the lines hear the diffusers, the second upside down.
        for channel in 0..CHANNELS {
            let fed = diffused[channel] * scale;
            row[channel] = without_dust(row[channel] - share + fed);
            row[channel + CHANNELS] = without_dust(row[channel + CHANNELS] - share - fed);
        }
        // Signs that are orthogonal to each other and to the sum: left and right are uncorrelated.
        Lanes([(a - b) + (c - d), (a + b) - (c + d)])
    }
}

/// The lengths in frames of lines that are about `shortest_ms` to `longest_ms` long: prime numbers, so that no two share an
/// echo. However small the room, the lines together are so long that no mode of a sound that decays in `decay_s` rings apart.
#[must_use]
pub fn lengths(shortest_ms: f64, longest_ms: f64, decay_s: f64, sample_rate_hz: f64) -> [usize; LINES] {
    let ratio = longest_ms / shortest_ms;
    let share = |line: usize| math::powf(ratio, line as f64 / (LINES - 1) as f64);
    let total_s: f64 = (0..LINES).map(|line| share(line) * shortest_ms * 0.001).sum();
    let stretch = (MODES_PER_DECAY * decay_s / total_s).max(1.0);
    let mut after = RUN_FRAMES;
    core::array::from_fn(|line| {
        let wanted = (share(line) * shortest_ms * stretch * 0.001 * sample_rate_hz) as usize;
        let length = next_prime(wanted.max(after));
        after = length + 1;
        length
    })
}

/// The energy of one output over that of noise fed to all channels, as a mean over the octaves.
#[must_use]
pub fn energy(lengths: &[usize; LINES], decay: &Decay, sample_rate_hz: f64) -> f64 {
    // The energy that one round leaves, per octave; what is left of all rounds follows.
    let kept = |frames: usize, seconds: f64| math::powf(10.0, -6.0 * frames as f64 / (sample_rate_hz * seconds));
    let energies = OCTAVES_HZ.map(|hz| {
        let seconds = decay.at(hz);
        let per_round = lengths.iter().map(|length| kept(*length, seconds)).sum::<f64>() / LINES as f64;
        per_round / (1.0 - per_round)
    });
    energies.iter().sum::<f64>() / energies.len() as f64
}

impl Network {
    /// A network with lines of `lengths` frames that lose `loss` each round.
    #[must_use]
    pub fn still(lengths: &[usize; LINES], loss: Loss<LINES>) -> Self {
        Self {
            loss,
            absorber: Absorber::SILENT,
            quiet_frames: lengths[LINES - 1],
            lines: lengths.map(|frames| DelayLine::new(frames, 0.0)),
        }
    }

    /// A network whose lines move and are never longer than `longest`.
    #[must_use]
    pub fn moving(longest: &[usize; LINES], loss: Loss<LINES>) -> Self {
        Self::still(&longest.map(|frames| frames + REACH), loss)
    }

    /// Changes what the lines lose.
    pub fn set_loss(&mut self, loss: Loss<LINES>) {
        self.loss = loss;
    }

    /// Feeds up to [`RUN_FRAMES`] frames of the diffusers to lines that stand still and writes what leaves them, left and
    /// right. `round` says how the network turns and is fed at the frame of an index.
    pub fn run(&mut self, diffused: &[[f64; CHANNELS]], round: impl Fn(usize) -> Round, out: &mut [Lanes<2>]) {
        let mut rows = [[0.0f64; LINES]; RUN_FRAMES];
        let rows = &mut rows[..diffused.len()];
        for (line, delay) in self.lines.iter().enumerate() {
            let [oldest, wrapped] = delay.oldest(diffused.len());
            let (head, tail) = rows.split_at_mut(oldest.len());
            head.iter_mut().zip(oldest).for_each(|(row, sample)| row[line] = f64::from(*sample));
            tail.iter_mut().zip(wrapped).for_each(|(row, sample)| row[line] = f64::from(*sample));
        }
        for (index, ((row, diffused), out)) in rows.iter_mut().zip(diffused).zip(out).enumerate() {
            self.absorber.run(&self.loss, row);
            *out = round(index).run(row, diffused);
        }
        for (line, delay) in self.lines.iter_mut().enumerate() {
            let [slots, wrapped] = delay.advance(diffused.len());
            let (head, tail) = rows.split_at(slots.len());
            slots.iter_mut().zip(head).for_each(|(slot, row)| *slot = row[line] as f32);
            wrapped.iter_mut().zip(tail).for_each(|(slot, row)| *slot = row[line] as f32);
        }
        let silent = rows.iter().rev().take_while(|row| **row == [0.0; LINES]).count();
        self.count_quiet(silent, rows.len());
    }

    /// As [`Self::run`], with lines that move: `lengths` gives theirs at the frame of an index.
    pub fn run_moving(
        &mut self,
        diffused: &[[f64; CHANNELS]],
        lengths: impl Fn(usize) -> [f64; LINES],
        round: impl Fn(usize) -> Round,
        out: &mut [Lanes<2>],
    ) {
        for (index, (diffused, out)) in diffused.iter().zip(out).enumerate() {
            let lengths = lengths(index);
            let mut row = core::array::from_fn(|line| moving_tap::sample(&self.lines[line], lengths[line]));
            self.absorber.run(&self.loss, &mut row);
            *out = round(index).run(&mut row, diffused);
            for (line, value) in self.lines.iter_mut().zip(row) {
                line.exchange(value as f32);
            }
            self.count_quiet(usize::from(row == [0.0; LINES]), 1);
        }
    }

    /// Counts frames at whose end `silent` ones came.
    fn count_quiet(&mut self, silent: usize, frames: usize) {
        let longest = self.lines[LINES - 1].length();
        self.quiet_frames = if silent == frames { (self.quiet_frames + silent).min(longest) } else { silent };
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
        self.absorber = Absorber::SILENT;
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
    fn lines_have_prime_lengths_that_together_suffice_for_the_modes() {
        for (sample_rate_hz, decay_s) in [(44100.0, 0.1), (48000.0, 1.8), (192000.0, 20.0)] {
            let lengths = lengths(18.0, 45.0, decay_s, sample_rate_hz);
            assert!(lengths.windows(2).all(|pair| pair[0] < pair[1]), "{lengths:?}");
            assert!(lengths.iter().all(|&length| next_prime(length) == length), "{lengths:?}");
            assert!(lengths.iter().sum::<usize>() as f64 >= 0.15 * decay_s * sample_rate_hz, "{lengths:?}");
        }
    }
}
