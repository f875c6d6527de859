//! The mix as it is, before gain and limiter.

use super::chain::Block;
use super::numbers::Numbers;
use crate::buffer::Buffer;
use crate::execute::ExecuteError;
use crate::kernels::true_peak::TruePeakReader;
use crate::loudness::Meter;
use crate::relay::{Leg, listening};

/// Hears a mix once, from its first frame to its last: what the loudness solve begins with. It can be had while the mix is
/// being made, which spares a pass over it.
pub struct Hearing {
    meter: Meter,
    peaks: Vec<TruePeakReader>,
    numbers: Numbers,
}

/// Integrated loudness in LUFS and true peak, linear.
pub(super) type Heard = (Option<f64>, f64);

impl Hearing {
    /// Nothing yet.
    ///
    /// # Panics
    /// If there are no channels or more than 8.
    #[must_use]
    pub fn new(sample_rate_hz: u32, channels: usize) -> Self {
        Self {
            meter: Meter::loudness_only(sample_rate_hz, channels),
            peaks: vec![TruePeakReader::new(); channels],
            numbers: Numbers::new(sample_rate_hz),
        }
    }

    /// Hears on.
    ///
    /// # Panics
    /// If the block has another number of channels.
    pub fn push(&mut self, block: &Buffer) {
        self.numbers.push(block);
        self.meter.push(block);
        for (peak, channel) in self.peaks.iter_mut().zip(block.iter()) {
            peak.push(channel);
        }
    }

    /// The same as legs of a chain: the loudness, and the peaks.
    pub(super) fn legs(&mut self) -> Vec<Leg<'_, Block, ExecuteError>> {
        let Self { meter, peaks, numbers } = self;
        let loudness = |audio: &Buffer| {
            numbers.push(audio);
            meter.push(audio);
        };
        let peak = |audio: &Buffer| peaks.iter_mut().zip(audio.iter()).for_each(|(peak, channel)| peak.push(channel));
        vec![listening(peak, |block: &Block| &block.audio), listening(loudness, |block: &Block| &block.audio)]
    }

    /// What was heard, or the place of the first sample that is NaN or infinite.
    pub(super) fn finish(mut self) -> Result<Heard, String> {
        let peak = self.peaks.iter_mut().map(TruePeakReader::finish).fold(0.0, f64::max);
        self.numbers.fault().map_or_else(|| Ok((self.meter.finish().integrated_lufs, peak)), Err)
    }
}
