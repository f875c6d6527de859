//! The gain of clips and of delivered files: their own, and their fades.

use crate::math;
use crate::session::document::FadeCurve;
use crate::session::valid::Clip;
use crate::units::gain_from_db;

/// The gain of a clip, or of a delivered file, over its frames, which count from its start.
#[derive(Debug, Clone, Copy)]
pub struct ClipGain {
    gain: f64,
    length: u64,
    fade_in: Option<(u64, FadeCurve)>,
    fade_out: Option<(u64, FadeCurve)>,
}

impl ClipGain {
    /// The gain of `clip`.
    #[must_use]
    pub fn new(clip: &Clip) -> Self {
        Self { gain: gain_from_db(clip.gain_db), ..Self::fades(clip.length_frames, clip.fade_in, clip.fade_out) }
    }

    /// Fades at both ends of `length` frames and no other gain; none lasts longer than the whole.
    #[must_use]
    pub fn fades(length: u64, fade_in: Option<(u64, FadeCurve)>, fade_out: Option<(u64, FadeCurve)>) -> Self {
        let fade = |fade: Option<(u64, FadeCurve)>| {
            fade.map(|(frames, curve)| (frames.min(length), curve)).filter(|(frames, _)| *frames > 0)
        };
        Self { gain: 1.0, length, fade_in: fade(fade_in), fade_out: fade(fade_out) }
    }

    /// The one gain of all of `frames` frames from `frame` on, if they lie outside both fades.
    #[must_use]
    pub fn constant_over(&self, frame: u64, frames: u64) -> Option<f64> {
        let after_fade_in = self.fade_in.is_none_or(|(length, _)| frame >= length);
        let before_fade_out = self.fade_out.is_none_or(|(length, _)| frame + frames <= self.length - length);
        (after_fade_in && before_fade_out).then_some(self.gain)
    }

    /// The gain at a frame. A fade's t is taken in the middle of the frame, so that a fade-out is exactly the mirror image of a
    /// fade-in and two linear ones over the same frames sum to 1.
    #[must_use]
    pub fn at(&self, frame: u64) -> f64 {
        let mut gain = self.gain;
        if let Some((length, curve)) = self.fade_in.filter(|(length, _)| frame < *length) {
            gain *= fade(curve, (frame as f64 + 0.5) / length as f64);
        }
        let left = self.length - frame;
        if let Some((length, curve)) = self.fade_out.filter(|(length, _)| left <= *length) {
            gain *= fade(curve, (left as f64 - 0.5) / length as f64);
        }
        gain
    }
}

/// The gain of a fade-in at t = 0…1.
fn fade(curve: FadeCurve, t: f64) -> f64 {
    use core::f64::consts::{FRAC_PI_2, PI};
    match curve {
        FadeCurve::Linear => t,
        FadeCurve::EqualPower => math::sin(t * FRAC_PI_2),
        FadeCurve::SCurve => (1.0 - math::cos(t * PI)) * 0.5,
        FadeCurve::Exponential => gain_from_db(60.0 * (t - 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::db_from_power;

    /// The lowest and highest level in dB over a crossfade of two sounds of level 0 dB that correlate by r: the square root of
    /// g₁² + g₂² + 2·r·g₁·g₂.
    fn levels_db(curve: FadeCurve, r: f64) -> (f64, f64) {
        let (falling, rising) = (clip(None, Some((1000, curve))), clip(Some((1000, curve)), None));
        let level = |frame: u64| {
            let (out, into) = (falling.at(frame), rising.at(frame));
            db_from_power(out * out + into * into + 2.0 * r * out * into)
        };
        (0..1000).map(level).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), db| (low.min(db), high.max(db)))
    }

    #[test]
    fn crossfades_keep_the_level_of_what_they_are_for_and_miss_that_of_the_half_related_by_what_the_reference_says() {
        for (curve, r) in [(FadeCurve::Linear, 1.0), (FadeCurve::SCurve, 1.0), (FadeCurve::EqualPower, 0.0)] {
            let (low, high) = levels_db(curve, r);
            assert!(low > -1e-9 && high < 1e-9, "{curve:?}, r = {r}: {low} to {high} dB");
        }
        let (linear, equal_power) = (levels_db(FadeCurve::Linear, 0.5), levels_db(FadeCurve::EqualPower, 0.5));
        assert!((linear.0 + 1.25).abs() < 0.01 && linear.1 < 1e-9, "{linear:?}");
        assert!((equal_power.1 - 1.76).abs() < 0.01 && equal_power.0 > -1e-9, "{equal_power:?}");
    }

    fn clip(fade_in: Option<(u64, FadeCurve)>, fade_out: Option<(u64, FadeCurve)>) -> ClipGain {
        ClipGain::new(&Clip {
            asset: 0,
            at_frames: 0,
            offset_frames: 0,
            length_frames: 1000,
            gain_db: 0.0,
            fade_in,
            fade_out,
        })
    }

    #[test]
    fn crossfades_keep_gain_or_power_as_their_curve_says() {
        for (curve, power) in [(FadeCurve::Linear, false), (FadeCurve::SCurve, false), (FadeCurve::EqualPower, true)] {
            let (rising, falling) = (clip(Some((100, curve)), None), clip(None, Some((100, curve))));
            for frame in 0..100 {
                let (a, b) = (rising.at(frame), falling.at(900 + frame));
                let sum = if power { a * a + b * b } else { a + b };
                assert!((sum - 1.0).abs() < 1e-12, "{curve:?} at {frame}: {sum}");
            }
        }
    }

    #[test]
    fn a_fade_out_is_the_mirror_image_of_a_fade_in() {
        for curve in [FadeCurve::Linear, FadeCurve::EqualPower, FadeCurve::SCurve, FadeCurve::Exponential] {
            let (rising, falling) = (clip(Some((77, curve)), None), clip(None, Some((77, curve))));
            assert!((0..1000).all(|frame| rising.at(frame) == falling.at(999 - frame)));
            assert!((0..76).all(|frame| rising.at(frame) < rising.at(frame + 1)));
        }
    }

    #[test]
    fn an_exponential_fade_spans_sixty_decibels() {
        let fade = clip(Some((1000, FadeCurve::Exponential)), None);
        for frame in 0..1000 {
            let expected_db = -60.0 + 60.0 * (frame as f64 + 0.5) / 1000.0;
            assert!((crate::units::db_from_gain(fade.at(frame)) - expected_db).abs() < 1e-9);
        }
    }

    #[test]
    fn the_gain_is_constant_exactly_outside_the_fades() {
        let gain = clip(Some((10, FadeCurve::Linear)), Some((20, FadeCurve::Linear)));
        assert_eq!(gain.constant_over(9, 10), None);
        assert_eq!(gain.constant_over(10, 970), Some(1.0));
        assert_eq!(gain.constant_over(10, 971), None);
    }
}
