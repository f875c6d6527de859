//! Curves that bend a waveform, each with its antiderivative, and first-order antiderivative antialiasing:
//!
//! ```text
//! y[n] = (F(x[n]) − F(x[n−1])) / (x[n] − x[n−1]),      f((x[n] + x[n−1])/2) where the two are next to equal
//! ```
//!
//! It delays by half a sample and weighs what it does not bend by cos(π·f/fs).
//!
//! *Reference*: J. Parker, V. Zavalishin, E. Le Bivic, "Reducing the aliasing of nonlinear waveshaping using
//! continuous-time convolution", DAFx-16.

use std::sync::OnceLock;

use crate::math;

/// A curve f through 0 of slope 1 there, and an antiderivative F.
pub trait Curve: Copy {
    /// f(x).
    fn value(&self, x: f64) -> f64;
    /// F(x), up to a constant.
    fn integral(&self, x: f64) -> f64;
}

/// Bends `samples` in place around the working point `bias`, so that silence stays silence. `before` is the sample before
/// the first and becomes the last one.
#[inline(always)]
pub fn bend(curve: impl Curve, bias: f64, before: &mut f64, samples: &mut [f64]) {
    /// Steps smaller than this share of the level count as equal: a rounding error of F weighs less than 1e-9 then.
    const NEAR: f64 = 1.0 / 1_048_576.0;
    let rest = curve.value(bias);
    let mut from = *before + bias;
    let mut integral_from = curve.integral(from);
    for sample in samples.iter_mut() {
        *before = *sample;
        let to = *sample + bias;
        let integral_to = curve.integral(to);
        let step = to - from;
        let bent = if step.abs() < NEAR * (1.0 + to.abs()) {
            curve.value(0.5 * (to + from))
        } else {
            (integral_to - integral_from) / step
        };
        *sample = bent - rest;
        (from, integral_from) = (to, integral_to);
    }
}

