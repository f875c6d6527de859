//! How the gain of a compressor moves: attack and release of the reduction that the static curve asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gain_computer::LOG2_PER_DB;
use crate::control::{Interpolate, between};
use crate::math;

/// A reduction this close to its goal (1e-9 dB) has arrived.
pub const ARRIVED: f64 = 1e-9 * LOG2_PER_DB;

/// Automatic release: the average's time constant is this many of the release's, within [`AVERAGE_MS`].
const AVERAGE_RATIO: f64 = 10.0;
/// Bounds of the average's time constant in ms.
const AVERAGE_MS: (f64, f64) = (300.0, 1500.0);
/// Reduction must last this many times longer to count in the average than the average takes to forget it.
const AVERAGE_RISE: f64 = 4.0;

/// Share of its distance that a one-pole goes in one frame: 1 − exp(−1/(τ·fs)). τ is the time to 63.2 %, in ms; 10 to
/// 90 % takes 2.2 τ.
#[must_use]
pub fn share(time_ms: f64, sample_rate_hz: f64) -> f64 {
    1.0 - math::exp(-1000.0 / (time_ms * sample_rate_hz))
}

/// How a reduction is smoothed. Both are those of D. Giannoulis, M. Massberg, J. D. Reiss, "Digital Dynamic Range
/// Compressor Design", JAES 60(6), 2012, after the gain computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Smoothing {
    /// One pole: the attack time while reduction grows, the release time while it shrinks. Both times are exact.
    #[default]
    Branching,
    /// The release first, then the attack over its result. Reduction between peaks stays up, so a tone is distorted
    /// less and compressed more evenly; the release is lengthened by the attack.
    Decoupled,
}

/// Attack and release as shares per frame; may be interpolated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    attack: f64,
    release: f64,
    average_rise: f64,
    average_fall: f64,
}

impl Times {
    /// Time constants (63.2 %) in ms.
    #[must_use]
    pub fn new(attack_ms: f64, release_ms: f64, sample_rate_hz: f64) -> Self {
        let average_ms = (release_ms * AVERAGE_RATIO).clamp(AVERAGE_MS.0, AVERAGE_MS.1).max(release_ms);
        Self {
            attack: share(attack_ms, sample_rate_hz),
            release: share(release_ms, sample_rate_hz),
            average_rise: share(average_ms * AVERAGE_RISE, sample_rate_hz),
            average_fall: share(average_ms, sample_rate_hz),
        }
    }

    /// Shares of the distance per frame (see [`share`]), for envelopes; 1 follows at once. Not for automatic release.
    #[must_use]
    pub fn of_shares(attack: f64, release: f64) -> Self {
        Self { attack, release, average_rise: 0.0, average_fall: 0.0 }
    }
}

impl Interpolate for Times {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            attack: between(self.attack, to.attack, t),
            release: between(self.release, to.release, t),
            average_rise: between(self.average_rise, to.average_rise, t),
            average_fall: between(self.average_fall, to.average_fall, t),
        }
    }
}

/// The reduction in force: one for each gain that moves on its own. Reductions are not negative, in any logarithmic
/// unit; this also follows linear levels, as an envelope.
///
/// ```text
/// branching   r ← r + (c > r ? a : b)·(c − r)
/// decoupled   p ← max(c, p + b·(c − p)),   r ← r + a·(p − r)
/// automatic   s ← s + (f > s ? u : d)·(f − s),   r = max(f, s);   f is the fast r of branching, the fast p of decoupled
/// where c the reduction asked for, a and b the shares of attack and release, u and d those of the average s
/// ```
/// Automatic release, after the two time constants in the detectors of analogue compressors: a lone peak hardly moves the average and is released in the time set; lasting reduction
/// becomes average and is released ten times slower (within 0.3 to 1.5 s).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ballistics {
    /// r, or f where release is automatic.
    reduction: f64,
    /// p.
    peak: f64,
    /// s.
    average: f64,
}

impl Ballistics {
    /// Replaces each reduction asked for by the one in force; `times` gives those of each frame by its index.
    #[inline(always)]
    pub fn run(
        &mut self,
        (smoothing, auto_release): (Smoothing, bool),
        reductions: &mut [f64],
        times: impl Fn(usize) -> Times,
    ) {
        match (smoothing, auto_release) {
            (Smoothing::Branching, false) => self.run_as::<false, false>(reductions, times),
            (Smoothing::Branching, true) => self.run_as::<false, true>(reductions, times),
            (Smoothing::Decoupled, false) => self.run_as::<true, false>(reductions, times),
            (Smoothing::Decoupled, true) => self.run_as::<true, true>(reductions, times),
        }
    }

