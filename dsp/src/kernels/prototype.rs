//! The analogue filters that the equaliser imitates.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::math;
use crate::units::gain_from_db;

/// H(s) = (n0 + n1·s + n2·s²) / (d0 + d1·s + d2·s²) with s normalised to the band's frequency: |H(j)| is the gain there.
///
/// Bells and shelves are those of Robert Bristow-Johnson's "Cookbook formulae for audio EQ biquad filter coefficients":
/// A = 10^(gain/40); a cut is the exact inverse of the boost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prototype {
    /// n0, n1, n2.
    pub numerator: [f64; 3],
    /// d0, d1, d2.
    pub denominator: [f64; 3],
}

impl Prototype {
    /// A Butterworth low-pass of `order` poles in sections of one or two: first the odd one, then by rising Q, which
    /// leaves the most headroom between them.
    pub fn butterworth_low_pass(order: usize) -> impl Iterator<Item = Self> {
        butterworth(order, [1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    }

    /// A Butterworth high-pass of `order` poles, in sections like [`Self::butterworth_low_pass`].
    pub fn butterworth_high_pass(order: usize) -> impl Iterator<Item = Self> {
        butterworth(order, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    }

    /// A bell of `gain_db` at the centre: (s² + s·A/Q + 1) / (s² + s/(A·Q) + 1).
    #[must_use]
    pub fn bell(gain_db: f64, q: f64) -> Self {
        let a = gain_from_db(gain_db / 2.0);
        Self { numerator: [1.0, a / q, 1.0], denominator: [1.0, 1.0 / (a * q), 1.0] }
    }

    /// A shelf of `gain_db` far below the corner: A·(s² + s·√A/Q + A) / (A·s² + s·√A/Q + 1).
    #[must_use]
    pub fn low_shelf(gain_db: f64, q: f64) -> Self {
        let a = gain_from_db(gain_db / 2.0);
        let middle = a.sqrt() / q;
        Self { numerator: [a * a, a * middle, a], denominator: [1.0, middle, a] }
    }

    /// A shelf of `gain_db` far above the corner: A·(A·s² + s·√A/Q + 1) / (s² + s·√A/Q + A).
    #[must_use]
    pub fn high_shelf(gain_db: f64, q: f64) -> Self {
        let a = gain_from_db(gain_db / 2.0);
        let middle = a.sqrt() / q;
        Self { numerator: [a, a * middle, a * a], denominator: [a, middle, 1.0] }
    }

    /// A notch that removes the centre: (s² + 1) / (s² + s/Q + 1).
    #[must_use]
    pub fn notch(q: f64) -> Self {
        Self { numerator: [1.0, 0.0, 1.0], denominator: [1.0, 1.0 / q, 1.0] }
    }

    /// A tilt of −gain/2 far below the pivot, 0 dB at it, +gain/2 far above: (A·s + 1) / (s + A).
    #[must_use]
    pub fn tilt(gain_db: f64) -> Self {
        let a = gain_from_db(gain_db / 2.0);
        Self { numerator: [1.0, a, 0.0], denominator: [a, 1.0, 0.0] }
    }

    /// |H(jx)|² where x is the frequency over the band's frequency.
    #[must_use]
    pub fn power_at(&self, x: f64) -> f64 {
        let magnitude_squared = |[c0, c1, c2]: [f64; 3]| {
            let (real, imaginary) = (c0 - c2 * x * x, c1 * x);
            real * real + imaginary * imaginary
        };
        magnitude_squared(self.numerator) / magnitude_squared(self.denominator)
    }

    /// How fast the slowest pole decays, in nepers per radian of the band's frequency: −Re(s).
    #[must_use]
    pub fn decay_rate(&self) -> f64 {
        let [d0, d1, d2] = self.denominator;
        if d2 == 0.0 {
            return d0 / d1;
        }
        let discriminant = d1 * d1 - 4.0 * d2 * d0;
        if discriminant <= 0.0 { d1 / (2.0 * d2) } else { 2.0 * d0 / (d1 + discriminant.sqrt()) }
    }
}

/// Sections of a Butterworth filter: poles at equal angles on the unit circle, Q = 1/(2·cos θ).
fn butterworth(order: usize, first_order: [f64; 3], second_order: [f64; 3]) -> impl Iterator<Item = Prototype> {
    let odd = (order % 2 == 1).then_some(Prototype { numerator: first_order, denominator: [1.0, 1.0, 0.0] });
    let pairs = (0..order / 2).map(move |pair| {
        // The angle from the real axis, smallest first: lowest Q first.
        let steps = (2 * pair + 1 + order % 2) as f64;
        let inverse_q = if order == 2 { 2.0 * FRAC_1_SQRT_2 } else { 2.0 * math::cos(steps * PI / (2 * order) as f64) };
        Prototype { numerator: second_order, denominator: [1.0, inverse_q, 1.0] }
    });
    odd.into_iter().chain(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::db_from_power;

    #[test]
    fn butterworth_sections_multiply_to_3_db_at_the_corner_and_their_slope_beyond() {
        for order in 1..=8 {
            let at = |x: f64| -> f64 {
                Prototype::butterworth_low_pass(order)
                    .map(|section: Prototype| db_from_power(section.power_at(x)))
                    .sum()
            };
            // |H|² = 1/(1 + x^2n), the definition.
            assert!((at(1.0) + 3.010_299_956_639_812).abs() < 1e-9, "order {order}: {}", at(1.0));
            let octaves_out = at(1024.0) - at(512.0);
            assert!((octaves_out + 6.020_599_913 * order as f64).abs() < 1e-4, "order {order}: {octaves_out}");
        }
    }

    #[test]
    fn low_q_sections_come_first() {
        let q = |section: Prototype| 1.0 / section.denominator[1];
        let fourth: Vec<f64> = Prototype::butterworth_low_pass(8).map(q).collect();
        for (found, expected) in fourth.iter().zip([0.5098, 0.6013, 0.9000, 2.5629]) {
            assert!((found - expected).abs() < 1e-4, "{fourth:?}");
        }
    }

    #[test]
    fn a_cut_is_the_inverse_of_the_boost() {
        for design in [Prototype::bell, Prototype::low_shelf, Prototype::high_shelf] {
            for x in [0.01, 0.5, 1.0, 3.0, 100.0] {
                let product = design(9.0, 1.3).power_at(x) * design(-9.0, 1.3).power_at(x);
                assert!((product - 1.0).abs() < 1e-12, "{product} at {x}");
            }
        }
    }
}
