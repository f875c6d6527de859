//! Second-order sections in state-variable form.
//!
//! The trapezoidal state-variable filter of V. Zavalishin, "The Art of VA Filter Design", and A. Simper, "Solving the
//! continuous SVF equations using trapezoidal integration and equivalent currents", 2013, with its products gathered:
//!
//! ```text
//! v = x − s2      y = direct·x + from_s1·s1 + from_s2·s2      s1 ← hold·s1 + turn·v      s2 ← s2 + turn·s1 + take·v
//! Where a1 = 1/(1 + g(g + k)), a2 = g·a1, a3 = g·a2;  hold = 2·a1 − 1, turn = 2·a2, take = 2·a3.
//! ```
//!
//! The matrix that carries (s1, s2) on never lengthens them: it is the Cayley transform of a dissipative system. So does
//! no mean of two such matrices, and coefficients may be interpolated linearly without a thought of stability.

use core::ops::Mul;

use super::eq_design::Section;
use super::lanes::Lanes;
use crate::simd;

/// Coefficients of one section: numbers, or [`Lanes`] where each channel has its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients<T = f64> {
    hold: T,
    turn: T,
    take: T,
    direct: T,
    from_s1: T,
    from_s2: T,
}

impl Coefficients {
    /// A section that hands on what it gets and remembers nothing.
    pub const IDLE: Self = Self { hold: 0.0, turn: 0.0, take: 0.0, direct: 1.0, from_s1: 0.0, from_s2: 0.0 };

    /// A section that hands on what it gets; its state follows with the poles given.
    #[must_use]
    pub fn passthrough(section: &Section) -> Self {
        Self { direct: 1.0, from_s1: 0.0, from_s2: 0.0, ..Self::from(section) }
    }

    /// The coefficients at `t` (0 to 1) of the way from `self` to `to`.
    #[must_use]
    #[inline(always)]
    pub fn interpolated(&self, to: &Self, t: f64) -> Self {
        let between = |from: f64, to: f64| from + (to - from) * t;
        Self {
            hold: between(self.hold, to.hold),
            turn: between(self.turn, to.turn),
            take: between(self.take, to.take),
            direct: between(self.direct, to.direct),
            from_s1: between(self.from_s1, to.from_s1),
            from_s2: between(self.from_s2, to.from_s2),
        }
    }

    /// Those of two sections beside each other: `self` in the first half of the channels, `other` in the second.
    #[must_use]
    pub fn beside<const D: usize>(&self, other: &Self) -> Coefficients<Lanes<D>> {
        let both = |a: f64, b: f64| Lanes(core::array::from_fn(|lane| if lane < D / 2 { a } else { b }));
        Coefficients {
            hold: both(self.hold, other.hold),
            turn: both(self.turn, other.turn),
            take: both(self.take, other.take),
            direct: both(self.direct, other.direct),
            from_s1: both(self.from_s1, other.from_s1),
            from_s2: both(self.from_s2, other.from_s2),
        }
    }
}

impl From<&Section> for Coefficients {
    fn from(section: &Section) -> Self {
        let Section { g, k, low, band, high } = *section;
        let a1 = 1.0 / (1.0 + g * (g + k));
        let a2 = g * a1;
        let a3 = g * a2;
        let (m0, m1, m2) = (high, band - k * high, low - high);
        Self {
            hold: 2.0 * a1 - 1.0,
            turn: 2.0 * a2,
            take: 2.0 * a3,
            direct: m0 + m1 * a2 + m2 * a3,
            from_s1: m1 * a1 + m2 * a2,
            from_s2: m2 * (1.0 - a3) - m1 * a2,
        }
    }
}

/// The state of one section in `C` channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State<const C: usize> {
    s1: Lanes<C>,
    s2: Lanes<C>,
}

impl<const C: usize> State<C> {
    /// The state of silence.
    pub const ZERO: Self = Self { s1: Lanes::ZERO, s2: Lanes::ZERO };

    /// The state with what has decayed to nothing removed.
    #[must_use]
    pub fn without_dust(self) -> Self {
        Self { s1: self.s1.without_dust(), s2: self.s2.without_dust() }
    }

    /// Two states beside each other, of `C` channels each; `D` is twice that.
    #[must_use]
    pub fn beside<const D: usize>(&self, other: &Self) -> State<D> {
        State { s1: self.s1.beside(other.s1), s2: self.s2.beside(other.s2) }
    }

