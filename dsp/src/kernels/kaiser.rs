//! The Kaiser window and windowed sincs.

use core::f64::consts::PI;

use crate::math;

/// The Kaiser window at `t` from −1 to 1, `1` at the centre: I0(β·√(1 − t²)) / I0(β). 0 outside.
///
/// J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", IEEE ISCAS 1974.
#[must_use]
pub fn kaiser(t: f64, beta: f64) -> f64 {
    if t.abs() > 1.0 { 0.0 } else { bessel_i0(beta * (1.0 - t * t).sqrt()) / bessel_i0(beta) }
}

/// sin(πx) / πx.
#[must_use]
pub fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { math::sin(PI * x) / (PI * x) }
}

/// The modified Bessel function of the first kind and order 0 by its power series Σ ((x/2)^k / k!)², for x from 0 to 40.
pub(super) fn bessel_i0(x: f64) -> f64 {
    let quarter_square = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-18 {
        term *= quarter_square / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{bessel_i0, kaiser, sinc};
    use crate::math::exp;

    #[test]
    fn i0_has_its_tabulated_values() {
        // Abramowitz & Stegun, table 9.8: I0(1) and I0(2), and e^(−x)·I0(x) at 10 and 20.
        assert_eq!(bessel_i0(0.0), 1.0);
        assert!((bessel_i0(1.0) - 1.266_065_877_752_008).abs() < 1e-14);
        assert!((bessel_i0(2.0) - 2.279_585_302_336_067).abs() < 1e-14);
        assert!((bessel_i0(10.0) * exp(-10.0) - 0.127_833_337_163_428).abs() < 1e-14);
        assert!((bessel_i0(20.0) * exp(-20.0) - 0.089_780_311_884_826).abs() < 1e-14);
    }

    #[test]
    fn the_window_and_the_sinc_are_one_at_the_centre_and_nothing_outside() {
        assert_eq!((kaiser(0.0, 9.0), sinc(0.0)), (1.0, 1.0));
        assert_eq!(kaiser(1.01, 9.0), 0.0);
        assert!((kaiser(1.0, 9.0) - 1.0 / bessel_i0(9.0)).abs() < 1e-15);
        assert!(sinc(3.0).abs() < 1e-15);
    }
}
