//! The search that brings digital sections to their analogue prototype: damped Gauss-Newton steps (Levenberg-Marquardt) on
//! the error in dB.

use core::f64::consts::PI;

use super::eq_design::{Section, squared};
use super::prototype::Prototype;
use crate::math;

/// Up to this share of the sample rate sections are fitted to their prototype: 20 kHz at 44.1 kHz.
const FITTED_FREQUENCY: f64 = 20000.0 / 44100.0;

/// Down to this share of the sample rate: 20 Hz at 44.1 kHz.
const LOWEST_FREQUENCY: f64 = 20.0 / 44100.0;

/// Points of the fit spread evenly up to [`FITTED_FREQUENCY`].
const SPREAD: usize = 48;

/// Points crowded about the frequency of the poles, and of the zeros where it is another: a resonance is narrow.
const CROWD: usize = 40;

/// The most points of a fit.
const MAX_POINTS: usize = SPREAD + 2 * (CROWD + 1);

/// Exponents of the error norms, gone through in turn: the last comes close to the least greatest error.
pub(super) const NORMS: [i32; 4] = [2, 4, 8, 24];

/// Steps of the search under each norm.
const STEPS: usize = 16;

/// A section this near is not worth a search: 0.001 dB.
pub(super) const SETTLED: f64 = 0.001 / NEPER_DB;

/// Decibels of a neper of power: 10·log10(e).
pub(super) const NEPER_DB: f64 = 10.0 / core::f64::consts::LN_10;

/// The error in nepers of power that a root counts as, over its tan(ω/2): 0.01 dB at 100, where it falls by 120 dB in 700
/// frames.
const STRAY: f64 = 0.0001 / NEPER_DB;

/// Parameters of two sections that a search may move: ln g, ln k, ln band and ln high of each.
const UNKNOWNS: usize = 8;

/// One frequency at which sections are held against their prototype.
#[derive(Clone, Copy)]
struct Point {
    /// tan²(ω/2).
    t_squared: f64,
    /// 1/|H|² of the prototype.
    inverse_power: f64,
    /// How much an error counts: less where next to nothing passes.
    weight: f64,
}

/// The error of sections against a prototype, and the search for a smaller one.
pub(super) struct Search {
    points: [Point; MAX_POINTS],
    /// How many of the points are in use.
    count: usize,
    /// Which of ln g, ln k, ln band, ln high of the first section the search may move.
    free: [bool; 4],
    /// In a notch `high` follows from g, which keeps the zero on its frequency: high = (g/t0)².
    notch_t0: Option<f64>,
    /// Whether a second section may help.
    pub(super) may_split: bool,
}

impl Search {
    pub(super) fn new(prototype: &Prototype, frequency: f64) -> Self {
        let spread = (1..=SPREAD).map(|index| FITTED_FREQUENCY * index as f64 / SPREAD as f64);
        let roots = [root(prototype.denominator), root(prototype.numerator)];
        let centres = if roots[0] == roots[1] { &roots[..1] } else { &roots[..] };
        let crowded = centres.iter().flat_map(|centre| {
            let centre = centre * frequency;
            let octaves_below = math::log2(centre / LOWEST_FREQUENCY).max(3.0);
            (0..=CROWD).map(move |index| {
                let side = 2.0 * index as f64 / CROWD as f64 - 1.0;
                centre * math::exp2(if side < 0.0 { octaves_below } else { 3.0 } * side * side * side)
            })
        });
        let [n0, n1, n2] = prototype.numerator;
        let pass = [n0, n1, n2].iter().filter(|&&n| n > 0.0).count() == 1;
        // Slopes multiply where pass filters are cascaded, and meet at the corner.
        let at_corner = if pass { 50.0 } else { 1.0 };
        let mut points = [Point { t_squared: 0.0, inverse_power: 0.0, weight: 0.0 }; MAX_POINTS];
        let mut count = 0;
        for f in spread.chain(crowded.filter(|&f| f <= FITTED_FREQUENCY)) {
            let t = math::tan(PI * f);
            let power = prototype.power_at(f / frequency).max(1e-30);
            let emphasis = if f == frequency { at_corner } else { 1.0 };
            points[count] =
                Point { t_squared: t * t, inverse_power: 1.0 / power, weight: emphasis * power / (power + 1e-4) };
            count += 1;
        }
        let notch = n1 == 0.0 && n0 == n2;
        let second_order_high_pass = n0 == 0.0 && n1 == 0.0;
        Self {
            points,
            count,
            free: [true, true, !notch && !second_order_high_pass, !notch],
            notch_t0: notch.then(|| math::tan(PI * frequency)),
            may_split: !notch,
        }
    }

