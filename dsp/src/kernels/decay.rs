//! How fast sound decays, octave by octave.
//!
//! *Reference*: ISO 3382-1:2009 for decay measured from −5 to −35 dB in octave bands.

use crate::math;
use crate::units::db_from_power;

/// Octave bands of a decay.
pub const OCTAVES: usize = 8;

/// Their centres in Hz.
pub const OCTAVES_HZ: [f64; OCTAVES] = [62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0];

/// The time in which sound falls by 60 dB, over frequency: straight in log T over log f from octave to octave and
/// half an octave beyond, level from there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decay {
    /// log2 of the seconds at each octave's centre.
    log_s: [f64; OCTAVES],
}

impl Decay {
    /// The decay that takes so many seconds at each octave's centre.
    #[must_use]
    pub fn through(seconds: &[f64; OCTAVES]) -> Self {
        Self { log_s: seconds.map(math::log2) }
    }

    /// The decay that, measured in octave bands from −5 to −35 dB, takes the seconds `asked`. Within a band the longest
    /// decays last, so where neighbours differ the curve must lie below what is measured.
    #[must_use]
    pub fn measured_as(asked: &[f64; OCTAVES]) -> Self {
        /// How far the curve may leave what is asked, as a factor in log2.
        const REACH: f64 = 0.5;
        let mut decay = Self::through(asked);
        for _ in 0..8 {
            let measured: [f64; OCTAVES] = core::array::from_fn(|octave| decay.measured_s(octave));
            for octave in 0..OCTAVES {
                let wanted = math::log2(asked[octave]);
                let corrected = decay.log_s[octave] + (wanted - math::log2(measured[octave]));
                decay.log_s[octave] = corrected.clamp(wanted - REACH, wanted + REACH);
            }
        }
        decay
    }

    /// Seconds at a frequency.
    #[must_use]
    pub fn at(&self, hz: f64) -> f64 {
        let place = (math::log2(hz / OCTAVES_HZ[0])).clamp(-0.5, OCTAVES as f64 - 0.5);
        let below = (place.max(0.0) as usize).min(OCTAVES - 2);
        let t = place - below as f64;
        math::exp2(self.log_s[below] + t * (self.log_s[below + 1] - self.log_s[below]))
    }

    /// The longest decay at any frequency, in seconds.
    #[must_use]
    pub fn longest_s(&self) -> f64 {
        math::exp2(self.log_s.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }

    /// What a measurement in an octave band finds, for sound that starts out white.
    fn measured_s(&self, octave: usize) -> f64 {
        const POINTS: usize = 24;
        // Equal steps in frequency, half an octave to both sides.
        let (low, high) = (OCTAVES_HZ[octave] * 0.5f64.sqrt(), OCTAVES_HZ[octave] * 2f64.sqrt());
        let rates: [f64; POINTS] = core::array::from_fn(|point| {
            let hz = low + (high - low) * (point as f64 + 0.5) / POINTS as f64;
            6.0 * core::f64::consts::LN_10 / self.at(hz)
        });
        // The integral of the energy that is still to come, backwards in time.
        let left = |seconds: f64| rates.iter().map(|rate| math::exp(-rate * seconds) / rate).sum::<f64>();
        let whole = left(0.0);
        let time_of = |db: f64| {
            let (mut early, mut late) = (0.0, 100.0);
            for _ in 0..40 {
                let middle = 0.5 * (early + late);
                if db_from_power(left(middle) / whole) > db { early = middle } else { late = middle }
            }
            0.5 * (early + late)
        };
        2.0 * (time_of(-35.0) - time_of(-5.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_measures_in_octaves_as_asked() {
        let asked = [2.6, 2.5, 2.3, 2.1, 2.0, 1.8, 1.3, 0.8];
        let decay = Decay::measured_as(&asked);
        for (octave, asked) in asked.iter().enumerate() {
            let measured = decay.measured_s(octave);
            assert!((measured / asked - 1.0).abs() < 0.01, "octave {octave}: {measured} for {asked}");
        }
    }
}
