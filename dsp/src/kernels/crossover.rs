//! Linkwitz–Riley crossovers: bands that add up to an all-pass.
//!
//! A Butterworth low-pass in series with itself is the lower band, its mirror image the upper one, and their sum passes
//! every frequency alike. With s = j·tan(ω/2), g = tan(π·f/fs) and D(k) = g² + k·g·s + s²:
//!
//! ```text
//! 12 dB/oct  low = g² / D(2)            low + high = (g² − s²) / D(2) = (g − s)/(g + s)      high is turned over
//! 24 dB/oct  low = (g² / D(√2))²        low + high = D(−√2) / D(√2)
//! 48 dB/oct  low = (g⁴ / D(k1)·D(k2))²  low + high = D(−k1)·D(−k2) / D(k1)·D(k2)             k1 = 1.848, k2 = 0.765
//! ```
//!
//! The sum costs nothing beside the lower band, for both are outputs of one state-variable filter. So the upper band is
//! taken as sum − low: the same filter, and no rounding or moving corner ever makes a hole where bands meet.
//!
//! *References*: S. H. Linkwitz, "Active Crossover Networks for Noncoincident Drivers", JAES 24(1), 1976; J. D'Appolito,
//! "Active Realization of Multiway All-Pass Crossover Systems", JAES 35(4), 1987, for the all-passes of bands that a
//! corner does not touch; filters as in [`super::svf`].

use core::f64::consts::{PI, SQRT_2};

use super::eq_design::MAX_FREQUENCY;
use super::lanes::Lanes;
use crate::control::{Interpolate, between};
use crate::math;

/// The most bands of a [`Crossover`].
pub const MAX_BANDS: usize = 5;

/// How steep a crossover is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slope {
    /// 12 dB per octave.
    Db12,
    /// 24 dB per octave.
    Db24,
    /// 48 dB per octave.
    Db48,
}

impl Slope {
    /// The slopes in dB per octave, for messages.
    pub const EXPECTED: &'static str = "12, 24 or 48";

    /// The slope of so many dB per octave, if there is such a crossover.
    #[must_use]
    pub fn of(db_per_octave: u32) -> Option<Self> {
        match db_per_octave {
            12 => Some(Self::Db12),
            24 => Some(Self::Db24),
            48 => Some(Self::Db48),
            _ => None,
        }
    }

    /// Damping of the two pairs of poles, the first the better damped.
    fn dampings(self) -> (f64, f64) {
        match self {
            Self::Db12 => (2.0, 2.0),
            Self::Db24 => (SQRT_2, SQRT_2),
            // 2·cos(π/8) and 2·cos(3π/8).
            Self::Db48 => (1.847_759_065_022_573_5, 0.765_366_864_730_179_6),
        }
    }

    /// Nepers per radian of the corner at which the slowest poles decay, and how many of them there are in a row.
    fn decay(self) -> (f64, f64) {
        match self {
            Self::Db12 => (1.0, 2.0),
            Self::Db24 => (SQRT_2 / 2.0, 2.0),
            Self::Db48 => (0.382_683_432_365_089_8, 2.0),
        }
    }

    /// Seconds until a crossover with these corners, one after another, has fallen by `nepers`.
    #[must_use]
    pub fn fall_s(self, corners_hz: impl Iterator<Item = f64>, nepers: f64) -> f64 {
        let (rate, poles) = self.decay();
        // Equal poles in a row fall as t·e^(−t): 20 dB more for each, and as much for every other corner.
        let dwell = core::f64::consts::LN_10;
        let (mut slowest, mut sum) = (0.0f64, 0.0);
        for hz in corners_hz {
            let unit_s = 1.0 / (2.0 * PI * hz * rate);
            slowest = slowest.max(unit_s);
            sum += unit_s * dwell * poles;
        }
        slowest * nepers + sum
    }
}

/// One pair of poles in state-variable form.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    k: f64,
    a1: f64,
    a2: f64,
    a3: f64,
}

impl Pair {
    fn new(g: f64, k: f64) -> Self {
        let a1 = 1.0 / (1.0 + g * (g + k));
        Self { k, a1, a2: g * a1, a3: g * g * a1 }
    }

    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            k: self.k,
            a1: between(self.a1, to.a1, t),
            a2: between(self.a2, to.a2, t),
            a3: between(self.a3, to.a3, t),
        }
    }
}

