//! Meters: ITU-R BS.1770-5, EBU Tech 3341 and 3342 (2023).

mod gating;
mod meter;
mod peaks;
mod weights;
mod windows;

pub use gating::lufs;
pub use meter::Meter;
pub use peaks::PeakMeter;
pub use windows::hop_start;

/// What a file measures. Levels of silence, and of windows longer than the file, are `None`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Measurement {
    /// Length in frames.
    pub frames: u64,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Channels.
    pub channels: u32,
    /// Length in seconds.
    pub duration_seconds: f64,
    /// Integrated loudness in LUFS; `None` when everything lies below the gate.
    pub integrated_lufs: Option<f64>,
    /// Loudness range in LU (EBU Tech 3342); `None` when too short or below the gate.
    pub loudness_range_lu: Option<f64>,
    /// Greatest momentary loudness (400 ms) in LUFS.
    pub momentary_max_lufs: Option<f64>,
    /// Greatest short-term loudness (3 s) in LUFS.
    pub short_term_max_lufs: Option<f64>,
    /// Greatest true peak of any channel in dBTP, by the accurate reader ([`crate::kernels::true_peak::TruePeakReader::new`]).
    pub true_peak_dbtp: Option<f64>,
    /// Greatest sample magnitude of any channel in dBFS.
    pub sample_peak_dbfs: Option<f64>,
}
