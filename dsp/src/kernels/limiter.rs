//! The true-peak limiter.

use super::box_stack::BoxStack;
use super::peak_detector::PeakDetector;
use super::release::{Release, Speed};
use super::sliding_max::SlidingMax;
use super::sliding_min::SlidingMin;
use crate::buffer::Buffer;
use crate::units::frames_from_ms;

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
pub struct LimiterKernel {
    ceiling: f64,
    latency: usize,
    detector: PeakDetector,
    window: SlidingMin,
    hold: SlidingMax,
    release: Release,
    smoothing: BoxStack,
    lines: Vec<DelayLine>,
    ceilings: DelayLine,
    required: Vec<f64>,
    lowest_gain: f64,
}

impl LimiterKernel {
    /// A limiter with its ceiling (linear), look-ahead and release: in how many ms the gain rises by 1.
    #[must_use]
    pub fn new(sample_rate_hz: u32, channels: usize, ceiling: f64, lookahead_frames: usize, release_ms: f64) -> Self {
        let hold = hold_frames(sample_rate_hz, lookahead_frames);
        let latency = latency_frames(sample_rate_hz, lookahead_frames);
        let history = latency.max(2 * PeakDetector::reach()) + 1;
        Self {
            ceiling,
            latency,
            detector: PeakDetector::new(CHUNK),
            window: SlidingMin::new(lookahead_frames + hold + 1),
            hold: SlidingMax::new(hold + 1),
            release: Release::new(Speed::new(sample_rate_hz, release_ms)),
            smoothing: BoxStack::new(lookahead_frames + 1),
            lines: vec![DelayLine::new(history, 0.0); channels],
            ceilings: DelayLine::new(history, ceiling as f32),
            required: vec![1.0; CHUNK],
            lowest_gain: 1.0,
        }
    }

    /// Frames by which the output lags.
    #[must_use]
    pub fn latency_frames(&self) -> usize {
        self.latency
    }

    /// Limits a block in place.
    ///
    /// # Panics
    /// If the block has another number of channels than the limiter.
    pub fn process(&mut self, audio: &mut Buffer) {
        let ceiling = self.ceiling as f32;
        self.run(audio, |ceilings, _| ceilings.fill(ceiling), None);
    }

    /// Limits a block in place under a ceiling of its own for each frame that comes in (linear; frame i of `ceiling` is for
    /// frame i of `audio` as it enters). To limit again where a reader still saw an over: there, lower the ceiling.
    ///
    /// # Panics
    /// If the block has another number of channels than the limiter, or `ceiling` another length than the block.
    pub fn process_with_ceiling(&mut self, audio: &mut Buffer, ceiling: &[f32]) {
        assert_eq!(ceiling.len(), audio.frames(), "there is one ceiling for each frame");
        self.run(audio, |ceilings, start| ceilings.copy_from_slice(&ceiling[start..start + ceilings.len()]), None);
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
        let ceilings = |ceilings: &mut [f32], start: usize| {
            ceilings.copy_from_slice(&ceiling[start..start + ceilings.len()]);
        };
        self.run(audio, ceilings, Some(speeds));
    }

    /// The lowest gain applied so far, linear (1 when nothing was limited).
    #[must_use]
    pub fn lowest_gain(&self) -> f64 {
        self.lowest_gain
    }

    /// Whether the limiter stands at unity gain and its lines hold nothing but silence.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.is_idle() && self.lines.iter().all(|line| line.past(line.history).iter().all(|&x| x == 0.0))
    }

    /// Returns to the state of a new limiter.
    pub fn reset(&mut self) {
        self.detector.reset();
        self.window.reset();
        self.hold.reset();
        self.release.reset();
        self.smoothing.reset();
        self.lines.iter_mut().for_each(|line| line.reset(0.0));
        self.ceilings.reset(self.ceiling as f32);
        self.lowest_gain = 1.0;
    }

    fn is_idle(&self) -> bool {
        self.window.is_at_rest() && self.hold.is_at_rest() && self.release.is_at_rest() && self.smoothing.is_at_rest()
    }

    fn run(&mut self, audio: &mut Buffer, ceilings: impl Fn(&mut [f32], usize), speeds: Option<&[Speed]>) {
        assert_eq!(audio.channel_count(), self.lines.len(), "a limiter is fed blocks of its own channel count");
        let mut start = 0;
        while start < audio.frames() {
            let count = CHUNK.min(audio.frames() - start);
            for (line, channel) in self.lines.iter_mut().zip(audio.iter()) {
                let fresh = line.extend(count);
                for (to, &x) in fresh.iter_mut().zip(&channel[start..start + count]) {
                    *to = if x.is_finite() { x } else { 0.0 };
                }
            }
            ceilings(self.ceilings.extend(count), start);
            self.limit(count, speeds.map(|speeds| &speeds[start..start + count]));
            let gains = &self.required[..count];
            let lag = self.latency_frames() + count;
            for (line, channel) in self.lines.iter().zip(audio.iter_mut()) {
                let delayed = line.past(lag).iter();
                for ((to, &x), gain) in channel[start..start + count].iter_mut().zip(delayed).zip(gains) {
                    *to = (f64::from(x) * gain) as f32;
                }
            }
            start += count;
        }
    }

    /// Turns what the latest `count` frames require into the gains to apply, in `required`.
    fn limit(&mut self, count: usize, speeds: Option<&[Speed]>) {
        let width = 2 * PeakDetector::reach();
        // The windows of `count` intervals, the last of which ends with the newest sample.
        let channels = self.lines.iter().map(|line| line.past(count + width - 1));
        let ceilings = &self.ceilings.past(count + PeakDetector::reach())[..count + 1];
        let limiting = self.detector.required_gain(channels, ceilings, &mut self.required[..count]);
        if !limiting && self.is_idle() {
            return;
        }
        for (frame, gain) in self.required[..count].iter_mut().enumerate() {
            let held = self.hold.push(self.window.push(*gain));
            let released = match speeds {
                Some(speeds) => self.release.push_at(speeds[frame], held),
                None => self.release.push(held),
            };
            *gain = self.smoothing.push(released);
            self.lowest_gain = self.lowest_gain.min(*gain);
        }
    }
}

/// The latest values of a stream in one piece: at least `history` of the past, then the newest.
#[derive(Debug, Clone)]
struct DelayLine {
    values: Vec<f32>,
    history: usize,
    end: usize,
}

impl DelayLine {
    fn new(history: usize, filled_with: f32) -> Self {
        // Room for several chunks between two moves to the front.
        Self { values: vec![filled_with; 2 * history + 4 * CHUNK], history, end: history }
    }

    /// Makes room for `count` values, at most [`CHUNK`], to be written.
    fn extend(&mut self, count: usize) -> &mut [f32] {
        if self.end + count > self.values.len() {
            self.values.copy_within(self.end - self.history..self.end, 0);
            self.end = self.history;
        }
        self.end += count;
        &mut self.values[self.end - count..self.end]
    }

    /// The newest `count` values, in time order.
    fn past(&self, count: usize) -> &[f32] {
        &self.values[self.end - count..self.end]
    }

    fn reset(&mut self, filled_with: f32) {
        self.values.fill(filled_with);
        self.end = self.history;
    }
}