/// Where a crossover parts its bands. May be interpolated: the matrix that carries states on never lengthens them, see
/// [`super::svf`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corner {
    first: Pair,
    second: Pair,
}

impl Corner {
    /// A corner at `hz`; one too close to half the sample rate is moved to [`MAX_FREQUENCY`] of it.
    #[must_use]
    pub fn new(slope: Slope, hz: f64, sample_rate_hz: f64) -> Self {
        let g = math::tan(PI * (hz / sample_rate_hz).min(MAX_FREQUENCY));
        let (first, second) = slope.dampings();
        Self { first: Pair::new(g, first), second: Pair::new(g, second) }
    }
}

impl Interpolate for Corner {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self { first: self.first.interpolated(&to.first, t), second: self.second.interpolated(&to.second, t) }
    }
}

/// The state of one pair of poles.
#[derive(Debug, Clone, Copy, PartialEq)]
struct State<const C: usize> {
    s1: Lanes<C>,
    s2: Lanes<C>,
}

impl<const C: usize> State<C> {
    const ZERO: Self = Self { s1: Lanes::ZERO, s2: Lanes::ZERO };

    fn without_dust(self) -> Self {
        Self { s1: self.s1.without_dust(), s2: self.s2.without_dust() }
    }

    /// The outputs g·s/D and g²/D.
    #[inline(always)]
    fn tick(&mut self, pair: &Pair, x: Lanes<C>) -> (Lanes<C>, Lanes<C>) {
        let v = x - self.s2;
        let band = self.s1 * pair.a1 + v * pair.a2;
        let low = self.s2 + self.s1 * pair.a2 + v * pair.a3;
        self.s1 = band * 2.0 - self.s1;
        self.s2 = low * 2.0 - self.s2;
        (band, low)
    }

    /// The all-pass D(−k)/D(k) and the low-pass g²/D(k).
    #[inline(always)]
    fn tick_all_pass(&mut self, pair: &Pair, x: Lanes<C>) -> (Lanes<C>, Lanes<C>) {
        let (band, low) = self.tick(pair, x);
        (x - band * (2.0 * pair.k), low)
    }
}

/// The all-pass that the bands of a corner add up to.
#[derive(Debug, Clone, Copy, PartialEq)]
struct AllPass<const C: usize>([State<C>; 2]);

impl<const C: usize> AllPass<C> {
    const ZERO: Self = Self([State::ZERO; 2]);

    /// The all-pass of `x`, and `x` once through the Butterworth low-pass, or for 12 dB/oct twice through one pole.
    #[inline(always)]
    fn tick<const SLOPE: u32>(&mut self, corner: &Corner, x: Lanes<C>) -> (Lanes<C>, Lanes<C>) {
        let Self([first, second]) = self;
        match SLOPE {
            12 => {
                let (band, low) = first.tick(&corner.first, x);
                (low * 2.0 + band * 2.0 - x, low)
            }
            24 => first.tick_all_pass(&corner.first, x),
            _ => {
                let (all, low) = first.tick_all_pass(&corner.first, x);
                (second.tick_all_pass(&corner.second, all).0, low)
            }
        }
    }
}

/// One corner at work.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split<const C: usize> {
    all_pass: AllPass<C>,
    low: [State<C>; 3],
}

impl<const C: usize> Split<C> {
    const ZERO: Self = Self { all_pass: AllPass::ZERO, low: [State::ZERO; 3] };

    fn states(&mut self) -> impl Iterator<Item = &mut State<C>> {
        let Self { all_pass: AllPass(all_pass), low } = self;
        all_pass.iter_mut().chain(low)
    }

    /// The band below the corner and the one above.
    #[inline(always)]
    fn tick<const SLOPE: u32>(&mut self, corner: &Corner, x: Lanes<C>) -> (Lanes<C>, Lanes<C>) {
        let (all, mut low) = self.all_pass.tick::<SLOPE>(corner, x);
        match SLOPE {
            12 => {}
            24 => low = self.low[0].tick(&corner.first, low).1,
            _ => {
                for (state, pair) in self.low.iter_mut().zip([&corner.second, &corner.first, &corner.second]) {
                    low = state.tick(pair, low).1;
                }
            }
        }
        (low, all - low)
    }
}

