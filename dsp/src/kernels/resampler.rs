//! Sample-rate conversion.

use crate::buffer::Buffer;

/// A streaming linear-phase converter between two rates, all channels alike, without delay: output frame 0 lies at input frame 0.
pub struct Resampler {}

impl Resampler {
    /// A converter.
    #[must_use]
    pub fn new(from_hz: u32, to_hz: u32, channels: usize) -> Self {
        let _ = (from_hz, to_hz, channels);
        unimplemented!("media agent")
    }

    /// Frames that come of `frames` input frames: round-half-up(frames·to/from).
    #[must_use]
    pub fn output_frames(from_hz: u32, to_hz: u32, frames: u64) -> u64 {
        let wide = u128::from(frames) * u128::from(to_hz) * 2 + u128::from(from_hz);
        (wide / (u128::from(from_hz) * 2)) as u64
    }

    /// Takes all of `input` and puts what is ready into `out` (resized to it).
    pub fn process(&mut self, input: &Buffer, out: &mut Buffer) {
        let _ = (input, out);
        unimplemented!("media agent")
    }

    /// After the last input: puts the rest into `out` (resized to it), so that the sum of all output is `output_frames` of all input.
    pub fn flush(&mut self, out: &mut Buffer) {
        let _ = out;
        unimplemented!("media agent")
    }
}
