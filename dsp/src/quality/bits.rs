//! Bits that are really used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Steps of full scale that f32 holds exactly: those of 24 bits.
const STEPS: f32 = 8_388_608.0;

/// How many bits the samples need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BitsUsed {
    /// Bits of a sample by the format; 32 for floating point. `None` for lossy formats.
    pub nominal: Option<u32>,
    /// The fewest bits of an integer that hold every sample as it is. `None` where 24 are too few, and in digital silence.
    pub used: Option<u32>,
}

/// Looks at every sample until nothing more can be learnt.
#[derive(Debug, Clone)]
pub(super) struct BitsReader {
    nominal: Option<u32>,
    /// All samples as integers of 24 bits, or-ed.
    seen: i32,
    finer: bool,
}

impl BitsReader {
    pub(super) fn new(nominal: Option<u32>) -> Self {
        Self { nominal, seen: 0, finer: false }
    }

    /// Whether more samples can change the answer.
    fn is_open(&self) -> bool {
        let whole = self.nominal.is_some_and(|bits| bits <= 24 && self.seen.trailing_zeros() <= 24 - bits);
        !self.finer && !whole
    }

    pub(super) fn push(&mut self, samples: &[f32]) {
        if !self.is_open() {
            return;
        }
        for sample in samples {
            let scaled = sample * STEPS;
            let integer = scaled as i32;
            self.finer |= integer as f32 != scaled;
            self.seen |= integer;
        }
    }

    pub(super) fn finish(self) -> BitsUsed {
        let used = 24_u32.saturating_sub(self.seen.trailing_zeros());
        BitsUsed { nominal: self.nominal, used: (!self.finer && self.seen != 0).then_some(used) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(nominal: u32, samples: &[f32]) -> Option<u32> {
        let mut reader = BitsReader::new(Some(nominal));
        reader.push(samples);
        reader.finish().used
    }

    #[test]
    fn padding_shows_and_silence_uses_nothing() {
        assert_eq!(used(24, &[1.0 / 32_768.0, -0.5]), Some(16));
        assert_eq!(used(24, &[1.0 / 8_388_608.0, -0.5]), Some(24));
        assert_eq!(used(16, &[0.5, -1.0]), Some(2));
        assert_eq!(used(32, &[1.0 / 8_388_608.0, -0.5]), Some(24));
        assert_eq!(used(32, &[0.1]), None);
        assert_eq!(used(24, &[0.0; 100]), None);
    }
}
