//! The true-peak limiter.

mod demand;
mod line;
mod rider;

use super::peak_detector::PeakDetector;
use super::release::Speed;
use crate::buffer::Buffer;
use crate::units::frames_from_ms;

pub use demand::Demand;
pub use rider::GainRider;

/// Between peaks nearer to each other than this the gain stays down. Half a period of 33 Hz: it does not follow the waveform
/// of low notes, which would distort them.
const HOLD_MS: f64 = 15.0;
/// Frames limited at a time.
const CHUNK: usize = 512;

/// What a limiter must see of the future beyond its look-ahead, so that it knows a peak's successor.
fn hold_frames(sample_rate_hz: u32, lookahead_frames: usize) -> usize {
    frames_from_ms(HOLD_MS, sample_rate_hz).saturating_sub(lookahead_frames)
}

/// Frames by which a limiter with this look-ahead lags: the look-ahead, at least 15 ms, and what its detector must see
/// of the future.
#[must_use]
pub fn latency_frames(sample_rate_hz: u32, lookahead_frames: usize) -> usize {
    lookahead_frames + hold_frames(sample_rate_hz, lookahead_frames) + PeakDetector::reach()
}

/// A streaming look-ahead true-peak limiter, channels linked; the output lags by [`latency_frames`].
///
/// ```text
/// r[n] = min(1, C[n] / p[n])      p: true peaks near sample n, of any channel     detector
/// m[n] = min r[n − L − H … n]     L look-ahead, L + H at least 15 ms              sliding minimum
/// o[n] = max m[n − H … n]         a peak is held on to its successor, no longer   sliding maximum
/// e[n] = release(o[n]) ≤ o[n]                                                     two-stage release
/// g[n] = Σ h[k]·e[n − k]          h ≥ 0, Σh = 1, k from 0 to L                    box filters
/// y[n] = x[n − L − H]·g[n]
/// ```
/// Every minimum that enters `o[n]` is one over `r[n − L − H … n − H]` at least, and each e in the last sum answers for such a
/// window that contains n − L − H, so that `g[n]` ≤ `r[n − L − H]`: no sample exceeds the ceiling, and true peaks exceed it
/// by no more than the slope of the gain bends them. Minimum and maximum together fill the gaps between near peaks and
/// leave a lone peak as short as it is (a morphological opening). A gain of 1 changes no bit. Samples that are no finite
/// numbers count as silence.
///
/// It is two parts, one after the other, which may run on two threads: what the samples demand ([`Demand`], the first line), and
/// what rides the gain ([`GainRider`], all others).
pub struct LimiterKernel {
    demand: Demand,
    rider: GainRider,
    ceilings: Vec<f32>,
    required: Vec<f64>,
}

impl LimiterKernel {
    /// A limiter with its ceiling (linear), look-ahead and release: in how many ms the gain rises by 1.
    #[must_use]
    pub fn new(sample_rate_hz: u32, channels: usize, ceiling: f64, lookahead_frames: usize, release_ms: f64) -> Self {
        Self {
            demand: Demand::new(channels, ceiling),
            rider: GainRider::new(sample_rate_hz, channels, lookahead_frames, release_ms),
            ceilings: vec![ceiling as f32; CHUNK],
            required: vec![1.0; CHUNK],
        }
    }

    /// Frames by which the output lags.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.rider.latency_frames()
    }

    /// Limits a block in place.
    ///
    /// # Panics
    /// If the block has another number of channels than the limiter.
    pub fn process(&mut self, audio: &mut Buffer) {
        self.run(audio, None, None);
    }

    /// Limits a block in place under a ceiling of its own for each frame that comes in (linear; frame i of `ceiling` is for
    /// frame i of `audio` as it enters). To limit again where a reader still saw an over: there, lower the ceiling.
    ///
    /// # Panics
    /// If the block has another number of channels than the limiter, or `ceiling` another length than the block.
    pub fn process_with_ceiling(&mut self, audio: &mut Buffer, ceiling: &[f32]) {
        assert_eq!(ceiling.len(), audio.frames(), "there is one ceiling for each frame");
        self.run(audio, Some(ceiling), None);
    }

    /// The same with a release speed of its own for each frame that comes out.
    ///
    /// # Panics
    /// If `ceiling` or `speeds` has another length than the block.
    pub fn process_moving(&mut self, audio: &mut Buffer, ceiling: &[f32], speeds: &[Speed]) {
        assert!(
            ceiling.len() == audio.frames() && speeds.len() == audio.frames(),
            "there is one of each for each frame"
        );
        self.run(audio, Some(ceiling), Some(speeds));
    }

    /// The lowest gain applied so far, linear (1 when nothing was limited).
    #[must_use]
    pub fn lowest_gain(&self) -> f64 {
        self.rider.lowest_gain()
    }

    /// Whether the limiter stands at unity gain and its lines hold nothing but silence.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.rider.is_at_rest()
    }

    /// Returns to the state of a new limiter.
    pub fn reset(&mut self) {
        self.demand.reset();
        self.rider.reset();
    }

    fn run(&mut self, audio: &mut Buffer, ceilings: Option<&[f32]>, speeds: Option<&[Speed]>) {
        for start in (0..audio.frames()).step_by(CHUNK) {
            let frames = start..audio.frames().min(start + CHUNK);
            let ceilings = ceilings.map_or(&self.ceilings[..frames.len()], |ceilings| &ceilings[frames.clone()]);
            let required = &mut self.required[..frames.len()];
            self.demand.of(audio, frames.clone(), ceilings, required);
            self.rider.ride(audio, frames.clone(), required, speeds.map(|speeds| &speeds[frames]));
        }
    }
}
