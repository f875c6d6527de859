//! How a limiter's gain comes back.

use crate::control::{Interpolate, between};
use crate::math;

/// The slow path's time constant is this many release times, within [`SLOW_MS`].
const SLOW_RATIO: f64 = 10.0;
/// The range of the slow time constant, in ms.
const SLOW_MS: (f64, f64) = (300.0, 1500.0);
/// The slow path goes down this many times slower than it comes back: reduction must last before it counts as average.
const SLOW_DOWN: f64 = 4.0;
/// The share of the average reduction that is held back: the rest is released fast, or dense music would lose level.
const SLOW_DEPTH: f64 = 0.5;
/// Below this share of a step left, the average arrives in a straight line: an exponential never would.
const FOOT: f64 = 1.0 / 1024.0;

/// How fast a release is, per frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    fast: f64,
    slow: f64,
    slow_down: f64,
}

impl Speed {
    /// Of a release that lets the gain rise by 1 in `release_ms`.
    #[must_use]
    pub fn new(sample_rate_hz: u32, release_ms: f64) -> Self {
        let frames = |ms: f64| ms * 0.001 * f64::from(sample_rate_hz);
        let share = |ms: f64| 1.0 - math::exp(-1.0 / frames(ms));
        let slow_ms = (release_ms * SLOW_RATIO).clamp(SLOW_MS.0, SLOW_MS.1).max(release_ms);
        Self { fast: 1.0 / frames(release_ms), slow: share(slow_ms), slow_down: share(slow_ms * SLOW_DOWN) }
    }
}

impl Interpolate for Speed {
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            fast: between(self.fast, to.fast, t),
            slow: between(self.slow, to.slow, t),
            slow_down: between(self.slow_down, to.slow_down, t),
        }
    }
}

/// Two releases in parallel, the lower of which holds.
///
/// ```text
/// fast  f ← min(m, f + 1/(τ·fs))                straight: back from −6 dB in τ/2
/// slow  s ← s + b·(f − s)                       the average of the fast gain; b is smaller on the way down
/// out   min(f, 1 − (1 − s)/2)
/// where m is the gain required, τ the release
/// ```
/// A lone peak hardly moves the average and is released fast; dense ones pull it down, and the gain then breathes no
/// higher than half way back to 1, until the average follows.
#[derive(Debug, Clone)]
pub struct Release {
    speed: Speed,
    fast: f64,
    slow: f64,
}

impl Release {
    /// A release at unity gain.
    #[must_use]
    pub fn new(speed: Speed) -> Self {
        Self { speed, fast: 1.0, slow: 1.0 }
    }

    /// Takes the gain required and gives one no higher.
    pub fn push(&mut self, required: f64) -> f64 {
        self.push_at(self.speed, required)
    }

    /// The same at another speed.
    pub fn push_at(&mut self, speed: Speed, required: f64) -> f64 {
        self.fast = (self.fast + speed.fast).min(required);
        let share = if self.fast < self.slow { speed.slow_down } else { speed.slow };
        self.slow = towards(self.slow, self.fast, share);
        self.fast.min(1.0 - SLOW_DEPTH * (1.0 - self.slow))
    }

    /// Whether the gain is back at exactly 1.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.fast == 1.0 && self.slow == 1.0
    }

    /// Returns to unity gain.
    pub fn reset(&mut self) {
        (self.fast, self.slow) = (1.0, 1.0);
    }
}

/// A step from `from` to `to` by a share of the way, no smaller than the foot's, and never beyond.
fn towards(from: f64, to: f64, share: f64) -> f64 {
    let way = to - from;
    if way.abs() <= share * FOOT {
        to
    } else {
        let step = (way * share).abs().max(share * FOOT);
        if way > 0.0 { from + step } else { from - step }
    }
}
