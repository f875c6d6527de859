//! What a limiter must do to each sample: the true peaks near it against the ceiling.

use core::f64::consts::PI;
use std::sync::OnceLock;

use super::interpolator::{Interpolator, convolve};
use super::peak_bound::{Extents, PeakBound, greatest};
use crate::math;

/// Intervals that are skipped together, and whose middles are read together.
const GROUP: usize = 16;
/// An interval is read in full when its ends or its middle reach this share of the ceiling. About the greatest peak of a
/// band-limited signal they reach at least cos(π/4) = 0.71 of it; the rest is for lesser peaks beside greater ones.
const NEAR: f32 = 0.6;
/// An interval is read by the costly filters when the coarse one reads this share of the ceiling: it may read 0.7 dB low.
const CLOSE: f32 = 0.85;
/// Only what lies just below half the sample rate is read differently by short filters and by long ones. Where there is
/// less of it than this share of the ceiling, the short ones do: they are 0.03 dB off at most.
const EDGE: f32 = 0.004;
/// Frames on either side of an interval that are searched for it.
const EDGE_REACH: usize = 32;
/// The length of the filter that finds it.
const EDGE_TAPS: usize = 32;

/// A high pass from 0.44 of the sample rate on, of unit gain at half the rate: a Hann window of alternating signs.
fn edge_filter() -> &'static [f32; EDGE_TAPS] {
    static TAPS: OnceLock<[f32; EDGE_TAPS]> = OnceLock::new();
    TAPS.get_or_init(|| {
        core::array::from_fn(|tap| {
            let window = 0.5 - 0.5 * math::cos(2.0 * PI * (tap as f64 + 0.5) / EDGE_TAPS as f64);
            let sign = if tap % 2 == 0 { 1.0 } else { -1.0 };
            (sign * window * 2.0 / EDGE_TAPS as f64) as f32
        })
    })
}

/// The share of the ceiling that is aimed at: the rounding of the filters' sums and of the output stays within the rest.
const AIM: f64 = 1.0 - 1.0 / 524_288.0;

/// What is computed of a group of intervals together.
#[derive(Debug, Clone)]
struct Scratch {
    extents: Extents,
    middles: [f32; GROUP],
    edges: [f32; GROUP + 2 * EDGE_REACH],
}

/// A detector over linked channels. It reads what [`super::true_peak::TruePeakReader::strict`] reads. What it says of a sample depends on that sample's surroundings alone, however the stream is cut.
#[derive(Debug, Clone)]
pub struct PeakDetector {
    /// Of every bank.
    bound: PeakBound,
    scratch: Scratch,
    /// The peak near each sample; the last entry is carried into the next call.
    peaks: Vec<f32>,
    carried: f32,
}

impl PeakDetector {
    /// A detector for up to `max_frames` at a time.
    #[must_use]
    pub fn new(max_frames: usize) -> Self {
        // Filters are made when first asked for: here, for nothing is allocated while processing.
        let bound = PeakBound::of_all(EVERY_BANK.map(|bank| *bank().bound()));
        let _ = edge_filter();
        let extents = Extents::with_capacity(max_frames + 2 * Self::reach());
        let scratch = Scratch { extents, middles: [0.0; GROUP], edges: [0.0; GROUP + 2 * EDGE_REACH] };
        Self { bound, scratch, peaks: vec![0.0; max_frames + 1], carried: 0.0 }
    }

    /// Samples that the window of an interval takes on either side.
    #[must_use]
    pub fn reach() -> usize {
        Interpolator::long().reach()
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.carried = 0.0;
    }