    fn points(&self) -> &[Point] {
        &self.points[..self.count]
    }

    /// Moves the first `count` of `sections` closer to the prototype.
    pub(super) fn run(&self, start: [Section; 2], count: usize, norms: &[i32]) -> [Section; 2] {
        let mut best = start;
        for &norm in norms {
            if self.worst(&best[..count]) < SETTLED {
                break;
            }
            let mut damping = 1e-3;
            let mut cost = self.cost(&best[..count], norm);
            for _ in 0..STEPS {
                let candidate = self.step(&best, count, norm, damping);
                let candidate_cost = self.cost(&candidate[..count], norm);
                if candidate_cost < cost {
                    let settled = candidate_cost > 0.999 * cost;
                    (best, cost) = (candidate, candidate_cost);
                    damping = (damping * 0.25).max(1e-9);
                    if settled {
                        break;
                    }
                } else {
                    damping *= 8.0;
                }
            }
        }
        best
    }

    /// The weighted error in nepers of power.
    fn error(sections: &[Section], point: &Point) -> f64 {
        let (mut numerator, mut denominator) = (point.inverse_power, 1.0);
        for section in sections {
            numerator *= section.numerator(point.t_squared);
            denominator *= section.denominator(point.t_squared);
        }
        point.weight * core::f64::consts::LN_2 * math::quick_log2((numerator / denominator).max(1e-30))
    }

    pub(super) fn worst(&self, sections: &[Section]) -> f64 {
        self.points().iter().fold(0.0, |worst, point| Self::error(sections, point).abs().max(worst))
    }

    fn cost(&self, sections: &[Section], norm: i32) -> f64 {
        let errors: f64 = self.points().iter().map(|point| raised(Self::error(sections, point), norm)).sum();
        let strays = sections.iter().flat_map(|section| strays(section).map(|(stray, _)| raised(stray, norm)));
        errors + strays.sum::<f64>()
    }

    fn step(&self, sections: &[Section; 2], count: usize, norm: i32, damping: f64) -> [Section; 2] {
        // Normal equations of the reweighted least squares, weights |error|^(norm − 2).
        let unknowns = 4 * count;
        let mut matrix = [[0.0; UNKNOWNS]; UNKNOWNS];
        let mut right = [0.0; UNKNOWNS];
        let mut add = |error: f64, slope: &[f64; UNKNOWNS]| {
            let reweight = raised(error, norm - 2);
            for row in 0..unknowns {
                let weighted = reweight * slope[row];
                right[row] -= weighted * error;
                for column in 0..=row {
                    matrix[row][column] += weighted * slope[column];
                }
            }
        };
        for point in self.points() {
            let error = Self::error(&sections[..count], point);
            let mut slope = [0.0; UNKNOWNS];
            slope[..4].copy_from_slice(&self.slope(slopes(&sections[0], point)));
            if count == 2 {
                slope[4..].copy_from_slice(&slopes(&sections[1], point));
            }
            add(error, &slope);
        }
        for (which, section) in sections[..count].iter().enumerate() {
            for (stray, slopes) in strays(section) {
                let mut slope = [0.0; UNKNOWNS];
                slope[4 * which..][..4].copy_from_slice(&if which == 0 { self.slope(slopes) } else { slopes });
                add(stray, &slope);
            }
        }
        for (index, row) in matrix.iter_mut().enumerate() {
            row[index] += damping * row[index] + f64::MIN_POSITIVE;
        }
        let step = solve(matrix, right, unknowns);
        let factor = |index: usize| math::exp((step[index] / f64::from(norm - 1)).clamp(-0.5, 0.5));
        let mut next = *sections;
        for (which, section) in next[..count].iter_mut().enumerate() {
            section.g *= factor(4 * which);
            section.k *= factor(4 * which + 1);
            section.band *= factor(4 * which + 2);
            section.high *= factor(4 * which + 3);
        }
        if let Some(t0) = self.notch_t0 {
            next[0].high = squared(next[0].g / t0);
        }
        next
    }

