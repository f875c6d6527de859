//! Conversion by sums over taps: for any two rates.
//!
//! The time n·M/L is kept as an integer quotient and remainder, so nothing drifts and any output frame can be the first.

use core::array;
use core::hint::black_box;
use std::sync::Arc;

use super::table::{LANES, Table};
use crate::buffer::Buffer;
use crate::simd::{self, Kernel};

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

/// A conversion at work.
#[derive(Debug, Clone)]
pub(super) struct Direct {
    table: Arc<Table>,
    /// Input from where the taps of the next output frame begin, channel by channel.
    history: Vec<Vec<f64>>,
    /// How far the next output frame lies behind an input frame, in 1/`up` of a frame.
    phase: u64,
    row: Vec<f64>,
}

impl Direct {
    /// One whose first output frame is `output_frame`, with the input frame that it begins with.
    pub(super) fn starting_at(table: Arc<Table>, channels: usize, output_frame: u64) -> (Self, u64) {
        let time = u128::from(output_frame) * u128::from(table.down);
        let (index, phase) = ((time / u128::from(table.up)) as u64, (time % u128::from(table.up)) as u64);
        // Before the input lies silence.
        let before = (table.width / 2 - 1) as u64;
        let silent = before.saturating_sub(index) as usize;
        (
            Self { table, history: vec![vec![0.0; silent]; channels], phase, row: Vec::new() },
            index.saturating_sub(before),
        )
    }

    /// Takes all of `input` and puts what is ready into `out` (resized to it).
    pub(super) fn process(&mut self, input: &Buffer, out: &mut Buffer) {
        for (history, channel) in self.history.iter_mut().zip(input.iter()) {
            history.extend(channel.iter().map(|sample| f64::from(*sample)));
        }
        let held = self.history.first().map_or(0, Vec::len);
        // The last output frame whose taps all lie in the history begins at `held − width` frames behind the first.
        let ready = match held.checked_sub(self.table.width) {
            None => 0,
            Some(spare) => ((spare as u64 + 1) * self.table.up - self.phase).div_ceil(self.table.down),
        };
        self.convert(ready as usize, out);
    }

    /// Puts the next `count` frames, one at least, into `out` (resized to them); after the input lies silence.
    pub(super) fn flush(&mut self, count: u64, out: &mut Buffer) {
        // As far as the last output frame's taps reach.
        let reach = ((self.phase + (count - 1) * self.table.down) / self.table.up) as usize + self.table.width;
        for history in &mut self.history {
            history.resize(reach.max(history.len()), 0.0);
        }
        self.convert(count as usize, out);
    }

    /// Computes the next `count` frames and forgets the input that no later frame needs.
    fn convert(&mut self, count: usize, out: &mut Buffer) {
        let table = &*self.table;
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