    /// The two states that stood beside each other.
    #[must_use]
    pub fn parted<const H: usize>(&self) -> (State<H>, State<H>) {
        let ((s1, other_s1), (s2, other_s2)) = (self.s1.parted(), self.s2.parted());
        (State { s1, s2 }, State { s1: other_s1, s2: other_s2 })
    }

    #[inline(always)]
    fn tick<T: Copy>(&mut self, c: &Coefficients<T>, x: Lanes<C>) -> Lanes<C>
    where
        Lanes<C>: Mul<T, Output = Lanes<C>>,
    {
        let v = x - self.s2;
        let y = x * c.direct + (self.s1 * c.from_s1 + self.s2 * c.from_s2);
        let s1 = self.s1 * c.hold + v * c.turn;
        self.s2 = (self.s2 + self.s1 * c.turn) + v * c.take;
        self.s1 = s1;
        y
    }
}

/// Runs `N` sections in series over `signal`, in place. All states stay in registers: sample `n` of one section overlaps
/// sample `n + 1` of the section before.
pub fn run<const C: usize, const N: usize, T: Copy>(
    coefficients: &[Coefficients<T>; N],
    states: &mut [State<C>; N],
    signal: &mut [Lanes<C>],
) where
    Lanes<C>: Mul<T, Output = Lanes<C>>,
{
    simd::run(Series { coefficients, states, signal });
}

struct Series<'a, const C: usize, const N: usize, T> {
    coefficients: &'a [Coefficients<T>; N],
    states: &'a mut [State<C>; N],
    signal: &'a mut [Lanes<C>],
}

impl<const C: usize, const N: usize, T: Copy> simd::Kernel for Series<'_, C, N, T>
where
    Lanes<C>: Mul<T, Output = Lanes<C>>,
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let coefficients = *self.coefficients;
        let mut local = *self.states;
        for frame in self.signal {
            let mut x = *frame;
            for (state, coefficients) in local.iter_mut().zip(&coefficients) {
                x = state.tick(coefficients, x);
            }
            *frame = x;
        }
        *self.states = local;
    }
}

/// Runs one section whose coefficients go straight from `from` to `to` in `span` frames, of which `start` are over.
pub fn run_moving<const C: usize>(
    (from, to): (&Coefficients, &Coefficients),
    (start, span): (usize, usize),
    state: &mut State<C>,
    signal: &mut [Lanes<C>],
) {
    let share = 1.0 / span as f64;
    for (index, frame) in signal.iter_mut().enumerate() {
        let coefficients = from.interpolated(to, (start + index) as f64 * share);
        *frame = state.tick(&coefficients, *frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::prototype::Prototype;

    #[test]
    fn rounding_stays_200_db_down_at_20_hz_q_10_and_192_khz() {
        let section = Section::closed_form(&Prototype::bell(12.0, 10.0), 20.0 / 192_000.0);
        let coefficients = [Coefficients::from(&section)];
        let mut noise = 1u64;
        let mut next = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 40) as f64 / f64::from(1 << 23) - 1.0
        };
        let input: Vec<Lanes<1>> = (0..400_000).map(|_| Lanes([next()])).collect();
        // The same sound scaled by a number that is no power of 2 rounds elsewhere; the difference is rounding alone.
        let scale = 0.7;
        let (mut plain, mut scaled) = (input.clone(), input.iter().map(|x| *x * scale).collect::<Vec<_>>());
        run(&coefficients, &mut [State::ZERO], &mut plain);
        run(&coefficients, &mut [State::ZERO], &mut scaled);
        let error = |(a, b): (&Lanes<1>, &Lanes<1>)| a.0[0] * scale - b.0[0];
        let energy: f64 = plain.iter().zip(&scaled).map(|pair| error(pair) * error(pair)).sum();
        let noise_db = crate::units::db_from_power(energy / plain.len() as f64);
        assert!(noise_db < -200.0, "{noise_db} dB");
    }

    #[test]
    fn sections_in_one_loop_equal_sections_one_after_another() {
        let section = |hz: f64| Coefficients::from(&Section::closed_form(&Prototype::bell(6.0, 1.0), hz / 48_000.0));
        let coefficients = [section(100.0), section(1000.0), section(10_000.0)];
        let mut together: Vec<Lanes<2>> = (0..500).map(|n| Lanes([f64::from(n % 7), f64::from(n % 11)])).collect();
        let mut apart = together.clone();
        run(&coefficients, &mut [State::ZERO; 3], &mut together);
        for coefficients in coefficients {
            run(&[coefficients], &mut [State::ZERO], &mut apart);
        }
        assert!(together == apart);
    }
}
