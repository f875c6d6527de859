//! Linear prediction: what a sound would have gone on like.
//!
//! ```text
//! e[n] = Σ h[k]·x[n − k], k = 0 … P, h[0] = 1
//! ```
//! where h is the prediction-error filter of order P by the autocorrelation method (Levinson and Durbin): N. Levinson,
//! J. Math. Phys. 25, 1946; J. Makhoul, "Linear prediction: a tutorial review", Proc. IEEE 63(4), 1975.

use core::ops::Range;

use crate::simd;

/// White noise that is added to what is predicted, as a share of its power: −80 dB, so that no filter is ill-conditioned.
const NOISE: f64 = 1e-8;
/// Sums stand in so many lanes.
const LANES: usize = 8;
/// Below this energy there is nothing to predict.
const SILENT: f64 = 1e-12;

/// A prediction-error filter of order `ORDER`, of `TAPS` = `ORDER` + 1 taps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Predictor<const TAPS: usize> {
    taps: [f64; TAPS],
}

impl<const TAPS: usize> Predictor<TAPS> {
    /// Predicts nothing: every sample is an error.
    pub const NONE: Self = {
        let mut taps = [0.0; TAPS];
        taps[0] = 1.0;
        Self { taps }
    };

    /// The predictor of what sounds in all of these stretches; each is weighed by a parabola that ends at 0.
    pub fn of(stretches: &[&[f32]]) -> Self {
        let mut correlation = [0.0; TAPS];
        let mut weighed = Vec::new();
        for stretch in stretches {
            let step = 1.0 / stretch.len().max(1) as f64;
            weighed.clear();
            weighed.extend(stretch.iter().enumerate().map(|(n, x)| {
                let at = (n as f64 + 0.5) * step;
                f64::from(*x) * 4.0 * at * (1.0 - at)
            }));
            for (lag, sum) in correlation.iter_mut().enumerate() {
                *sum += simd::run(Product { samples: &weighed, lag });
            }
        }
        Self::solve(&correlation)
    }

    /// Levinson's recursion.
    fn solve(correlation: &[f64; TAPS]) -> Self {
        let mut error = correlation[0] * (1.0 + NOISE);
        if correlation[0] <= SILENT {
            return Self::NONE;
        }
        let mut taps = Self::NONE.taps;
        for order in 1..TAPS {
            let sum: f64 = (0..order).map(|k| taps[k] * correlation[order - k]).sum();
            let reflection = -sum / error;
            let before = taps;
            for k in 1..=order {
                taps[k] = before[k] + reflection * before[order - k];
            }
            error *= 1.0 - reflection * reflection;
            if error <= 0.0 {
                return Self { taps: before };
            }
        }
        Self { taps }
    }

    /// Sum of the squares of the taps: how many times its power a lone wrong sample has in the error.
    pub fn energy(&self) -> f64 {
        self.taps.iter().map(|tap| tap * tap).sum()
    }

    /// The error of every sample but the first `TAPS` − 1.
    pub fn errors<T: Copy + Into<f64>>(&self, samples: &[T], errors: &mut Vec<f64>) {
        errors.clear();
        errors.resize(samples.len().saturating_sub(TAPS - 1), 0.0);
        simd::run(Sums::<TAPS, T, true> { taps: &self.taps, samples, sums: errors });
    }

    /// How high a lone wrong sample would be at each place, from the errors that it leaves there and behind:
    /// Σ h\[k\]·e\[n + k\] / Σ h². Clicks stand out of this more than of the errors: S. V. Vaseghi, "Advanced Digital Signal
    /// Processing and Noise Reduction", Wiley, chapter on impulsive noise.
    pub fn heights(&self, errors: &[f64], heights: &mut Vec<f64>) {
        let scale = 1.0 / self.energy();
        heights.clear();
        heights.resize(errors.len().saturating_sub(TAPS - 1), 0.0);
        simd::run(Sums::<TAPS, f64, false> { taps: &self.taps.map(|tap| tap * scale), samples: errors, sums: heights });
    }

    /// Replaces the samples of a gap by those that leave the least errors around it. At least `TAPS` − 1 samples stand
    /// before and behind it. A. J. E. M. Janssen, R. N. J. Veldhuis, L. B. Vries, IEEE Trans. ASSP 34(2), 1986, step 2.
    pub fn mend(&self, samples: &mut [f64], gap: Range<usize>) {
        let length = gap.len();
        let mut products = [0.0; TAPS];
        for (lag, product) in products.iter_mut().enumerate() {
            *product = (0..TAPS - lag).map(|k| self.taps[k] * self.taps[k + lag]).sum();
        }
        let product = |distance: usize| products.get(distance).copied().unwrap_or(0.0);
        let mut rows: Vec<Vec<f64>> = (0..length)
            .map(|row| {
                let at = gap.start + row;
                let known = (1..TAPS).map(|distance| {
                    let value = |at: usize| if gap.contains(&at) { 0.0 } else { samples[at] };
                    products[distance] * (value(at - distance) + value(at + distance))
                });
                let right = -known.sum::<f64>();
                (0..length).map(|column| product(row.abs_diff(column))).chain([right]).collect()
            })
            .collect();
        // The matrix is symmetric and positive definite: elimination needs no pivots.
        for pivot in 0..length {
            let (above, below) = rows.split_at_mut(pivot + 1);
            let above = &above[pivot];
            for row in below {
                let factor = row[pivot] / above[pivot];
                row[pivot..].iter_mut().zip(&above[pivot..]).for_each(|(value, above)| *value -= factor * above);
            }
        }
        for row in (0..length).rev() {
            let known: f64 = (row + 1..length).map(|column| rows[row][column] * samples[gap.start + column]).sum();
            samples[gap.start + row] = (rows[row][length] - known) / rows[row][row];
        }
    }

