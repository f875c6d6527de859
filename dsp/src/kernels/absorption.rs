//! The filters that make delay lines decay as asked, octave by octave.
//!
//! A line of m frames in a loop takes 60·m/(fs·T(f)) dB off each round, where T is the time in which the sound falls by 60 dB.
//! A level and eight sections (shelves at the ends, bells between) are fitted to it in dB, each error weighed against the
//! loss asked for there, which makes it an error of T.
//!
//! *References*: J.-M. Jot, A. Chaigne, AES 90, 1991, for the loss of a line; K. Prawda, S. J. Schlecht, V. Välimäki,
//! "Improved reverberation time control for feedback delay networks", DAFx-19, 2019, for graphic equalisers as its filter.

use core::f64::consts::TAU;

use super::decay::{Decay, OCTAVES, OCTAVES_HZ};
use super::lanes::{Lanes, without_dust};
use crate::control::{Interpolate, between};
use crate::math;
use crate::units::{db_from_power, gain_from_db};

/// Second-order sections: a low shelf between the lowest two octaves, bells, a high shelf between the highest two.
const SECTIONS: usize = OCTAVES;

/// Q of the bells and shelves. Broad ones fit decays that change from octave to octave best: within 4 % at every frequency,
/// where bells of an octave and shelves of 0.7 leave 8 %.
const BELL_Q: f64 = 0.8;
const SHELF_Q: f64 = 0.5;

/// Frequencies at which the fit is judged, so many to an octave, from half an octave below the lowest.
const POINTS_PER_OCTAVE: usize = 5;
const POINTS: usize = (OCTAVES + 1) * POINTS_PER_OCTAVE;

/// Coefficients of a second-order section.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    /// Section `index` with a gain in dB.
    ///
    /// *Reference*: R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients".
    fn section(index: usize, gain_db: f64, sample_rate_hz: f64) -> Self {
        let root = 2f64.sqrt();
        let (hz, q) = match index {
            0 => (OCTAVES_HZ[0] * root, SHELF_Q),
            last if last == SECTIONS - 1 => (OCTAVES_HZ[OCTAVES - 2] * root, SHELF_Q),
            bell => (OCTAVES_HZ[bell], BELL_Q),
        };
        let w = TAU * hz / sample_rate_hz;
        let (cos, alpha) = (math::cos(w), math::sin(w) / (2.0 * q));
        let a = gain_from_db(0.5 * gain_db);
        let (b, d) = if index == 0 || index == SECTIONS - 1 {
            let turn = if index == 0 { cos } else { -cos };
            let (plus, minus, slope) = (a + 1.0, a - 1.0, 2.0 * a.sqrt() * alpha);
            // The high shelf is the low one with cos turned round, and its odd coefficients too.
            let sign = if index == 0 { 1.0 } else { -1.0 };
            (
                [
                    a * (plus - minus * turn + slope),
                    sign * 2.0 * a * (minus - plus * turn),
                    a * (plus - minus * turn - slope),
                ],
                [plus + minus * turn + slope, sign * -2.0 * (minus + plus * turn), plus + minus * turn - slope],
            )
        } else {
            ([1.0 + alpha * a, -2.0 * cos, 1.0 - alpha * a], [1.0 + alpha / a, -2.0 * cos, 1.0 - alpha / a])
        };
        Self { b: b.map(|b| b / d[0]), a: [d[1] / d[0], d[2] / d[0]] }
    }

    /// The level in dB where cos w = `cos` and cos 2w = `cos2`.
    fn level_db(&self, cos: f64, cos2: f64) -> f64 {
        let power =
            |[c0, c1, c2]: [f64; 3]| c0 * c0 + c1 * c1 + c2 * c2 + 2.0 * (c0 + c2) * c1 * cos + 2.0 * c0 * c2 * cos2;
        db_from_power(power(self.b) / power([1.0, self.a[0], self.a[1]]))
    }
}

/// No section of a fit has more gain than this, and its level is not below that, in dB.
const FURTHEST_DB: f64 = 30.0;
const LEAST_LEVEL_DB: f64 = -300.0;

/// A filter takes away at most about so much in dB; a decay that asks for more in a round has no filter.
pub const MOST_LOSS_DB: f64 = 60.0;

