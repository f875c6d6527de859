//! Units and the few conversions between them; the only place where decibels become factors.

use crate::math;

/// The highest sample rate of a session or a deliverable, in Hz.
pub const MAX_SAMPLE_RATE_HZ: u32 = 192_000;

/// The linear amplitude factor of a level in dB: 10^(dB/20).
#[must_use]
pub fn gain_from_db(db: f64) -> f64 {
    math::exp2(db * (core::f64::consts::LOG2_10 / 20.0))
}

/// The level in dB of a linear amplitude: 20·log10(|x|); −∞ for 0.
#[must_use]
pub fn db_from_gain(gain: f64) -> f64 {
    math::log2(gain.abs()) * (20.0 / core::f64::consts::LOG2_10)
}

/// The level in dB of a power (mean square): 10·log10(p); −∞ for 0.
#[must_use]
pub fn db_from_power(power: f64) -> f64 {
    math::log2(power) * (10.0 / core::f64::consts::LOG2_10)
}

/// Whole frames nearest to a duration in milliseconds at a sample rate, half up.
#[must_use]
pub fn frames_from_ms(ms: f64, sample_rate_hz: u32) -> usize {
    (ms * 0.001 * f64::from(sample_rate_hz) + 0.5).floor().max(0.0) as usize
}
