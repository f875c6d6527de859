//! A stretch of a buffer.

use crate::buffer::Buffer;

/// Some consecutive frames of a buffer, to be read.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    buffer: &'a Buffer,
    start: usize,
    frames: usize,
}

impl<'a> View<'a> {
    /// `frames` frames of `buffer` from `start` on.
    ///
    /// # Panics
    /// If the buffer does not hold them.
    #[must_use]
    pub fn new(buffer: &'a Buffer, start: usize, frames: usize) -> Self {
        assert!(start + frames <= buffer.frames(), "{start} + {frames} frames of {}", buffer.frames());
        Self { buffer, start, frames }
    }

    /// The number of channels.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.buffer.channel_count()
    }

    /// One channel.
    #[must_use]
    pub fn channel(&self, index: usize) -> &'a [f32] {
        &self.buffer.channel(index)[self.start..self.start + self.frames]
    }

    /// Copies the stretch into `out`, which takes its length and has as many channels.
    pub fn copy_to(&self, out: &mut Buffer) {
        out.set_frames(self.frames);
        for (index, channel) in out.iter_mut().enumerate() {
            channel.copy_from_slice(self.channel(index));
        }
    }
}
