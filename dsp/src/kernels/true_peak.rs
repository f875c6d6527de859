//! True-peak readers.

use super::interpolator::Interpolator;
use super::peak_bound::{Extents, greatest};
use crate::simd::{self, Kernel};

/// Samples taken in at a time.
const CHUNK: usize = 1024;
/// Intervals that are skipped together, and whose middles are read together.
const GROUP: usize = 16;
/// Where an interval holds the greatest peak M of a band-limited signal, its ends or its middle read at least M·cos(π/4):
/// no point lies farther than a quarter sample from one of them. The rest of 0.71 is for what the filters let through
/// above half the sample rate.
const NEAR: f32 = 0.65;

/// A streaming reader of the true peak of one channel. The sample rate does not matter: all filters are relative to it.
/// Samples that are no finite numbers count as silence.
///
/// The reading is the greatest over the whole stream, so that stretches which provably cannot hold it are not
/// interpolated. The same samples give the same reading however they are cut.
#[derive(Debug, Clone)]
pub struct TruePeakReader {
    banks: &'static [fn() -> &'static Interpolator],
    /// The latest samples: what the longest window reaches back, then up to [`CHUNK`] new ones.
    line: Vec<f32>,
    extents: Extents,
    history: usize,
    /// Samples read before those in the line.
    read: u64,
    peak: f32,
    /// The sample before the place of `peak`.
    peak_frame: u64,
    /// The greatest of what [`TruePeakReader::take_peak`] has given.
    taken: f32,
}

impl TruePeakReader {
    /// The accurate reader, for reports: within +0.02 and −0.05 dB up to 0.45 of the sample rate.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&[Interpolator::accurate])
    }

    /// The most pessimistic reader, for holding a ceiling: the greatest reading of the accurate one, a long sinc at 4
    /// points a sample, the filter printed in BS.1770-5 Annex 2, the 49-tap Hann sinc that common meters use, and the
    /// 32-tap Kaiser sinc of ffmpeg's.
    #[must_use]
    pub fn strict() -> Self {
        Self::of(&[Interpolator::common, Interpolator::short, Interpolator::accurate, Interpolator::long])
    }

    fn of(banks: &'static [fn() -> &'static Interpolator]) -> Self {
        let reach = banks.iter().map(|bank| bank().reach()).fold(0, usize::max);
        let history = 2 * reach;
        Self {
            banks,
            line: vec![0.0; history + CHUNK],
            extents: Extents::with_capacity(history + CHUNK),
            history,
            read: 0,
            peak: 0.0,
            peak_frame: 0,
            taken: 0.0,
        }
    }

    /// Reads on.
    pub fn push(&mut self, samples: &[f32]) {
        for chunk in samples.chunks(CHUNK) {
            let end = self.history + chunk.len();
            let fresh = &mut self.line[self.history..end];
            simd::run(TakeIn { samples: chunk, line: fresh });
            let sample_peak = greatest(fresh);
            if sample_peak > self.peak {
                self.peak = sample_peak;
                let place = fresh.iter().position(|x| x.abs() == sample_peak);
                self.peak_frame = self.read + place.unwrap_or(0) as u64;
            }
            self.extents.measure(&self.line[..end]);
            for bank in self.banks {
                self.read(bank(), chunk.len());
            }
            self.line.copy_within(end - self.history..end, 0);
            self.read += chunk.len() as u64;
        }
    }

    /// Reads the intervals that the latest `count` samples complete.
    fn read(&mut self, bank: &Interpolator, count: usize) {
        let width = 2 * bank.reach();
        // The first window ends with the first new sample.
        let mut start = self.history + 1 - width;
        let end = start + count;
        // Where in the line the peak was found, if it was.
        let mut found = None;
        while start < end {
            let intervals = GROUP.min(end - start);
            let samples = &self.line[start..start + intervals + width - 1];
            let extent = self.extents.of(start, start + samples.len());
            let ends = &samples[bank.reach() - 1..bank.reach() + intervals];
            if bank.bound().at_most(greatest(ends), extent) > self.peak {
                let mut middles = [0.0; GROUP];
                let has_middles = bank.middles(samples, &mut middles[..intervals]);
                for (interval, (window, middle)) in samples.windows(width).zip(middles).enumerate() {
                    let ends = window[bank.reach() - 1].abs().max(window[bank.reach()].abs());
                    let hopeful = bank.bound().at_most(ends, extent) > self.peak;
                    if hopeful && (!has_middles || middle.abs().max(ends) > NEAR * self.peak) {
                        let peak = bank.peak(window);
                        if peak > self.peak {
                            (self.peak, found) = (peak, Some(start + interval + bank.reach() - 1));
                        }
                    }
                }
            }
            start += intervals;
        }
        if let Some(place) = found {
            self.peak_frame = (self.read + place as u64).saturating_sub(self.history as u64);
        }
    }

    /// The sample, counted from the first, at or right before the greatest magnitude read since the last take.
    #[must_use]
    pub fn peak_frame(&self) -> u64 {
        self.peak_frame
    }

    /// Forgets what was read so far; the next reading is exact again.
    pub fn forget(&mut self) {
        (self.peak, self.taken) = (0.0, 0.0);
    }

    /// The greatest magnitude read since the last take, and starts anew: to find where a limit is passed. Exact where it
    /// lies above `limit` or above everything before; elsewhere it is some value up to the smaller of the two.
    pub fn take_peak(&mut self, limit: f64) -> f64 {
        let peak = self.peak;
        self.taken = self.taken.max(peak);
        self.peak = self.taken.min(limit as f32);
        f64::from(peak)
    }

    /// Flushes the interpolators and gives the greatest magnitude read so far, linear, by any reader.
    pub fn finish(&mut self) -> f64 {
        let silence = [0.0; Interpolator::LANES];
        let mut left = self.history;
        while left > 0 {
            let count = left.min(silence.len());
            self.push(&silence[..count]);
            left -= count;
        }
        f64::from(self.peak.max(self.taken))
    }
}

impl Default for TruePeakReader {
    fn default() -> Self {
        Self::new()
    }
}

/// Copies samples, those left out that are no finite numbers.
struct TakeIn<'a> {
    samples: &'a [f32],
    line: &'a mut [f32],
}

impl Kernel for TakeIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (kept, &x) in self.line.iter_mut().zip(self.samples) {
            *kept = if x.is_finite() { x } else { 0.0 };
        }
    }
}
