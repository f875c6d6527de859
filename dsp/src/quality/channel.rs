//! One channel of a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::Levels;
use crate::units::{db_from_gain, db_from_power};

/// What the waveform counts in: full scale is this.
const WAVEFORM_SCALE: f32 = 10_000.0;

/// Figures and waveform of a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// Greatest sample magnitude in dBFS; `None` in silence.
    pub sample_peak_dbfs: Option<f64>,
    /// Greatest true peak in dBTP.
    pub true_peak_dbtp: Option<f64>,
    /// Mean square in dBFS over 1 (a sine of full scale: −3.01).
    pub rms_dbfs: Option<f64>,
    /// Sample peak less mean square, in dB.
    pub crest_db: Option<f64>,
    /// Mean of the samples, linear: direct current.
    pub dc: f64,
    /// Its level in dBFS.
    pub dc_dbfs: Option<f64>,
    /// Per column the lowest sample, in ten-thousandths of full scale.
    pub waveform_min: Vec<i32>,
    /// Per column the highest sample, in ten-thousandths of full scale.
    pub waveform_max: Vec<i32>,
    /// Per column the root mean square, in ten-thousandths of full scale.
    pub waveform_rms: Vec<i32>,
}

/// Sums of one channel over the whole file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ChannelSums {
    pub peak: f32,
    pub sum: f64,
    pub squares: f64,
}

impl Channel {
    /// The channel of this index; `true_peak` is linear.
    pub(super) fn new(index: usize, sums: &ChannelSums, columns: &[Levels], frames: u64, true_peak: f64) -> Self {
        let count = frames.max(1) as f64;
        let (power, dc) = (sums.squares / count, sums.sum / count);
        let counted = |value: f32| (value * WAVEFORM_SCALE).round() as i32;
        let of_columns = |value: &dyn Fn(&Levels) -> f32| columns.iter().map(|column| counted(value(column))).collect();
        let rms = |column: &Levels| (column.channels[index].squares / column.frames.max(1) as f64).sqrt() as f32;
        Self {
            sample_peak_dbfs: super::level(f64::from(sums.peak)),
            true_peak_dbtp: super::level(true_peak),
            rms_dbfs: (power > 0.0).then(|| super::rounded(db_from_power(power), 2)),
            crest_db: (power > 0.0)
                .then(|| super::rounded(db_from_gain(f64::from(sums.peak)) - db_from_power(power), 2)),
            dc: (dc * 1e7).round() / 1e7 + 0.0,
            // A mean below this is the rounding of a short file.
            dc_dbfs: super::level(if dc.abs() < 1e-6 { 0.0 } else { dc }),
            waveform_min: of_columns(&|column| column.channels[index].min),
            waveform_max: of_columns(&|column| column.channels[index].max),
            waveform_rms: of_columns(&rms),
        }
    }
}
