//! Linear prediction for FLAC: the polynomials of fixed order and quantised LPC.
//!
//! *Reference*: RFC 9639 §9.2.5–9.2.6; Levinson–Durbin after Makhoul, "Linear prediction: a tutorial review", Proc. IEEE
//! 63(4) 1975. Sums run in one order and nothing calls the platform's libm, so the same samples give the same bytes.

use crate::math;

/// Greatest LPC order: what the streamable subset allows up to 48 kHz (RFC 9639 §7).
pub(super) const MAX_ORDER: usize = 12;
/// Greatest order of the fixed predictors.
pub(super) const MAX_FIXED_ORDER: usize = 4;
/// Bits of a quantised coefficient with its sign.
pub(super) const PRECISION: u32 = 14;
/// What the format's shift field holds without a sign.
const MAX_SHIFT: i32 = 15;

/// A predictor: x̂[n] = (Σ c[i]·x[n−1−i]) >> shift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Predictor {
    pub(super) coefficients: Vec<i32>,
    pub(super) shift: u32,
}

/// The residual of the fixed predictor of `order`: the order-th difference, from frame `order` on.
pub(super) fn fixed_residual(samples: &[i32], order: usize, residual: &mut Vec<i32>) {
    residual.clear();
    let windows = samples.windows(order + 1);
    match order {
        0 => residual.extend_from_slice(samples),
        1 => residual.extend(windows.map(|w| w[1] - w[0])),
        2 => residual.extend(windows.map(|w| w[2] - 2 * w[1] + w[0])),
        3 => residual.extend(windows.map(|w| w[3] - 3 * w[2] + 3 * w[1] - w[0])),
        _ => residual.extend(windows.map(|w| w[4] - 4 * w[3] + 6 * w[2] - 4 * w[1] + w[0])),
    }
}

/// The fixed order whose residual has the least sum of magnitudes, and that sum.
pub(super) fn best_fixed_order(samples: &[i32]) -> (usize, u64) {
    let mut sums = [0_u64; MAX_FIXED_ORDER + 1];
    for w in samples.windows(MAX_FIXED_ORDER + 1) {
        let d0 = w[4];
        let d1 = d0 - w[3];
        let d2 = d1 - (w[3] - w[2]);
        let d3 = w[4] - 3 * w[3] + 3 * w[2] - w[1];
        let d4 = d3 - (w[3] - 3 * w[2] + 3 * w[1] - w[0]);
        for (sum, difference) in sums.iter_mut().zip([d0, d1, d2, d3, d4]) {
            *sum += u64::from(difference.unsigned_abs());
        }
    }
    sums.into_iter().enumerate().min_by_key(|(_, sum)| *sum).unwrap_or((0, 0))
}

/// Autocorrelation at lags 0 to [`MAX_ORDER`] under a Welch window, 1 − (2t/(N−1) − 1)²: a parabola, no cosine needed.
fn autocorrelation(samples: &[i32], windowed: &mut Vec<f64>) -> [f64; MAX_ORDER + 1] {
    let half = (samples.len() as f64 - 1.0) / 2.0;
    windowed.clear();
    windowed.resize(MAX_ORDER, 0.0);
    windowed.extend(samples.iter().enumerate().map(|(at, sample)| {
        let place = (at as f64 - half) / half;
        f64::from(*sample) * (1.0 - place * place)
    }));
    let mut sums = [0.0; MAX_ORDER + 1];
    for w in windowed.windows(MAX_ORDER + 1) {
        for (sum, delayed) in sums.iter_mut().zip(w.iter().rev()) {
            *sum += w[MAX_ORDER] * delayed;
        }
    }
    sums
}

