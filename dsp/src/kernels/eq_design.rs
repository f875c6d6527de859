//! Digital sections that follow an analogue [`Prototype`] up to the edge of the band, where the bilinear transform cramps.
//!
//! A section is sought in the form of the state-variable filter, H(s) = (low·g² + band·g·s + high·s²) / (g² + k·g·s + s²)
//! with s = j·tan(ω/2). Positive g, k, low, band and high keep poles and zeros inside the unit circle, so a search
//! over their logarithms cannot leave the stable, minimum-phase filters.

use core::f64::consts::PI;

use super::prototype::Prototype;
use crate::math;

/// No band lies above this share of the sample rate: higher ones are moved here.
pub const MAX_FREQUENCY: f64 = 0.49;

/// Up to this share of the sample rate a section is fitted to its prototype: 20 kHz at 44.1 kHz.
const FITTED_FREQUENCY: f64 = 20000.0 / 44100.0;

/// Points of the fit spread evenly up to [`FITTED_FREQUENCY`], and as many crowded about the band's frequency.
const POINTS: usize = 48;

/// Exponents of the error norms, gone through in turn: the last comes close to the least greatest error.
const NORMS: [i32; 4] = [2, 4, 8, 24];

/// Steps of the search under each norm.
const STEPS: usize = 12;

/// A second-order section by its natural parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Section {
    /// Pole frequency: tan(ω/2).
    pub g: f64,
    /// Pole damping, 1/Q.
    pub k: f64,
    /// Gain of the low-pass output.
    pub low: f64,
    /// Gain of the band-pass output.
    pub band: f64,
    /// Gain of the high-pass output.
    pub high: f64,
}

impl Section {
    /// The closed form: poles by impulse invariance, zeros so that the gain is the prototype's at 0 Hz, at the band's
    /// frequency and at half the sample rate. `frequency` is a share of the sample rate.
    ///
    /// After M. Vicanek, "Matched Second Order Digital Filters", 2016, and S. J. Orfanidis, "Digital Parametric Equalizer
    /// Design with Prescribed Nyquist-Frequency Gain", JAES 45(6), 1997.
    #[must_use]
    pub fn closed_form(prototype: &Prototype, frequency: f64) -> Self {
        if prefers_inverse(prototype) {
            return Self::closed_form(&inverse(prototype), frequency).inverse();
        }
        let w0 = 2.0 * PI * frequency.min(MAX_FREQUENCY);
        let (a1, a2) = impulse_invariant_poles(prototype, w0);
        let (at_dc, at_nyquist) = (1.0 + a1 + a2, 1.0 - a1 + a2);
        let g = (at_dc / at_nyquist).sqrt();
        let k = 2.0 * (1.0 - a2) / (g * at_nyquist);

        let t0 = math::tan(w0 / 2.0);
        let denominator = squared(g * g - t0 * t0) + squared(k * g * t0);
        let numerator = prototype.power_at(1.0) * denominator;
        let [n0, n1, n2] = prototype.numerator;
        let (low, band, high) = if n1 == 0.0 && n0 == n2 {
            (1.0, 0.0, squared(g / t0))
        } else if n0 == 0.0 && n1 == 0.0 {
            (0.0, 0.0, numerator.sqrt() / (t0 * t0))
        } else {
            let low = prototype.power_at(0.0).sqrt();
            let high = prototype.power_at(PI / w0).sqrt();
            let band_squared = (numerator - squared(low * g * g - high * t0 * t0)) / squared(g * t0);
            (low, band_squared.max(1e-12).sqrt(), high)
        };
        Self { g, k, low, band, high }
    }

    /// The closed form, refined by a fixed number of damped Gauss-Newton steps on the error in dB (Levenberg-Marquardt),
    /// the gain at 0 Hz kept.
    #[must_use]
    pub fn refined(prototype: &Prototype, frequency: f64) -> Self {
        if prefers_inverse(prototype) {
            return Self::refined(&inverse(prototype), frequency).inverse();
        }
        let frequency = frequency.min(MAX_FREQUENCY);
        let start = Self::closed_form(prototype, frequency);
        Fit::new(prototype, frequency).run(start)
    }

