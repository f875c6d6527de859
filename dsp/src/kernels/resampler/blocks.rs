//! Conversion by Fourier transforms: for rates whose ratio has small factors, which are those of audio.
//!
//! Overlap-save: a block of k·M input frames is transformed; of its bins those below half the lower rate are multiplied by the
//! filter's gain there; and k·L frames are made of them, at the times of the output. Those at the ends, for which the filter
//! reaches beyond the block, are left out: blocks overlap by so much. Blocks begin at absolute frames, so that neither
//! the lengths in which the input comes nor where a conversion starts changes a bit.
//!
//! What the filter lets through above half the lower rate, below −199 dB, is cut off instead of folded back.
//!
//! *Reference*: T. G. Stockham, "High-speed convolution and correlation", AFIPS Spring JCC, 1966 (overlap-save); G. Bi & S. K. Mitra,
//! "Sampling rate conversion in the frequency domain", IEEE Signal Processing Magazine 28(3), 2011.

use core::ops::Range;
use std::sync::Arc;

use super::plan::Plan;
use crate::buffer::Buffer;
use crate::control::is_silent;
use crate::kernels::fft::{Spectrum, Work};
use crate::simd::{self, Kernel};

/// Silence is looked for in steps of so many frames.
const SILENCE_FRAMES: usize = 128;
/// A block on its way.
#[derive(Debug, Clone)]
struct Bench {
    input: Vec<f64>,
    /// As many bins as the output has; those that nothing is written to stay 0.
    spectrum: Spectrum,
    output: Vec<f64>,
    work: [Work; 2],
}

impl Bench {
    fn new(plan: &Plan) -> Self {
        Self {
            input: vec![0.0; plan.forward.frames()],
            spectrum: Spectrum::silent(plan.inverse.bins()),
            output: vec![0.0; plan.inverse.frames()],
            work: [plan.forward.work(), plan.inverse.work()],
        }
    }

    /// The frames of a block, without those that are left out.
    fn convert(&mut self, plan: &Plan) -> &[f64] {
        let [forward, inverse] = &mut self.work;
        plan.forward.forward(&self.input, &mut self.spectrum, forward);
        let Spectrum { re, im } = &mut self.spectrum;
        for ((re, im), gain) in re.iter_mut().zip(im.iter_mut()).zip(&plan.gains) {
            (*re, *im) = (*re * gain, *im * gain);
        }
        let above = plan.gains.len()..plan.forward.bins().min(re.len());
        re[above.clone()].fill(0.0);
        im[above].fill(0.0);
        plan.inverse.inverse(&self.spectrum, &mut self.output, inverse);
        &self.output[plan.lead[1]..][..plan.hop()[1]]
    }
}

/// A conversion at work.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    plan: Arc<Plan>,
    /// Input from where the next block begins, channel by channel.
    held: Vec<Vec<f32>>,
    /// Frames of the next block's output that lie before the first one wanted.
    skip: usize,
    bench: Bench,
}

impl Blocks {
    /// One whose first output frame is `output_frame`, with the input frame that it begins with.
    pub(super) fn starting_at(plan: Arc<Plan>, channels: usize, output_frame: u64) -> (Self, u64) {
        let [hop_in, hop_out] = plan.hop().map(|hop| hop as u64);
        let (start, lead) = (output_frame / hop_out * hop_in, plan.lead[0] as u64);
        // Before the input lies silence.
        let silent = lead.saturating_sub(start) as usize;
        let skip = (output_frame % hop_out) as usize;
        let blocks = Self { held: vec![vec![0.0; silent]; channels], skip, bench: Bench::new(&plan), plan };
        (blocks, start.saturating_sub(lead))
    }

    /// Takes all of `input` and puts what is ready into `out` (resized to it).
    pub(super) fn process(&mut self, input: &Buffer, out: &mut Buffer) {
        for (held, channel) in self.held.iter_mut().zip(input.iter()) {
            held.extend_from_slice(channel);
        }
        let spare = self.held.first().and_then(|held| held.len().checked_sub(self.plan.forward.frames()));
        let count = spare.map_or(0, |spare| 1 + spare / self.plan.hop()[0]);
        out.set_frames((count * self.plan.hop()[1]).saturating_sub(self.skip));
        self.convert(count, out);
    }

    /// Puts the next `frames`, one at least, into `out` (resized to them); after the input lies silence.
    pub(super) fn flush(&mut self, frames: u64, out: &mut Buffer) {
        let [hop_in, hop_out] = self.plan.hop();
        let count = (frames as usize + self.skip).div_ceil(hop_out);
        let needed = (count - 1) * hop_in + self.plan.forward.frames();
        for held in &mut self.held {
            held.resize(needed.max(held.len()), 0.0);
        }
        out.set_frames(frames as usize);
        self.convert(count, out);
    }

