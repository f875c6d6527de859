//! Meters: ITU-R BS.1770-5, EBU Tech 3341 and 3342.

use crate::buffer::Buffer;

/// What a file measures. Levels of silence are `None`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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
    /// Loudness range in LU (EBU Tech 3342); `None` when too short.
    pub loudness_range_lu: Option<f64>,
    /// Greatest momentary loudness (400 ms) in LUFS.
    pub momentary_max_lufs: Option<f64>,
    /// Greatest short-term loudness (3 s) in LUFS.
    pub short_term_max_lufs: Option<f64>,
    /// Greatest true peak of any channel in dBTP, by the most pessimistic reader.
    pub true_peak_dbtp: Option<f64>,
    /// Greatest sample magnitude of any channel in dBFS.
    pub sample_peak_dbfs: Option<f64>,
}

/// A streaming meter of everything in [`Measurement`].
pub struct Meter {}

impl Meter {
    /// A meter for 1 to 8 channels in the order of BS.1770 (L R C LFE Ls Rs …).
    #[must_use]
    pub fn new(sample_rate_hz: u32, channels: usize) -> Self {
        let _ = (sample_rate_hz, channels);
        unimplemented!("loudness agent")
    }

    /// A meter of loudness alone: `true_peak_dbtp` stays `None`. For solving gains.
    #[must_use]
    pub fn loudness_only(sample_rate_hz: u32, channels: usize) -> Self {
        let _ = (sample_rate_hz, channels);
        unimplemented!("loudness agent")
    }

    /// Measures on.
    pub fn push(&mut self, block: &Buffer) {
        let _ = block;
        unimplemented!("loudness agent")
    }

    /// The result.
    #[must_use]
    pub fn finish(self) -> Measurement {
        unimplemented!("loudness agent")
    }
}
