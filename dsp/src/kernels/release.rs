//! How a limiter's gain comes back.

use crate::math;

/// The slow path's time constant is this many of the fast one's, within [`SLOW_MS`].
const SLOW_RATIO: f64 = 10.0;
/// The range of the slow time constant, in ms.
const SLOW_MS: (f64, f64) = (300.0, 1500.0);
/// The slow path goes down this many times slower than it comes back: reduction must last before it counts as average.
const SLOW_DOWN: f64 = 4.0;
/// Below this share of a step left, the gain returns in a straight line: an exponential would never arrive.
const FOOT: f64 = 1.0 / 1024.0;

/// Two releases in parallel, the lower of which holds.
///
/// ```text
/// fast  f ← m if m < f, else f + a·(m − f)      a = 1 − exp(−1 / (τ·fs))
/// slow  s ← s + b·(f − s)                       the average of the fast gain; b is smaller on the way down
/// out   min(f, s)
/// where m is the gain required, τ the release
/// ```
/// A lone peak hardly moves the average and is released fast; dense ones pull it down, and the gain then breathes about
/// it no faster than the slow path.
#[derive(Debug, Clone)]
pub struct Release {
    fast_share: f64,
    slow_share: f64,
    slow_down_share: f64,
    fast: f64,
    slow: f64,
}

impl Release {
    /// A release at unity gain.
    #[must_use]
    pub fn new(sample_rate_hz: u32, release_ms: f64) -> Self {
        let share = |ms: f64| 1.0 - math::exp(-1000.0 / (ms * f64::from(sample_rate_hz)));
        let slow_ms = (release_ms * SLOW_RATIO).clamp(SLOW_MS.0, SLOW_MS.1).max(release_ms);
        Self {
            fast_share: share(release_ms),
            slow_share: share(slow_ms),
            slow_down_share: share(slow_ms * SLOW_DOWN),
            fast: 1.0,
            slow: 1.0,
        }
    }

    /// Takes the gain required and gives one no higher.
    pub fn push(&mut self, required: f64) -> f64 {
        self.fast = if required <= self.fast { required } else { towards(self.fast, required, self.fast_share) };
        let share = if self.fast < self.slow { self.slow_down_share } else { self.slow_share };
        self.slow = towards(self.slow, self.fast, share);
        self.fast.min(self.slow)
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