    /// Fills `out` from the next `count` blocks and forgets the input that no later one needs.
    fn convert(&mut self, count: usize, out: &mut Buffer) {
        let Self { plan, held, skip, bench } = self;
        let [hop_in, hop_out] = plan.hop();
        for (held, out) in held.iter_mut().zip(out.iter_mut()) {
            let mut left = out;
            for block in 0..count {
                let skipped = if block == 0 { *skip } else { 0 };
                let (to, rest) = left.split_at_mut(left.len().min(hop_out - skipped));
                one_block(plan, &held[block * hop_in..][..plan.forward.frames()], skipped, to, bench);
                left = rest;
            }
            held.drain(..count * hop_in);
        }
        if count > 0 {
            *skip = 0;
        }
    }
}

/// The frames of a block's output after the first `skipped`. Where all that a frame is made of is digital silence, it is silence to
/// the bit, as if it were summed: not what a transform rounds.
fn one_block(plan: &Plan, block: &[f32], skipped: usize, out: &mut [f32], bench: &mut Bench) {
    let silences: Vec<Range<usize>> = silences(block, 2 * plan.reach).map(|silence| plan.made_of(&silence)).collect();
    let wanted = skipped..skipped + out.len();
    if silences.iter().any(|silence| silence.start <= wanted.start && wanted.end <= silence.end) {
        out.fill(0.0);
        return;
    }
    simd::run(Widen { from: block, to: &mut bench.input });
    simd::run(Narrow { from: &bench.convert(plan)[wanted.clone()], to: out });
    for silence in silences {
        let (start, end) = (silence.start.max(wanted.start), silence.end.min(wanted.end));
        if start < end {
            out[start - skipped..end - skipped].fill(0.0);
        }
    }
}

/// The stretches of more than `frames` of digital silence.
fn silences(block: &[f32], frames: usize) -> impl Iterator<Item = Range<usize>> {
    let zeros = |sample: &&f32| **sample == 0.0;
    let step = SILENCE_FRAMES.min(frames / 2);
    let mut at = 0;
    std::iter::from_fn(move || {
        while at + step <= block.len() {
            if !is_silent(&block[at..at + step]) {
                at += step;
                continue;
            }
            let start = at - block[..at].iter().rev().take_while(zeros).count();
            let end = at + block[at..].iter().take_while(zeros).count();
            at = end.next_multiple_of(step);
            if end - start > frames {
                return Some(start..end);
            }
        }
        None
    })
}

struct Widen<'a> {
    from: &'a [f32],
    to: &'a mut [f64],
}

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.to.iter_mut().zip(self.from).for_each(|(to, from)| *to = f64::from(*from));
    }
}

struct Narrow<'a> {
    from: &'a [f64],
    to: &'a mut [f32],
}

