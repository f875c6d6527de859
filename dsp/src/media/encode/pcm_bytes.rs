//! Samples as the bytes of WAVE and AIFF.

use super::Samples;
use crate::session::document::Depth;
use crate::simd::{self, Kernel};

/// Which byte of a sample comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endian {
    Little,
    Big,
}

/// Replaces `out` by the bytes of samples, of which those that are integers have `depth`.
pub(super) fn fill(samples: Samples<'_>, depth: Depth, endian: Endian, out: &mut Vec<u8>) {
    let is_little = endian == Endian::Little;
    match samples {
        Samples::Int(samples) if depth == Depth::Int16 => each(samples, out, |sample| {
            let narrow = *sample as i16;
            if is_little { narrow.to_le_bytes() } else { narrow.to_be_bytes() }
        }),
        Samples::Int(samples) => each(samples, out, |sample| {
            let [low, middle, high, _] = sample.to_le_bytes();
            if is_little { [low, middle, high] } else { [high, middle, low] }
        }),
        Samples::Float(samples) => {
            each(samples, out, |sample| if is_little { sample.to_le_bytes() } else { sample.to_be_bytes() });
        }
    }
}

/// Into room that is there already: appending sample by sample costs more than all else about a file.
fn each<T, const N: usize>(samples: &[T], out: &mut Vec<u8>, bytes: impl Fn(&T) -> [u8; N]) {
    out.resize(N * samples.len(), 0);
    simd::run(Each { samples, slots: out.as_chunks_mut().0, bytes });
}

struct Each<'a, T, const N: usize, F> {
    samples: &'a [T],
    slots: &'a mut [[u8; N]],
    bytes: F,
}

impl<T, const N: usize, F: Fn(&T) -> [u8; N]> Kernel for Each<'_, T, N, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.slots.iter_mut().zip(self.samples).for_each(|(slot, sample)| *slot = (self.bytes)(sample));
    }
}
