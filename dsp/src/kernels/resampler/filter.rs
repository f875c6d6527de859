//! The filter that every conversion is made with.

use core::f64::consts::PI;

use crate::kernels::kaiser::bessel_i0;
use crate::math;

/// Shape of the Kaiser window; gives a stop band of about 200 dB.
pub(super) const BETA: f64 = 21.2;
/// Half the filter's length in frames of the lower rate.
pub(super) const HALF_WIDTH: f64 = 160.0;

/// h(τ) = 2f·sinc(2fτ)·w(τ/H), τ in frames of some rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    /// H, in frames.
    pub(super) half: f64,
    /// f, in cycles per frame.
    cutoff: f64,
    /// So that the window is 1 at its middle.
    scale: f64,
}

impl Filter {
    /// The filter for a lower rate whose frames are `stretch` frames long.
    pub(super) fn new(stretch: f64) -> Self {
        // Where the main lobe of the window's spectrum ends, in cycles per frame of the lower rate: Kaiser 1974.
        let lobe = (BETA * BETA + PI * PI).sqrt() / (PI * 2.0 * HALF_WIDTH);
        Self { half: HALF_WIDTH * stretch, cutoff: (0.5 - lobe) / stretch, scale: 1.0 / bessel_i0(BETA) }
    }

    /// h(τ).
    pub(super) fn tap(&self, tau: f64) -> f64 {
        let place = tau / self.half;
        if place.abs() >= 1.0 {
            return 0.0;
        }
        let window = bessel_i0(BETA * (1.0 - place * place).sqrt()) * self.scale;
        let angle = PI * 2.0 * self.cutoff * tau;
        let sinc = if angle == 0.0 { 1.0 } else { math::sin(angle) / angle };
        2.0 * self.cutoff * sinc * window
    }
}
