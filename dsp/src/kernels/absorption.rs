//! How fast sound decays, octave by octave, and the filters that make delay lines decay so.
//!
//! A line of m frames in a loop takes 60·m/(fs·T(f)) dB off each round, where T is the time in which the sound falls by 60 dB.
//! A level and eight sections (shelves at the ends, bells between) are fitted to it in dB, each error weighed against the
//! loss asked for there, which makes it an error of T.
//!
//! *References*: J.-M. Jot, A. Chaigne, AES 90, 1991, for the loss of a line; K. Prawda, S. J. Schlecht, V. Välimäki,
//! "Improved reverberation time control for feedback delay networks", DAFx-19, 2019, for graphic equalisers as its filter;
//! ISO 3382-1:2009 for decay measured from −5 to −35 dB in octave bands.

use core::f64::consts::TAU;

use super::lanes::{Lanes, without_dust};
use crate::math;
use crate::units::{db_from_power, gain_from_db};

/// Octave bands of a decay.
pub const OCTAVES: usize = 8;

/// Their centres in Hz.
pub const OCTAVES_HZ: [f64; OCTAVES] = [62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0];

/// The time in which sound falls by 60 dB, over frequency: straight in log T over log f from octave to octave and
/// half an octave beyond, level from there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decay {
    /// log2 of the seconds at each octave's centre.
    log_s: [f64; OCTAVES],
}

impl Decay {
    /// The decay that, measured in octave bands from −5 to −35 dB, takes the seconds `asked`. Within a band the longest
    /// decays last, so where neighbours differ the curve must lie below what is measured.
    #[must_use]
    pub fn measured_as(asked: &[f64; OCTAVES]) -> Self {
        /// How far the curve may leave what is asked, as a factor in log2.
        const REACH: f64 = 0.5;
        let mut decay = Self { log_s: asked.map(math::log2) };
        for _ in 0..8 {
            let measured: [f64; OCTAVES] = core::array::from_fn(|octave| decay.measured_s(octave));
            for octave in 0..OCTAVES {
                let wanted = math::log2(asked[octave]);
                let corrected = decay.log_s[octave] + (wanted - math::log2(measured[octave]));
                decay.log_s[octave] = corrected.clamp(wanted - REACH, wanted + REACH);
            }
        }
        decay
    }

    /// Seconds at a frequency.
    #[must_use]
    pub fn at(&self, hz: f64) -> f64 {
        let place = (math::log2(hz / OCTAVES_HZ[0])).clamp(-0.5, OCTAVES as f64 - 0.5);
        let below = (place.max(0.0) as usize).min(OCTAVES - 2);
        let t = place - below as f64;
        math::exp2(self.log_s[below] + t * (self.log_s[below + 1] - self.log_s[below]))
    }

