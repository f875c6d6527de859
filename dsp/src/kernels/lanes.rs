//! Channels processed in step.

use core::ops::{Add, Mul, Sub};

use crate::control::finite;
use crate::simd;

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

    /// These channels and then as many others: `D` is twice `C`.
    #[must_use]
    #[inline(always)]
    pub fn beside<const D: usize>(self, other: Self) -> Lanes<D> {
        Lanes(core::array::from_fn(|lane| if lane < C { self.0[lane] } else { other.0[lane - C] }))
    }

    /// The first half of the channels and the second; `H` is half of `C`.
    #[must_use]
    #[inline(always)]
    pub fn parted<const H: usize>(self) -> (Lanes<H>, Lanes<H>) {
        (Lanes(core::array::from_fn(|lane| self.0[lane])), Lanes(core::array::from_fn(|lane| self.0[H + lane])))
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

impl<const C: usize> Mul for Lanes<C> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(core::array::from_fn(|lane| self.0[lane] * other.0[lane]))
    }
}

impl<const C: usize> Mul<f64> for Lanes<C> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f64) -> Self {
        Self(core::array::from_fn(|lane| self.0[lane] * factor))
    }
}

/// Puts the samples of channels, all as long as `signal`, into its lanes; NaN and infinity become 0.
pub fn gather<const C: usize>(channels: [&[f32]; C], signal: &mut [Lanes<C>]) {
    simd::run(Gather { channels, signal });
}

struct Gather<'a, const C: usize> {
    channels: [&'a [f32]; C],
    signal: &'a mut [Lanes<C>],
}

impl<const C: usize> simd::Kernel for Gather<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { channels, signal } = self;
        let channels = channels.map(|channel| &channel[..signal.len()]);
        for (index, frame) in signal.iter_mut().enumerate() {
            *frame = Lanes(core::array::from_fn(|lane| f64::from(finite(channels[lane][index]))));
        }
    }
}

/// Takes them out again, rounded; what overflows becomes 0.
pub fn scatter<const C: usize>(signal: &[Lanes<C>], channels: [&mut [f32]; C]) {
    simd::run(Scatter { signal, channels });
}

struct Scatter<'a, const C: usize> {
    signal: &'a [Lanes<C>],
    channels: [&'a mut [f32]; C],
}

impl<const C: usize> simd::Kernel for Scatter<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { signal, channels } = self;
        let mut channels = channels.map(|channel| &mut channel[..signal.len()]);
        for (index, frame) in signal.iter().enumerate() {
            for (channel, value) in channels.iter_mut().zip(frame.0) {
                channel[index] = finite(value as f32);
            }
        }
    }
}