impl Kernel for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.to.iter_mut().zip(self.from).for_each(|(to, from)| *to = *from as f32);
    }
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use super::super::plan::tests::pairs;
    use super::super::table::Table;
    use super::*;
    use crate::math;
    use crate::units::db_from_gain;

    /// Some blocks one after the other of a signal given by the frame, before it is rounded.
    fn convert(plan: &Plan, blocks: usize, signal: impl Fn(f64) -> f64) -> Vec<f64> {
        let (mut bench, mut out) = (Bench::new(plan), Vec::new());
        for block in 0..blocks {
            for (at, sample) in bench.input.iter_mut().enumerate() {
                *sample = signal((block * plan.hop()[0] + at) as f64 - plan.lead[0] as f64);
            }
            out.extend_from_slice(bench.convert(plan));
        }
        out
    }

    #[test]
    fn a_block_is_what_the_sums_over_the_taps_are() {
        let mut worst = 0.0_f64;
        for (from_hz, to_hz) in pairs() {
            let (plan, table) = (Plan::of(from_hz, to_hz).unwrap(), Table::of(from_hz, to_hz));
            let mut state = 1_u64;
            let mut bench = Bench::new(&plan);
            bench.input.fill_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
            });
            let out = bench.convert(&plan).to_vec();
            let mut scratch = Vec::new();
            for at in (0..out.len()).step_by(41) {
                let time = plan.lead[0] as u64 * plan.up + at as u64 * plan.down;
                let (frame, row) = ((time / plan.up) as usize, table.row(time % plan.up, &mut scratch));
                // A row is filled up with zeros to a length that vectors divide, which may reach beyond the block.
                let Some(input) = (frame + 1).checked_sub(table.width / 2).map(|start| &bench.input[start..]) else {
                    continue;
                };
                let sum: f64 = row.iter().zip(input).map(|(tap, sample)| tap * sample).sum();
                worst = worst.max((sum - out[at]).abs());
            }
        }
        println!("noise at full scale: apart by {:.1} dB", db_from_gain(worst));
        assert!(db_from_gain(worst) <= -190.0, "apart by {} dB", db_from_gain(worst));
    }

    /// What is left of a signal when the sine of so many radians a frame is taken out by least squares, and that sine, in dB.
    fn rest_and_tone(signal: &[f64], w: f64) -> (f64, f64) {
        let wave = || (0..signal.len()).map(|at| (math::cos(w * at as f64), math::sin(w * at as f64)));
        let (mut cc, mut cs, mut ss, mut xc, mut xs) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for ((c, s), x) in wave().zip(signal) {
            (cc, cs, ss, xc, xs) = (cc + c * c, cs + c * s, ss + s * s, xc + x * c, xs + x * s);
        }
        let determinant = cc * ss - cs * cs;
        let (a, b) = ((xc * ss - xs * cs) / determinant, (xs * cc - xc * cs) / determinant);
        let left: f64 = wave().zip(signal).map(|((c, s), x)| (x - a * c - b * s) * (x - a * c - b * s)).sum();
        (db_from_gain((2.0 * left / signal.len() as f64).sqrt()), db_from_gain((a * a + b * b).sqrt()))
    }

    #[test]
    fn tones_pass_alone_and_level_and_none_comes_through_from_above_half_the_lower_rate() {
        let (mut ripple, mut spurious, mut alias) = (0.0_f64, f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (from_hz, to_hz) in [
            (96_000, 44_100),
            (44_100, 48_000),
            (48_000, 44_100),
            (96_000, 48_000),
            (88_200, 44_100),
            (44_100, 96_000),
            (192_000, 44_100),
            (44_100, 192_000),
        ] {
            let (plan, lower) = (Plan::of(from_hz, to_hz).unwrap(), f64::from(from_hz.min(to_hz)));
            // Nothing repeats in the blocks: they would show where they join.
            for part in [0.000_37, 0.011, 0.1013, 0.2227, 0.3331, 0.4, 0.4459, 20.0 / 44.1] {
                let w = TAU * part * lower / f64::from(from_hz);
                let out = convert(&plan, 3, |frame| math::sin(w * frame));
                let (rest, tone) = rest_and_tone(&out, w * f64::from(from_hz) / f64::from(to_hz));
                (ripple, spurious) = (ripple.max(tone.abs()), spurious.max(rest));
            }
            let nyquist = 0.5 * f64::from(from_hz) / lower;
            for part in [0.5, 0.5001, 0.501, 0.507, 0.52, 0.5467, 0.61, 0.79, 0.97, 1.0, 1.33, 1.77, 2.1] {
                if part <= nyquist {
                    let w = TAU * part * lower / f64::from(from_hz);
                    let out = convert(&plan, 3, |frame| math::cos(w * frame + 0.5));
                    let power = 2.0 * out.iter().map(|x| x * x).sum::<f64>() / out.len() as f64;
                    alias = alias.max(db_from_gain(power.sqrt()));
                }
            }
        }
        println!("ripple {ripple:.8} dB, spurious {spurious:.1} dB, aliases {alias:.1} dB");
        assert!(ripple <= 0.000_001, "{ripple} dB");
        assert!(spurious <= -199.0, "{spurious} dB");
        assert!(alias <= -199.0, "{alias} dB");
    }

    #[test]
    fn silence_is_silence_to_the_bit_as_far_as_the_filter_does_not_reach() {
        for (from_hz, to_hz) in pairs() {
            let (input, at) = (20_000, 9_000);
            let mut buffer = Buffer::new(1, input);
            buffer.channel_mut(0)[at] = 0.7;
            let (mut blocks, first) = Blocks::starting_at(Plan::of(from_hz, to_hz).unwrap(), 1, 0);
            assert_eq!(first, 0);
            let (mut out, mut rest) = (Buffer::new(1, 0), Buffer::new(1, 0));
            blocks.process(&buffer, &mut out);
            let total = super::super::Resampler::output_frames(from_hz, to_hz, input as u64);
            blocks.flush(total - out.frames() as u64, &mut rest);
            let all = [out.channel(0), rest.channel(0)].concat();
            for (frame, sample) in all.iter().enumerate() {
                let apart = (frame as f64 * f64::from(from_hz) / f64::from(to_hz) - at as f64).abs();
                let reach = blocks.plan.reach as f64;
                assert!(apart < reach || sample.to_bits() == 0, "{from_hz} to {to_hz} Hz, frame {frame}: {sample}");
                assert!(apart > reach - 2.0 || *sample != 0.0, "{from_hz} to {to_hz} Hz, frame {frame} sounds");
            }
        }
    }
}
