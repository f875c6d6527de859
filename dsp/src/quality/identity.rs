//! What tells one sound from another: the digest of the samples, whatever file they are in.

use crate::buffer::Buffer;
use crate::digest::Digest;

/// Hashes samples, interleaved, each as a 32-bit float.
pub(super) struct SampleHasher {
    hasher: blake3::Hasher,
    interleaved: Vec<u8>,
}

impl SampleHasher {
    pub(super) fn new() -> Self {
        Self { hasher: blake3::Hasher::new(), interleaved: Vec::new() }
    }

    pub(super) fn push(&mut self, block: &Buffer) {
        if block.frames() == 0 {
            return;
        }
        let stride = 4 * block.channel_count();
        self.interleaved.clear();
        self.interleaved.resize(stride * block.frames(), 0);
        for (index, channel) in block.iter().enumerate() {
            for (bytes, sample) in self.interleaved[4 * index..].chunks_mut(stride).zip(channel) {
                // −0 is 0.
                bytes[..4].copy_from_slice(&(sample + 0.0).to_le_bytes());
            }
        }
        self.hasher.update(&self.interleaved);
    }

    pub(super) fn finish(self) -> Digest {
        Digest::from_bytes(*self.hasher.finalize().as_bytes())
    }
}