    /// How a sound goes on; `samples` holds at least `TAPS` − 1 of it.
    pub fn carry_on(&self, samples: &[f32], frames: usize) -> Vec<f64> {
        let mut line: Vec<f64> = samples[samples.len() + 1 - TAPS..].iter().copied().map(f64::from).collect();
        for _ in 0..frames {
            let next: f64 = (1..TAPS).map(|k| self.taps[k] * line[line.len() - k]).sum();
            line.push(-next);
        }
        line.split_off(TAPS - 1)
    }
}

/// Σ taps\[k\]·x\[n + k\] for every n, or Σ taps\[k\]·x\[n + `TAPS` − 1 − k\] `BACKWARDS`; added in the order of k.
struct Sums<'a, const TAPS: usize, T, const BACKWARDS: bool> {
    taps: &'a [f64; TAPS],
    samples: &'a [T],
    sums: &'a mut [f64],
}

impl<const TAPS: usize, T: Copy + Into<f64>, const BACKWARDS: bool> simd::Kernel for Sums<'_, TAPS, T, BACKWARDS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { taps, samples, sums } = self;
        let offset = |k: usize| if BACKWARDS { TAPS - 1 - k } else { k };
        let (groups, rest) = sums.as_chunks_mut::<LANES>();
        let whole = groups.len() * LANES;
        for (group, sums) in groups.iter_mut().enumerate() {
            let samples = &samples[group * LANES..][..LANES + TAPS - 1];
            let mut lanes = [0.0; LANES];
            for (k, tap) in taps.iter().enumerate() {
                let samples = &samples[offset(k)..offset(k) + LANES];
                for lane in 0..LANES {
                    lanes[lane] += tap * samples[lane].into();
                }
            }
            *sums = lanes;
        }
        for (n, sum) in rest.iter_mut().enumerate() {
            *sum = taps.iter().enumerate().fold(0.0, |sum, (k, tap)| sum + tap * samples[whole + n + offset(k)].into());
        }
    }
}

/// Σ x\[n\]·x\[n + lag\], in lanes.
struct Product<'a> {
    samples: &'a [f64],
    lag: usize,
}

impl simd::Kernel for Product<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Self { samples, lag } = self;
        let mut lanes = [0.0; LANES];
        let late = &samples[lag.min(samples.len())..];
        let (early, late) = (samples[..late.len()].as_chunks::<LANES>(), late.as_chunks::<LANES>());
        for (early, late) in early.0.iter().zip(late.0) {
            for lane in 0..LANES {
                lanes[lane] += early[lane] * late[lane];
            }
        }
        let rest: f64 = early.1.iter().zip(late.1).map(|(early, late)| early * late).sum();
        lanes.iter().sum::<f64>() + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math;

    type Tested = Predictor<33>;

    fn chord(frames: usize) -> Vec<f32> {
        let tone = |n: usize, step: f64| math::sin(step * n as f64);
        (0..frames).map(|n| (0.3 * tone(n, 0.05) + 0.2 * tone(n, 0.31) + 0.1 * tone(n, 0.9)) as f32).collect()
    }

    #[test]
    fn sines_are_carried_on_and_a_gap_in_them_is_mended() {
        let sound = chord(2100);
        let predictor = Tested::of(&[&sound[..2000]]);
        for (n, found) in predictor.carry_on(&sound[..2000], 20).into_iter().enumerate() {
            assert!((found - f64::from(sound[2000 + n])).abs() < 0.02, "{n}: {found}, not {}", sound[2000 + n]);
        }
        let mut broken: Vec<f64> = sound.iter().copied().map(f64::from).collect();
        broken[1000..1008].fill(0.9);
        predictor.mend(&mut broken, 1000..1008);
        for n in 1000..1008 {
            assert!((broken[n] - f64::from(sound[n])).abs() < 0.002, "{n}: {}, not {}", broken[n], sound[n]);
        }
    }

    #[test]
    fn a_wrong_sample_shows_its_height_and_silence_is_predicted_by_nothing() {
        let mut sound = chord(2000);
        let predictor = Tested::of(&[&sound]);
        sound[700] += 0.05;
        let (mut errors, mut heights) = (Vec::new(), Vec::new());
        predictor.errors(&sound, &mut errors);
        predictor.heights(&errors, &mut heights);
        let found = heights[700 - 32];
        assert!((found - 0.05).abs() < 0.005, "{found}");
        assert_eq!(Tested::of(&[&[0.0; 100], &[]]), Tested::NONE);
    }
}
