//! Samples as the bytes of WAVE and AIFF.

use super::Samples;
use crate::session::document::Depth;

/// Which byte of a sample comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endian {
    Little,
    Big,
}

/// Bytes of a sample.
pub(super) fn sample_bytes(depth: Depth) -> usize {
    match depth {
        Depth::Int16 => 2,
        Depth::Int24 => 3,
        Depth::Float32 => 4,
    }
}

/// Replaces `out` by the bytes of samples, of which those that are integers have `depth`.
pub(super) fn fill(samples: Samples<'_>, depth: Depth, endian: Endian, out: &mut Vec<u8>) {
    out.clear();
    match (samples, endian) {
        (Samples::Int(samples), Endian::Little) if depth == Depth::Int16 => {
            out.extend(samples.iter().flat_map(|sample| (*sample as i16).to_le_bytes()));
        }
        (Samples::Int(samples), Endian::Big) if depth == Depth::Int16 => {
            out.extend(samples.iter().flat_map(|sample| (*sample as i16).to_be_bytes()));
        }
        (Samples::Int(samples), Endian::Little) => out.extend(samples.iter().flat_map(|sample| {
            let [low, middle, high, _] = sample.to_le_bytes();
            [low, middle, high]
        })),
        (Samples::Int(samples), Endian::Big) => out.extend(samples.iter().flat_map(|sample| {
            let [_, high, middle, low] = sample.to_be_bytes();
            [high, middle, low]
        })),
        (Samples::Float(samples), Endian::Little) => {
            out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        }
        (Samples::Float(samples), Endian::Big) => out.extend(samples.iter().flat_map(|sample| sample.to_be_bytes())),
    }
}
