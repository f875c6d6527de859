//! The true-peak limiter's gain.

use crate::buffer::Buffer;

/// Frames on each side of a sample interval that the detector reads.
const DETECTOR_FRAMES: usize = 32;

/// Frames by which a limiter with this look-ahead lags: the look-ahead, and what its detector must see of the future.
#[must_use]
pub fn latency_frames(lookahead_frames: usize) -> usize {
    lookahead_frames + DETECTOR_FRAMES
}

/// A streaming look-ahead true-peak limiter, channels linked; the output lags by `latency_frames`.
pub struct LimiterKernel {}

impl LimiterKernel {
    /// A limiter with its ceiling (linear), look-ahead and release.
    #[must_use]
    pub fn new(sample_rate_hz: u32, channels: usize, ceiling: f64, lookahead_frames: usize, release_ms: f64) -> Self {
        let _ = (sample_rate_hz, channels, ceiling, lookahead_frames, release_ms);
        unimplemented!("loudness agent")
    }

    /// Frames by which the output lags.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        unimplemented!("loudness agent")
    }

    /// Limits a block in place.
    pub fn process(&mut self, audio: &mut Buffer) {
        let _ = audio;
        unimplemented!("loudness agent")
    }

    /// The lowest gain applied so far, linear (1 when nothing was limited).
    #[must_use]
    pub fn lowest_gain(&self) -> f64 {
        unimplemented!("loudness agent")
    }

    /// Returns to the state of a new limiter.
    pub fn reset(&mut self) {
        unimplemented!("loudness agent")
    }
}
