//! Channels processed in step.

use core::ops::{Add, Mul, Sub};

/// One value per channel. Operations go element by element, so that vector instructions give the bits of scalar ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lanes<const C: usize>(pub [f64; C]);

impl<const C: usize> Lanes<C> {
    /// All zeros.
    pub const ZERO: Self = Self([0.0; C]);

    /// The same value for every channel.
    #[must_use]
    #[inline(always)]
    pub fn splat(value: f64) -> Self {
        Self([value; C])
    }

    /// The value itself, or 0 where it is below 1e-30 (−600 dBFS): states never decay into denormal numbers, which cost
    /// a hundredfold. Called at absolute frames, so that blocks cannot be told from the sound.
    #[must_use]
    #[inline(always)]
    pub fn without_dust(self) -> Self {
        Self(self.0.map(without_dust))
    }
}

/// `value`, or 0 if it is below 1e-30 in magnitude.
#[must_use]
#[inline(always)]
pub fn without_dust(value: f64) -> f64 {
    if value.abs() < 1e-30 { 0.0 } else { value }
}

impl<const C: usize> Add for Lanes<C> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(core::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }
}

impl<const C: usize> Sub for Lanes<C> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(core::array::from_fn(|lane| self.0[lane] - other.0[lane]))
    }
}

impl<const C: usize> Mul<f64> for Lanes<C> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f64) -> Self {
        Self(core::array::from_fn(|lane| self.0[lane] * factor))
    }
}