    /// The same for two tracks at once, at times that stand still: neither waits for the other.
    #[inline(always)]
    pub fn run_beside(
        (a, mode_a, reductions_a, times_a): (&mut Self, (Smoothing, bool), &mut [f64], Times),
        (b, mode_b, reductions_b, times_b): (&mut Self, (Smoothing, bool), &mut [f64], Times),
    ) {
        const BRANCHING: (Smoothing, bool) = (Smoothing::Branching, false);
        if (mode_a, mode_b) == (BRANCHING, BRANCHING) {
            let (mut reduction_a, mut reduction_b) = (a.reduction, b.reduction);
            for (value_a, value_b) in reductions_a.iter_mut().zip(reductions_b) {
                reduction_a = branched(reduction_a, *value_a, times_a);
                reduction_b = branched(reduction_b, *value_b, times_b);
                (*value_a, *value_b) = (reduction_a, reduction_b);
            }
            (a.reduction, b.reduction) = (reduction_a, reduction_b);
        } else {
            a.run(mode_a, reductions_a, |_| times_a);
            b.run(mode_b, reductions_b, |_| times_b);
        }
    }

    #[inline(always)]
    fn run_as<const DECOUPLED: bool, const AUTO: bool>(
        &mut self,
        reductions: &mut [f64],
        times: impl Fn(usize) -> Times,
    ) {
        let Self { mut reduction, mut peak, mut average } = *self;
        for (index, value) in reductions.iter_mut().enumerate() {
            let times = times(index);
            let wanted = *value;
            if DECOUPLED {
                peak = larger(wanted, towards(peak, wanted, times.release));
            } else {
                reduction = branched(reduction, wanted, times);
            }
            if AUTO {
                let fast = if DECOUPLED { peak } else { reduction };
                let share = if fast > average { times.average_rise } else { times.average_fall };
                average = towards(average, fast, share);
            }
            if DECOUPLED {
                let goal = if AUTO { larger(peak, average) } else { peak };
                reduction = towards(reduction, goal, times.attack);
                *value = reduction;
            } else {
                *value = if AUTO { larger(reduction, average) } else { reduction };
            }
        }
        *self = Self { reduction, peak, average };
    }

    /// Ends what has all but ended: to be called at absolute frames that are multiples of
    /// [`TIDY_FRAMES`](crate::control::TIDY_FRAMES).
    pub fn tidy(&mut self) {
        for state in [&mut self.reduction, &mut self.peak, &mut self.average] {
            if *state < ARRIVED {
                *state = 0.0;
            }
        }
    }

    /// Whether nothing is reduced and nothing remembered.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        *self == Self::default()
    }
}

#[inline(always)]
fn branched(reduction: f64, wanted: f64, times: Times) -> f64 {
    towards(reduction, wanted, if wanted > reduction { times.attack } else { times.release })
}

#[inline(always)]
fn towards(from: f64, to: f64, share: f64) -> f64 {
    from + (to - from) * share
}

/// The larger of two numbers, neither of them NaN.
#[inline(always)]
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 48_000.0;

    /// The reductions in force over 1 s of 10, then 3 s of 0.
    fn course(smoothing: Smoothing, auto_release: bool, on_s: f64) -> Vec<f64> {
        let on = (on_s * RATE_HZ) as usize;
        let mut values = vec![10.0; on];
        values.resize(on + 3 * 48_000, 0.0);
        let times = Times::new(5.0, 50.0, RATE_HZ);
        Ballistics::default().run((smoothing, auto_release), &mut values, |_| times);
        values
    }

    #[test]
    fn decoupled_smoothing_lengthens_the_release_and_keeps_the_attack() {
        let (branching, decoupled) =
            (course(Smoothing::Branching, false, 1.0), course(Smoothing::Decoupled, false, 1.0));
        for (frame, (a, b)) in branching[..48_000].iter().zip(&decoupled).enumerate() {
            assert!((a - b).abs() < 1e-9, "frame {frame}: {a} and {b}");
        }
        // The closed form of two poles in series, τ 50 and 5 ms: 10·(50·e^(−t/50) − 5·e^(−t/5))/45.
        for ms in [5, 20, 50, 200] {
            let t = f64::from(ms);
            let expected = 10.0 * (50.0 * math::exp(-t / 50.0) - 5.0 * math::exp(-t / 5.0)) / 45.0;
            let found = decoupled[48_000 + ms as usize * 48];
            assert!((found - expected).abs() < 0.02, "{ms} ms: {found} instead of {expected}");
        }
    }

    #[test]
    fn automatic_release_is_fast_after_a_peak_and_slow_after_a_plateau() {
        for smoothing in [Smoothing::Branching, Smoothing::Decoupled] {
            let half = |on_s: f64| {
                let course = course(smoothing, true, on_s);
                let start = (on_s * RATE_HZ) as usize;
                course[start..].iter().take_while(|value| **value > course[start - 1] / 2.0).count() as f64 / 48.0
            };
            let (peak_ms, plateau_ms) = (half(0.02), half(4.0));
            assert!((30.0..60.0).contains(&peak_ms), "{smoothing:?}: {peak_ms} ms");
            assert!((200.0..500.0).contains(&plateau_ms), "{smoothing:?}: {plateau_ms} ms");
        }
    }

    #[test]
    fn it_comes_to_rest() {
        let mut ballistics = Ballistics::default();
        let times = Times::new(1.0, 50.0, RATE_HZ);
        ballistics.run((Smoothing::Decoupled, true), &mut [1.0; 4800], |_| times);
        for _ in 0..20_000 {
            ballistics.run((Smoothing::Decoupled, true), &mut [0.0; 64], |_| times);
            ballistics.tidy();
        }
        assert!(ballistics.is_at_rest());
    }
}
