//! Sample-rate conversion.
//!
//! y(n) = Σ_k x(k)·h(n·M/L − k), h(τ) = 2f·sinc(2fτ)·w(τ/H)
//!
//! *Where* L/M is the ratio of the rates in lowest terms, τ counts input frames, w is the Kaiser window with β =
//! `BETA` over ±H frames, H = `HALF_WIDTH` frames of the lower rate, and f lies so that the stop band begins at half
//! the lower rate. The time n·M/L is kept as an integer quotient and remainder, so nothing drifts and any output frame
//! can be the first. Taps and sums are f64, the result is rounded to f32 once.
//!
//! Contract: output frame 0 lies at input frame 0 (no delay); before and after the input lies silence; N frames become
//! round-half-up(N·L/M). Equal rates pass bits through. Any two rates work; where L is so large that a table of every
//! phase would not fit memory, rows are interpolated between 512 phases by cubic Lagrange (error below −200 dB).
//!
//! Figures, from the taps (tests in this file), with the lower rate at 44.1 kHz: within ±0.000001 dB up to 20.0 kHz,
//! −0.016 dB at 20.4 kHz, −6 dB at 21.03 kHz, below −184 dB from 22.05 kHz on, images and aliases alike: there is no band
//! that folds back. Other rates scale with the lower one. What comes out is rounded to f32, −150 dB at full scale.
//!
//! *Reference*: Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974; Crochiere &
//! Rabiner, "Multirate Digital Signal Processing", 1983, ch. 2.

use core::array;
use core::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use super::kaiser::bessel_i0;
use crate::buffer::Buffer;
use crate::math;
use crate::simd::{self, Kernel};

/// Shape of the Kaiser window; gives a stop band of about 186 dB.
const BETA: f64 = 19.5;
/// Half the filter's length in frames of the lower rate.
const HALF_WIDTH: f64 = 136.0;
/// Sums run in this many lanes, whatever the machine's vectors.
const LANES: usize = 8;
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
struct Table {
    /// Output frames per `down` input frames.
    up: u64,
    down: u64,
    /// Taps of a row; a multiple of [`LANES`].
    width: usize,
    /// Rows per input frame: `up`, or [`GRID`] when rows are interpolated.
    phases: u64,
    /// Row by row. An interpolated table has one row before the first phase and two after the last.
    taps: Vec<f64>,
}

impl Table {
    fn of(from_hz: u32, to_hz: u32) -> Arc<Self> {
        let divisor = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = (u64::from(to_hz / divisor), u64::from(from_hz / divisor));
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
        let half = HALF_WIDTH * stretch;
        let width = (half.ceil() as usize * 2).next_multiple_of(LANES);
        let interpolated = up * width as u64 > MAX_TAPS;
        let phases = if interpolated { GRID } else { up };
        // Where the main lobe of the window's spectrum ends, in cycles per frame of the lower rate: Kaiser 1974.
        let lobe = (BETA * BETA + core::f64::consts::PI * core::f64::consts::PI).sqrt()
            / (core::f64::consts::PI * 2.0 * HALF_WIDTH);
        let cutoff = (0.5 - lobe) / stretch;
        let scale = 1.0 / bessel_i0(BETA);
        let tap = |tau: f64| {
            let place = tau / half;
            if place.abs() >= 1.0 {
                return 0.0;
            }
            let window = bessel_i0(BETA * (1.0 - place * place).sqrt()) * scale;
            let angle = core::f64::consts::PI * 2.0 * cutoff * tau;
            let sinc = if angle == 0.0 { 1.0 } else { math::sin(angle) / angle };
            2.0 * cutoff * sinc * window
        };
        let (first, last) = if interpolated { (-1, GRID as i64 + 2) } else { (0, up as i64) };
        let mut taps = Vec::with_capacity((last - first) as usize * width);
        for phase in first..last {
            let start = taps.len();
            let shift = phase as f64 / phases as f64 + (width / 2 - 1) as f64;
            taps.extend((0..width).map(|index| tap(shift - index as f64)));
            // A constant comes out as that constant at every phase.
            let sum: f64 = taps[start..].iter().sum();
            taps[start..].iter_mut().for_each(|tap| *tap /= sum);
        }
        Self { up, down, width, phases, taps }
    }

