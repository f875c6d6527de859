//! What becomes of the gains that samples require.

use core::ops::Range;

use super::line::DelayLine;
use super::{CHUNK, hold_frames, latency_frames};
use crate::buffer::Buffer;
use crate::kernels::box_stack::BoxStack;
use crate::kernels::peak_detector::PeakDetector;
use crate::kernels::release::{Release, Speed};
use crate::kernels::sliding_max::SlidingMax;
use crate::kernels::sliding_min::SlidingMin;

/// The second part of a limiter: the gains that samples require, held, released and smoothed, and applied to the delayed sound.
#[derive(Debug, Clone)]
pub struct GainRider {
    latency: usize,
    history: usize,
    window: SlidingMin,
    hold: SlidingMax,
    release: Release,
    smoothing: BoxStack,
    lines: Vec<DelayLine>,
    gains: Vec<f64>,
    lowest_gain: f64,
}

impl GainRider {
    /// With the look-ahead and the release of a limiter.
    #[must_use]
    pub fn new(sample_rate_hz: u32, channels: usize, lookahead_frames: usize, release_ms: f64) -> Self {
        let hold = hold_frames(sample_rate_hz, lookahead_frames);
        let latency = latency_frames(sample_rate_hz, lookahead_frames);
        // As much as the detector of the demand still sees: at rest, it sees silence.
        let history = latency.max(2 * PeakDetector::reach()) + 1;
        Self {
            latency,
            history,
            window: SlidingMin::new(lookahead_frames + hold + 1),
            hold: SlidingMax::new(hold + 1),
            release: Release::new(Speed::new(sample_rate_hz, release_ms)),
            smoothing: BoxStack::new(lookahead_frames + 1),
            lines: vec![DelayLine::new(history, 0.0); channels],
            gains: vec![1.0; CHUNK],
            lowest_gain: 1.0,
        }
    }

    /// Frames by which the output lags what comes in.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.latency
    }

    /// The lowest gain applied so far, linear (1 when nothing was limited).
    #[must_use]
    pub fn lowest_gain(&self) -> f64 {
        self.lowest_gain
    }

    /// Whether the gain stands at 1 and the lines hold nothing but silence.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.is_idle() && self.lines.iter().all(|line| line.past(self.history).iter().all(|&x| x == 0.0))
    }

    /// Replaces these frames of a block by what comes out, given what [`super::Demand`] says of them, and the speed of the
    /// release for each where it changes.
    ///
    /// # Panics
    /// If there are not as many gains and speeds as frames.
    pub fn ride(&mut self, audio: &mut Buffer, frames: Range<usize>, required: &[f64], speeds: Option<&[Speed]>) {
        assert_eq!(required.len(), frames.len(), "there is one gain for each frame");
        for (chunk, start) in frames.step_by(CHUNK).enumerate() {
            let done = chunk * CHUNK;
            let count = CHUNK.min(required.len() - done);
            let gains = done..done + count;
            self.smooth(&required[gains.clone()], speeds.map(|speeds| &speeds[gains]));
            for (line, channel) in self.lines.iter_mut().zip(audio.iter_mut()) {
                let channel = &mut channel[start..start + count];
                line.take_in(channel);
                let delayed = line.past(self.latency + count);
                for ((to, &x), gain) in channel.iter_mut().zip(delayed).zip(&self.gains) {
                    *to = (f64::from(x) * gain) as f32;
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.window.is_at_rest() && self.hold.is_at_rest() && self.release.is_at_rest() && self.smoothing.is_at_rest()
    }

    /// Turns what frames require into the gains to apply.
    fn smooth(&mut self, required: &[f64], speeds: Option<&[Speed]>) {
        if self.is_idle() && required.iter().all(|&gain| gain >= 1.0) {
            self.gains.fill(1.0);
            return;
        }
        for (frame, (gain, &required)) in self.gains.iter_mut().zip(required).enumerate() {
            let held = self.hold.push(self.window.push(required));
            let released = match speeds {
                Some(speeds) => self.release.push_at(speeds[frame], held),
                None => self.release.push(held),
            };
            *gain = self.smoothing.push(released);
            self.lowest_gain = self.lowest_gain.min(*gain);
        }
    }

    /// Returns to the state of a new one.
    pub fn reset(&mut self) {
        self.window.reset();
        self.hold.reset();
        self.release.reset();
        self.smoothing.reset();
        self.lines.iter_mut().for_each(|line| line.reset(0.0));
        self.lowest_gain = 1.0;
    }
}
