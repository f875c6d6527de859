//! The static curve of dynamics processors.

/// Levels and gains are binary logarithms of amplitude: 1 is a factor of 2, 6.02 dB.
pub const LOG2_PER_DB: f64 = core::f64::consts::LOG2_10 / 20.0;

/// A compressor's curve with a soft knee.
///
/// ```text
/// reduction = 0                                   for 2(x − T) < −W
///           = (1 − 1/R)·(x − T + W/2)² / 2W       for 2|x − T| ≤ W
///           = (1 − 1/R)·(x − T)                   above
/// Where x level, T threshold, W knee width, R ratio.
/// ```
///
/// *Reference*: D. Giannoulis, M. Massberg, J. D. Reiss, "Digital Dynamic Range Compressor Design", JAES 60(6), 2012,
/// section on the gain computer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GainComputer {
    /// T − W/2.
    knee_start: f64,
    knee_width: f64,
    /// (1 − 1/R) / 2W, or 0 for a hard knee.
    knee_curvature: f64,
    /// 1 − 1/R.
    slope: f64,
}

impl GainComputer {
    /// The curve for a threshold and knee width in dB and a ratio.
    #[must_use]
    pub fn new(threshold_db: f64, ratio: f64, knee_db: f64) -> Self {
        Self::from_slope(threshold_db * LOG2_PER_DB, knee_db * LOG2_PER_DB, 1.0 - 1.0 / ratio)
    }

    fn from_slope(threshold: f64, knee_width: f64, slope: f64) -> Self {
        let knee_curvature = if knee_width > 0.0 { slope / (2.0 * knee_width) } else { 0.0 };
        Self { knee_start: threshold - knee_width / 2.0, knee_width, knee_curvature, slope }
    }

    /// By how much the gain falls at a level; never negative.
    #[must_use]
    #[inline(always)]
    pub fn reduction(&self, level: f64) -> f64 {
        let over = level - self.knee_start;
        let in_knee = over.max(0.0).min(self.knee_width);
        self.knee_curvature * in_knee * in_knee + self.slope * (over - self.knee_width).max(0.0)
    }

    /// The curve at `t` (0 to 1) of the way from `self` to `to`, by threshold, knee and slope.
    #[must_use]
    #[inline(always)]
    pub fn interpolated(&self, to: &Self, t: f64) -> Self {
        let between = |from: f64, to: f64| from + (to - from) * t;
        let knee_width = between(self.knee_width, to.knee_width);
        let threshold = between(self.knee_start, to.knee_start) + knee_width / 2.0;
        Self::from_slope(threshold, knee_width, between(self.slope, to.slope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curve as the paper writes it, in dB: output level for an input level.
    fn output_db(x: f64, threshold: f64, ratio: f64, knee: f64) -> f64 {
        let over = x - threshold;
        if 2.0 * over < -knee {
            x
        } else if 2.0 * over.abs() <= knee && knee > 0.0 {
            x + (1.0 / ratio - 1.0) * (over + knee / 2.0) * (over + knee / 2.0) / (2.0 * knee)
        } else {
            threshold + over / ratio
        }
    }

    #[test]
    fn the_curve_is_the_one_of_the_paper() {
        for (threshold, ratio, knee) in [(-18.0, 2.0, 6.0), (-40.0, 100.0, 0.0), (-6.0, 4.0, 40.0), (0.0, 1.0, 10.0)] {
            let computer = GainComputer::new(threshold, ratio, knee);
            for step in -800..=200 {
                let level = f64::from(step) / 10.0;
                let output = level - computer.reduction(level * LOG2_PER_DB) / LOG2_PER_DB;
                let expected = output_db(level, threshold, ratio, knee);
                assert!((output - expected).abs() < 1e-9, "{level} dB: {output} instead of {expected}");
            }
        }
    }
}