/// The unknowns of a fit: the level, then the gains of the sections, all in dB.
const UNKNOWNS: usize = SECTIONS + 1;

/// What is the same for all lines of a network.
struct Fit {
    sample_rate_hz: f64,
    /// cos w, cos 2w and 1/T for every point.
    points: [(f64, f64, f64); POINTS],
}

impl Fit {
    fn new(decay: &Decay, sample_rate_hz: f64) -> Self {
        let point = |index: usize| {
            let hz = 0.5 * OCTAVES_HZ[0] * math::exp2((index as f64 + 0.5) / POINTS_PER_OCTAVE as f64);
            let w = TAU * hz / sample_rate_hz;
            (math::cos(w), math::cos(2.0 * w), 1.0 / decay.at(hz))
        };
        Self { sample_rate_hz, points: core::array::from_fn(point) }
    }

    /// Moves the unknowns of a line of `frames` towards its loss: a step of Gauss and Newton.
    fn improve(&self, unknowns: &mut [f64; UNKNOWNS], frames: usize) {
        /// For derivatives, in dB.
        const STEP: f64 = 0.05;
        let section = |index: usize, gain_db: f64| Biquad::section(index, gain_db, self.sample_rate_hz);
        let sections: [[Biquad; 3]; SECTIONS] = core::array::from_fn(|index| {
            let gain = unknowns[index + 1];
            [section(index, gain - STEP), section(index, gain), section(index, gain + STEP)]
        });
        let per_rate = -60.0 * frames as f64 / self.sample_rate_hz;
        let mut normal = [[0.0; UNKNOWNS + 1]; UNKNOWNS];
        for (cos, cos2, rate) in &self.points {
            let wanted = per_rate * rate;
            let mut row = [1.0; UNKNOWNS];
            let mut level = unknowns[0];
            for (slope, [below, here, above]) in row[1..].iter_mut().zip(&sections) {
                *slope = (above.level_db(*cos, *cos2) - below.level_db(*cos, *cos2)) / (2.0 * STEP);
                level += here.level_db(*cos, *cos2);
            }
            // An error counts by its share of the loss.
            let weight = 1.0 / (wanted * wanted);
            for i in 0..UNKNOWNS {
                for j in 0..UNKNOWNS {
                    normal[i][j] += weight * row[i] * row[j];
                }
                normal[i][UNKNOWNS] += weight * row[i] * (wanted - level);
            }
        }
        for (index, (unknown, step)) in unknowns.iter_mut().zip(solve(normal)).enumerate() {
            let moved = *unknown + step;
            // Far from any decay that filters can follow no step may run away, nor bells become so narrow that they stand
            // between the points.
            let (lowest, highest) =
                if index == 0 { (LEAST_LEVEL_DB, FURTHEST_DB) } else { (-FURTHEST_DB, FURTHEST_DB) };
            *unknown = if moved.is_finite() { moved.clamp(lowest, highest) } else { 0.0 };
        }
    }

    /// Lowers the level of a line's filter where a decay too jagged for it would make it add, or take less than half of what it
    /// should: what a loop adds would grow for ever.
    fn hold_down(&self, unknowns: &mut [f64; UNKNOWNS], frames: usize) {
        let sections: [Biquad; SECTIONS] =
            core::array::from_fn(|index| Biquad::section(index, unknowns[index + 1], self.sample_rate_hz));
        let per_rate = -60.0 * frames as f64 / self.sample_rate_hz;
        let (lowest, highest) = (self.points[0], self.points[POINTS - 1]);
        let ends = [(1.0, 1.0, lowest.2), (-1.0, 1.0, highest.2)];
        let over = self.points.iter().chain(&ends).map(|(cos, cos2, rate)| {
            let level = sections.iter().fold(unknowns[0], |level, section| level + section.level_db(*cos, *cos2));
            level - 0.5 * per_rate * rate
        });
        unknowns[0] = (unknowns[0] - over.fold(0.0, f64::max)).max(LEAST_LEVEL_DB);
    }
}

