//! The sections of an equaliser, fitted to their analogue [`Prototype`]: one, or two where one cannot follow it.

use super::eq_design::{MAX_FREQUENCY, Section, inverse, prefers_inverse};
use super::eq_search::{NEPER_DB, NORMS, SETTLED, Search};
use super::prototype::Prototype;
use crate::math;

/// A single section may be so far off, in nepers of power: 0.03 dB.
const TOLERANCE: f64 = 0.03 / NEPER_DB;

/// Times that the search goes on where it has not come near.
const PATIENCE: usize = 3;

/// The digital sections that imitate one analogue section.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitted {
    sections: [Section; 2],
    count: usize,
}

impl Fitted {
    /// The closed form, brought closer by damped Gauss-Newton steps on the error in dB (Levenberg-Marquardt), the gain at
    /// 0 Hz kept; with a second section where one stays more than 0.03 dB off. `frequency` is the band's, as a share of
    /// the sample rate.
    #[must_use]
    pub fn of(prototype: &Prototype, frequency: f64) -> Self {
        if prefers_inverse(prototype) {
            let Self { sections, count } = Self::of(&inverse(prototype), frequency);
            return Self { sections: sections.map(|section| section.inverse()), count };
        }
        let frequency = frequency.min(MAX_FREQUENCY);
        let search = Search::new(prototype, frequency);
        let start = Section::closed_form(prototype, frequency);
        let mut best = search.run([start, Section::IDLE_HELPER], 1, &NORMS[..2]);
        let mut worst = search.worst(&best[..1]);
        if worst > SETTLED && (worst < 2.0 * TOLERANCE || !search.may_split) {
            best = search.run(best, 1, &NORMS[2..]);
            worst = search.worst(&best[..1]);
        }
        let alone = Self { sections: [best[0], Section::IDLE_HELPER], count: 1 };
        // A lone section that cannot follow may have gone astray: the later starts have their resonances in place.
        let has_zeros = prototype.numerator[0] > 0.0 && prototype.numerator[1] > 0.0;
        let rooted = if has_zeros { Section::matched_roots(prototype, frequency) } else { start };
        let [near, far] = Section::HELPERS;
        let (mut nearest, mut error) = ([start, near], f64::INFINITY);
        for (first, helper) in [(best[0], near), (rooted, near), (rooted, far)] {
            if worst.min(error) <= TOLERANCE || !search.may_split {
                break;
            }
            let two = search.run([first, helper], 2, &NORMS[..3]);
            if search.worst(&two) < error {
                (nearest, error) = (two, search.worst(&two));
            }
        }
        // A resonance at the edge of the band is slow to find.
        for _ in 0..PATIENCE {
            if worst.min(error) <= TOLERANCE || !search.may_split {
                break;
            }
            nearest = search.run(nearest, 2, &NORMS);
            error = search.worst(&nearest);
        }
        if error < worst { Self { sections: nearest, count: 2 } } else { alone }
    }

    /// The sections, in signal order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections[..self.count]
    }

    /// |H|² at a frequency given as a share of the sample rate.
    #[must_use]
    pub fn power_at(&self, frequency: f64) -> f64 {
        self.sections().iter().map(|section| section.power_at(frequency)).product()
    }
}

/// What the search adds to the closed form: logarithms of the ratios of g, k, low, band and high, for the section itself and
/// for a helper that hands on what it gets. It changes slowly with the parameters of the band, so that a band on the
/// move needs a search now and then only: between, the correction is interpolated and the closed form is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correction([[f64; 5]; 2]);

impl Correction {
    /// No correction.
    pub const NONE: Self = Self([[0.0; 5]; 2]);

    /// The correction of a prototype at a share of the sample rate.
    #[must_use]
    pub fn of(prototype: &Prototype, frequency: f64) -> Self {
        let sections = Fitted::of(prototype, frequency).sections;
        let bases = [Section::closed_form(prototype, frequency), Section::IDLE_HELPER];
        Self(core::array::from_fn(|which| {
            let (to, from) = (natural(&sections[which]), natural(&bases[which]));
            // What is 0 (the zeros of a pass filter) stays 0.
            core::array::from_fn(|index| if from[index] > 0.0 { math::ln(to[index] / from[index]) } else { 0.0 })
        }))
    }

    /// The correction at `t` (0 to 1) of the way from `self` to `to`.
    #[must_use]
    pub fn interpolated(&self, to: &Self, t: f64) -> Self {
        let between = |which: usize, index: usize| {
            let (from, to) = (self.0[which][index], to.0[which][index]);
            from + (to - from) * t
        };
        Self(core::array::from_fn(|which| core::array::from_fn(|index| between(which, index))))
    }

    /// The corrected closed form and its helper, which hands on what it gets where the section needs none.
    #[must_use]
    pub fn applied(&self, closed_form: &Section) -> [Section; 2] {
        let bases = [closed_form, &Section::IDLE_HELPER];
        core::array::from_fn(|which| {
            let from = natural(bases[which]);
            let [g, k, low, band, high] = core::array::from_fn(|index| from[index] * math::exp(self.0[which][index]));
            Section { g, k, low, band, high }
        })
    }
}

fn natural(section: &Section) -> [f64; 5] {
    [section.g, section.k, section.low, section.band, section.high]
}

