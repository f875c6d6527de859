//! How left and right go together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::columns::correlation;
use super::spectrum::LongTerm;
use crate::kernels::k_weighting::KWeighting;
use crate::math;
use crate::units::db_from_power;

/// Octave bands, their middles in Hz: IEC 61260-1.
const BANDS_HZ: [f64; 10] = [31.5, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16_000.0];
/// A band is in trouble below this correlation…
const TROUBLE: f64 = -0.3;
/// …if it is not so many dB below the strongest band.
const AUDIBLE_DB: f64 = 30.0;
/// Where bass and fundamentals lie, which stand near the middle in nearly all music.
const LOW_HZ: (f64, f64) = (40.0, 400.0);
/// A channel is inverted where the low range is correlated below the first and everything below the second.
const INVERTED: (f64, f64) = (-0.3, -0.1);
/// The side lies so far below the middle when a stereo file holds a mono signal: dither and rounding are all that is left.
const MONO_DB: f64 = -60.0;

/// How the two channels of a stereo file go together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stereo {
    /// Correlation per column, Σlr/√(Σl²·Σr²): 1 the same, 0 unrelated, −1 inverted. `None` in silence.
    pub correlation: Vec<Option<f64>>,
    /// The same over the whole file.
    pub mean_correlation: Option<f64>,
    /// Power of the side (l − r)/2 less that of the middle (l + r)/2, in dB; `None` where one of them is silent.
    pub side_to_middle_db: Option<f64>,
    /// Right less left, in dB of mean power.
    pub balance_db: Option<f64>,
    /// What is lost of the loudness when both loudspeakers play the mean of left and right, in LU, by K-weighted mean powers,
    /// ungated: 0 for mono, 3 for unrelated channels.
    pub mono_loss_lu: Option<f64>,
    /// Correlation per octave.
    pub bands: Vec<StereoBand>,
    /// Whether one channel is upside down: correlated below −0.3 from 40 to 400 Hz and below −0.1 in all.
    pub inverted_channel: bool,
    /// Whether both channels hold the same signal: the side lies 60 dB below the middle, or is silent.
    pub mono_as_stereo: bool,
}

/// Correlation within one octave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StereoBand {
    /// The middle in Hz.
    pub middle_hz: f64,
    /// Mean level of the channels in dBFS; `None` where there is nothing.
    pub level_dbfs: Option<f64>,
    /// Correlation; `None` in silence.
    pub correlation: Option<f64>,
    /// Whether it is below −0.3 and no more than 30 dB below the strongest octave.
    pub in_trouble: bool,
}

/// Sums over the whole file.
pub(super) struct Sums {
    pub products: f64,
    pub left: f64,
    pub right: f64,
}

impl Stereo {
    pub(super) fn new(columns: Vec<Option<f64>>, sums: &Sums, spectrum: &LongTerm, sample_rate_hz: u32) -> Self {
        let Sums { products, left, right } = *sums;
        let middle = left + right + 2.0 * products;
        let side = (left + right - 2.0 * products).max(0.0);
        let mean_correlation = correlation(products, left, right);
        let [left_bins, right_bins] = spectrum.powers.as_slice() else {
            unreachable!("stereo is asked of two channels alone")
        };
        let bands = bands(spectrum);
        let within = |values: &[f64]| spectrum.within(values, LOW_HZ.0, LOW_HZ.1);
        let low = correlation(within(&spectrum.products), within(left_bins), within(right_bins));
        let inverted = |low: Option<f64>, all: Option<f64>| {
            low.is_some_and(|low| low < INVERTED.0) && all.is_some_and(|all| all < INVERTED.1)
        };
        let audible = left.min(right) > 0.0;
        let ratio = |a: f64, b: f64| (a > 0.0 && b > 0.0).then(|| super::rounded(db_from_power(a / b), 2));
        Self {
            correlation: columns.into_iter().map(|value| value.map(|value| super::rounded(value, 3))).collect(),
            mean_correlation: mean_correlation.map(|value| super::rounded(value, 4)),
            side_to_middle_db: ratio(side, middle),
            balance_db: ratio(right, left),
            mono_loss_lu: mono_loss_lu(spectrum, sample_rate_hz),
            bands,
            inverted_channel: inverted(low, mean_correlation),
            mono_as_stereo: audible && (side == 0.0 || db_from_power(side / middle) < MONO_DB),
        }
    }
}

fn bands(spectrum: &LongTerm) -> Vec<StereoBand> {
    let half = math::exp2(0.5);
    let middles = BANDS_HZ.into_iter().filter(|hz| hz * half <= spectrum.highest_hz() * 1.05);
    let mut bands: Vec<StereoBand> = middles
        .map(|hz| {
            let within = |values: &[f64]| spectrum.within(values, hz / half, hz * half);
            let (left, right) = (within(&spectrum.powers[0]), within(&spectrum.powers[1]));
            let level = (left + right) / 2.0;
            StereoBand {
                middle_hz: hz,
                level_dbfs: (level > 1e-16).then(|| super::rounded(db_from_power(level), 2)),
                correlation: correlation(within(&spectrum.products), left, right).map(|value| super::rounded(value, 3)),
                in_trouble: false,
            }
        })
        .collect();
    let strongest = bands.iter().filter_map(|band| band.level_dbfs).fold(f64::NEG_INFINITY, f64::max);
    for band in &mut bands {
        let audible = band.level_dbfs.is_some_and(|level| level >= strongest - AUDIBLE_DB);
        band.in_trouble = audible && band.correlation.is_some_and(|value| value < TROUBLE);
    }
    bands
}

/// 10·log10(ΣK·(|L|² + |R|²) / ΣK·|L + R|²/2) with K the squared magnitude of the K-weighting.
fn mono_loss_lu(spectrum: &LongTerm, sample_rate_hz: u32) -> Option<f64> {
    let weight = KWeighting::new(sample_rate_hz);
    let nyquist_hz = f64::from(sample_rate_hz) / 2.0;
    let weigh = |values: &[f64]| spectrum.weighted(values, |hz| weight.power(hz.min(nyquist_hz), sample_rate_hz));
    let both = weigh(&spectrum.powers[0]) + weigh(&spectrum.powers[1]);
    let sum = (both + 2.0 * weigh(&spectrum.products)) / 2.0;
    // Below −100 dB of the stereo signal nothing is left but the rounding of the sums.
    (both > 1e-16).then(|| super::rounded(db_from_power(both / sum.max(1e-10 * both)).max(0.0), 2))
}
