//! Interpolators: banks of short filters that read a signal between its samples.

use core::f64::consts::PI;
use std::sync::OnceLock;

use super::kaiser::{kaiser, sinc};
use super::peak_bound::PeakBound;
use crate::math;
use crate::simd::{self, Kernel};

/// The 4-phase filter of order 48 printed in BS.1770-5, Annex 2, phases 0 and 1. Phases 3 and 2 are their mirror images.
const ANNEX_2: [[f64; 12]; 2] = [
    [
        0.0017089843750,
        0.0109863281250,
        -0.0196533203125,
        0.0332031250000,
        -0.0594482421875,
        0.1373291015625,
        0.9721679687500,
        -0.1022949218750,
        0.0476074218750,
        -0.0266113281250,
        0.0148925781250,
        -0.0083007812500,
    ],
    [
        -0.0291748046875,
        0.0292968750000,
        -0.0517578125000,
        0.0891113281250,
        -0.1665039062500,
        0.4650878906250,
        0.7797851562500,
        -0.2003173828125,
        0.1015625000000,
        -0.0582275390625,
        0.0330810546875,
        -0.0189208984375,
    ],
];

/// A bank of filters of equal, even length. On interval j, the stretch from sample `x[j]` to `x[j + 1]`, all of them weigh the
/// same window: `reach` samples up to `x[j]` and `reach` from `x[j + 1]` on.
#[derive(Debug)]
pub struct Interpolator {
    reach: usize,
    /// One array a tap, in time order; lanes that no phase fills are 0.
    by_tap: Vec<[f32; Self::LANES]>,
    /// The filter that reads the middle of the interval, if there is one.
    middle: Option<Vec<f32>>,
    phases: usize,
    bound: PeakBound,
}

impl Interpolator {
    /// The most phases a bank has.
    pub const LANES: usize = 32;

    /// The bank of the accurate reader: 32 points a sample, sinc of 128 taps under a Kaiser window of β = 10. Flat to
    /// 0.475 of the sample rate.
    #[must_use]
    pub fn accurate() -> &'static Self {
        static BANK: OnceLock<Interpolator> = OnceLock::new();
        BANK.get_or_init(|| Self::sinc(32, 64, 10.0))
    }

    /// A bank of 4 points a sample and 256 taps, as of resamplers of the highest quality.
    #[must_use]
    pub fn long() -> &'static Self {
        static BANK: OnceLock<Interpolator> = OnceLock::new();
        BANK.get_or_init(|| Self::sinc(4, 128, 9.0))
    }

    /// A cheap bank: 4 points a sample, 64 taps. Flat to 0.45 of the sample rate.
    #[must_use]
    pub fn coarse() -> &'static Self {
        static BANK: OnceLock<Interpolator> = OnceLock::new();
        BANK.get_or_init(|| Self::sinc(4, 32, 7.0))
    }

    /// As exact as the accurate reader where nothing lies above 0.45 of the sample rate: 16 points a sample, 64 taps.
    #[must_use]
    pub fn detection() -> &'static Self {
        static BANK: OnceLock<Interpolator> = OnceLock::new();
        BANK.get_or_init(|| Self::sinc(16, 32, 7.0))
    }

    /// What ffmpeg's meter reads with: a sinc of 32 taps under a Kaiser window of β = 9, as its resampler has by default. 32
    /// points a sample stand for those of every rate that it is taken from.
    #[must_use]
    pub fn short() -> &'static Self {
        static BANK: OnceLock<Interpolator> = OnceLock::new();
        BANK.get_or_init(|| Self::sinc(32, 16, 9.0))
    }

    /// What most meters read with, flaws and all: the filter printed in BS.1770-5 Annex 2, and the sinc of 49 taps under a
    /// Hann window at 4 points a sample.
    #[must_use]
    pub fn common() -> &'static Self {
        static BANK: OnceLock<Interpolator> = OnceLock::new();
        BANK.get_or_init(|| {
            let reversed = |phase: [f64; 12]| {
                let mut phase = phase;
                phase.reverse();
                phase
            };
            let [outer, inner] = ANNEX_2;
            let mut phases = vec![outer.to_vec(), inner.to_vec(), reversed(inner).to_vec(), reversed(outer).to_vec()];
            for quarter in 1..4 {
                phases.push(taps_at(f64::from(quarter) / 4.0, 6, |t| 0.5 + 0.5 * math::cos(PI * t)));
            }
            Self::from_phases(6, &phases, None)
        })
    }

    /// A windowed sinc at `factor` points a sample (the samples themselves left out) and `2·reach` taps.
    fn sinc(factor: u32, reach: usize, beta: f64) -> Self {
        let phase = |step: u32| taps_at(f64::from(step) / f64::from(factor), reach, |t| kaiser(t, beta));
        let phases: Vec<Vec<f64>> = (1..factor).map(phase).collect();
        Self::from_phases(reach, &phases, Some(factor as usize / 2 - 1))
    }

    fn from_phases(reach: usize, phases: &[Vec<f64>], middle: Option<usize>) -> Self {
        let mut by_tap = vec![[0.0; Self::LANES]; 2 * reach];
        for (lane, phase) in phases.iter().enumerate() {
            for (taps, &tap) in by_tap.iter_mut().zip(phase) {
                taps[lane] = tap as f32;
            }
        }
        let middle = middle.map(|lane| by_tap.iter().map(|taps| taps[lane]).collect());
        Self { reach, by_tap, middle, phases: phases.len(), bound: PeakBound::of(phases) }
    }

    /// Samples that the window of an interval takes on either side.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// What no reading exceeds.
    #[must_use]
    pub fn bound(&self) -> &PeakBound {
        &self.bound
    }

    /// The greatest magnitude that any phase reads in the interval of `window`, `2·reach` samples.
    #[must_use]
    pub fn peak(&self, window: &[f32]) -> f32 {
        simd::run(Peak { bank: self, window })
    }

    #[inline(always)]
    fn peak_of_all(&self, window: &[f32]) -> f32 {
        match self.phases {
            0..=4 => self.peak_of::<4, 8>(window),
            5..=8 => self.peak_of::<8, 4>(window),
            9..=16 => self.peak_of::<16, 1>(window),
            _ => self.peak_of::<32, 1>(window),
        }
    }

    /// The first `USED` phases. Few phases take `STRANDS` interleaved sums each, or every addition would wait for the last.
    #[inline(always)]
    fn peak_of<const USED: usize, const STRANDS: usize>(&self, window: &[f32]) -> f32 {
        let mut strands = [[0.0_f32; USED]; STRANDS];
        for (taps, samples) in self.by_tap.chunks(STRANDS).zip(window.chunks(STRANDS)) {
            for ((sums, taps), &x) in strands.iter_mut().zip(taps).zip(samples) {
                for (sum, tap) in sums.iter_mut().zip(taps) {
                    *sum += tap * x;
                }
            }
        }
        let mut sums = [0.0_f32; USED];
        for strand in strands {
            for (sum, part) in sums.iter_mut().zip(strand) {
                *sum += part;
            }
        }
        sums.iter().fold(0.0, |peak, sum| peak.max(sum.abs()))
    }

    /// Reads the middles of the intervals whose windows start at `samples[0]`, `samples[1]`, … into `out`, as [`convolve`]
    /// does. False if the bank does not read the middle.
    pub fn middles(&self, samples: &[f32], out: &mut [f32]) -> bool {
        self.middle.as_ref().is_some_and(|taps| {
            convolve(taps, samples, out);
            true
        })
    }
}

