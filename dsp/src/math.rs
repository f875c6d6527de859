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
