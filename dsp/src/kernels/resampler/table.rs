//! The taps of a conversion.

use core::array;
use std::sync::{Arc, Mutex, PoisonError};

use super::filter::Filter;
use super::ratio;

/// Sums run in this many lanes, whatever the machine's vectors.
pub(super) const LANES: usize = 8;
/// Tables of up to this many taps (32 MiB) hold every phase; larger ones are interpolated.
const MAX_TAPS: u64 = 1 << 22;
/// Phases of an interpolated table.
const GRID: u64 = 512;
/// Tables kept for the next converter of the same ratio.
const MEMO_TABLES: usize = 8;

/// Tables made before: making one costs milliseconds, and a session opens a converter per clip. A memo of a pure
/// function, so nothing can depend on its state.
static MEMO: Mutex<Vec<Arc<Table>>> = Mutex::new(Vec::new());

/// The taps of a ratio.
#[derive(Debug)]
pub(super) struct Table {
    /// Output frames per `down` input frames.
    pub(super) up: u64,
    pub(super) down: u64,
    /// Taps of a row; a multiple of [`LANES`].
    pub(super) width: usize,
    /// Rows per input frame: `up`, or [`GRID`] when rows are interpolated.
    phases: u64,
    /// Row by row. An interpolated table has one row before the first phase and two after the last.
    taps: Vec<f64>,
}

impl Table {
    /// The taps between two rates.
    pub(super) fn of(from_hz: u32, to_hz: u32) -> Arc<Self> {
        let (up, down) = ratio(from_hz, to_hz);
        let mut memo = MEMO.lock().unwrap_or_else(PoisonError::into_inner);
        let table = match memo.iter().position(|table| table.up == up && table.down == down) {
            Some(index) => memo.remove(index),
            None => Arc::new(Self::new(up, down)),
        };
        memo.insert(0, Arc::clone(&table));
        memo.truncate(MEMO_TABLES);
        table
    }

    fn new(up: u64, down: u64) -> Self {
        // Input frames per frame of the lower rate: above 1 when the rate falls.
        let stretch = (down as f64 / up as f64).max(1.0);
        let filter = Filter::new(stretch);
        let width = (filter.half.ceil() as usize * 2).next_multiple_of(LANES);
        let interpolated = up * width as u64 > MAX_TAPS;
        let phases = if interpolated { GRID } else { up };
        let (first, last) = if interpolated { (-1, GRID as i64 + 2) } else { (0, up as i64) };
        let mut taps = Vec::with_capacity((last - first) as usize * width);
        for phase in first..last {
            let start = taps.len();
            let shift = phase as f64 / phases as f64 + (width / 2 - 1) as f64;
            taps.extend((0..width).map(|index| filter.tap(shift - index as f64)));
            // A constant comes out as that constant at every phase.
            let sum: f64 = taps[start..].iter().sum();
            taps[start..].iter_mut().for_each(|tap| *tap /= sum);
        }
        Self { up, down, width, phases, taps }
    }

