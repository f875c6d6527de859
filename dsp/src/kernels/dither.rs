//! Quantisation with dither.

use crate::buffer::Buffer;

/// A quantiser to integers of `bits` bits, with TPDF dither or none; the noise depends on seed, channel and absolute frame alone.
#[derive(Debug, Clone)]
pub struct Quantizer {}

impl Quantizer {
    /// A quantiser. `bits` is 16 or 24.
    #[must_use]
    pub fn new(bits: u32, dithered: bool, seed: u64) -> Self {
        let _ = (bits, dithered, seed);
        unimplemented!("media agent")
    }

    /// Quantises a block whose first frame is the absolute frame `frame`; `out` becomes interleaved integers (cleared
    /// first). Returns the number of samples that had to be clipped.
    pub fn process(&mut self, block: &Buffer, frame: u64, out: &mut Vec<i32>) -> u64 {
        let _ = (block, frame, out);
        unimplemented!("media agent")
    }
}
