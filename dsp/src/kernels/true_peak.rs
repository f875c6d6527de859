//! True-peak readers.

/// A streaming reader of the true peak of one channel: several interpolators of different design, and the greatest of their readings.
#[derive(Debug, Clone)]
pub struct TruePeakReader {}

impl TruePeakReader {
    /// A reader with all interpolators.
    #[must_use]
    pub fn new(sample_rate_hz: u32) -> Self {
        let _ = sample_rate_hz;
        unimplemented!("loudness agent")
    }

    /// Reads on.
    pub fn push(&mut self, samples: &[f32]) {
        let _ = samples;
        unimplemented!("loudness agent")
    }

    /// Flushes the interpolators and gives the greatest magnitude read so far, linear, by any reader.
    pub fn finish(&mut self) -> f64 {
        unimplemented!("loudness agent")
    }
}