    /// The taps at `phase`/`up` input frames after a frame.
    fn row<'a>(&'a self, phase: u64, scratch: &'a mut Vec<f64>) -> &'a [f64] {
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

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// Σ taps·input for `N` inputs at once, in eight lanes combined in one fixed order.
#[inline(always)]
fn dots<const N: usize>(taps: &[f64], inputs: [&[f64]; N]) -> [f64; N] {
    let taps = taps.as_chunks::<LANES>().0;
    // Cut to one length, so that the loop needs no check of bounds.
    let inputs = inputs.map(|input| &input.as_chunks::<LANES>().0[..taps.len()]);
    let mut lanes = [[0.0_f64; LANES]; N];
    for (chunk, taps) in taps.iter().enumerate() {
        for (lanes, input) in lanes.iter_mut().zip(&inputs) {
            *lanes = array::from_fn(|lane| lanes[lane] + taps[lane] * input[chunk][lane]);
        }
    }
    // Lanes that are seen to be added next would be paired across the inputs, which takes twice the time.
    let lanes = black_box(lanes);
    lanes.map(|l| ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7])))
}

/// A streaming linear-phase converter between two rates, all channels alike, without delay: output frame 0 lies at input frame 0.
#[derive(Debug, Clone)]
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// `None`: equal rates.
    table: Option<Arc<Table>>,
    /// Input from where the taps of the next output frame begin, channel by channel.
    history: Vec<Vec<f64>>,
    /// How far the next output frame lies behind an input frame, in 1/`up` of a frame.
    phase: u64,
    /// The input frame behind the last one taken.
    input_end: u64,
    /// The next output frame.
    output_end: u64,
    row: Vec<f64>,
}

impl Resampler {
    /// A converter.
    ///
    /// # Panics
    /// If a rate is 0.
    #[must_use]
    pub fn new(from_hz: u32, to_hz: u32, channels: usize) -> Self {
        Self::starting_at(from_hz, to_hz, channels, 0)
    }

    /// A converter whose first output frame is `output_frame`, with the bits it would have had if everything before had
    /// been converted too. Its input begins at [`Self::next_input_frame`].
    ///
    /// # Panics
    /// If a rate is 0.
    #[must_use]
    pub fn starting_at(from_hz: u32, to_hz: u32, channels: usize, output_frame: u64) -> Self {
        assert!(from_hz > 0 && to_hz > 0, "conversion from {from_hz} Hz to {to_hz} Hz");
        let table = (from_hz != to_hz).then(|| Table::of(from_hz, to_hz));
        let mut history = vec![Vec::new(); channels];
        let (phase, input_end) = match &table {
            None => (0, output_frame),
            Some(table) => {
                let time = u128::from(output_frame) * u128::from(table.down);
                let (index, phase) = ((time / u128::from(table.up)) as u64, (time % u128::from(table.up)) as u64);
                // Before the input lies silence.
                let before = (table.width / 2 - 1) as u64;
                let silent = before.saturating_sub(index) as usize;
                history.iter_mut().for_each(|history| history.resize(silent, 0.0));
                (phase, index.saturating_sub(before))
            }
        };
        Self { from_hz, to_hz, table, history, phase, input_end, output_end: output_frame, row: Vec::new() }
    }

    /// The input frame that the next call of [`Self::process`] must begin with.
    #[must_use]
    pub fn next_input_frame(&self) -> u64 {
        self.input_end
    }

    /// Frames that come of `frames` input frames: round-half-up(frames·to/from).
    #[must_use]
    pub fn output_frames(from_hz: u32, to_hz: u32, frames: u64) -> u64 {
        let wide = u128::from(frames) * u128::from(to_hz) * 2 + u128::from(from_hz);
        (wide / (u128::from(from_hz) * 2)) as u64
    }

    /// Takes all of `input` and puts what is ready into `out` (resized to it).
    ///
    /// # Panics
    /// If `input` or `out` has another number of channels than the converter.
    pub fn process(&mut self, input: &Buffer, out: &mut Buffer) {
        assert_eq!(input.channel_count(), self.history.len(), "channels of the input");
        assert_eq!(out.channel_count(), self.history.len(), "channels of the output");
        self.input_end += input.frames() as u64;
        let Some(table) = self.table.clone() else {
            out.set_frames(input.frames());
            input.iter().zip(out.iter_mut()).for_each(|(from, to)| to.copy_from_slice(from));
            self.output_end = self.input_end;
            return;
        };
        for (history, channel) in self.history.iter_mut().zip(input.iter()) {
            history.extend(channel.iter().map(|sample| f64::from(*sample)));
        }
        let held = self.history.first().map_or(0, Vec::len);
        // The last output frame whose taps all lie in the history begins at `held − width` frames behind the first.
        let ready = match held.checked_sub(table.width) {
            None => 0,
            Some(spare) => ((spare as u64 + 1) * table.up - self.phase).div_ceil(table.down),
        };
        self.convert(&table, ready as usize, out);
    }

