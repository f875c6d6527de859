//! The static curve of dynamics processors.

/// Levels and gains are binary logarithms of amplitude: 1 is a factor of 2, 6.02 dB.
pub const LOG2_PER_DB: f64 = core::f64::consts::LOG2_10 / 20.0;

/// What detectors take for silence: −600 dBFS, linear.
pub const SILENCE: f64 = 1e-30;

/// A compressor's curve with a soft knee. Levels come from [`math::quick_log2`](crate::math::quick_log2), gains go to
/// [`math::quick_exp2`](crate::math::quick_exp2): `gain = quick_exp2(-curve.reduction(quick_log2(level)))`, with
/// [`Ballistics`](super::ballistics::Ballistics) between. A level of 0 is to be replaced by [`SILENCE`].
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

/// The curve of a downward expander: a compressor's turned about, with the range as its end.
///
/// ```text
/// reduction = 0                                   for 2(x − T) > W
///           = (R − 1)·(T + W/2 − x)² / 2W         for 2|x − T| ≤ W
///           = (R − 1)·(T − x)                     below; nowhere more than the range
/// Where x level, T threshold, W knee width, R ratio: output dB per input dB below the threshold.
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expansion {
    /// Of the level upside down.
    mirrored: GainComputer,
    range: f64,
}

impl Expansion {
    /// The curve for a threshold, knee width and range in dB and a ratio.
    #[must_use]
    pub fn new(threshold_db: f64, ratio: f64, knee_db: f64, range_db: f64) -> Self {
        let mirrored = GainComputer::from_slope(-threshold_db * LOG2_PER_DB, knee_db * LOG2_PER_DB, ratio - 1.0);
        Self { mirrored, range: range_db * LOG2_PER_DB }
    }

    /// By how much the gain falls at a level; never negative.
    #[must_use]
    #[inline(always)]
    pub fn reduction(&self, level: f64) -> f64 {
        self.mirrored.reduction(-level).min(self.range)
    }

    /// The curve at `t` (0 to 1) of the way from `self` to `to`, by threshold, knee, slope and range.
    #[must_use]
    #[inline(always)]
    pub fn interpolated(&self, to: &Self, t: f64) -> Self {
        let range = self.range + (to.range - self.range) * t;
        Self { mirrored: self.mirrored.interpolated(&to.mirrored, t), range }
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

    #[test]
    fn an_expander_falls_by_its_ratio_below_the_threshold_and_no_further_than_its_range() {
        let expander = Expansion::new(-40.0, 3.0, 0.0, 30.0);
        for (level_db, expected) in
            [(0.0, 0.0), (-40.0, 0.0), (-45.0, 10.0), (-50.0, 20.0), (-60.0, 30.0), (-600.0, 30.0)]
        {
            let reduction = expander.reduction(level_db * LOG2_PER_DB) / LOG2_PER_DB;
            assert!((reduction - expected).abs() < 1e-9, "{level_db} dB: {reduction}");
        }
        // In the middle of the knee a quarter of what the straight lines have at its lower end.
        let soft = Expansion::new(-40.0, 3.0, 8.0, 100.0);
        assert!((soft.reduction(-40.0 * LOG2_PER_DB) / LOG2_PER_DB - 2.0).abs() < 1e-9);
        assert!((soft.reduction(-44.0 * LOG2_PER_DB) / LOG2_PER_DB - 8.0).abs() < 1e-9);
    }
}
