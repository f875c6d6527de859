//! How often which level occurs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::db_from_power;

/// Bins of 1 dB, the first from −90 dBFS.
const BINS: usize = 90;
/// Hops that are measured together.
const HOPS: u32 = 5;

/// The level histogram: of the mean square of all channels in stretches of 50 ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Histogram {
    /// Lower edge of the first bin in dBFS, mean square over 1 (a sine of full scale: −3.01). Bins are 1 dB wide.
    pub from_dbfs: f64,
    /// Share of all stretches per bin, 0 to 1; what lies below the first bin is left out.
    pub shares: Vec<f64>,
    /// Share of the stretches below the first bin.
    pub below: f64,
}

/// Counts levels hop by hop.
#[derive(Debug, Clone)]
pub(super) struct LevelCounter {
    counts: Vec<u64>,
    below: u64,
    squares: f64,
    samples: u64,
    hops: u32,
}

impl LevelCounter {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; BINS], below: 0, squares: 0.0, samples: 0, hops: 0 }
    }

    pub(super) fn push(&mut self, squares: f64, samples: u64) {
        self.squares += squares;
        self.samples += samples;
        self.hops += 1;
        if self.hops == HOPS {
            self.count();
        }
    }

    fn count(&mut self) {
        let level = db_from_power(self.squares / self.samples.max(1) as f64) + BINS as f64;
        if level >= 0.0 {
            // Float files may lie over full scale.
            self.counts[(level as usize).min(BINS - 1)] += 1;
        } else {
            self.below += 1;
        }
        (self.squares, self.samples, self.hops) = (0.0, 0, 0);
    }

    pub(super) fn finish(mut self) -> Histogram {
        if self.hops > 0 {
            self.count();
        }
        let all = (self.counts.iter().sum::<u64>() + self.below).max(1) as f64;
        let share = |count: u64| super::rounded(count as f64 / all, 5);
        Histogram {
            from_dbfs: -(BINS as f64),
            shares: self.counts.into_iter().map(share).collect(),
            below: share(self.below),
        }
    }
}
