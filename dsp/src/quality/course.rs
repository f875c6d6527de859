//! Loudness over time, and how far the peaks stand above it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::{Column, Columns, HOPS_PER_SECOND, Powers};
use crate::buffer::Buffer;
use crate::loudness::{Measurement, Meter, lufs};
use crate::units::db_from_gain;

/// Seconds whose short-term loudness lies more than this below the integrated one do not count for the PSR.
const PSR_GATE_LU: f64 = 10.0;

/// Loudness below this is not shown over time.
const GATE_LUFS: f64 = -70.0;

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

/// Reads loudness, and its course.
pub(super) struct CourseReader {
    meter: Meter,
    hops: u64,
    /// The frame behind the last hop, and the powers of the windows that ended there.
    hop_end: u64,
    powers: Powers,
    columns: Columns<Powers>,
    momentary: Greatest,
    short_term: Greatest,
    /// Short-term loudness in LUFS at the end of each second; −∞ before there are 3 s.
    seconds_lufs: Vec<f32>,
}

impl CourseReader {
    pub(super) fn new(sample_rate_hz: u32, channels: usize, speakers: u32) -> Self {
        Self {
            meter: Meter::loudness_only(sample_rate_hz, channels).with_speakers(speakers),
            hops: 0,
            hop_end: 0,
            powers: Powers::EMPTY,
            columns: Columns::new(),
            momentary: Greatest::default(),
            short_term: Greatest::default(),
            seconds_lufs: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, block: &Buffer) {
        let Self { meter, hops, hop_end, powers, columns, momentary, short_term, seconds_lufs } = self;
        meter.push_hops(block, |windows, end| {
            let power = |window: Option<f64>| window.unwrap_or(0.0);
            *powers = Powers { momentary: power(windows.momentary()), short_term: power(windows.short_term()) };
            momentary.push(powers.momentary, end);
            short_term.push(powers.short_term, end);
            *hop_end = end;
            end_hop(powers, hops, columns, seconds_lufs);
        });
    }

    /// What the meter read, with the true peak that another reader found, and the course; `peaks` are true peaks per second.
    pub(super) fn finish(mut self, true_peak_dbtp: Option<f64>, peaks: &[f32]) -> (Measurement, LoudnessCourse) {
        let mut measurement = self.meter.finish();
        measurement.true_peak_dbtp = true_peak_dbtp;
        // What is left of a hop counts as one.
        if measurement.frames > self.hop_end {
            end_hop(&self.powers, &mut self.hops, &mut self.columns, &mut self.seconds_lufs);
        }
        let (columns, _) = self.columns.finish();
        let course = |power: fn(&Powers) -> f64| -> Vec<Option<f64>> {
            let level = |column: &Powers| Some(lufs(power(column))).filter(|level| *level >= GATE_LUFS);
            columns.iter().map(|column| level(column).map(|level| super::rounded(level, 2))).collect()
        };
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
        let course = LoudnessCourse {
            momentary_lufs: course(|column| column.momentary),
            short_term_lufs: course(|column| column.short_term),
            momentary_max_at_seconds: self.momentary.at_seconds(rate),
            short_term_max_at_seconds: self.short_term.at_seconds(rate),
            plr_lu: measurement
                .true_peak_dbtp
                .zip(measurement.integrated_lufs)
                .map(|(peak, lufs)| super::rounded(peak - lufs, 2)),
            psr_min_lu: least.map(|(ratio, _)| super::rounded(ratio, 2)),
            psr_min_at_seconds: least.map(|(_, second)| second as f64),
            psr_median_lu: ratios.get(ratios.len() / 2).map(|(ratio, _)| super::rounded(*ratio, 2)),
        };
        (measurement, course)
    }
}

fn end_hop(powers: &Powers, hops: &mut u64, columns: &mut Columns<Powers>, seconds_lufs: &mut Vec<f32>) {
    columns.push(powers);
    *hops += 1;
    if hops.is_multiple_of(HOPS_PER_SECOND) {
        seconds_lufs.push(lufs(powers.short_term) as f32);
    }
}
