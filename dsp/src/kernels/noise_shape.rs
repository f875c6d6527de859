//! Curves for noise-shaped dither: where in the spectrum the noise of quantisation goes.
//!
//! The errors e of past samples are fed back, so that the noise is N(z) = 1 − Σ cₖ·z⁻ᵏ times white noise. Every curve is of
//! minimum phase: the mean of log |N| over frequency is 0, which no curve can be below (Gerzon & Craven, "Optimal noise
//! shaping and dither of digital signals", AES 87, 1989). What it takes away where ears are keen, it adds elsewhere.

/// The feedback of a curve, at the one rate that it was made for.
#[derive(Debug, PartialEq)]
pub struct NoiseShape {
    /// The only sample rate at which the curve lies where it should.
    pub sample_rate_hz: u32,
    /// c₁, c₂, …
    pub coefficients: &'static [f64],
}

/// The most coefficients of a curve.
pub const MAX_ORDER: usize = 9;

/// Five coefficients after the E-weighting, improved: S. P. Lipshitz, J. Vanderkooy, R. A. Wannamaker, "Minimally audible
/// noise shaping", JAES 39(11), 1991.
pub const LIPSHITZ_5: NoiseShape =
    NoiseShape { sample_rate_hz: 44_100, coefficients: &[2.033, -2.165, 1.959, -1.590, 0.6149] };

/// Nine coefficients after the F-weighting of quiet noise: R. A. Wannamaker, "Psychoacoustically optimal noise shaping", JAES
/// 40(7/8), 1992.
pub const WANNAMAKER_9: NoiseShape = NoiseShape {
    sample_rate_hz: 44_100,
    coefficients: &[2.412, -3.370, 3.937, -4.174, 3.353, -2.205, 1.281, -0.569, 0.0847],
};

/// Nine coefficients that make the noise quietest against the threshold of hearing, of which no more than 40 dB count:
/// `tests/dither/threshold_9.py` derives and prints them.
pub const THRESHOLD_9: NoiseShape = NoiseShape {
    sample_rate_hz: 48_000,
    coefficients: &[2.41655, -2.68403, 1.22203, 0.45482, -0.91765, 0.19826, 0.40672, -0.41198, 0.11920],
};

impl NoiseShape {
    /// The power of the noise over that of white noise: Σ of the squares of the response.
    #[must_use]
    pub fn power(&self) -> f64 {
        self.coefficients.iter().fold(1.0, |sum, c| sum + c * c)
    }
}