    /// After the last input: puts the rest into `out` (resized to it), so that the sum of all output is `output_frames` of all input.
    pub fn flush(&mut self, out: &mut Buffer) {
        let total = Self::output_frames(self.from_hz, self.to_hz, self.input_end);
        let left = total.saturating_sub(self.output_end);
        match self.table.clone() {
            Some(table) if left > 0 => {
                // After the input lies silence, as far as the last output frame's taps reach.
                let reach = ((self.phase + (left - 1) * table.down) / table.up) as usize + table.width;
                for history in &mut self.history {
                    history.resize(reach.max(history.len()), 0.0);
                }
                self.convert(&table, left as usize, out);
            }
            _ => out.set_frames(0),
        }
    }

    /// Computes the next `count` frames and forgets the input that no later frame needs.
    fn convert(&mut self, table: &Table, count: usize, out: &mut Buffer) {
        out.set_frames(count);
        let from = Place { at: 0, phase: self.phase };
        let mut end = from;
        let mut outputs = out.iter_mut();
        let mut output = || outputs.next().expect("because the number of channels was compared");
        for histories in self.history.chunks(2) {
            let row = &mut self.row;
            end = match histories {
                [left, right] => {
                    let (inputs, outputs) = ([&**left, right], [output(), output()]);
                    simd::run(Convert::<2, 4> { table, from, inputs, outputs, row })
                }
                histories => {
                    simd::run(Convert::<1, 2> { table, from, inputs: [&*histories[0]], outputs: [output()], row })
                }
            };
        }
        self.phase = end.phase;
        self.output_end += count as u64;
        for history in &mut self.history {
            history.drain(..end.at);
        }
    }
}

/// Where the taps of an output frame begin in the history, and the phase of its row.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: usize,
    phase: u64,
}

/// The conversion of `C` channels side by side; `T` is twice that.
struct Convert<'a, const C: usize, const T: usize> {
    table: &'a Table,
    from: Place,
    inputs: [&'a [f64]; C],
    outputs: [&'a mut [f32]; C],
    row: &'a mut Vec<f64>,
}

impl<const C: usize, const T: usize> Kernel for Convert<'_, C, T> {
    type Output = Place;

    #[inline(always)]
    fn run(mut self) -> Place {
        let (table, inputs, width) = (self.table, self.inputs, self.table.width);
        let (whole, rest) = ((table.down / table.up) as usize, table.down % table.up);
        let count = self.outputs[0].len();
        // Frames a number of periods apart have the same taps: those of the first half are computed together with those
        // of the second, each with the bits it would have alone.
        let periods = count as u64 / 2 / table.up;
        let (apart, ahead) = ((periods * table.up) as usize, (periods * table.down) as usize);
        let mut place = self.from;
        let mut frame = 0;
        while frame < count {
            if frame == apart {
                (frame, place.at) = (2 * apart, place.at + ahead);
                if frame == count {
                    break;
                }
            }
            let taps = table.row(place.phase, self.row);
            if frame < apart {
                let windows: [&[f64]; T] = array::from_fn(|index| {
                    let start = place.at + if index < C { 0 } else { ahead };
                    &inputs[index % C][start..start + width]
                });
                for (index, sum) in dots(taps, windows).into_iter().enumerate() {
                    self.outputs[index % C][frame + if index < C { 0 } else { apart }] = sum as f32;
                }
            } else {
                let sums = dots(taps, inputs.map(|input| &input[place.at..place.at + width]));
                for (output, sum) in self.outputs.iter_mut().zip(sums) {
                    output[frame] = sum as f32;
                }
            }
            place.at += whole;
            place.phase += rest;
            if place.phase >= table.up {
                place.phase -= table.up;
                place.at += 1;
            }
            frame += 1;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use super::*;
    use crate::units::db_from_gain;

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
        let (mut ripple, mut edge, mut stop) = (0.0_f64, 0.0_f64, f64::NEG_INFINITY);
        for from_hz in RATES_HZ {
            for to_hz in RATES_HZ.into_iter().filter(|to_hz| *to_hz != from_hz) {
                let (table, lower) = (Table::of(from_hz, to_hz), f64::from(from_hz.min(to_hz)));
                let decibels = |hz: f64| db_from_gain(magnitude(&table, from_hz, hz));
                for part in [0.0, 0.01, 0.1, 0.2, 0.3, 0.4, 0.43, 0.445, 0.45, 20.0 / 44.1] {
                    ripple = ripple.max(decibels(part * lower).abs());
                }
                edge = edge.min(decibels(20.4 / 44.1 * lower));
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
        assert!(stop <= -180.0, "stop band at {stop} dB");
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
                let ideal =
                    math::sin(TAU * cutoff * tau) / (TAU * 0.5 * tau) * bessel_i0(BETA * place) / bessel_i0(BETA);
                worst = worst.max((tap - if tau.abs() < HALF_WIDTH { ideal } else { 0.0 }).abs());
            }
        }
        assert!(db_from_gain(worst) < -180.0, "a tap is off by {} dB", db_from_gain(worst));
    }
}