    /// Derivatives by ln g, ln k, ln band, ln high of the first section, 0 for what must not move.
    fn slope(&self, mut slopes: [f64; 4]) -> [f64; 4] {
        if self.notch_t0.is_some() {
            slopes[0] += 2.0 * slopes[3];
        }
        core::array::from_fn(|index| if self.free[index] { slopes[index] } else { 0.0 })
    }
}

/// What poles and zeros near half the sample rate count as errors, where they would ring for long and cancel badly, each
/// with its derivatives by ln g, ln k, ln band, ln high. Of two real roots the further stands near g·k.
fn strays(section: &Section) -> [(f64, [f64; 4]); 2] {
    let Section { g, k, low, band, high } = *section;
    let pole = [g * STRAY, g * k * STRAY];
    let zero = [g * (low / high).sqrt() * STRAY, g * band / high * STRAY];
    [
        (pole[0] + pole[1], [pole[0] + pole[1], pole[1], 0.0, 0.0]),
        (zero[0] + zero[1], [zero[0] + zero[1], 0.0, zero[1], -0.5 * zero[0] - zero[1]]),
    ]
}

/// Derivatives of the error by ln g, ln k, ln band, ln high of a section.
fn slopes(section: &Section, point: &Point) -> [f64; 4] {
    let g2 = squared(section.g);
    let t2 = point.t_squared;
    let (low, high) = (section.low * g2, section.high * t2);
    let above = point.weight / section.numerator(t2).max(1e-300);
    let below = point.weight / section.denominator(t2);
    let band = squared(section.band) * g2 * t2;
    let damping = squared(section.k) * g2 * t2;
    [
        (4.0 * (low - high) * low + 2.0 * band) * above - (4.0 * (g2 - t2) * g2 + 2.0 * damping) * below,
        -2.0 * damping * below,
        2.0 * band * above,
        -2.0 * (low - high) * high * above,
    ]
}

/// Where the roots of a polynomial of the second order lie, in shares of the band's frequency; 1 for other polynomials.
fn root([c0, _, c2]: [f64; 3]) -> f64 {
    if c0 > 0.0 && c2 > 0.0 { (c0 / c2).sqrt() } else { 1.0 }
}

/// |x|^even.
fn raised(x: f64, even: i32) -> f64 {
    (0..even / 2).fold(1.0, |product, _| product * (x * x))
}

/// The solution of a symmetric positive definite system of `size` unknowns, given by its lower triangle, by Cholesky's
/// decomposition in place.
fn solve(mut a: [[f64; UNKNOWNS]; UNKNOWNS], mut b: [f64; UNKNOWNS], size: usize) -> [f64; UNKNOWNS] {
    for i in 0..size {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|m| a[i][m] * a[j][m]).sum();
            a[i][j] = if i == j { (a[i][i] - dot).max(f64::MIN_POSITIVE).sqrt() } else { (a[i][j] - dot) / a[j][j] };
        }
    }
    for i in 0..size {
        let dot: f64 = (0..i).map(|m| a[i][m] * b[m]).sum();
        b[i] = (b[i] - dot) / a[i][i];
    }
    for i in (0..size).rev() {
        let dot: f64 = (i + 1..size).map(|m| a[m][i] * b[m]).sum();
        b[i] = (b[i] - dot) / a[i][i];
    }
    b
}
