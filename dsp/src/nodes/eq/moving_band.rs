//! An automated band on the control grid.

use super::{Band, Knob};
use crate::automation::Lane;
use crate::kernels::eq_design::Section;
use crate::kernels::eq_fit::Correction;
use crate::kernels::svf::Coefficients;
use crate::node::CONTROL_FRAMES;

/// Frames between the searches for a moving band's correction, a multiple of [`CONTROL_FRAMES`].
const SEARCH_FRAMES: i64 = 1024;

/// A band with automated parameters: the coefficients on both sides of the frames at work.
///
/// On the control grid the closed form is computed; every [`SEARCH_FRAMES`] absolute frames the search tells how far it is
/// from the best design, and between the correction is interpolated. So a lane that rests, or goes slowly, sounds as
/// a band that never moved; one that jumps is off by what the closed form is off until the search has caught up.
pub(super) struct MovingBand {
    band: Band,
    sample_rate_hz: f64,
    lanes: Vec<(Knob, Lane)>,
    /// The grid frame of `from`; `to` is [`CONTROL_FRAMES`] later.
    frame: Option<i64>,
    pub(super) from: Vec<Coefficients>,
    pub(super) to: Vec<Coefficients>,
    /// The corrections on both sides.
    corrections: [Corrections; 2],
}

/// What the search adds to each prototype of a band at a frame.
#[derive(Clone)]
struct Corrections {
    frame: Option<i64>,
    /// Frequency, gain and Q that they are for.
    of: [f64; 3],
    each: Vec<Correction>,
}

impl MovingBand {
    pub(super) fn new(band: Band, sample_rate_hz: f64, lanes: Vec<(Knob, Lane)>) -> Self {
        let prototypes = band.prototypes().count();
        let none = Corrections { frame: None, of: [f64::NAN; 3], each: vec![Correction::NONE; prototypes] };
        let idle = vec![Coefficients::from(&Section::IDLE_HELPER); 2 * prototypes];
        let corrections = [none.clone(), none];
        Self { band, sample_rate_hz, lanes, frame: None, from: idle.clone(), to: idle, corrections }
    }

    /// Makes `from` and `to` those around `frame`.
    pub(super) fn seek(&mut self, frame: i64) {
        let grid = CONTROL_FRAMES as i64;
        let before = frame - frame.rem_euclid(grid);
        if self.frame == Some(before) {
            return;
        }
        if self.frame != Some(before - grid) {
            self.design(before);
        }
        core::mem::swap(&mut self.from, &mut self.to);
        self.design(before + grid);
        self.frame = Some(before);
    }

    /// Sets the band to its parameters at a frame.
    fn set(&mut self, frame: i64) {
        for (knob, lane) in &self.lanes {
            *knob.of(&mut self.band) = lane.value_at(frame);
        }
    }

    /// Computes `to` for the parameters at `frame`.
    fn design(&mut self, frame: i64) {
        let phase = frame.rem_euclid(SEARCH_FRAMES);
        self.correct(frame - phase);
        self.set(frame);
        let place = self.band.frequency_hz / self.sample_rate_hz;
        let [before, after] = &self.corrections;
        let corrections = before.each.iter().zip(&after.each);
        for ((prototype, (before, after)), to) in
            self.band.prototypes().zip(corrections).zip(self.to.chunks_exact_mut(2))
        {
            let correction = before.interpolated(after, phase as f64 / SEARCH_FRAMES as f64);
            let sections = correction.applied(&Section::closed_form(&prototype, place));
            for (to, section) in to.iter_mut().zip(&sections) {
                *to = if self.band.is_neutral() { Coefficients::passthrough(section) } else { section.into() };
            }
        }
    }

    /// Makes the corrections those at `before` and [`SEARCH_FRAMES`] later.
    fn correct(&mut self, before: i64) {
        if self.corrections[0].frame == Some(before) {
            return;
        }
        if self.corrections[1].frame == Some(before) {
            self.corrections.swap(0, 1);
        } else {
            self.search(0, before);
        }
        self.search(1, before + SEARCH_FRAMES);
    }

    fn search(&mut self, side: usize, frame: i64) {
        self.set(frame);
        let of = [self.band.frequency_hz, self.band.gain_db, self.band.q];
        let [one, other] = &mut self.corrections;
        let (found, known) = if side == 0 { (one, &*other) } else { (other, &*one) };
        found.frame = Some(frame);
        if known.of == of {
            found.each.copy_from_slice(&known.each);
        } else if found.of != of {
            let place = self.band.frequency_hz / self.sample_rate_hz;
            for (found, prototype) in found.each.iter_mut().zip(self.band.prototypes()) {
                *found = Correction::of(&prototype, place);
            }
        }
        found.of = of;
    }
}
