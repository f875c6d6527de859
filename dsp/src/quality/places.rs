//! Where something was found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most places that are kept; all are counted.
const KEPT: usize = 20;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The channel, from 0.
    pub channel: u32,
    /// Seconds from the start of the file.
    pub at_seconds: f64,
    /// How long it lasts in ms; 0 for an instant.
    pub length_ms: f64,
}

/// Counts places and keeps the first of them.
#[derive(Debug, Clone)]
pub(super) struct Places {
    count: u64,
    /// Channel, frame, frames.
    kept: Vec<(usize, u64, u64)>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self { count: 0, kept: Vec::new() }
    }

    pub(super) fn add(&mut self, channel: usize, frame: u64) {
        self.add_stretch(channel, frame, 0);
    }

    pub(super) fn add_stretch(&mut self, channel: usize, frame: u64, frames: u64) {
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept.push((channel, frame, frames));
        }
    }

    /// How many there were, and the first of them.
    pub(super) fn finish(mut self, sample_rate_hz: u32) -> (u64, Vec<Place>) {
        self.kept.sort_by_key(|(channel, frame, _)| (*frame, *channel));
        let rate = f64::from(sample_rate_hz);
        let place = |(channel, frame, frames): (usize, u64, u64)| Place {
            channel: channel as u32,
            at_seconds: super::rounded(frame as f64 / rate, 4),
            length_ms: super::rounded(1000.0 * frames as f64 / rate, 2),
        };
        (self.count, self.kept.into_iter().map(place).collect())
    }
}
