//! Oversampling by linear-phase filters: up by 2, 4, 8 or 16 in half-band stages, down again, at a latency of whole frames.

use super::kaiser::{kaiser, sinc};

/// Up to this share of the sample rate the sound comes through: 20 kHz at 44.1 kHz.
pub const PASS_FREQUENCY: f64 = 20000.0 / 44100.0;

/// The stop-band attenuation that the filters are designed for, in dB; the first way down has 10 to spare for its
/// compensation.
const STOP_DB: f64 = 155.0;

/// A channel on its way up and down again. What works between the two shall delay by half a sample and weigh by
/// cos(π·f/fs) of the raised rate, as first-order antiderivative antialiasing does to a signal that it does not bend:
/// the first filter down makes up for both.
pub struct Oversampler {
    factor: usize,
    up: Vec<HalfBand>,
    first_down: [Fir; 2],
    down: Vec<HalfBand>,
    /// Samples of the raised rate that wait to bring the delay to whole frames.
    pad: Vec<f64>,
    scratch: [Vec<f64>; 3],
}

impl Oversampler {
    /// An oversampler by `factor` (2, 4, 8 or 16) for runs of at most `max_frames`.
    #[must_use]
    pub fn new(factor: usize, max_frames: usize) -> Self {
        let stages = factor.trailing_zeros() as usize;
        let half_band = |stage: usize| HalfBand::new(stage, max_frames << (stage - 1));
        let compensated = compensated_low_pass(stages);
        let phase = |odd: usize| {
            let taps: Vec<f64> = compensated.iter().skip(odd).step_by(2).rev().copied().collect();
            // The odd sample of a pair comes after the even one: it counts a pair later.
            Fir::new(taps, odd, max_frames << (stages - 1))
        };
        Self {
            factor,
            up: (1..=stages).map(half_band).collect(),
            first_down: [phase(0), phase(1)],
            down: (1..stages).rev().map(half_band).collect(),
            pad: vec![0.0; pad_samples(stages)],
            scratch: core::array::from_fn(|_| vec![0.0; max_frames * factor]),
        }
    }

    /// Frames by which the output lags the input, half a sample of the raised rate between up and down included.
    #[must_use]
    pub fn latency_frames(factor: usize) -> usize {
        let stages = factor.trailing_zeros() as usize;
        (delay_samples(stages) + pad_samples(stages)) / factor
    }

    /// Raises `input` to `raised`, `factor` times as long.
    pub fn raise(&mut self, input: &[f64], raised: &mut [f64]) {
        let [from, to, _] = &mut self.scratch;
        let mut frames = input.len();
        from[..frames].copy_from_slice(input);
        for stage in &mut self.up {
            stage.up(&from[..frames], &mut to[..2 * frames]);
            core::mem::swap(from, to);
            frames *= 2;
        }
        raised.copy_from_slice(&from[..frames]);
    }

    /// Brings `raised` back down to `output`. Changes `raised`.
    pub fn lower(&mut self, raised: &mut [f64], output: &mut [f64]) {
        // The newest samples wait, those that waited go first.
        let waiting = self.pad.len();
        if waiting > 0 {
            raised.rotate_right(waiting);
            self.pad.swap_with_slice(&mut raised[..waiting]);
        }
        let [even, odd, out] = &mut self.scratch;
        let mut frames = raised.len() / 2;
        for (index, pair) in raised.chunks_exact(2).enumerate() {
            (even[index], odd[index]) = (pair[0], pair[1]);
        }
        let [even_fir, odd_fir] = &mut self.first_down;
        even_fir.run(&even[..frames], &mut out[..frames]);
        odd_fir.run(&odd[..frames], &mut even[..frames]);
        out[..frames].iter_mut().zip(even.iter()).for_each(|(sum, part)| *sum += part);
        for stage in &mut self.down {
            frames /= 2;
            for (index, pair) in out[..2 * frames].chunks_exact(2).enumerate() {
                (even[index], odd[index]) = (pair[0], pair[1]);
            }
            stage.down(&even[..frames], &odd[..frames], &mut out[..frames]);
        }
        output.copy_from_slice(&out[..output.len()]);
    }

    /// How many samples of the raised rate stand for a frame.
    #[must_use]
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// Makes it silent.
    pub fn reset(&mut self) {
        let half_bands = self.up.iter_mut().chain(&mut self.down).flat_map(|stage| [&mut stage.even, &mut stage.odd]);
        half_bands.chain(&mut self.first_down).for_each(|fir| fir.line.fill(0.0));
        self.pad.fill(0.0);
    }
}

/// A convolution that goes on from run to run, in 64 bits; each value is the same sum in the same order, however the runs are
/// cut.
struct Fir {
    taps: Vec<f64>,
    /// The samples that later outputs still need, then room for a run.
    line: Vec<f64>,
    memory: usize,
}

