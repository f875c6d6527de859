//! What a limiter must do: the gain that each sample requires.

use core::ops::Range;

use super::CHUNK;
use super::line::DelayLine;
use crate::buffer::Buffer;
use crate::kernels::peak_detector::PeakDetector;

/// The first part of a limiter: true peaks against the ceiling. It lags by [`PeakDetector::reach`].
#[derive(Debug, Clone)]
pub struct Demand {
    ceiling: f32,
    detector: PeakDetector,
    lines: Vec<DelayLine>,
    ceilings: DelayLine,
}

impl Demand {
    /// Before the first frame, the ceiling (linear) is `ceiling`.
    #[must_use]
    pub fn new(channels: usize, ceiling: f64) -> Self {
        let history = 2 * PeakDetector::reach();
        let ceiling = ceiling as f32;
        Self {
            ceiling,
            detector: PeakDetector::new(CHUNK),
            lines: vec![DelayLine::new(history, 0.0); channels],
            ceilings: DelayLine::new(history, ceiling),
        }
    }

    /// Writes the gains, at most 1, that these frames of a block require, each under its own ceiling.
    ///
    /// # Panics
    /// If the block has another number of channels, or there are not as many ceilings and gains as frames.
    pub fn of(&mut self, audio: &Buffer, frames: Range<usize>, ceilings: &[f32], required: &mut [f64]) {
        assert_eq!(audio.channel_count(), self.lines.len(), "a limiter is fed blocks of its own channel count");
        assert!(
            ceilings.len() == frames.len() && required.len() == frames.len(),
            "there is one of each for each frame"
        );
        let chunks = ceilings.chunks(CHUNK).zip(required.chunks_mut(CHUNK));
        for (start, (ceilings, required)) in frames.step_by(CHUNK).zip(chunks) {
            let count = ceilings.len();
            for (line, channel) in self.lines.iter_mut().zip(audio.iter()) {
                line.take_in(&channel[start..start + count]);
            }
            self.ceilings.extend(count).copy_from_slice(ceilings);
            // The windows of `count` intervals, the last of which ends with the newest sample.
            let width = 2 * PeakDetector::reach();
            let channels = self.lines.iter().map(|line| line.past(count + width - 1));
            let ceilings = &self.ceilings.past(count + PeakDetector::reach())[..count + 1];
            self.detector.required_gain(channels, ceilings, required);
        }
    }

    /// Returns to the state of a new one.
    pub fn reset(&mut self) {
        self.detector.reset();
        self.lines.iter_mut().for_each(|line| line.reset(0.0));
        self.ceilings.reset(self.ceiling);
    }
}
