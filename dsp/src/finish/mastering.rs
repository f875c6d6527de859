//! Gain and limiter of the finish, as two legs: what drives the limiter and what it demands, and what it does.

use super::chain::Block;
use super::{LOOKAHEAD_MS, RELEASE_MS};
use crate::kernels::limiter::{Demand, GainRider};
use crate::quality::WINDOW_FRAMES;
use crate::units::frames_from_ms;

/// The limiter's ceiling over time: one linear value, lowered in windows where a reader saw an over.
#[derive(Debug, Clone)]
pub(super) struct Ceiling {
    linear: f64,
    /// Per window of [`WINDOW_FRAMES`] output frames.
    factors: Vec<f64>,
}

impl Ceiling {
    pub(super) fn new(linear: f64, frames: u64) -> Self {
        let windows = frames.div_ceil(WINDOW_FRAMES as u64) as usize;
        Self { linear, factors: vec![1.0; windows] }
    }

    /// Lowers the ceiling by `factor` (below 1) in a window and its neighbours: a reader sees a peak up to its own length
    /// late, and the gain moves before it.
    pub(super) fn lower(&mut self, window: usize, factor: f64) {
        let first = window.saturating_sub(1);
        let last = (window + 1).min(self.factors.len().saturating_sub(1));
        for lowered in self.factors.iter_mut().take(last + 1).skip(first) {
            *lowered *= factor;
        }
    }

    fn fill(&self, from_frame: u64, frames: usize, out: &mut Vec<f32>) {
        out.clear();
        out.extend((from_frame..from_frame + frames as u64).map(|frame| {
            let factor = self.factors.get(frame as usize / WINDOW_FRAMES).copied().unwrap_or(1.0);
            (self.linear * factor) as f32
        }));
    }
}

/// Gain and limiter.
pub(super) struct Mastering {
    pub drive: Drive,
    pub ride: Ride,
}

/// The first leg: gain into the limiter, and what it then demands.
pub(super) struct Drive {
    gain: f64,
    demand: Demand,
    ceiling: Ceiling,
    ceilings: Vec<f32>,
    /// Frames that went into the limiter.
    position: u64,
}

/// The second leg: the limiter's gain, and a trim behind it.
pub(super) struct Ride {
    rider: GainRider,
    /// Frames of the limiter's latency still to be dropped from its output.
    skip: usize,
    trim: f32,
}

impl Mastering {
    /// A linear gain into the limiter and one behind it.
    pub(super) fn new(gain: f64, ceiling: Ceiling, trim: f64, sample_rate_hz: u32, channels: usize) -> Self {
        let lookahead = frames_from_ms(LOOKAHEAD_MS, sample_rate_hz);
        let rider = GainRider::new(sample_rate_hz, channels, lookahead, RELEASE_MS);
        let demand = Demand::new(channels, ceiling.linear);
        Self {
            ride: Ride { skip: rider.latency_frames(), rider, trim: trim as f32 },
            drive: Drive { gain, demand, ceiling, ceilings: Vec::new(), position: 0 },
        }
    }

    /// Frames of silence that push out everything.
    pub(super) fn latency_frames(&self) -> usize {
        self.ride.rider.latency_frames()
    }

    /// The lowest gain so far, linear.
    pub(super) fn lowest_gain(&self) -> f64 {
        self.ride.rider.lowest_gain()
    }
}

impl Drive {
    pub(super) fn process(&mut self, block: &mut Block) {
        let frames = block.audio.frames();
        for sample in block.audio.iter_mut().flatten() {
            *sample = (f64::from(*sample) * self.gain) as f32;
        }
        self.ceiling.fill(self.position, frames, &mut self.ceilings);
        block.required.resize(frames, 1.0);
        self.demand.of(&block.audio, 0..frames, &self.ceilings, &mut block.required);
        self.position += frames as u64;
    }
}

impl Ride {
    /// Leaves what comes out of the limiter: nothing until its latency has passed.
    pub(super) fn process(&mut self, block: &mut Block) {
        let frames = block.audio.frames();
        self.rider.ride(&mut block.audio, 0..frames, &block.required, None);
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        for channel in block.audio.iter_mut() {
            if skipped > 0 {
                channel.copy_within(skipped.., 0);
            }
            channel.iter_mut().for_each(|sample| *sample *= self.trim);
        }
        block.audio.set_frames(frames - skipped);
    }
}
