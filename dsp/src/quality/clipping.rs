//! Clipped runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::places::{Place, Places};

/// A sample from here on is at full scale: the highest of 16 bits.
const FULL_SCALE: f32 = 32_767.0 / 32_768.0;
/// Samples at full scale, one after the other, that make a clipped run.
const RUN: u64 = 3;
/// Equal samples, one after the other, that make a flat top below full scale.
const FLAT_TOP: u64 = 5;
/// So many flat tops at the same level are a ceiling that was cut at and turned down later.
const FLAT_TOPS: u64 = 10;
/// How near to the peak of the channel a flat top must lie, linear.
const NEAR_PEAK: f32 = 0.98;
/// Flat tops below −20 dBFS are no clipping.
const LEAST: f32 = 0.1;

/// Clipped runs: three or more samples at full scale, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clipping {
    /// Runs of all channels.
    pub runs: u64,
    /// Samples at full scale or beyond, alone or in runs.
    pub samples: u64,
    /// The longest run in samples.
    pub longest_samples: u64,
    /// The first runs.
    pub places: Vec<Place>,
    /// Flat tops below full scale, clipped first and turned down later: ten or more runs of five or more equal samples at
    /// the very peak of the channel. 0 where there are fewer.
    pub flat_tops: u64,
    /// Their level in dBFS.
    pub flat_top_dbfs: Option<f64>,
}

/// Looks for them.
#[derive(Debug, Clone)]
pub(super) struct ClippingFinder {
    channels: Vec<Channel>,
    samples: u64,
    longest: u64,
    places: Places,
}

#[derive(Debug, Clone)]
struct Channel {
    /// Samples at full scale up to now.
    run: u64,
    peak: f32,
    previous: f32,
    equal: u64,
    flat_level: f32,
    flat_tops: u64,
}

impl ClippingFinder {
    pub(super) fn new(channels: usize) -> Self {
        let channel = Channel { run: 0, peak: LEAST, previous: 0.0, equal: 0, flat_level: 0.0, flat_tops: 0 };
        Self { channels: vec![channel; channels], samples: 0, longest: 0, places: Places::new() }
    }

    /// Takes a hop of one channel whose first frame is `frame` and whose greatest magnitude is `peak`.
    pub(super) fn push(&mut self, index: usize, frame: u64, samples: &[f32], peak: f32) {
        let channel = &mut self.channels[index];
        channel.peak = channel.peak.max(peak);
        if peak < NEAR_PEAK * channel.peak {
            self.end_run(index, frame);
            self.channels[index].end_flat();
            return;
        }
        for (at, &x) in (frame..).zip(samples) {
            let channel = &mut self.channels[index];
            if x == channel.previous {
                channel.equal += 1;
            } else {
                channel.end_flat();
                (channel.previous, channel.equal) = (x, 1);
            }
            if x.abs() >= FULL_SCALE {
                channel.run += 1;
                self.samples += 1;
            } else if channel.run > 0 {
                self.end_run(index, at);
            }
        }
    }

    fn end_run(&mut self, index: usize, end: u64) {
        let run = std::mem::take(&mut self.channels[index].run);
        if run >= RUN {
            self.longest = self.longest.max(run);
            self.places.add_stretch(index, end - run, run);
        }
    }

    pub(super) fn finish(mut self, frames: u64, sample_rate_hz: u32) -> Clipping {
        for index in 0..self.channels.len() {
            self.end_run(index, frames);
            self.channels[index].end_flat();
        }
        let flat = self.channels.iter().filter(|channel| channel.is_flat());
        let flat_tops = flat.clone().map(|channel| channel.flat_tops).sum();
        let level = flat.map(|channel| channel.flat_level).fold(0.0, f32::max);
        let (runs, places) = self.places.finish(sample_rate_hz);
        let flat_top_dbfs = super::level(f64::from(level));
        Clipping { runs, samples: self.samples, longest_samples: self.longest, places, flat_tops, flat_top_dbfs }
    }
}

impl Channel {
    fn end_flat(&mut self) {
        let (level, equal) = (self.previous.abs(), std::mem::take(&mut self.equal));
        self.previous = 0.0;
        if equal < FLAT_TOP || level < NEAR_PEAK * self.peak || level >= FULL_SCALE {
            return;
        }
        if level == self.flat_level {
            self.flat_tops += 1;
        } else if level > self.flat_level {
            (self.flat_level, self.flat_tops) = (level, 1);
        }
    }

    fn is_flat(&self) -> bool {
        self.flat_tops >= FLAT_TOPS && self.flat_level >= NEAR_PEAK * self.peak
    }
}