impl Fir {
    /// Weighs with `taps`, the oldest sample first, `delay` samples late.
    fn new(taps: Vec<f64>, delay: usize, max_samples: usize) -> Self {
        let memory = taps.len() - 1 + delay;
        Self { taps, line: vec![0.0; memory + max_samples], memory }
    }

    fn take(&mut self, input: &[f64]) {
        self.line[self.memory..self.memory + input.len()].copy_from_slice(input);
    }

    fn weigh(&self, output: &mut [f64]) {
        const GROUP: usize = 8;
        let mut groups = output.chunks_exact_mut(GROUP);
        let mut start = 0;
        for group in &mut groups {
            let mut sums = [0.0; GROUP];
            for (tap, window) in self.taps.iter().zip(self.line[start..].windows(GROUP)) {
                for (sum, x) in sums.iter_mut().zip(window) {
                    *sum += tap * x;
                }
            }
            group.copy_from_slice(&sums);
            start += GROUP;
        }
        for value in groups.into_remainder() {
            *value = self.taps.iter().zip(&self.line[start..]).fold(0.0, |sum, (tap, x)| sum + tap * x);
            start += 1;
        }
    }

    fn forget(&mut self, samples: usize) {
        self.line.copy_within(samples..samples + self.memory, 0);
    }

    fn run(&mut self, input: &[f64], output: &mut [f64]) {
        self.take(input);
        self.weigh(output);
        self.forget(input.len());
    }
}

/// A half-band filter: all its odd taps but the middle one are 0, so that it is a convolution beside a pure delay.
struct HalfBand {
    even: Fir,
    odd: Fir,
    sums: Vec<f64>,
}

impl HalfBand {
    /// Of the stage between `2^(stage − 1)` and `2^stage` times the sample rate, for runs of `max_samples` at the lower one.
    fn new(stage: usize, max_samples: usize) -> Self {
        let length = half_band_length(stage);
        let middle = (length / 2) as f64;
        let mut even: Vec<f64> = (0..length)
            .step_by(2)
            .map(|n| (n as f64 - middle, middle + 1.0))
            .map(|(n, reach)| sinc(n / 2.0) * kaiser(n / reach, beta(STOP_DB)))
            .collect();
        normalise(&mut even);
        let delay = even.len() / 2;
        Self {
            even: Fir::new(even, 0, max_samples),
            odd: Fir::new(vec![1.0], delay, max_samples),
            sums: vec![0.0; max_samples],
        }
    }

    fn up(&mut self, input: &[f64], output: &mut [f64]) {
        let middle = self.even.taps.len() / 2;
        self.even.take(input);
        self.even.weigh(&mut self.sums[..input.len()]);
        for ((pair, sum), x) in output.chunks_exact_mut(2).zip(&self.sums).zip(&self.even.line[middle..]) {
            pair.copy_from_slice(&[*sum, *x]);
        }
        self.even.forget(input.len());
    }

    fn down(&mut self, even: &[f64], odd: &[f64], output: &mut [f64]) {
        self.even.run(even, output);
        self.odd.take(odd);
        for (sum, x) in output.iter_mut().zip(&self.odd.line) {
            *sum = 0.5 * (*sum + x);
        }
        self.odd.forget(odd.len());
    }
}

/// Kaiser's β for a stop-band attenuation above 50 dB.
fn beta(stop_db: f64) -> f64 {
    0.1102 * (stop_db - 8.7)
}

/// Kaiser's estimate of the taps for a transition as wide as this share of the sample rate.
fn length_for(stop_db: f64, transition: f64) -> usize {
    ((stop_db - 7.95) / (14.36 * transition)).ceil() as usize + 1
}

/// What a stage must pass, as a share of its higher rate; what it must stop mirrors that. After the first stage, all up
/// to where the first one has stopped.
fn pass_of(stage: usize) -> f64 {
    let pass = if stage == 1 { PASS_FREQUENCY } else { 1.0 - PASS_FREQUENCY };
    pass / (1u32 << stage) as f64
}

/// 4·k + 3, so that the first and last taps are not 0.
fn half_band_length(stage: usize) -> usize {
    length_for(STOP_DB, 0.5 - 2.0 * pass_of(stage)).div_ceil(4) * 4 + 3
}