    /// Writes the gain that each sample needs, at most 1.
    ///
    /// Sample i is the one before the interval of window i. Each channel holds the windows of all samples, overlapping:
    /// `required.len() + 2·reach − 1` values. `ceilings` has an entry for each sample, and one for the sample after.
    /// A peak between two samples is charged to both.
    pub fn required_gain<'a>(
        &mut self,
        channels: impl Iterator<Item = &'a [f32]>,
        ceilings: &[f32],
        required: &mut [f64],
    ) {
        let count = required.len();
        let peaks = &mut self.peaks[..count + 1];
        peaks[0] = self.carried;
        peaks[1..].fill(0.0);
        for channel in channels {
            charge(channel, ceilings, peaks, &self.bound, &mut self.scratch);
        }
        self.carried = peaks[count];
        for ((gain, &peak), &ceiling) in required.iter_mut().zip(peaks.iter()).zip(ceilings) {
            let over = peak > ceiling;
            *gain = if over { f64::from(ceiling) / f64::from(peak) * AIM } else { 1.0 };
        }
    }
}

/// Raises `peaks` to those of one channel. Peaks that stay below the ceiling may be left out.
fn charge(channel: &[f32], ceilings: &[f32], peaks: &mut [f32], bound: &PeakBound, scratch: &mut Scratch) {
    let coarse = Interpolator::coarse();
    let (width, inner) = (2 * PeakDetector::reach(), within(coarse));
    let count = peaks.len() - 1;
    scratch.extents.measure(channel);
    for start in (0..count).step_by(GROUP) {
        let intervals = GROUP.min(count - start);
        let samples = &channel[start..start + intervals + width - 1];
        let ceilings = &ceilings[start..=start + intervals];
        let extent = scratch.extents.of(start, start + samples.len());
        let ends = greatest(&samples[width / 2 - 1..width / 2 + intervals]);
        if bound.at_most(ends, extent) <= ceilings.iter().copied().fold(f32::INFINITY, f32::min) {
            continue;
        }
        let middles = &mut scratch.middles[..intervals];
        coarse.middles(&samples[inner.start..], middles);
        let mut edges_known = false;
        for (index, (window, middle)) in samples.windows(width).zip(middles).enumerate() {
            let ceiling = ceilings[index].min(ceilings[index + 1]);
            let ends = window[width / 2 - 1].abs().max(window[width / 2].abs());
            if bound.at_most(ends, extent) <= ceiling {
                continue;
            }
            let near = middle.abs().max(ends);
            if near <= NEAR * ceiling || near.max(coarse.peak(&window[inner.clone()])) <= CLOSE * ceiling {
                continue;
            }
            if !edges_known {
                let first = PeakDetector::reach() - EDGE_REACH - EDGE_TAPS / 2;
                convolve(edge_filter(), &samples[first..], &mut scratch.edges[..intervals + 2 * EDGE_REACH]);
                edges_known = true;
            }
            let edge = greatest(&scratch.edges[index..index + 2 * EDGE_REACH]);
            let peak = near.max(if edge > EDGE * ceiling { strictest(window) } else { adequate(window) });
            let at = start + index;
            peaks[at] = peaks[at].max(peak);
            peaks[at + 1] = peaks[at + 1].max(peak);
        }
    }
}

/// Every bank that is read anywhere.
const EVERY_BANK: [fn() -> &'static Interpolator; 6] = [
    Interpolator::coarse,
    Interpolator::detection,
    Interpolator::common,
    Interpolator::short,
    Interpolator::accurate,
    Interpolator::long,
];

/// The place of a bank's window within the longest.
fn within(bank: &Interpolator) -> core::ops::Range<usize> {
    PeakDetector::reach() - bank.reach()..PeakDetector::reach() + bank.reach()
}

/// The peak by the strict reader's banks.
fn strictest(window: &[f32]) -> f32 {
    let banks = [Interpolator::common(), Interpolator::short(), Interpolator::accurate(), Interpolator::long()];
    banks.iter().map(|bank| bank.peak(&window[within(bank)])).fold(0.0, f32::max)
}

/// The same where nothing lies near half the sample rate, at a fifth of the cost.
fn adequate(window: &[f32]) -> f32 {
    let banks = [Interpolator::common(), Interpolator::detection()];
    banks.iter().map(|bank| bank.peak(&window[within(bank)])).fold(0.0, f32::max)
}
