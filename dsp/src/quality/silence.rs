//! Silence before and after the sound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::gain_from_db;

/// What is no louder than this is silence, in dBFS.
const THRESHOLD_DBFS: f64 = -60.0;

/// Silence before the first and after the last sample over −60 dBFS, and digital silence (samples of 0) before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Silence {
    /// Seconds at the head; the whole file where nothing sounds.
    pub head_seconds: f64,
    /// Seconds at the tail.
    pub tail_seconds: f64,
    /// Of these, seconds at the head in which every sample is 0.
    pub digital_head_seconds: f64,
    /// Of these, seconds at the tail in which every sample is 0.
    pub digital_tail_seconds: f64,
    /// Channels in which nothing sounds.
    pub silent_channels: Vec<u32>,
}

/// The frames between which something lies.
type Stretch = Option<(u64, u64)>;

/// Looks for the edges of the sound.
#[derive(Debug, Clone)]
pub(super) struct SilenceFinder {
    threshold: f32,
    sound: Vec<Stretch>,
    digital: Stretch,
}

impl SilenceFinder {
    pub(super) fn new(channels: usize) -> Self {
        Self { threshold: gain_from_db(THRESHOLD_DBFS) as f32, sound: vec![None; channels], digital: None }
    }

    /// Takes a hop of one channel whose first frame is `frame` and whose greatest magnitude is `peak`.
    pub(super) fn push(&mut self, channel: usize, frame: u64, samples: &[f32], peak: f32) {
        if peak > 0.0 {
            widen(&mut self.digital, frame, samples, |x| x != 0.0);
        }
        if peak > self.threshold {
            let threshold = self.threshold;
            widen(&mut self.sound[channel], frame, samples, |x| x.abs() > threshold);
        }
    }

    pub(super) fn finish(self, frames: u64, sample_rate_hz: u32) -> Silence {
        let seconds = |frames: u64| super::rounded(frames as f64 / f64::from(sample_rate_hz), 4);
        let around = |stretch: Stretch| {
            let (first, end) = stretch.unwrap_or((frames, frames));
            (seconds(first), seconds(frames - end))
        };
        let first = self.sound.iter().flatten().map(|stretch| stretch.0).min();
        let end = self.sound.iter().flatten().map(|stretch| stretch.1).max();
        let (head_seconds, tail_seconds) = around(first.zip(end));
        let (digital_head_seconds, digital_tail_seconds) = around(self.digital);
        let silent = self.sound.iter().enumerate().filter(|(_, stretch)| stretch.is_none());
        let silent_channels = silent.map(|(channel, _)| channel as u32).collect();
        Silence { head_seconds, tail_seconds, digital_head_seconds, digital_tail_seconds, silent_channels }
    }
}

fn widen(stretch: &mut Stretch, frame: u64, samples: &[f32], counts: impl Fn(f32) -> bool) {
    let last = samples.iter().rposition(|x| counts(*x)).map(|at| frame + at as u64 + 1);
    let Some(last) = last else { return };
    let first = match *stretch {
        Some((first, _)) => first,
        None => frame + samples.iter().position(|x| counts(*x)).unwrap_or(0) as u64,
    };
    *stretch = Some((first, last.max(stretch.map_or(0, |known| known.1))));
}
