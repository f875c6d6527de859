//! ReplayGain 2.0: at what gain a player should play a track.

use crate::loudness::Measurement;
use crate::units::gain_from_db;

/// The loudness that ReplayGain 2.0 plays everything at.
const REFERENCE_LUFS: f64 = -18.0;
/// The loudness that RFC 7845 §5.2.1 plays everything at.
const OPUS_REFERENCE_LUFS: f64 = -23.0;

/// The gain of a track and its peak. The album's gain is not known here: other tracks belong to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplayGain {
    /// gain = −18 LUFS − L, in dB, where L is the integrated loudness by ITU-R BS.1770 (ReplayGain 2.0 specification).
    pub gain_db: f64,
    /// The greatest true peak, linear: what a player must know to not clip between samples either.
    pub peak: f64,
}

impl ReplayGain {
    /// What takes most room as text.
    pub const WIDEST: Self = Self { gain_db: -100.0, peak: 100.0 };

    /// The gain of what was measured; `None` of silence.
    #[must_use]
    pub fn of(measured: &Measurement) -> Option<Self> {
        let peak_db = measured.true_peak_dbtp.or(measured.sample_peak_dbfs)?;
        Some(Self { gain_db: REFERENCE_LUFS - measured.integrated_lufs?, peak: gain_from_db(peak_db) })
    }

    /// `-7.89 dB`, as REPLAYGAIN_TRACK_GAIN has it.
    #[must_use]
    pub fn gain_text(&self) -> String {
        // Added to 0, so that a hair below it does not read -0.00.
        format!("{:.2} dB", 0.0 + (self.gain_db * 100.0).round() / 100.0)
    }

    /// `0.891251`, as REPLAYGAIN_TRACK_PEAK has it.
    #[must_use]
    pub fn peak_text(&self) -> String {
        format!("{:.6}", self.peak)
    }

    /// R128_TRACK_GAIN of Opus: −23 LUFS − L, in 256ths of a dB.
    #[must_use]
    pub fn r128(&self) -> i16 {
        ((self.gain_db + OPUS_REFERENCE_LUFS - REFERENCE_LUFS) * 256.0).round() as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(integrated_lufs: Option<f64>) -> Measurement {
        Measurement {
            frames: 48_000,
            sample_rate_hz: 48_000,
            channels: 2,
            duration_seconds: 1.0,
            integrated_lufs,
            loudness_range_lu: None,
            momentary_max_lufs: None,
            short_term_max_lufs: None,
            true_peak_dbtp: Some(-1.0),
            sample_peak_dbfs: Some(-1.2),
        }
    }

    #[test]
    fn a_master_at_minus_14_is_turned_down_by_4_db_and_by_9_in_opus() {
        let gain = ReplayGain::of(&measured(Some(-14.0))).unwrap();
        assert_eq!((gain.gain_text().as_str(), gain.peak_text().as_str()), ("-4.00 dB", "0.891251"));
        assert_eq!(gain.r128(), -9 * 256);
        assert_eq!(ReplayGain::of(&measured(None)), None);
    }

    #[test]
    fn no_text_is_wider_than_the_widest() {
        for (lufs, peak_db) in [(-5.0, 30.0), (-70.0, -90.0), (-18.004, 0.0), (40.0, 39.0)] {
            let gain = ReplayGain::of(&Measurement { true_peak_dbtp: Some(peak_db), ..measured(Some(lufs)) }).unwrap();
            assert!(gain.gain_text().len() <= ReplayGain::WIDEST.gain_text().len(), "{}", gain.gain_text());
            assert!(gain.peak_text().len() <= ReplayGain::WIDEST.peak_text().len(), "{}", gain.peak_text());
        }
    }
}
