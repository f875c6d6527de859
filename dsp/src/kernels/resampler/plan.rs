//! What a ratio is converted with in blocks: their lengths, transforms and gains.

use core::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::filter::Filter;
use super::ratio;
use crate::kernels::fft::{RealFft, Spectrum};

/// Blocks are at least this many times as long as what is left out at one of their ends.
const BLOCK_PER_LEAD: usize = 16;
/// Longer transforms would leave the caches.
const MAX_FRAMES: usize = 1 << 16;
/// Plans kept for the next converter of the same ratio.
const MEMO_PLANS: usize = 8;

/// Plans made before, a memo of a pure function: a session opens a converter per clip.
static MEMO: Mutex<Vec<Arc<Plan>>> = Mutex::new(Vec::new());

/// What a ratio is converted with.
#[derive(Debug)]
pub(super) struct Plan {
    /// Output frames per `down` input frames.
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) forward: RealFft,
    pub(super) inverse: RealFft,
    /// Of the bins below half the lower rate.
    pub(super) gains: Vec<f64>,
    /// Frames left out at either end, of the input and of the output.
    pub(super) lead: [usize; 2],
    /// How many frames the filter reaches to either side, of the input.
    pub(super) reach: usize,
}

impl Plan {
    /// The plan between two rates; `None` where a prime above 7 divides one of the terms of their ratio, or a term is so great
    /// that blocks would be too long.
    pub(super) fn of(from_hz: u32, to_hz: u32) -> Option<Arc<Self>> {
        let (up, down) = ratio(from_hz, to_hz);
        let mut memo = MEMO.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = match memo.iter().position(|plan| plan.up == up && plan.down == down) {
            Some(index) => memo.remove(index),
            None => Arc::new(Self::new(up, down)?),
        };
        memo.insert(0, Arc::clone(&plan));
        memo.truncate(MEMO_PLANS);
        Some(plan)
    }

    fn new(up: u64, down: u64) -> Option<Self> {
        let small = |term: u64| (term as usize <= MAX_FRAMES).then_some(term as usize).filter(|term| is_smooth(*term));
        let (frames_up, frames_down) = (small(up)?, small(down)?);
        let higher = frames_up.max(frames_down);
        let reach = Filter::new((down as f64 / up as f64).max(1.0)).half.ceil() as usize;
        let periods = reach.div_ceil(frames_down);
        // The transforms take multiples of 8.
        let count = (BLOCK_PER_LEAD * periods).next_multiple_of(8);
        let count = (count..).step_by(8).find(|count| is_smooth(*count)).expect("because powers of two are smooth");
        if count * higher > MAX_FRAMES {
            return None;
        }
        let (forward, inverse) = (RealFft::new(count * frames_down), RealFft::new(count * frames_up));
        let gains = gains(if up < down { &forward } else { &inverse }, count * frames_up.min(frames_down));
        let scale = up as f64 / down as f64;
        Some(Self {
            up,
            down,
            forward,
            inverse,
            gains: gains.into_iter().map(|gain| gain * scale).collect(),
            lead: [periods * frames_down, periods * frames_up],
            reach,
        })
    }

    /// By how many frames a block begins after the last, of the input and of the output.
    pub(super) fn hop(&self) -> [usize; 2] {
        [self.forward.frames() - 2 * self.lead[0], self.inverse.frames() - 2 * self.lead[1]]
    }

    /// The frames of the output that are made of these of a block alone.
    pub(super) fn made_of(&self, input: &Range<usize>) -> Range<usize> {
        let [lead, _] = self.lead;
        let (up, down) = (self.up as usize, self.down as usize);
        // The filter is 0 where it ends, so that the last frame before and the first one after may sound.
        let start = ((input.start + self.reach).saturating_sub(lead + 1) * up).div_ceil(down);
        let end = input.end.checked_sub(self.reach + lead).map_or(0, |end| end * up / down + 1);
        start..end.min(self.hop()[1])
    }
}

/// Whether no prime above 7 divides it.
fn is_smooth(mut number: usize) -> bool {
    for prime in [2, 3, 5, 7] {
        while number.is_multiple_of(prime) {
            number /= prime;
        }
    }
    number == 1
}

/// What the filter lets through in each bin below half of `lower` of the transform at the higher rate; 1 in the first.
fn gains(fft: &RealFft, lower: usize) -> Vec<f64> {
    let frames = fft.frames();
    let filter = Filter::new(frames as f64 / lower as f64);
    let mut taps = vec![0.0; frames];
    for at in 0..=filter.half as usize {
        let tap = filter.tap(at as f64);
        taps[at] = tap;
        taps[(frames - at) % frames] = tap;
    }
    let mut spectrum = Spectrum::silent(lower / 2);
    fft.forward(&taps, &mut spectrum, &mut fft.work());
    let first = spectrum.re[0];
    spectrum.re.into_iter().map(|gain| gain / first).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const RATES_HZ: [u32; 9] = [8_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

    /// Every two different rates of audio.
    pub(in super::super) fn pairs() -> impl Iterator<Item = (u32, u32)> {
        let others = |from_hz| RATES_HZ.into_iter().filter(move |to_hz| *to_hz != from_hz);
        RATES_HZ.into_iter().flat_map(move |from_hz| others(from_hz).map(move |to_hz| (from_hz, to_hz)))
    }

    #[test]
    fn rates_of_audio_are_converted_in_blocks_and_others_by_sums() {
        for (from_hz, to_hz) in pairs() {
            let plan = Plan::of(from_hz, to_hz).expect("small factors");
            assert!(plan.forward.frames().max(plan.inverse.frames()) <= MAX_FRAMES, "{from_hz} to {to_hz} Hz");
        }
        for (from_hz, to_hz) in [(44_101, 48_000), (44_056, 44_100), (48_000, 47_952), (1, 384_000)] {
            assert!(Plan::of(from_hz, to_hz).is_none(), "{from_hz} to {to_hz} Hz");
        }
    }
}