/// The first filter down, of even length: its delay is half a sample more than whole. It makes up for cos(π·f), the gain of
/// the mean of two neighbours: 1/cos(πf) = (1 − u)^(−½) with u = sin²(πf), whose power series is a short filter for each
/// power of u.
fn compensated_low_pass(stages: usize) -> Vec<f64> {
    let pass = pass_of(stages);
    let stop_db = STOP_DB + 10.0;
    let length = length_for(stop_db, 0.5 - 2.0 * pass).div_ceil(2) * 2;
    let middle = (length - 1) as f64 / 2.0;
    let mut low_pass: Vec<f64> = (0..length)
        .map(|n| n as f64 - middle)
        .map(|n| sinc(n / 2.0) * kaiser(n / (middle + 1.0), beta(stop_db)))
        .collect();
    normalise(&mut low_pass);
    let edge = crate::math::sin(core::f64::consts::PI * pass);
    let u_at_edge = edge * edge;
    // Horner's scheme on polynomials in z: each round multiplies by u = (2 − z − 1/z)/4 and adds a coefficient.
    let order = (1..).find(|&order| binomial(order) * power(u_at_edge, order) < 1e-8).unwrap_or(1);
    let mut series = vec![binomial(order)];
    for coefficient in (0..order).rev().map(binomial) {
        series = convolved(&series, &[-0.25, 0.5, -0.25]);
        let centre = series.len() / 2;
        series[centre] += coefficient;
    }
    let mut taps = convolved(&low_pass, &series);
    normalise(&mut taps);
    taps
}

/// The coefficient of u^n in (1 − u)^(−½).
fn binomial(n: u32) -> f64 {
    (1..=n).fold(1.0, |product, k| product * (f64::from(k) - 0.5) / f64::from(k))
}

fn power(x: f64, n: u32) -> f64 {
    (0..n).fold(1.0, |product, _| product * x)
}

fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; a.len() + b.len() - 1];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            sums[i + j] += x * y;
        }
    }
    sums
}

/// Scales to a sum of 1.
fn normalise(taps: &mut [f64]) {
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
}

/// The delay up and down in samples of the raised rate, half a sample between the two included.
fn delay_samples(stages: usize) -> usize {
    let there = |stage: usize| (half_band_length(stage) / 2) << (stages - stage);
    let up: usize = (1..=stages).map(there).sum();
    let down: usize = (1..stages).map(there).sum();
    up + down + compensated_low_pass(stages).len() / 2
}

/// Samples of the raised rate that bring the delay to whole frames.
fn pad_samples(stages: usize) -> usize {
    let factor = 1 << stages;
    (factor - delay_samples(stages) % factor) % factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math;
    use crate::units::db_from_gain;
    use core::f64::consts::TAU;

    /// Up, the mean of neighbours in between, and down again.
    fn round_trip(factor: usize, input: &[f64]) -> Vec<f64> {
        let mut oversampler = Oversampler::new(factor, 64);
        let mut before = 0.0;
        let mut output = vec![0.0; input.len()];
        for (input, output) in input.chunks(64).zip(output.chunks_mut(64)) {
            let mut raised = vec![0.0; input.len() * factor];
            oversampler.raise(input, &mut raised);
            for x in &mut raised {
                (*x, before) = (0.5 * (*x + before), *x);
            }
            oversampler.lower(&mut raised, output);
        }
        output
    }

    #[test]
    fn up_and_down_is_a_delay_of_whole_frames_to_140_db() {
        for factor in [2, 4, 8, 16] {
            let latency = Oversampler::latency_frames(factor);
            for frequency in [0.001, 0.1, 0.3, 0.42, PASS_FREQUENCY] {
                let sine = |n: usize| math::sin(TAU * frequency * n as f64);
                let input: Vec<f64> = (0..2000).map(sine).collect();
                let output = round_trip(factor, &input);
                let error = (600..2000).map(|n| (output[n] - sine(n - latency)).abs()).fold(0.0, f64::max);
                assert!(db_from_gain(error) < -140.0, "{factor}x, {frequency}: {} dB", db_from_gain(error));
            }
        }
    }

    #[test]
    fn images_and_what_would_alias_lie_140_db_down() {
        for factor in [2, 4, 8, 16] {
            let mut oversampler = Oversampler::new(factor, 64);
            // Everything above half the sample rate, less the transition, comes down as next to nothing.
            for step in 0..60 {
                let from = (1.0 - PASS_FREQUENCY) / factor as f64;
                let frequency = from + (0.5 - from) * f64::from(step) / 59.0;
                let mut loudest = 0.0f64;
                oversampler.reset();
                for run in 0..12 {
                    let mut raised: Vec<f64> =
                        (0..64 * factor).map(|n| math::sin(TAU * frequency * (run * 64 * factor + n) as f64)).collect();
                    let mut output = [0.0; 64];
                    oversampler.lower(&mut raised, &mut output);
                    if run >= 6 {
                        loudest = output.iter().fold(loudest, |loudest, x| loudest.max(x.abs()));
                    }
                }
                assert!(db_from_gain(loudest) < -140.0, "{factor}x, {frequency}: {} dB", db_from_gain(loudest));
            }
        }
    }
}