    /// The section that undoes this one; `low`, `band` and `high` must be positive.
    fn inverse(&self) -> Self {
        let g = self.g * (self.low / self.high).sqrt();
        let scale = self.g / (g * self.high);
        Self { g, k: self.band * scale, low: 1.0 / self.low, band: self.k * scale, high: 1.0 / self.high }
    }

    /// |H|² at a frequency given as a share of the sample rate.
    #[must_use]
    pub fn power_at(&self, frequency: f64) -> f64 {
        let t = math::tan(PI * frequency);
        self.numerator(t * t) / self.denominator(t * t)
    }

    fn numerator(&self, t_squared: f64) -> f64 {
        let g_squared = self.g * self.g;
        squared(self.low * g_squared - self.high * t_squared) + squared(self.band) * g_squared * t_squared
    }

    fn denominator(&self, t_squared: f64) -> f64 {
        let g_squared = self.g * self.g;
        squared(g_squared - t_squared) + squared(self.k) * g_squared * t_squared
    }
}

/// Whether to design 1/H instead: the slower roots become poles, which impulse invariance places well, and a cut becomes
/// the exact inverse of its boost. Filters with zeros on the imaginary axis have no inverse.
fn prefers_inverse(prototype: &Prototype) -> bool {
    let inverse = inverse(prototype);
    let invertible = prototype.numerator[0] > 0.0 && prototype.numerator[1] > 0.0;
    invertible && inverse.decay_rate() < prototype.decay_rate()
}

fn inverse(prototype: &Prototype) -> Prototype {
    Prototype { numerator: prototype.denominator, denominator: prototype.numerator }
}

fn squared(x: f64) -> f64 {
    x * x
}

/// Coefficients a1, a2 whose poles are e^(s·T) of the analogue ones; a single pole leaves a2 at 0.
fn impulse_invariant_poles(prototype: &Prototype, w0: f64) -> (f64, f64) {
    let [d0, d1, d2] = prototype.denominator;
    if d2 == 0.0 {
        return (-math::exp(-w0 * d0 / d1), 0.0);
    }
    let w = w0 * (d0 / d2).sqrt();
    let damping = d1 / (2.0 * (d0 * d2).sqrt());
    let a1 = if damping <= 1.0 {
        -2.0 * math::exp(-damping * w) * math::cos((1.0 - damping * damping).sqrt() * w)
    } else {
        let spread = (damping * damping - 1.0).sqrt();
        -math::exp(-(damping - spread) * w) - math::exp(-(damping + spread) * w)
    };
    (a1, math::exp(-2.0 * damping * w))
}

/// One frequency at which a section is held against its prototype.
#[derive(Clone, Copy)]
struct Point {
    /// tan²(ω/2).
    t_squared: f64,
    /// |H|² of the prototype.
    power: f64,
    /// How much an error counts: less where next to nothing passes.
    weight: f64,
}

/// A section's error against its prototype, and the search for a smaller one.
struct Fit {
    points: Vec<Point>,
    /// Which of ln g, ln k, ln band, ln high the search may move.
    free: [bool; 4],
    /// In a notch `high` follows from g, which keeps the zero on its frequency: high = (g/t0)².
    notch_t0: Option<f64>,
}

impl Fit {
    fn new(prototype: &Prototype, frequency: f64) -> Self {
        let spread = (1..=POINTS).map(|index| FITTED_FREQUENCY * index as f64 / POINTS as f64);
        let crowded = (0..=POINTS).map(|index| {
            let side = 2.0 * index as f64 / POINTS as f64 - 1.0;
            frequency * math::exp2(3.0 * side * side * side)
        });
        let [n0, n1, n2] = prototype.numerator;
        let pass = [n0, n1, n2].iter().filter(|&&n| n > 0.0).count() == 1;
        // Slopes multiply where pass filters are cascaded, and meet at the corner.
        let at_corner = if pass { 50.0 } else { 1.0 };
        let points = spread.chain(crowded.filter(|&f| f <= FITTED_FREQUENCY)).map(|f| {
            let t = math::tan(PI * f);
            let power = prototype.power_at(f / frequency).max(1e-30);
            let emphasis = if f == frequency { at_corner } else { 1.0 };
            Point { t_squared: t * t, power, weight: emphasis * power / (power + 1e-4) }
        });
        let notch = n1 == 0.0 && n0 == n2;
        let second_order_high_pass = n0 == 0.0 && n1 == 0.0;
        Self {
            points: points.collect(),
            free: [true, true, !notch && !second_order_high_pass, !notch],
            notch_t0: notch.then(|| math::tan(PI * frequency)),
        }
    }