/// Solves the normal equations, which are positive definite, by elimination.
fn solve(mut rows: [[f64; UNKNOWNS + 1]; UNKNOWNS]) -> [f64; UNKNOWNS] {
    for pivot in 0..UNKNOWNS {
        let lead = rows[pivot];
        for row in rows.iter_mut().skip(pivot + 1) {
            let factor = row[pivot] / lead[pivot];
            for (value, lead) in row.iter_mut().zip(lead).skip(pivot) {
                *value -= factor * lead;
            }
        }
    }
    let mut found = [0.0; UNKNOWNS];
    for index in (0..UNKNOWNS).rev() {
        let known: f64 = (index + 1..UNKNOWNS).map(|other| rows[index][other] * found[other]).sum();
        found[index] = (rows[index][UNKNOWNS] - known) / rows[index][index];
    }
    found
}

/// One section of all lines.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Section<const LINES: usize> {
    b: [Lanes<LINES>; 3],
    a: [Lanes<LINES>; 2],
}

/// What a round through each of `LINES` delay lines takes away, as coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss<const LINES: usize> {
    level: Lanes<LINES>,
    sections: [Section<LINES>; SECTIONS],
}

impl<const LINES: usize> Loss<LINES> {
    /// The loss of lines of `lengths` frames.
    #[must_use]
    pub fn new(decay: &Decay, lengths: &[usize; LINES], sample_rate_hz: f64) -> Self {
        let fit = Fit::new(decay, sample_rate_hz);
        let mut unknowns = [0.0; UNKNOWNS];
        let mut before = 0;
        let fitted: [[f64; UNKNOWNS]; LINES] = core::array::from_fn(|line| {
            // A line's filter is nearly its neighbour's, stretched in dB.
            let (stretch, steps) = if before == 0 { (1.0, 5) } else { (lengths[line] as f64 / before as f64, 3) };
            unknowns.iter_mut().for_each(|unknown| *unknown *= stretch);
            before = lengths[line];
            (0..steps).for_each(|_| fit.improve(&mut unknowns, lengths[line]));
            let mut held = unknowns;
            fit.hold_down(&mut held, lengths[line]);
            held
        });
        let section = |index: usize| {
            let lines: [Biquad; LINES] =
                core::array::from_fn(|line| Biquad::section(index, fitted[line][index + 1], sample_rate_hz));
            Section {
                b: core::array::from_fn(|tap| Lanes(lines.map(|biquad| biquad.b[tap]))),
                a: core::array::from_fn(|tap| Lanes(lines.map(|biquad| biquad.a[tap]))),
            }
        };
        Self { level: Lanes(fitted.map(|unknowns| gain_from_db(unknowns[0]))), sections: core::array::from_fn(section) }
    }
}

/// A section between two is one of the same kind, whose gain lies between theirs: the coefficients of both have the same
/// frequency and Q, and the gain where it is greatest is a mediant of both.
impl<const LINES: usize> Interpolate for Loss<LINES> {
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        let lanes = |from: &Lanes<LINES>, to: &Lanes<LINES>| {
            Lanes(core::array::from_fn(|line| between(from.0[line], to.0[line], t)))
        };
        let section = |index: usize| {
            let (from, to) = (&self.sections[index], &to.sections[index]);
            Section {
                b: core::array::from_fn(|tap| lanes(&from.b[tap], &to.b[tap])),
                a: core::array::from_fn(|tap| lanes(&from.a[tap], &to.a[tap])),
            }
        };
        Self { level: lanes(&self.level, &to.level), sections: core::array::from_fn(section) }
    }
}

/// The filters of `LINES` delay lines at work: what they remember.
#[derive(Debug, Clone)]
pub struct Absorber<const LINES: usize> {
    states: [[Lanes<LINES>; 2]; SECTIONS],
}

impl<const LINES: usize> Absorber<LINES> {
    /// Filters in silence.
    pub const SILENT: Self = Self { states: [[Lanes::ZERO; 2]; SECTIONS] };

    /// What is left of what comes out of the lines.
    #[inline(always)]
    pub fn run(&mut self, loss: &Loss<LINES>, row: &mut [f64; LINES]) {
        for (value, level) in row.iter_mut().zip(&loss.level.0) {
            *value *= level;
        }
        for (Section { b, a }, [first, second]) in loss.sections.iter().zip(&mut self.states) {
            for (line, value) in row.iter_mut().enumerate() {
                let x = *value;
                let y = b[0].0[line] * x + first.0[line];
                first.0[line] = (b[1].0[line] * x - a[0].0[line] * y) + second.0[line];
                second.0[line] = b[2].0[line] * x - a[1].0[line] * y;
                *value = y;
            }
        }
    }