/// [`Interpolator::peak`].
struct Peak<'a> {
    bank: &'a Interpolator,
    window: &'a [f32],
}

impl Kernel for Peak<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        self.bank.peak_of_all(self.window)
    }
}

/// Weighs the window of `samples` that starts at each place with `taps`; each value depends on its own window alone,
/// to the bit, whatever is computed beside it.
pub fn convolve(taps: &[f32], samples: &[f32], out: &mut [f32]) {
    simd::run(Convolve { taps, samples, out });
}

/// [`convolve`].
struct Convolve<'a> {
    taps: &'a [f32],
    samples: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        const GROUP: usize = 16;
        let Self { taps, samples, out } = self;
        let mut groups = out.chunks_exact_mut(GROUP);
        let mut start = 0;
        for group in &mut groups {
            let mut sums = [0.0_f32; GROUP];
            for (tap, x) in taps.iter().zip(samples[start..].windows(GROUP)) {
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum += tap * x;
                }
            }
            group.copy_from_slice(&sums);
            start += GROUP;
        }
        for (value, window) in groups.into_remainder().iter_mut().zip(samples[start..].windows(taps.len())) {
            *value = taps.iter().zip(window).fold(0.0, |sum, (tap, x)| sum + tap * x);
        }
    }
}

/// The taps of a sinc that reads at `place` (0 to 1) of the interval, under `window`, a function of −1 to 1.
fn taps_at(place: f64, reach: usize, window: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..2 * reach)
        .map(|tap| {
            let distance = tap as f64 - (reach - 1) as f64 - place;
            sinc(distance) * window(distance / reach as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Interpolator;
    use crate::math;

    #[test]
    fn each_sinc_reads_a_sine_between_its_samples() {
        for (bank, frequency) in
            [(Interpolator::accurate(), 0.45), (Interpolator::long(), 0.45), (Interpolator::detection(), 0.42)]
        {
            let omega = 2.0 * core::f64::consts::PI * frequency;
            for start in 0..50 {
                let middle = f64::from(start) + bank.reach() as f64 - 0.5;
                let window: Vec<f32> =
                    (0..2 * bank.reach()).map(|n| math::sin(omega * (f64::from(start) + n as f64)) as f32).collect();
                let mut out = [0.0];
                bank.middles(&window, &mut out);
                let error = (f64::from(out[0]) - math::sin(omega * middle)).abs();
                assert!(error < 2e-3, "reach {}: off by {error}", bank.reach());
            }
        }
    }

    #[test]
    fn middles_do_not_depend_on_what_is_read_beside_them() {
        let bank = Interpolator::detection();
        let samples: Vec<f32> = (0..200).map(|n| ((n * 7919) % 101) as f32 / 50.0 - 1.0).collect();
        let mut together = vec![0.0; samples.len() - 2 * bank.reach() + 1];
        bank.middles(&samples, &mut together);
        for (start, value) in together.iter().enumerate() {
            let mut alone = [0.0];
            bank.middles(&samples[start..start + 2 * bank.reach()], &mut alone);
            assert_eq!(alone[0].to_bits(), value.to_bits());
        }
    }

    #[test]
    fn no_reading_exceeds_the_bound() {
        for bank in [Interpolator::accurate(), Interpolator::long(), Interpolator::detection(), Interpolator::common()]
        {
            for lane in 0..Interpolator::LANES {
                let worst: Vec<f32> = bank.by_tap.iter().map(|taps| taps[lane].signum()).collect();
                assert!(bank.peak(&worst) <= bank.bound().gain());
            }
        }
    }
}