    fn run(&self, start: Section) -> Section {
        let mut best = start;
        for norm in NORMS {
            let mut damping = 1e-3;
            let mut cost = self.cost(&best, norm);
            for _ in 0..STEPS {
                let candidate = self.step(&best, norm, damping);
                let candidate_cost = self.cost(&candidate, norm);
                if candidate_cost < cost {
                    (best, cost) = (candidate, candidate_cost);
                    damping = (damping * 0.25).max(1e-9);
                } else {
                    damping *= 8.0;
                }
            }
        }
        best
    }

    /// The weighted error in nepers of power.
    fn error(section: &Section, point: &Point) -> f64 {
        let power = section.numerator(point.t_squared) / section.denominator(point.t_squared);
        point.weight * math::ln(power.max(1e-30) / point.power)
    }

    fn cost(&self, section: &Section, norm: i32) -> f64 {
        self.points.iter().map(|point| raised(Self::error(section, point), norm)).sum()
    }

    fn step(&self, section: &Section, norm: i32, damping: f64) -> Section {
        // Normal equations of the reweighted least squares, weights |error|^(norm − 2).
        let mut matrix = [[0.0; 4]; 4];
        let mut right = [0.0; 4];
        for point in &self.points {
            let error = Self::error(section, point);
            let reweight = raised(error, norm - 2);
            let slope = self.slope(section, point);
            for row in 0..4 {
                right[row] -= reweight * slope[row] * error;
                for column in 0..4 {
                    matrix[row][column] += reweight * slope[row] * slope[column];
                }
            }
        }
        let trace: f64 = (0..4).map(|index| matrix[index][index]).sum();
        for (index, row) in matrix.iter_mut().enumerate() {
            row[index] += damping * trace + f64::MIN_POSITIVE;
        }
        let step = solve(matrix, right).map(|step| math::exp((step / f64::from(norm - 1)).clamp(-0.5, 0.5)));
        let mut next = Section {
            g: section.g * step[0],
            k: section.k * step[1],
            band: section.band * step[2],
            high: section.high * step[3],
            ..*section
        };
        if let Some(t0) = self.notch_t0 {
            next.high = squared(next.g / t0);
        }
        next
    }

    /// Derivatives of the error by ln g, ln k, ln band, ln high; 0 for what must not move.
    fn slope(&self, section: &Section, point: &Point) -> [f64; 4] {
        let g2 = section.g * section.g;
        let t2 = point.t_squared;
        let (low, high) = (section.low * g2, section.high * t2);
        let numerator = section.numerator(t2).max(1e-300);
        let denominator = section.denominator(t2);
        let band = squared(section.band) * g2 * t2;
        let damping = squared(section.k) * g2 * t2;
        let by_high = -2.0 * (low - high) * high / numerator;
        let mut by_g =
            (4.0 * (low - high) * low + 2.0 * band) / numerator - (4.0 * (g2 - t2) * g2 + 2.0 * damping) / denominator;
        if self.notch_t0.is_some() {
            by_g += 2.0 * by_high;
        }
        let slopes = [by_g, -2.0 * damping / denominator, 2.0 * band / numerator, by_high];
        core::array::from_fn(|index| if self.free[index] { point.weight * slopes[index] } else { 0.0 })
    }
}

/// |x|^even.
fn raised(x: f64, even: i32) -> f64 {
    (0..even / 2).fold(1.0, |product, _| product * x * x)
}

