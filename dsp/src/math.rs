//! Elementary functions with the same bits on every machine.
//!
//! The standard library's `sin`, `exp`, `ln`, `powf` and their kin call the platform's libm, whose results differ
//! between systems; clippy bans them in this workspace. These come from the pure-Rust `libm` crate, pinned to one
//! version. `+ − × ÷ sqrt floor` are exactly rounded everywhere and need no stand-in.

/// sin(x), x in radians.
#[must_use]
pub fn sin(x: f64) -> f64 {
    libm::sin(x)
}

/// cos(x), x in radians.
#[must_use]
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// tan(x), x in radians.
#[must_use]
pub fn tan(x: f64) -> f64 {
    libm::tan(x)
}

/// e^x.
#[must_use]
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// 2^x.
#[must_use]
pub fn exp2(x: f64) -> f64 {
    libm::exp2(x)
}

/// The natural logarithm of x; −∞ for 0, NaN below.
#[must_use]
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// The binary logarithm of x; −∞ for 0, NaN below.
#[must_use]
pub fn log2(x: f64) -> f64 {
    libm::log2(x)
}

/// x^y for x > 0.
#[must_use]
pub fn powf(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// 2^x for |x| < 1000 with a relative error below 3e-9 (2.2e-8 dB); exactly 1 at 0. For loops over audio: no branch, no
/// table, and vector instructions give the same bits.
///
/// 2^n·P(f) with n the nearest integer to x; P interpolates 2^f at the Chebyshev nodes of degree 6 on [−½, ½].
#[must_use]
#[inline(always)]
pub fn quick_exp2(x: f64) -> f64 {
    /// Adding 1.5·2^52 leaves the nearest integer in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const P: [f64; 7] = [
        1.0,
        0.693_147_206_702_832_6,
        0.240_226_509_222_887_57,
        0.055_503_272_266_702_63,
        0.009_618_056_678_524_637,
        0.001_340_042_817_761_583_8,
        0.000_154_614_446_985_691_3,
    ];
    let rounded = x + ROUND;
    let f = x - (rounded - ROUND);
    let mantissa = P[0] + f * (P[1] + f * (P[2] + f * (P[3] + f * (P[4] + f * (P[5] + f * P[6])))));
    mantissa * f64::from_bits(rounded.to_bits().wrapping_add(1023) << 52)
}

/// log2(x) for normal x > 0, with an error below 2e-10 + 7e-10·|log2 of the mantissa| (2.4e-9 dB); exactly 0 at 1. For
/// loops over audio, like [`quick_exp2`].
///
/// e + s·P(s²) with x = 2^e·m, √½ ≤ m < √2, s = (m − 1)/(m + 1); P interpolates at the Chebyshev nodes of degree 3.
#[must_use]
#[inline(always)]
pub fn quick_log2(x: f64) -> f64 {
    /// √½, whose bits part one exponent from the next.
    const SPLIT: u64 = 0x3fe6_a09e_667f_3bcd;
    /// Keeps the shifted exponent positive.
    const BIAS: u64 = 1024;
    /// The bits of 2^52: an integer put into its lowest bits is that number, added.
    const INTEGER: u64 = 0x4330_0000_0000_0000;
    const P: [f64; 4] =
        [2.885_390_079_803_336_5, 0.961_798_838_802_11, 0.576_715_186_019_023_4, 0.431_717_697_458_873_74];
    let bits = x.to_bits();
    let biased = bits.wrapping_add(BIAS << 52).wrapping_sub(SPLIT) >> 52;
    let exponent = f64::from_bits(INTEGER | biased) - (4_503_599_627_370_496.0 + BIAS as f64);
    let m = f64::from_bits(bits.wrapping_add(BIAS << 52).wrapping_sub(biased << 52));
    let s = (m - 1.0) / (m + 1.0);
    let u = s * s;
    exponent + s * (P[0] + u * (P[1] + u * (P[2] + u * P[3])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_functions_stay_within_their_stated_errors() {
        for step in -40_000..40_000 {
            let x = f64::from(step) * 0.00237;
            let relative = quick_exp2(x) / exp2(x) - 1.0;
            assert!(relative.abs() < 3e-9, "2^{x}: {relative}");
            let back = quick_log2(exp2(x));
            assert!((back - x).abs() < 4e-10, "log2 at {x}: {}", back - x);
        }
    }

    #[test]
    fn quick_functions_are_exact_at_unity() {
        assert_eq!(quick_exp2(0.0).to_bits(), 1.0f64.to_bits());
        assert_eq!(quick_log2(1.0), 0.0);
        assert_eq!(quick_exp2(7.0), 128.0);
        assert_eq!(quick_log2(0.125), -3.0);
    }
}
