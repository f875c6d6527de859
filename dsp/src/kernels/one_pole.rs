//! First-order low-pass and high-pass.

use core::f64::consts::PI;

use super::eq_design::MAX_FREQUENCY;
use super::lanes::Lanes;
use crate::math;

/// The coefficient G = g/(1 + g), g = tan(π·f/fs), of the trapezoidal one-pole with its corner at `corner_hz`; corners too
/// close to half the sample rate are moved to [`MAX_FREQUENCY`]. Lies in (0, 1) and may be interpolated.
///
/// *Reference*: V. Zavalishin, "The Art of VA Filter Design", chapter on one-pole filters.
#[must_use]
pub fn coefficient(corner_hz: f64, sample_rate_hz: f64) -> f64 {
    let g = math::tan(PI * (corner_hz / sample_rate_hz).min(MAX_FREQUENCY));
    g / (1.0 + g)
}

/// The state of a one-pole filter in `C` channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OnePole<const C: usize>(Lanes<C>);

impl<const C: usize> OnePole<C> {
    /// The state of silence.
    pub const ZERO: Self = Self(Lanes::ZERO);

    /// What of `x` lies below the corner; the rest, `x` less this, lies above.
    #[inline(always)]
    pub fn low_pass(&mut self, coefficient: f64, x: Lanes<C>) -> Lanes<C> {
        let v = (x - self.0) * coefficient;
        let low = v + self.0;
        self.0 = low + v;
        low
    }

    /// The state with what has decayed to nothing removed.
    #[must_use]
    pub fn without_dust(self) -> Self {
        Self(self.0.without_dust())
    }
}
