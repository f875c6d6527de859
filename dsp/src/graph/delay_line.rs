//! Latency compensation: a whole number of frames of delay.

use crate::buffer::Buffer;

/// Delays a stream of blocks by a fixed number of frames; what comes out first is silence.
#[derive(Debug)]
pub struct DelayLine {
    rings: Vec<Vec<f32>>,
    oldest: usize,
}

impl DelayLine {
    /// A line for `channels` channels.
    #[must_use]
    pub fn new(channels: usize, frames: usize) -> Self {
        Self { rings: vec![vec![0.0; frames]; channels], oldest: 0 }
    }

    /// Frames of delay.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.rings.first().map_or(0, Vec::len)
    }

    /// Delays a block in place.
    pub fn process(&mut self, audio: &mut Buffer) {
        let delay = self.frames();
        if delay == 0 {
            return;
        }
        let mut oldest = self.oldest;
        for (ring, channel) in self.rings.iter_mut().zip(audio.iter_mut()) {
            let mut rest = channel;
            oldest = self.oldest;
            while !rest.is_empty() {
                let count = rest.len().min(delay - oldest);
                let (now, later) = rest.split_at_mut(count);
                now.swap_with_slice(&mut ring[oldest..oldest + count]);
                oldest = (oldest + count) % delay;
                rest = later;
            }
        }
        self.oldest = oldest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_any_length_comes_out_late_by_exactly_the_delay() {
        for delay in [0, 1, 3, 7, 64] {
            let mut line = DelayLine::new(2, delay);
            let (mut sent, mut received) = (0, 0);
            for frames in [1, 5, 64, 2, 3, 200, 7] {
                let mut block = Buffer::new(2, frames);
                let (left, right) = block.stereo_mut();
                for (left, right) in left.iter_mut().zip(right) {
                    sent += 1;
                    (*left, *right) = (sent as f32, -(sent as f32));
                }
                line.process(&mut block);
                for (left, right) in block.channel(0).iter().zip(block.channel(1)) {
                    received += 1;
                    let expected = (received - delay as i32).max(0) as f32;
                    assert_eq!((*left, *right), (expected, -expected));
                }
            }
        }
    }
}