/// The solution of a symmetric positive definite system, by Cholesky's decomposition in place.
fn solve(mut a: [[f64; 4]; 4], mut b: [f64; 4]) -> [f64; 4] {
    for i in 0..4 {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|m| a[i][m] * a[j][m]).sum();
            a[i][j] = if i == j { (a[i][i] - dot).max(f64::MIN_POSITIVE).sqrt() } else { (a[i][j] - dot) / a[j][j] };
        }
    }
    for i in 0..4 {
        let dot: f64 = (0..i).map(|m| a[i][m] * b[m]).sum();
        b[i] = (b[i] - dot) / a[i][i];
    }
    for i in (0..4).rev() {
        let dot: f64 = (i + 1..4).map(|m| a[m][i] * b[m]).sum();
        b[i] = (b[i] - dot) / a[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::db_from_power;

    /// Greatest |error| in dB from 20 Hz to 20 kHz where the prototype passes more than `floor_db`.
    fn worst_error_db(prototype: &Prototype, frequency_hz: f64, sample_rate_hz: f64, floor_db: f64) -> f64 {
        let section = Section::refined(prototype, frequency_hz / sample_rate_hz);
        let mut worst = 0.0f64;
        for index in 0..=1000 {
            let hz = 20.0 * math::exp2(f64::from(index) / 1000.0 * math::log2(1000.0));
            let wanted = db_from_power(prototype.power_at(hz / frequency_hz));
            if wanted > floor_db {
                worst = worst.max((db_from_power(section.power_at(hz / sample_rate_hz)) - wanted).abs());
            }
        }
        worst
    }

    #[test]
    fn bells_stay_near_their_prototypes_up_to_20_khz_at_44_khz() {
        for frequency_hz in [20.0, 100.0, 1000.0, 2000.0, 5000.0, 8000.0, 10_000.0, 14_000.0, 18_000.0, 20_000.0] {
            for q in [0.3, 0.7, 1.0, 4.0, 10.0] {
                for (gain_db, limit_db) in [(6.0, 0.08), (12.0, 0.15), (18.0, 0.2)] {
                    for gain_db in [gain_db, -gain_db] {
                        let worst = worst_error_db(&Prototype::bell(gain_db, q), frequency_hz, 44_100.0, -100.0);
                        assert!(worst < limit_db, "{frequency_hz} Hz, {gain_db} dB, Q {q}: {worst} dB");
                    }
                }
            }
        }
    }

    #[test]
    fn passes_and_notches_stay_near_their_prototypes_down_to_40_db() {
        for frequency_hz in [20.0, 100.0, 1000.0, 5000.0, 10_000.0, 16_000.0] {
            let sections = (1..=8).flat_map(|order| {
                Prototype::butterworth_low_pass(order).chain(Prototype::butterworth_high_pass(order))
            });
            for prototype in sections.filter(|section| section.denominator[1] >= 0.7) {
                let worst = worst_error_db(&prototype, frequency_hz, 44_100.0, -40.0);
                assert!(worst < 0.35, "{prototype:?} at {frequency_hz} Hz: {worst} dB");
            }
            let worst = worst_error_db(&Prototype::notch(4.0), frequency_hz, 44_100.0, -40.0);
            assert!(worst < 0.15, "notch at {frequency_hz} Hz: {worst} dB");
        }
    }

    #[test]
    fn the_gain_at_0_hz_and_the_inverse_of_a_boost_are_exact() {
        let (boost, cut) = (Prototype::low_shelf(12.0, 0.9), Prototype::low_shelf(-12.0, 0.9));
        let (boost, cut) = (Section::refined(&boost, 0.21), Section::refined(&cut, 0.21));
        assert!((db_from_power(boost.power_at(0.0)) - 12.0).abs() < 1e-9);
        for frequency in [0.001, 0.1, 0.21, 0.3, 0.45, 0.49] {
            let product = boost.power_at(frequency) * cut.power_at(frequency);
            assert!((product - 1.0).abs() < 1e-9, "{product} at {frequency}");
        }
    }

    #[test]
    fn the_closed_form_meets_its_prototype_at_the_frequency_of_the_band() {
        for prototype in [Prototype::bell(9.0, 2.0), Prototype::high_shelf(-6.0, 0.7), Prototype::bell(-18.0, 0.5)] {
            for frequency in [0.001, 0.02, 0.2, 0.4] {
                let error = db_from_power(Section::closed_form(&prototype, frequency).power_at(frequency))
                    - db_from_power(prototype.power_at(1.0));
                assert!(error.abs() < 1e-6, "{prototype:?} at {frequency}: {error} dB");
            }
        }
    }
}