/// tanh(x); F = ln cosh x.
#[derive(Clone, Copy)]
pub struct Tanh(&'static LogCosh);

impl Tanh {
    /// The curve.
    #[must_use]
    pub fn new() -> Self {
        Self(LogCosh::table())
    }
}

impl Default for Tanh {
    fn default() -> Self {
        Self::new()
    }
}

impl Curve for Tanh {
    #[inline(always)]
    fn value(&self, x: f64) -> f64 {
        self.0.slope(x)
    }

    #[inline(always)]
    fn integral(&self, x: f64) -> f64 {
        self.0.value(x)
    }
}

/// tanh about a working point off its middle, as in a triode stage: (tanh(x + b) − tanh b)/(1 − tanh² b) with b = 0.35. It
/// stops at 0.75 above and at −1.51 below.
#[derive(Clone, Copy)]
pub struct Tube {
    table: &'static LogCosh,
    level: f64,
    scale: f64,
}

impl Tube {
    const WORKING_POINT: f64 = 0.35;

    /// The curve.
    #[must_use]
    pub fn new() -> Self {
        let table = LogCosh::table();
        let level = table.slope(Self::WORKING_POINT);
        Self { table, level, scale: 1.0 / (1.0 - level * level) }
    }
}

impl Default for Tube {
    fn default() -> Self {
        Self::new()
    }
}

impl Curve for Tube {
    #[inline(always)]
    fn value(&self, x: f64) -> f64 {
        (self.table.slope(x + Self::WORKING_POINT) - self.level) * self.scale
    }

    #[inline(always)]
    fn integral(&self, x: f64) -> f64 {
        (self.table.value(x + Self::WORKING_POINT) - self.level * x) * self.scale
    }
}

/// x/√(1 + x²), which gives way early and arrives late, as tape does; F = √(1 + x²).
#[derive(Clone, Copy)]
pub struct Tape;

impl Curve for Tape {
    #[inline(always)]
    fn value(&self, x: f64) -> f64 {
        x / (1.0 + x * x).sqrt()
    }

    #[inline(always)]
    fn integral(&self, x: f64) -> f64 {
        (1.0 + x * x).sqrt()
    }
}

/// x − 4·x³/27 up to 1.5, where it arrives at 1 and stays: third harmonic alone until then.
#[derive(Clone, Copy)]
pub struct Cubic;

impl Curve for Cubic {
    #[inline(always)]
    fn value(&self, x: f64) -> f64 {
        if x.abs() < 1.5 { x - x * x * x * (4.0 / 27.0) } else { 1f64.copysign(x) }
    }

    #[inline(always)]
    fn integral(&self, x: f64) -> f64 {
        let square = x * x;
        if x.abs() < 1.5 { 0.5 * square - square * square * (1.0 / 27.0) } else { x.abs() - 0.5625 }
    }
}

/// Straight up to `corner`, then a parabola that arrives at 1 at 2 − corner and stays: at a corner of 1 a hard clip.
#[derive(Clone, Copy)]
pub struct Knee {
    /// Where it begins to bend, 0 to 1.
    pub corner: f64,
}

impl Curve for Knee {
    #[inline(always)]
    fn value(&self, x: f64) -> f64 {
        let (size, over) = (x.abs(), x.abs() - self.corner);
        if over <= 0.0 {
            x
        } else if size >= 2.0 - self.corner {
            1f64.copysign(x)
        } else {
            (size - over * over / (4.0 * (1.0 - self.corner))).copysign(x)
        }
    }

    #[inline(always)]
    fn integral(&self, x: f64) -> f64 {
        let (size, over, rest) = (x.abs(), x.abs() - self.corner, 1.0 - self.corner);
        if over <= 0.0 {
            0.5 * x * x
        } else if size >= 1.0 + rest {
            let end = 1.0 + rest;
            0.5 * end * end - rest * rest * (2.0 / 3.0) + (size - end)
        } else {
            0.5 * x * x - over * over * over / (12.0 * rest)
        }
    }
}

/// Pieces of the table of ln cosh, each this wide.
const PIECE: f64 = 1.0 / 16.0;

/// From here on ln cosh x is |x| − ln 2 to the last bit.
const STRAIGHT: f64 = 20.0;

/// Coefficients of a piece; those left out change its slope by 2e-14 at most.
const TERMS: usize = 9;

/// ln cosh x in pieces, each a Taylor polynomial about its middle; its slope, tanh x, is that of the polynomial. So the
/// two belong together to the last bit, which differences of one divided by steps of the other demand.
struct LogCosh(Vec<[f64; TERMS]>);

impl LogCosh {
    fn table() -> &'static Self {
        static TABLE: OnceLock<LogCosh> = OnceLock::new();
        TABLE.get_or_init(|| Self((0..(STRAIGHT / PIECE) as usize).map(Self::piece).collect()))
    }

    /// The series of t' = 1 − t²: (n + 1)·t[n+1] = [n = 0] − Σ t[i]·t[n−i], integrated term by term.
    fn piece(index: usize) -> [f64; TERMS] {
        let middle = (index as f64 + 0.5) * PIECE;
        let falling = math::exp(-2.0 * middle);
        let mut slope = [0.0; TERMS];
        slope[0] = (1.0 - falling) / (1.0 + falling);
        for n in 0..TERMS - 1 {
            let square: f64 = (0..=n).map(|i| slope[i] * slope[n - i]).sum();
            slope[n + 1] = (if n == 0 { 1.0 } else { 0.0 } - square) / (n + 1) as f64;
        }
        let at_middle = middle + math::ln(1.0 + falling) - core::f64::consts::LN_2;
        core::array::from_fn(|n| if n == 0 { at_middle } else { slope[n - 1] / n as f64 })
    }

    #[inline(always)]
    fn value(&self, x: f64) -> f64 {
        let size = x.abs();
        let index = (size * (1.0 / PIECE)) as usize;
        match self.0.get(index) {
            Some(c) => {
                let t = size - (index as f64 + 0.5) * PIECE;
                c[0] + t
                    * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * (c[5] + t * (c[6] + t * (c[7] + t * c[8])))))))
            }
            None => size - core::f64::consts::LN_2,
        }
    }

    #[inline(always)]
    fn slope(&self, x: f64) -> f64 {
        let size = x.abs();
        let index = (size * (1.0 / PIECE)) as usize;
        let slope = self.0.get(index).map_or(1.0, |c| {
            let t = size - (index as f64 + 0.5) * PIECE;
            (1..TERMS).rev().fold(0.0, |sum, n| sum * t + n as f64 * c[n])
        });
        slope.copysign(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(mut check: impl FnMut(&str, &dyn Fn(f64) -> f64, &dyn Fn(f64) -> f64)) {
        fn both<K: Curve>(curve: K) -> (impl Fn(f64) -> f64, impl Fn(f64) -> f64) {
            (move |x| curve.value(x), move |x| curve.integral(x))
        }
        let (f, big) = both(Tanh::new());
        check("tanh", &f, &big);
        let (f, big) = both(Tube::new());
        check("tube", &f, &big);
        let (f, big) = both(Tape);
        check("tape", &f, &big);
        let (f, big) = both(Cubic);
        check("cubic", &f, &big);
        for corner in [0.0, 0.5, 1.0] {
            let (f, big) = both(Knee { corner });
            check("knee", &f, &big);
        }
    }

    #[test]
    fn each_integral_is_that_of_its_curve() {
        each(|name, f, big| {
            for step in -4000..4000 {
                // Simpson's rule over a short stretch.
                let (a, b) = (f64::from(step) * 0.01, f64::from(step + 1) * 0.01);
                let simpson = (f(a) + 4.0 * f(0.5 * (a + b)) + f(b)) * (b - a) / 6.0;
                assert!((big(b) - big(a) - simpson).abs() < 1e-9, "{name} at {a}: {} {simpson}", big(b) - big(a));
            }
        });
    }

    #[test]
    fn each_curve_has_slope_1_at_0_and_stays_in_its_bounds() {
        each(|name, f, _| {
            if name != "knee" {
                assert!((f(1e-5) - 1e-5).abs() < 1e-10, "{name}: {}", f(1e-5));
            }
            assert!(f(0.0).abs() < 1e-14, "{name}: {}", f(0.0));
            for x in [0.3, 2.0, 40.0, 1e30] {
                assert!(f(x) <= 1.0 && f(-x) >= -1.51, "{name}");
            }
        });
    }

    #[test]
    fn tanh_is_right_to_3e_14() {
        let tanh = Tanh::new();
        for step in -3000..3000 {
            let x = f64::from(step) * 0.007_31;
            let falling = math::exp(-2.0 * x.abs());
            let expected = (1.0 - falling) / (1.0 + falling);
            assert!((tanh.value(x).abs() - expected).abs() < 3e-14, "{x}: {} {expected}", tanh.value(x));
        }
    }

    #[test]
    fn a_bias_leaves_silence_silent_to_the_bit() {
        let mut before = 0.0;
        let mut samples = [0.0; 10];
        bend(Tube::new(), 0.4, &mut before, &mut samples);
        assert_eq!(samples, [0.0; 10]);
    }
}
