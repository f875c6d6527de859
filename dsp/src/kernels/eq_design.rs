//! Digital sections that follow an analogue [`Prototype`] up to the edge of the band, where the bilinear transform cramps.
//!
//! A section has the form of the state-variable filter, H(s) = (low·g² + band·g·s + high·s²) / (g² + k·g·s + s²) with
//! s = j·tan(ω/2). Positive g, k, low, band and high keep poles and zeros inside the unit circle, so a search over
//! their logarithms ([`super::eq_fit`]) cannot leave the stable, minimum-phase filters.

use core::f64::consts::PI;

use super::prototype::Prototype;
use crate::math;

/// No band lies above this share of the sample rate: higher ones are moved here.
pub const MAX_FREQUENCY: f64 = 0.49;

/// A second-order section by its natural parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Section {
    /// Pole frequency: tan(ω/2).
    pub g: f64,
    /// Pole damping, 1/Q.
    pub k: f64,
    /// Gain of the low-pass output.
    pub low: f64,
    /// Gain of the band-pass output.
    pub band: f64,
    /// Gain of the high-pass output.
    pub high: f64,
}

impl Section {
    /// The closed form: poles by impulse invariance, zeros so that the gain is the prototype's at 0 Hz, at the band's
    /// frequency and at half the sample rate. `frequency` is a share of the sample rate.
    ///
    /// After M. Vicanek, "Matched Second Order Digital Filters", 2016, and S. J. Orfanidis, "Digital Parametric Equalizer
    /// Design with Prescribed Nyquist-Frequency Gain", JAES 45(6), 1997.
    #[must_use]
    pub fn closed_form(prototype: &Prototype, frequency: f64) -> Self {
        if prefers_inverse(prototype) {
            return Self::closed_form(&inverse(prototype), frequency).inverse();
        }
        let w0 = 2.0 * PI * frequency.min(MAX_FREQUENCY);
        let (g, k) = impulse_invariant_roots(prototype.denominator, w0);

        let t0 = math::tan(w0 / 2.0);
        let denominator = squared(g * g - t0 * t0) + squared(k * g * t0);
        let numerator = prototype.power_at(1.0) * denominator;
        let [n0, n1, n2] = prototype.numerator;
        let (low, band, high) = if n1 == 0.0 && n0 == n2 {
            (1.0, 0.0, squared(g / t0))
        } else if n0 == 0.0 && n1 == 0.0 {
            (0.0, 0.0, numerator.sqrt() / (t0 * t0))
        } else {
            let low = prototype.power_at(0.0).sqrt();
            let high = prototype.power_at(PI / w0).sqrt();
            let band_squared = (numerator - squared(low * g * g - high * t0 * t0)) / squared(g * t0);
            (low, band_squared.max(1e-12).sqrt(), high)
        };
        Self { g, k, low, band, high }
    }

    /// Poles and zeros each by impulse invariance: resonances stand where they should, whatever lies between. For
    /// prototypes without zeros on the imaginary axis.
    #[must_use]
    pub(super) fn matched_roots(prototype: &Prototype, frequency: f64) -> Self {
        let w0 = 2.0 * PI * frequency.min(MAX_FREQUENCY);
        let (g, k) = impulse_invariant_roots(prototype.denominator, w0);
        let (zero_g, zero_k) = impulse_invariant_roots(prototype.numerator, w0);
        let low = prototype.power_at(0.0).sqrt();
        Self { g, k, low, band: low * zero_k * g / zero_g, high: low * squared(g / zero_g) }
    }

    /// The section that undoes this one; `low`, `band` and `high` must be positive.
    pub(super) fn inverse(&self) -> Self {
        let g = self.g * (self.low / self.high).sqrt();
        let scale = self.g / (g * self.high);
        Self { g, k: self.band * scale, low: 1.0 / self.low, band: self.k * scale, high: 1.0 / self.high }
    }

    /// |H|² at a frequency given as a share of the sample rate.
    #[must_use]
    pub fn power_at(&self, frequency: f64) -> f64 {
        let t = math::tan(PI * frequency);
        self.numerator(t * t) / self.denominator(t * t)
    }

    pub(super) fn numerator(&self, t_squared: f64) -> f64 {
        let g_squared = self.g * self.g;
        squared(self.low * g_squared - self.high * t_squared) + squared(self.band) * g_squared * t_squared
    }

    pub(super) fn denominator(&self, t_squared: f64) -> f64 {
        let g_squared = self.g * self.g;
        squared(g_squared - t_squared) + squared(self.k) * g_squared * t_squared
    }
}

/// Whether to design 1/H instead: the slower roots become poles, which impulse invariance places well, and a cut becomes
/// the exact inverse of its boost. Filters with zeros on the imaginary axis have no inverse.
pub(super) fn prefers_inverse(prototype: &Prototype) -> bool {
    let inverse = inverse(prototype);
    let invertible = prototype.numerator[0] > 0.0 && prototype.numerator[1] > 0.0;
    invertible && inverse.decay_rate() < prototype.decay_rate()
}

pub(super) fn inverse(prototype: &Prototype) -> Prototype {
    Prototype { numerator: prototype.denominator, denominator: prototype.numerator }
}

pub(super) fn squared(x: f64) -> f64 {
    x * x
}

/// g and k whose roots are e^(s·T) of the roots of an analogue polynomial; a single root is joined by one at z = 0.
fn impulse_invariant_roots([d0, d1, d2]: [f64; 3], w0: f64) -> (f64, f64) {
    let (a1, a2) = if d2 == 0.0 {
        (-math::exp(-w0 * d0 / d1), 0.0)
    } else {
        let w = w0 * (d0 / d2).sqrt();
        let damping = d1 / (2.0 * (d0 * d2).sqrt());
        let a1 = if damping <= 1.0 {
            -2.0 * math::exp(-damping * w) * math::cos((1.0 - damping * damping).sqrt() * w)
        } else {
            let spread = (damping * damping - 1.0).sqrt();
            -math::exp(-(damping - spread) * w) - math::exp(-(damping + spread) * w)
        };
        (a1, math::exp(-2.0 * damping * w))
    };
    let (at_dc, at_nyquist) = (1.0 + a1 + a2, 1.0 - a1 + a2);
    let g = (at_dc / at_nyquist).sqrt();
    (g, 2.0 * (1.0 - a2) / (g * at_nyquist))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::db_from_power;

    #[test]
    fn the_closed_form_meets_its_prototype_at_the_frequency_of_the_band() {
        for prototype in [Prototype::bell(9.0, 2.0), Prototype::high_shelf(-6.0, 0.7), Prototype::bell(-18.0, 0.5)] {
            for frequency in [0.001, 0.02, 0.2, 0.4] {
                let error = db_from_power(Section::closed_form(&prototype, frequency).power_at(frequency))
                    - db_from_power(prototype.power_at(1.0));
                assert!(error.abs() < 1e-6, "{prototype:?} at {frequency}: {error} dB");
            }
        }
    }
}
