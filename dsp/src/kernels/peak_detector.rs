//! What a limiter must do to each sample: the true peaks near it against the ceiling.

use super::interpolator::Interpolator;

/// Intervals that are skipped or read together.
const GROUP: usize = 32;
/// An interval is read in full when its ends or its middle reach this share of the ceiling. About the greatest peak of a
/// band-limited signal they reach at least cos(π/4) = 0.71 of it; the rest is for lesser peaks beside greater ones.
const NEAR: f32 = 0.6;
/// An interval that reads this share of the ceiling by the cheap filters is read by the long ones as well, which hear more
/// just below half the sample rate.
const CLOSE: f32 = 0.85;
/// The share of the ceiling that is aimed at: the rounding of the filters' sums and of the output stays within the rest.
const AIM: f64 = 1.0 - 1.0 / 524_288.0;

/// A detector over linked channels. It reads what [`super::true_peak::TruePeakReader::strict`] reads. What it says of a sample depends on that sample's surroundings alone, however the stream is cut.
#[derive(Debug, Clone)]
pub struct PeakDetector {
    middles: Vec<f32>,
    /// The peak near each sample; the last entry is carried into the next call.
    peaks: Vec<f32>,
    carried: f32,
}

impl PeakDetector {
    /// A detector for up to `max_frames` at a time.
    #[must_use]
    pub fn new(max_frames: usize) -> Self {
        Self { middles: vec![0.0; GROUP], peaks: vec![0.0; max_frames + 1], carried: 0.0 }
    }

    /// Samples that the window of an interval takes on either side.
    #[must_use]
    pub fn reach() -> usize {
        Interpolator::long().reach()
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.carried = 0.0;
    }

    /// Writes the gain that each sample needs, at most 1, and tells whether any needs less than 1.
    ///
    /// Sample i is the one before the interval of window i. Each channel holds the windows of all samples, overlapping:
    /// `required.len() + 2·reach − 1` values. `ceilings` has an entry for each sample, and one for the sample after.
    /// A peak between two samples is charged to both.
    pub fn required_gain<'a>(
        &mut self,
        channels: impl Iterator<Item = &'a [f32]>,
        ceilings: &[f32],
        required: &mut [f64],
    ) -> bool {
        let count = required.len();
        let peaks = &mut self.peaks[..count + 1];
        peaks[0] = self.carried;
        peaks[1..].fill(0.0);
        for channel in channels {
            charge(channel, ceilings, peaks, &mut self.middles);
        }
        self.carried = peaks[count];
        let mut limiting = false;
        for ((gain, &peak), &ceiling) in required.iter_mut().zip(peaks.iter()).zip(ceilings) {
            let over = peak > ceiling;
            *gain = if over { f64::from(ceiling) / f64::from(peak) * AIM } else { 1.0 };
            limiting |= over;
        }
        limiting
    }
}

/// Raises `peaks` to those of one channel. Peaks that stay below the ceiling may be left out.
fn charge(channel: &[f32], ceilings: &[f32], peaks: &mut [f32], middles: &mut [f32]) {
    let bank = Interpolator::detection();
    let others = [Interpolator::common(), Interpolator::accurate(), Interpolator::long()];
    let bound = others.iter().map(|bank| bank.bound()).fold(bank.bound(), f32::max);
    let (reach, width) = (PeakDetector::reach(), 2 * PeakDetector::reach());
    let inner = |bank: &Interpolator| reach - bank.reach()..reach + bank.reach();
    let count = peaks.len() - 1;
    let mut start = 0;
    while start < count {
        let end = count.min(start + GROUP);
        let samples = &channel[start..end + width - 1];
        let lowest = ceilings[start..=end].iter().copied().fold(f32::INFINITY, f32::min);
        let greatest = samples.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
        if greatest * bound > lowest {
            let middles = &mut middles[..end - start];
            bank.middles(&samples[inner(bank).start..], middles);
            for (index, (window, middle)) in samples.windows(width).zip(middles).enumerate() {
                let at = start + index;
                let ceiling = ceilings[at].min(ceilings[at + 1]);
                let near = middle.abs().max(window[reach - 1].abs()).max(window[reach].abs());
                if near <= NEAR * ceiling {
                    continue;
                }
                let mut peak = near.max(bank.peak(&window[inner(bank)]));
                if peak > CLOSE * ceiling {
                    peak = others.iter().map(|bank| bank.peak(&window[inner(bank)])).fold(peak, f32::max);
                }
                peaks[at] = peaks[at].max(peak);
                peaks[at + 1] = peaks[at + 1].max(peak);
            }
        }
        start = end;
    }
}