impl Section {
    /// A second section that does nothing yet: poles and zeros at 0.45 of the sample rate cancel.
    pub const IDLE_HELPER: Self = Self { g: 6.313_751_514_675_043, k: 2.0, low: 1.0, band: 2.0, high: 1.0 };

    /// Where the search for a second section starts: near half the sample rate, or at 0.35 of it.
    const HELPERS: [Self; 2] =
        [Self { high: 1.1, ..Self::IDLE_HELPER }, Self { g: 1.963, k: 1.5, low: 1.0, band: 1.6, high: 1.02 }];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::db_from_power;

    /// Greatest |error| in dB from 20 Hz to 20 kHz at 44.1 kHz where the prototypes pass more than `floor_db`.
    fn worst_error_db(prototypes: &[Prototype], frequency_hz: f64, floor_db: f64) -> f64 {
        let fitted: Vec<Fitted> = prototypes.iter().map(|p| Fitted::of(p, frequency_hz / 44_100.0)).collect();
        let mut worst = 0.0f64;
        for index in 0..=700 {
            let hz = 20.0 * math::exp2(f64::from(index) / 700.0 * math::log2(1000.0));
            let wanted: f64 = prototypes.iter().map(|p| db_from_power(p.power_at(hz / frequency_hz))).sum();
            if wanted > floor_db {
                let found: f64 = fitted.iter().map(|fitted| db_from_power(fitted.power_at(hz / 44_100.0))).sum();
                worst = worst.max((found - wanted).abs());
            }
        }
        worst
    }

    /// Frequencies spread evenly by octaves, `count` of them.
    fn frequencies_hz(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
        (0..count).map(move |index| from * math::exp2(f64::from(index) / f64::from(count - 1) * math::log2(to / from)))
    }

    #[test]
    fn bells_and_shelves_stay_within_a_tenth_of_a_db_of_their_prototypes_up_to_20_khz_at_44_khz() {
        for design in [Prototype::bell, Prototype::low_shelf, Prototype::high_shelf] {
            for q in [0.3, 0.7, 1.5, 4.0, 10.0] {
                for gain_db in [1.0, 6.0, -12.0, 18.0] {
                    for frequency_hz in frequencies_hz(20.0, 20_000.0, 20).chain(frequencies_hz(8000.0, 19_500.0, 9)) {
                        let worst = worst_error_db(&[design(gain_db, q)], frequency_hz, -200.0);
                        assert!(worst < 0.1, "{frequency_hz} Hz, {gain_db} dB, Q {q}: {worst} dB");
                    }
                }
            }
        }
    }

    #[test]
    fn passes_and_notches_stay_near_their_prototypes_down_to_80_db() {
        for frequency_hz in [20.0, 100.0, 1000.0, 5000.0, 10_000.0, 16_000.0] {
            for order in [1, 2, 3, 4, 8, 16] {
                let low: Vec<Prototype> = Prototype::butterworth_low_pass(order).collect();
                let high: Vec<Prototype> = Prototype::butterworth_high_pass(order).collect();
                for prototypes in [low, high] {
                    let worst = worst_error_db(&prototypes, frequency_hz, -80.0);
                    assert!(worst < 0.4, "{prototypes:?} at {frequency_hz} Hz: {worst} dB");
                }
            }
            let worst = worst_error_db(&[Prototype::notch(4.0)], frequency_hz, -40.0);
            assert!(worst < 0.15, "notch at {frequency_hz} Hz: {worst} dB");
        }
    }

    #[test]
    fn the_gain_at_0_hz_and_the_inverse_of_a_boost_are_exact() {
        for (gain_db, frequency) in [(12.0, 0.21), (3.0, 0.01), (18.0, 0.4)] {
            let (boost, cut) = (Prototype::low_shelf(gain_db, 0.9), Prototype::low_shelf(-gain_db, 0.9));
            let (boost, cut) = (Fitted::of(&boost, frequency), Fitted::of(&cut, frequency));
            assert!((db_from_power(boost.power_at(0.0)) - gain_db).abs() < 1e-9);
            for frequency in [0.001, 0.1, 0.21, 0.3, 0.45, 0.49] {
                let product = boost.power_at(frequency) * cut.power_at(frequency);
                assert!((product - 1.0).abs() < 1e-9, "{product} at {frequency}");
            }
        }
    }

    #[test]
    fn a_corrected_closed_form_is_the_fitted_design() {
        let prototypes =
            [Prototype::bell(9.0, 2.0), Prototype::high_shelf(-12.0, 0.7), Prototype::notch(3.0), Prototype::tilt(6.0)];
        for prototype in prototypes.into_iter().chain(Prototype::butterworth_high_pass(5)) {
            for place in [0.003, 0.1, 0.4] {
                let corrected = Correction::of(&prototype, place).applied(&Section::closed_form(&prototype, place));
                for frequency in [0.001, 0.12, 0.44] {
                    let power: f64 = corrected.iter().map(|section| section.power_at(frequency)).product();
                    let fitted = Fitted::of(&prototype, place).power_at(frequency);
                    assert!((power / fitted - 1.0).abs() < 1e-9, "{prototype:?} at {place}: {power}, {fitted}");
                }
            }
        }
    }
}