    /// The taps at `phase`/`up` input frames after a frame.
    pub(super) fn row<'a>(&'a self, phase: u64, scratch: &'a mut Vec<f64>) -> &'a [f64] {
        if self.phases == self.up {
            return &self.taps[phase as usize * self.width..][..self.width];
        }
        let at = phase * GRID;
        let (cell, t) = ((at / self.up) as usize, (at % self.up) as f64 / self.up as f64);
        // Cubic Lagrange through the rows at −1, 0, 1, 2.
        let weights = [
            -t * (t - 1.0) * (t - 2.0) / 6.0,
            (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0,
            -(t + 1.0) * t * (t - 2.0) / 2.0,
            (t + 1.0) * t * (t - 1.0) / 6.0,
        ];
        let rows: [&[f64]; 4] = array::from_fn(|index| &self.taps[(cell + index) * self.width..][..self.width]);
        scratch.clear();
        scratch.extend((0..self.width).map(|index| {
            weights[0] * rows[0][index]
                + weights[1] * rows[1][index]
                + weights[2] * rows[2][index]
                + weights[3] * rows[3][index]
        }));
        scratch
    }
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use super::super::filter::{BETA, HALF_WIDTH};
    use super::*;
    use crate::kernels::kaiser::bessel_i0;
    use crate::math;
    use crate::units::db_from_gain;

    /// The −3 dB frequency in parts of the lower rate.
    const CORNER: f64 = 0.476_175;

    const RATES_HZ: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

    /// The magnitude of a table's filter at `hz`: the transform of all its taps, which are symmetric, on a grid of
    /// `up` places per input frame. The cosine's phase turns by a rotation, true to 1e-12 over the length.
    fn magnitude(table: &Table, from_hz: u32, hz: f64) -> f64 {
        let step = TAU * hz / f64::from(from_hz) / table.up as f64;
        let (turn_cos, turn_sin) = (math::cos(step), math::sin(step));
        let first = -step * ((table.width / 2) as f64 * table.up as f64);
        let (mut cos, mut sin, mut sum) = (math::cos(first), math::sin(first), 0.0);
        // τ rises with the phase and falls with the tap's number: from the last tap down, phase by phase.
        for index in (0..table.width).rev() {
            for phase in 0..table.up as usize {
                sum += table.taps[phase * table.width + index] * cos;
                (cos, sin) = (cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin);
            }
        }
        sum.abs() / table.up as f64
    }

    #[test]
    fn the_passband_is_flat_and_nothing_beyond_half_the_lower_rate_passes() {
        let (mut ripple, mut edge, mut corner, mut stop) = (0.0_f64, 0.0_f64, 0.0_f64, f64::NEG_INFINITY);
        for from_hz in RATES_HZ {
            for to_hz in RATES_HZ.into_iter().filter(|to_hz| *to_hz != from_hz) {
                let (table, lower) = (Table::of(from_hz, to_hz), f64::from(from_hz.min(to_hz)));
                let decibels = |hz: f64| db_from_gain(magnitude(&table, from_hz, hz));
                for part in [0.0, 0.01, 0.1, 0.2, 0.3, 0.4, 0.43, 0.445, 0.45, 20.0 / 44.1] {
                    ripple = ripple.max(decibels(part * lower).abs());
                }
                edge = edge.min(decibels(20.4 / 44.1 * lower));
                corner = corner.max((decibels(CORNER * lower) + 3.0103).abs());
                let highest = table.up as f64 * f64::from(from_hz) / 2.0;
                let near = [0.5, 0.5004, 0.501, 0.503, 0.506, 0.51, 0.52, 0.55, 0.6, 0.7, 0.9].map(|part| part * lower);
                let far = [0.013, 0.1, 0.233, 0.41, 0.577, 0.73, 0.91, 1.0].map(|part| part * highest);
                for hz in near.into_iter().chain(far).filter(|hz| *hz >= lower * 0.5) {
                    stop = stop.max(decibels(hz));
                }
            }
        }
        println!("ripple to 20.0 kHz {ripple:.6} dB, at 20.4 kHz {edge:.4} dB, stop band {stop:.1} dB (44.1 kHz side)");
        assert!(ripple <= 0.0005, "passband ripple of {ripple} dB");
        assert!(edge >= -0.05, "{edge} dB at 20.4 kHz");
        assert!(corner <= 0.02, "off by {corner} dB at the corner");
        assert!(stop <= -197.0, "stop band at {stop} dB");
    }

    /// What other converters reach: droop at 20 kHz in dB, the −3 dB frequency in Hz, aliases up to 20 kHz and at worst in dBc,
    /// and delay in samples. Distortion and noise are in `tests/resampler/others.rs`: samples of 32 bits set them, for all
    /// alike. Measured in November 2026: SoX 14.4.2, ffmpeg 5.1.9 with soxr and swr, rubato 5.0.1.
    const OTHERS: [(&str, u32, u32, [f64; 5]); 17] = [
        ("sox rate -v", 96_000, 44_100, [0.0018, 20_953.0, -199.0, -198.0, 0.0]),
        ("sox rate -v -b 99.7", 96_000, 44_100, [0.0009, 21_983.0, -198.0, -198.0, 0.0]),
        ("soxr p28", 96_000, 44_100, [0.0022, 20_950.0, -190.0, -183.0, 0.0]),
        ("soxr p33", 96_000, 44_100, [0.0046, 20_950.0, -216.0, -213.0, 0.0]),
        ("swr 256", 96_000, 44_100, [0.0002, 21_301.0, -105.0, -95.0, 0.0]),
        ("rubato sinc 1024", 96_000, 44_100, [0.0, 21_676.0, -211.0, -44.0, 0.8]),
        ("rubato Fft 4096", 96_000, 44_100, [0.0, 21_872.0, -211.0, -174.0, 0.5]),
        ("sox rate -v", 44_100, 48_000, [0.0029, 20_953.0, -181.0, -181.0, 0.0]),
        ("sox rate -v -b 99.7", 44_100, 48_000, [0.0013, 21_983.0, -181.0, -181.0, 0.0]),
        ("soxr p33", 44_100, 48_000, [0.0063, 20_950.0, -212.0, -212.0, 0.0]),
        ("swr 256", 44_100, 48_000, [0.0001, 21_959.0, -6.0, -6.0, 0.0]),
        ("rubato sinc 1024", 44_100, 48_000, [0.0, 21_719.0, -142.0, -142.0, 0.72]),
        ("rubato Fft 4096", 44_100, 48_000, [0.0, 21_967.0, -156.0, -156.0, 0.0]),
        ("sox rate -v -b 99.7", 48_000, 44_100, [0.0009, 21_983.0, -201.0, -190.0, 0.0]),
        ("soxr p33", 48_000, 44_100, [0.0046, 20_950.0, -221.0, -213.0, 0.0]),
        ("rubato sinc 1024", 48_000, 44_100, [0.0, 21_716.0, -224.0, -152.0, 0.6]),
        ("rubato Fft 4096", 48_000, 44_100, [0.0, 21_960.0, -223.0, -182.0, 0.0]),
    ];

    #[test]
    fn no_other_converter_is_better_in_one_respect_and_worse_in_none() {
        for (name, from_hz, to_hz, theirs) in OTHERS {
            let (table, lower) = (Table::of(from_hz, to_hz), f64::from(from_hz.min(to_hz)));
            let decibels = |hz: f64| db_from_gain(magnitude(&table, from_hz, hz));
            let worst = |from_hz: f64, reach_hz: f64| {
                (0..60)
                    .map(|step| decibels(from_hz + reach_hz * f64::from(step) / 59.0))
                    .fold(f64::NEG_INFINITY, f64::max)
            };
            // A tone folds to 20 kHz and below from the lower rate less 20 kHz on.
            let heard = worst(lower - 20_000.0, 3000.0);
            let ours = [decibels(20_000.0).abs(), CORNER * lower, heard, worst(0.5 * lower, 3000.0).max(heard), 0.0];
            let leads = |index: usize| match index {
                1 => ours[index] > theirs[index],
                _ => ours[index] < theirs[index],
            };
            let ahead = (0..ours.len()).any(leads);
            assert!(ahead, "{name}, {from_hz} to {to_hz} Hz");
        }
    }

    #[test]
    fn an_interpolated_row_is_the_row_that_a_full_table_would_have() {
        // 44 101 to 48 000 Hz: 48 000 phases.
        let table = Table::of(44_101, 48_000);
        assert_eq!(table.phases, GRID);
        let (mut scratch, mut worst) = (Vec::new(), 0.0_f64);
        for phase in [1, 47, 20_011, 33_333, 47_999] {
            let shift = phase as f64 / 48_000.0 + (table.width / 2 - 1) as f64;
            let row = table.row(phase, &mut scratch);
            let lobe = (BETA * BETA + core::f64::consts::PI * core::f64::consts::PI).sqrt() / (TAU * HALF_WIDTH);
            for (index, tap) in row.iter().enumerate() {
                let (tau, cutoff) = (shift - index as f64, 0.5 - lobe);
                let place = (1.0 - (tau / HALF_WIDTH) * (tau / HALF_WIDTH)).max(0.0).sqrt();
                let ideal = math::sin(TAU * cutoff * tau) / (core::f64::consts::PI * tau) * bessel_i0(BETA * place)
                    / bessel_i0(BETA);
                worst = worst.max((tap - if tau.abs() < HALF_WIDTH { ideal } else { 0.0 }).abs());
            }
        }
        assert!(db_from_gain(worst) < -180.0, "a tap is off by {} dB", db_from_gain(worst));
    }
}