/// LPC coefficients of the order that promises the fewest bits; `None` for signals that prediction cannot help.
fn coefficients(correlation: &[f64; MAX_ORDER + 1], samples: usize, bits: u32) -> Option<Vec<f64>> {
    let mut error = correlation[0];
    let mut current: Vec<f64> = Vec::with_capacity(MAX_ORDER);
    let mut best: Option<(f64, Vec<f64>)> = None;
    for order in 1..=MAX_ORDER.min(samples.saturating_sub(1)) {
        let mut reflection = correlation[order];
        for (index, coefficient) in current.iter().enumerate() {
            reflection -= coefficient * correlation[order - 1 - index];
        }
        reflection /= error;
        let previous = current.clone();
        for (index, coefficient) in current.iter_mut().enumerate() {
            *coefficient -= reflection * previous[order - 2 - index];
        }
        current.push(reflection);
        error *= 1.0 - reflection * reflection;
        if !error.is_finite() || error <= 0.0 {
            break;
        }
        // A Laplacian residual of this variance takes about ½·log2(error/N) + a constant bits a sample.
        let per_sample = (0.5 * math::log2(error / samples as f64)).max(0.0);
        let cost = per_sample * (samples - order) as f64 + order as f64 * f64::from(bits + PRECISION);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, current.clone()));
        }
    }
    best.map(|(_, coefficients)| coefficients)
}

/// Rounds coefficients to [`PRECISION`] bits, each rounding error carried into the next coefficient.
fn quantize(coefficients: &[f64]) -> Option<Predictor> {
    let greatest = coefficients.iter().fold(0.0_f64, |greatest, c| greatest.max(c.abs()));
    if greatest <= 0.0 || !greatest.is_finite() {
        return None;
    }
    let limit = 1_i32 << (PRECISION - 1);
    let shift = (PRECISION as i32 - 2 - math::log2(greatest).floor() as i32).min(MAX_SHIFT);
    let shift = u32::try_from(shift).ok()?;
    let (scale, mut carried) = (f64::from(1_u32 << shift), 0.0);
    let quantised = coefficients.iter().map(|coefficient| {
        carried += coefficient * scale;
        let rounded = ((carried + 0.5).floor() as i32).clamp(-limit, limit - 1);
        carried -= f64::from(rounded);
        rounded
    });
    Some(Predictor { coefficients: quantised.collect(), shift })
}

/// The LPC predictor for a block, if there is one worth trying.
pub(super) fn lpc(samples: &[i32], bits: u32, windowed: &mut Vec<f64>) -> Option<Predictor> {
    if samples.len() <= 2 * MAX_ORDER {
        return None;
    }
    let correlation = autocorrelation(samples, windowed);
    quantize(&coefficients(&correlation, samples.len(), bits)?)
}

/// The residual of an LPC predictor from frame `order` on; `false` if a value does not fit the format.
pub(super) fn lpc_residual(samples: &[i32], predictor: &Predictor, residual: &mut Vec<i32>) -> bool {
    /// One loop per order, so that each is unrolled.
    fn run<const ORDER: usize>(samples: &[i32], predictor: &Predictor, residual: &mut Vec<i32>) -> bool {
        let mut reversed = [0_i64; ORDER];
        for (slot, coefficient) in reversed.iter_mut().zip(predictor.coefficients.iter().rev()) {
            *slot = i64::from(*coefficient);
        }
        let mut fits = true;
        residual.extend(samples.windows(ORDER + 1).map(|w| {
            let mut sum = 0_i64;
            for index in 0..ORDER {
                sum += reversed[index] * i64::from(w[index]);
            }
            let difference = i64::from(w[ORDER]) - (sum >> predictor.shift);
            fits &= difference.unsigned_abs() < 1 << 31;
            difference as i32
        }));
        fits
    }
    residual.clear();
    match predictor.coefficients.len() {
        1 => run::<1>(samples, predictor, residual),
        2 => run::<2>(samples, predictor, residual),
        3 => run::<3>(samples, predictor, residual),
        4 => run::<4>(samples, predictor, residual),
        5 => run::<5>(samples, predictor, residual),
        6 => run::<6>(samples, predictor, residual),
        7 => run::<7>(samples, predictor, residual),
        8 => run::<8>(samples, predictor, residual),
        9 => run::<9>(samples, predictor, residual),
        10 => run::<10>(samples, predictor, residual),
        11 => run::<11>(samples, predictor, residual),
        12 => run::<12>(samples, predictor, residual),
        _ => false,
    }
}