/// Parts a signal into 2 to [`MAX_BANDS`] bands, and joins them again.
///
/// The corners come one after another from the lowest up. A band that a later corner does not touch owes it the all-pass
/// that the bands above go through, without which the sum has dips where corners are near (7 dB for 1 and 1.5 kHz).
/// [`Self::join`] pays it on the way out, on the sum of all bands below the corner: one all-pass for each corner but the
/// first. Gains that bands were given in between pass it as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossover<const C: usize> {
    slope: Slope,
    splits: Vec<Split<C>>,
    joins: Vec<AllPass<C>>,
}

impl<const C: usize> Crossover<C> {
    /// A crossover of `bands`, silent.
    #[must_use]
    pub fn new(slope: Slope, bands: usize) -> Self {
        let corners = bands - 1;
        Self { slope, splits: vec![Split::ZERO; corners], joins: vec![AllPass::ZERO; corners.saturating_sub(1)] }
    }

    /// Parts the signal that lies in the last of `bands` into all of them; `corner(index, frame)` gives the corners.
    #[inline(always)]
    pub fn split<const N: usize>(
        &mut self,
        corner: impl Fn(usize, usize) -> Corner,
        bands: &mut [[Lanes<C>; N]],
        frames: usize,
    ) {
        match self.slope {
            Slope::Db12 => self.split_at::<12, N>(corner, bands, frames),
            Slope::Db24 => self.split_at::<24, N>(corner, bands, frames),
            Slope::Db48 => self.split_at::<48, N>(corner, bands, frames),
        }
    }

    #[inline(always)]
    fn split_at<const SLOPE: u32, const N: usize>(
        &mut self,
        corner: impl Fn(usize, usize) -> Corner,
        bands: &mut [[Lanes<C>; N]],
        frames: usize,
    ) {
        let Some((rest, below)) = bands.split_last_mut() else { return };
        for (index, (split, band)) in self.splits.iter_mut().zip(below).enumerate() {
            let mut state = *split;
            for (frame, (low, x)) in band.iter_mut().zip(rest.iter_mut()).take(frames).enumerate() {
                (*low, *x) = state.tick::<SLOPE>(&corner(index, frame), *x);
            }
            *split = state;
        }
    }

    /// Adds `bands` up into the first of them.
    #[inline(always)]
    pub fn join<const N: usize>(
        &mut self,
        corner: impl Fn(usize, usize) -> Corner,
        bands: &mut [[Lanes<C>; N]],
        frames: usize,
    ) {
        match self.slope {
            Slope::Db12 => self.join_at::<12, N>(corner, bands, frames),
            Slope::Db24 => self.join_at::<24, N>(corner, bands, frames),
            Slope::Db48 => self.join_at::<48, N>(corner, bands, frames),
        }
    }

    #[inline(always)]
    fn join_at<const SLOPE: u32, const N: usize>(
        &mut self,
        corner: impl Fn(usize, usize) -> Corner,
        bands: &mut [[Lanes<C>; N]],
        frames: usize,
    ) {
        let Some((sum, above)) = bands.split_first_mut() else { return };
        for (index, band) in above.iter().enumerate() {
            if let Some(join) = self.joins.get_mut(index) {
                let mut state = *join;
                for (frame, (sum, x)) in sum.iter_mut().zip(band).take(frames).enumerate() {
                    *sum = state.tick::<SLOPE>(&corner(index + 1, frame), *sum).0 + *x;
                }
                *join = state;
            } else {
                sum.iter_mut().zip(band).take(frames).for_each(|(sum, x)| *sum = *sum + *x);
            }
        }
    }

    /// Removes what has decayed to nothing; called at absolute frames.
    pub fn tidy(&mut self) {
        self.states().for_each(|state| *state = state.without_dust());
    }

    /// Returns to silence.
    pub fn reset(&mut self) {
        self.states().for_each(|state| *state = State::ZERO);
    }

    /// Whether nothing of the past is left.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.splits.iter().all(|split| *split == Split::ZERO) && self.joins.iter().all(|join| *join == AllPass::ZERO)
    }

    fn states(&mut self) -> impl Iterator<Item = &mut State<C>> {
        let joins = self.joins.iter_mut().flat_map(|AllPass(states)| states);
        self.splits.iter_mut().flat_map(Split::states).chain(joins)
    }
}
