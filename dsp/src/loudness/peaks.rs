//! The true peak of a whole stream.

use crate::buffer::Buffer;
use crate::kernels::true_peak::TruePeakReader;
use crate::units::db_from_gain;

/// A streaming meter of the greatest true peak of any channel, by the accurate reader. What a [`super::Meter`] reads beside
/// loudness, to run on a thread of its own.
pub struct PeakMeter {
    readers: Vec<TruePeakReader>,
}

impl PeakMeter {
    /// A meter for so many channels.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        Self { readers: (0..channels).map(|_| TruePeakReader::new()).collect() }
    }

    /// Measures on.
    pub fn push(&mut self, block: &Buffer) {
        for (reader, channel) in self.readers.iter_mut().zip(block.iter()) {
            reader.push(channel);
        }
    }

    /// The true peak in dBTP; `None` in silence.
    #[must_use]
    pub fn finish(mut self) -> Option<f64> {
        let peak = self.readers.iter_mut().map(TruePeakReader::finish).fold(0.0, f64::max);
        (peak > 0.0).then(|| db_from_gain(peak))
    }
}
