//! How the gain of a gate or downward expander moves: opening by the attack, staying for the hold, closing by the release.

use super::ballistics::{ARRIVED, share};
use crate::control::{Interpolate, between};

/// Opening and closing; may be interpolated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateTimes {
    attack: f64,
    release: f64,
    hold_frames: f64,
    /// The reduction that silence gets: no reduction is larger.
    floor: f64,
}

impl GateTimes {
    /// Time constants (63.2 % of the way in dB) of opening and closing and the hold between, in ms; and the reduction of
    /// silence, in the unit of the reductions.
    #[must_use]
    pub fn new(attack_ms: f64, hold_ms: f64, release_ms: f64, floor: f64, sample_rate_hz: f64) -> Self {
        Self {
            attack: share(attack_ms, sample_rate_hz),
            release: share(release_ms, sample_rate_hz),
            hold_frames: hold_frames(hold_ms, sample_rate_hz),
            floor,
        }
    }
}

/// A hold in whole frames: a count of frames below the threshold stays open while it is no greater.
#[must_use]
pub fn hold_frames(hold_ms: f64, sample_rate_hz: f64) -> f64 {
    (hold_ms * 0.001 * sample_rate_hz + 0.5).floor()
}

impl Interpolate for GateTimes {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            attack: between(self.attack, to.attack, t),
            release: between(self.release, to.release, t),
            hold_frames: between(self.hold_frames, to.hold_frames, t),
            floor: between(self.floor, to.floor, t),
        }
    }
}

/// The reduction in force. It starts closed, as after silence.
///
/// ```text
/// r ← r + a·(c − r)    while c ≤ r: opening
/// r ← r                for the hold after that
/// r ← r + b·(c − r)    then: closing
/// where c ≤ floor the reduction asked for, a and b the shares of attack and release
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GateBallistics {
    /// Infinite for closed, whatever the floor.
    reduction: f64,
    /// Frames for which less reduction was in force than asked for.
    waited: f64,
}

impl Default for GateBallistics {
    fn default() -> Self {
        Self { reduction: f64::INFINITY, waited: 0.0 }
    }
}

impl GateBallistics {
    /// Replaces each reduction asked for by the one in force; `times` gives those of each frame by its index.
    #[inline(always)]
    pub fn run(&mut self, reductions: &mut [f64], times: impl Fn(usize) -> GateTimes) {
        let Self { mut reduction, mut waited } = *self;
        for (index, value) in reductions.iter_mut().enumerate() {
            let GateTimes { attack, release, hold_frames, floor } = times(index);
            let wanted = value.min(floor);
            reduction = reduction.min(floor);
            let opening = wanted <= reduction;
            waited = if opening { 0.0 } else { waited + 1.0 };
            let share = if opening {
                attack
            } else if waited > hold_frames {
                release
            } else {
                0.0
            };
            reduction += (wanted - reduction) * share;
            *value = reduction;
        }
        *self = Self { reduction, waited };
    }

    /// Ends what has all but ended: to be called at absolute frames that are multiples of
    /// [`TIDY_FRAMES`](crate::control::TIDY_FRAMES), with the times of that frame.
    pub fn tidy(&mut self, times: GateTimes) {
        if times.floor - self.reduction < ARRIVED {
            *self = Self::default();
        } else if self.reduction < ARRIVED {
            self.reduction = 0.0;
        }
    }

    /// Whether it is closed, as after silence without end.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_to_the_frame_and_then_closes() {
        let times = GateTimes::new(0.01, 10.0, 20.0, 8.0, 48_000.0);
        let mut values = vec![0.0; 1000];
        values.resize(3000, 8.0);
        GateBallistics::default().run(&mut values, |_| times);
        assert!(values[999] < 1e-9);
        assert_eq!(values[999], values[999 + 480]);
        assert!(values[1000 + 480] > values[999] + 0.008, "the release begins on the frame after the hold");
    }

    #[test]
    fn tidied_it_is_closed_whatever_the_floor() {
        let times = |floor| GateTimes::new(1.0, 0.0, 1.0, floor, 48_000.0);
        let mut gate = GateBallistics::default();
        gate.run(&mut [0.0; 640], |_| times(8.0));
        assert!(!gate.is_at_rest());
        for _ in 0..100 {
            gate.run(&mut [8.0; 64], |_| times(8.0));
            gate.tidy(times(8.0));
        }
        assert!(gate.is_at_rest());
        let mut louder = [5.0];
        gate.run(&mut louder, |_| times(5.0));
        assert_eq!(louder, [5.0]);
    }
}
