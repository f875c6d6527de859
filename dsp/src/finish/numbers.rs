//! Whether everything that was heard is sound.

use crate::buffer::Buffer;
use crate::control::not_a_number;

/// Looks for the first sample that is NaN or infinite: whatever is made of it is no sound.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    sample_rate_hz: u32,
    frames: u64,
    /// The channel and the frame of the first that is none.
    other: Option<(usize, u64)>,
}

impl Numbers {
    pub(super) fn new(sample_rate_hz: u32) -> Self {
        Self { sample_rate_hz, frames: 0, other: None }
    }

    pub(super) fn push(&mut self, block: &Buffer) {
        if self.other.is_none() {
            let places = block.iter().map(not_a_number);
            let first = places.enumerate().filter_map(|(channel, at)| Some((channel, at? as u64 + self.frames)));
            self.other = first.min_by_key(|(channel, frame)| (*frame, *channel));
        }
        self.frames += block.frames() as u64;
    }

    /// Where that sample was.
    pub(super) fn fault(&self) -> Option<String> {
        let (channel, frame) = self.other?;
        let seconds = frame as f64 / f64::from(self.sample_rate_hz);
        Some(format!("channel {} is NaN or infinite at frame {frame} ({seconds:.6} s)", channel + 1))
    }
}