    /// The longest decay at any frequency, in seconds.
    #[must_use]
    pub fn longest_s(&self) -> f64 {
        math::exp2(self.log_s.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }

    /// What a measurement in an octave band finds, for sound that starts out white.
    fn measured_s(&self, octave: usize) -> f64 {
        const POINTS: usize = 24;
        // Equal steps in frequency, half an octave to both sides.
        let (low, high) = (OCTAVES_HZ[octave] * 0.5f64.sqrt(), OCTAVES_HZ[octave] * 2f64.sqrt());
        let rates: [f64; POINTS] = core::array::from_fn(|point| {
            let hz = low + (high - low) * (point as f64 + 0.5) / POINTS as f64;
            6.0 * core::f64::consts::LN_10 / self.at(hz)
        });
        // The integral of the energy that is still to come, backwards in time.
        let left = |seconds: f64| rates.iter().map(|rate| math::exp(-rate * seconds) / rate).sum::<f64>();
        let whole = left(0.0);
        let time_of = |db: f64| {
            let (mut early, mut late) = (0.0, 100.0);
            for _ in 0..40 {
                let middle = 0.5 * (early + late);
                if db_from_power(left(middle) / whole) > db { early = middle } else { late = middle }
            }
            0.5 * (early + late)
        };
        2.0 * (time_of(-35.0) - time_of(-5.0))
    }
}

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

/// The unknowns of a fit: the level, then the gains of the sections, all in dB.
const UNKNOWNS: usize = SECTIONS + 1;

/// What is the same for all lines of a network.
struct Fit {
    sample_rate_hz: f64,
    /// cos w, cos 2w and 1/T for every point.
    points: Vec<(f64, f64, f64)>,
}

impl Fit {
    fn new(decay: &Decay, sample_rate_hz: f64) -> Self {
        let point = |index: usize| {
            let hz = 0.5 * OCTAVES_HZ[0] * math::exp2((index as f64 + 0.5) / POINTS_PER_OCTAVE as f64);
            let w = TAU * hz / sample_rate_hz;
            (math::cos(w), math::cos(2.0 * w), 1.0 / decay.at(hz))
        };
        Self { sample_rate_hz, points: (0..POINTS).map(point).collect() }
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
        for (unknown, step) in unknowns.iter_mut().zip(solve(normal)) {
            *unknown += step;
        }
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
#[derive(Debug, Clone)]
struct Section<const LINES: usize> {
    b: [Lanes<LINES>; 3],
    a: [Lanes<LINES>; 2],
    state: [Lanes<LINES>; 2],
}

/// What a round through each of `LINES` delay lines takes away.
#[derive(Debug, Clone)]
pub struct Absorber<const LINES: usize> {
    level: Lanes<LINES>,
    sections: [Section<LINES>; SECTIONS],
}

impl<const LINES: usize> Absorber<LINES> {
    /// The absorber of lines of `lengths` frames.
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
            unknowns
        });
        let section = |index: usize| {
            let lines: [Biquad; LINES] =
                core::array::from_fn(|line| Biquad::section(index, fitted[line][index + 1], sample_rate_hz));
            Section {
                b: core::array::from_fn(|tap| Lanes(lines.map(|biquad| biquad.b[tap]))),
                a: core::array::from_fn(|tap| Lanes(lines.map(|biquad| biquad.a[tap]))),
                state: [Lanes::ZERO; 2],
            }
        };
        Self { level: Lanes(fitted.map(|unknowns| gain_from_db(unknowns[0]))), sections: core::array::from_fn(section) }
    }

    /// What is left of what comes out of the lines.
    #[inline(always)]
    pub fn run(&mut self, row: &mut [f64; LINES]) {
        for (value, level) in row.iter_mut().zip(&self.level.0) {
            *value *= level;
        }
        for Section { b, a, state } in &mut self.sections {
            let [first, second] = state;
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
        for value in self.sections.iter_mut().flat_map(|section| &mut section.state).flat_map(|state| &mut state.0) {
            *value = without_dust(*value);
        }
    }

    /// Whether nothing is left in it.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.sections.iter().all(|section| section.state == [Lanes::ZERO; 2])
    }

    /// Makes it silent.
    pub fn reset(&mut self) {
        self.sections.iter_mut().for_each(|section| section.state = [Lanes::ZERO; 2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most by which the decay of a line differs from the curve, as a share, over the octaves.
    fn worst(asked: &[f64; OCTAVES], frames: usize, sample_rate_hz: f64) -> f64 {
        let decay = Decay { log_s: asked.map(math::log2) };
        let absorber = Absorber::<1>::new(&decay, &[frames], sample_rate_hz);
        let (mut worst, mut at) = (0.0_f64, 0.0);
        for point in 0..=4 * (OCTAVES - 1) {
            let hz = OCTAVES_HZ[0] * math::exp2(point as f64 / 4.0);
            let w = TAU * hz / sample_rate_hz;
            let mut level = crate::units::db_from_gain(absorber.level.0[0]);
            for Section { b, a, .. } in &absorber.sections {
                let biquad = Biquad { b: [b[0].0[0], b[1].0[0], b[2].0[0]], a: [a[0].0[0], a[1].0[0]] };
                level += biquad.level_db(math::cos(w), math::cos(2.0 * w));
            }
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

    #[test]
    fn a_curve_measures_in_octaves_as_asked() {
        let asked = [2.6, 2.5, 2.3, 2.1, 2.0, 1.8, 1.3, 0.8];
        let decay = Decay::measured_as(&asked);
        for (octave, asked) in asked.iter().enumerate() {
            let measured = decay.measured_s(octave);
            assert!((measured / asked - 1.0).abs() < 0.01, "octave {octave}: {measured} for {asked}");
        }
    }
}