    /// Clears states that have decayed to nothing.
    pub fn tidy(&mut self) {
        for value in self.states.iter_mut().flatten().flat_map(|state| &mut state.0) {
            *value = without_dust(*value);
        }
    }

    /// Whether nothing is left in it.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.states.iter().flatten().all(|state| *state == Lanes::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Loss<1> {
        /// At the angular frequency w, per sample.
        fn level_db(&self, w: f64) -> f64 {
            let section = |Section { b, a }: &Section<1>| {
                let biquad = Biquad { b: [b[0].0[0], b[1].0[0], b[2].0[0]], a: [a[0].0[0], a[1].0[0]] };
                biquad.level_db(math::cos(w), math::cos(2.0 * w))
            };
            crate::units::db_from_gain(self.level.0[0]) + self.sections.iter().map(section).sum::<f64>()
        }
    }

    /// The most by which the decay of a line differs from the curve, as a share, over the octaves.
    fn worst(asked: &[f64; OCTAVES], frames: usize, sample_rate_hz: f64) -> f64 {
        let decay = Decay::through(asked);
        let loss = Loss::<1>::new(&decay, &[frames], sample_rate_hz);
        let (mut worst, mut at) = (0.0_f64, 0.0);
        for point in 0..=4 * (OCTAVES - 1) {
            let hz = OCTAVES_HZ[0] * math::exp2(point as f64 / 4.0);
            let w = TAU * hz / sample_rate_hz;
            let level = loss.level_db(w);
            let seconds = -60.0 * frames as f64 / (sample_rate_hz * level);
            assert!(level < 0.0, "{asked:?}: {level} dB at {hz} Hz");
            let error = (seconds / decay.at(hz) - 1.0).abs();
            if error > worst {
                (worst, at) = (error, hz);
            }
        }
        println!("{sample_rate_hz} Hz, {frames}, {asked:?}: {:.2} % at {at}", 100.0 * worst);
        worst
    }

    #[test]
    fn no_decay_however_jagged_makes_a_filter_that_adds() {
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let (mut most, mut at) = (f64::NEG_INFINITY, String::new());
        for round in 0..300 {
            let asked: [f64; OCTAVES] = core::array::from_fn(|_| 0.05 * math::powf(800.0, draw()));
            let ms = 15.0 + 600.0 * draw();
            let decay = Decay::measured_as(&asked.map(|seconds| seconds.max(ms * 0.001 * 60.0 / MOST_LOSS_DB)));
            let loss = Loss::<1>::new(&decay, &[(ms * 48.0) as usize], 48_000.0);
            for point in 0..400 {
                let w = core::f64::consts::PI * math::powf(2.0, -0.025 * f64::from(point));
                let level = loss.level_db(w);
                assert!(level.is_finite(), "{asked:.2?} s, {ms:.0} ms: {level} dB");
                if level > most {
                    (most, at) =
                        (level, format!("{round}: {asked:.2?} s, {ms:.0} ms, at {:.0} Hz", w / TAU * 48_000.0));
                }
            }
        }
        println!("{most} dB: {at}");
        assert!(most < 0.0, "{most} dB: {at}");
    }

    #[test]
    fn lines_decay_as_asked_within_a_few_percent() {
        let curves = [
            [2.0; OCTAVES],
            [2.6, 2.5, 2.3, 2.1, 2.0, 1.8, 1.4, 0.9],
            [0.6, 0.8, 1.2, 1.8, 2.2, 2.0, 1.5, 1.1],
            [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.2],
        ];
        for sample_rate_hz in [44_100.0, 48_000.0, 96_000.0, 192_000.0] {
            for curve in &curves {
                for ms in [12.0, 40.0, 130.0] {
                    let worst = worst(curve, (ms * 0.001 * sample_rate_hz) as usize, sample_rate_hz);
                    assert!(worst < 0.045, "{curve:?}, {ms} ms, {sample_rate_hz} Hz: {worst}");
                }
            }
        }
    }
}
