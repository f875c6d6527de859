//! The recent past of a stream in one piece.

use super::CHUNK;

/// The latest values of a stream in one piece: at least `history` of the past, then the newest.
#[derive(Debug, Clone)]
pub(super) struct DelayLine {
    values: Vec<f32>,
    history: usize,
    end: usize,
}

impl DelayLine {
    pub(super) fn new(history: usize, filled_with: f32) -> Self {
        // Room for several chunks between two moves to the front.
        Self { values: vec![filled_with; 2 * history + 4 * CHUNK], history, end: history }
    }

    /// Makes room for `count` values, at most [`CHUNK`], to be written.
    pub(super) fn extend(&mut self, count: usize) -> &mut [f32] {
        if self.end + count > self.values.len() {
            self.values.copy_within(self.end - self.history..self.end, 0);
            self.end = self.history;
        }
        self.end += count;
        &mut self.values[self.end - count..self.end]
    }

    /// Takes in samples, at most [`CHUNK`], those left out that are no finite numbers.
    pub(super) fn take_in(&mut self, samples: &[f32]) {
        for (kept, &x) in self.extend(samples.len()).iter_mut().zip(samples) {
            *kept = if x.is_finite() { x } else { 0.0 };
        }
    }

    /// The newest `count` values, in time order.
    pub(super) fn past(&self, count: usize) -> &[f32] {
        &self.values[self.end - count..self.end]
    }

    pub(super) fn reset(&mut self, filled_with: f32) {
        self.values.fill(filled_with);
        self.end = self.history;
    }
}
