//! Loudness over time, and how far the peaks stand above it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::loudness::Measurement;
use crate::units::db_from_gain;

/// Seconds whose short-term loudness lies more than this below the integrated one do not count for the PSR.
const PSR_GATE_LU: f64 = 10.0;

/// Loudness over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoudnessCourse {
    /// Per column, the greatest momentary loudness (400 ms) in LUFS; `None` below −70 LUFS.
    pub momentary_lufs: Vec<Option<f64>>,
    /// Per column, the greatest short-term loudness (3 s) in LUFS; `None` below −70 LUFS and in the first 3 s.
    pub short_term_lufs: Vec<Option<f64>>,
    /// Where the loudest 400 ms end, in seconds.
    pub momentary_max_at_seconds: Option<f64>,
    /// Where the loudest 3 s end, in seconds.
    pub short_term_max_at_seconds: Option<f64>,
    /// Peak to loudness ratio in LU: true peak less integrated loudness.
    pub plr_lu: Option<f64>,
    /// Peak to short-term loudness ratio in LU, the least of all seconds: the true peak within 3 s less the loudness of these
    /// 3 s, every second; where the loudness is no more than 10 LU below the integrated one. How dense the densest place is.
    pub psr_min_lu: Option<f64>,
    /// Where the 3 s of the least PSR end, in seconds.
    pub psr_min_at_seconds: Option<f64>,
    /// The median of the PSR in LU.
    pub psr_median_lu: Option<f64>,
}

/// The greatest of a series, and when it was reached.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Greatest {
    power: f64,
    frame: u64,
}

impl Greatest {
    pub(super) fn push(&mut self, power: f64, frame: u64) {
        if power > self.power {
            *self = Self { power, frame };
        }
    }

    fn at_seconds(self, rate: f64) -> Option<f64> {
        (self.power > 0.0).then(|| super::rounded(self.frame as f64 / rate, 2))
    }
}

/// What the course is made of, beside the columns.
#[derive(Debug, Clone, Default)]
pub(super) struct CourseReader {
    pub momentary: Greatest,
    pub short_term: Greatest,
    /// Short-term loudness in LUFS at the end of each second; −∞ before there are 3 s.
    pub seconds_lufs: Vec<f32>,
}

impl CourseReader {
    pub(super) fn finish(
        self,
        momentary_lufs: Vec<Option<f64>>,
        short_term_lufs: Vec<Option<f64>>,
        measurement: &Measurement,
        peaks: &[f32],
    ) -> LoudnessCourse {
        let rate = f64::from(measurement.sample_rate_hz);
        let gate = measurement.integrated_lufs.map_or(f64::INFINITY, |integrated| integrated - PSR_GATE_LU);
        let mut ratios: Vec<(f64, usize)> = Vec::new();
        for (second, (lufs, peaks)) in
            self.seconds_lufs[2.min(self.seconds_lufs.len())..].iter().zip(peaks.windows(3)).enumerate()
        {
            let lufs = f64::from(*lufs);
            if lufs >= gate {
                let peak = peaks.iter().copied().fold(0.0, f32::max);
                ratios.push((db_from_gain(f64::from(peak)) - lufs, second + 3));
            }
        }
        ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
        let least = ratios.first().copied();
        LoudnessCourse {
            momentary_lufs,
            short_term_lufs,
            momentary_max_at_seconds: self.momentary.at_seconds(rate),
            short_term_max_at_seconds: self.short_term.at_seconds(rate),
            plr_lu: measurement
                .true_peak_dbtp
                .zip(measurement.integrated_lufs)
                .map(|(peak, lufs)| super::rounded(peak - lufs, 2)),
            psr_min_lu: least.map(|(ratio, _)| super::rounded(ratio, 2)),
            psr_min_at_seconds: least.map(|(_, second)| second as f64),
            psr_median_lu: ratios.get(ratios.len() / 2).map(|(ratio, _)| super::rounded(*ratio, 2)),
        }
    }
}
