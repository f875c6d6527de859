//! Sample-rate conversion.
//!
//! y(n) = Σ_k x(k)·h(n·M/L − k), h(τ) = 2f·sinc(2fτ)·w(τ/H)
//!
//! *Where* L/M is the ratio of the rates in lowest terms, τ counts input frames, w is the Kaiser window with β = 21.2 over ±H
//! frames, H = 160 frames of the lower rate, and f lies so that the stop band begins at half the lower rate.
//!
//! Rates of audio, whose ratios have small factors, are converted block by block with Fourier transforms (`blocks.rs`): for
//! 96 to 44.1 kHz a tenth of the arithmetic. Any other two rates work, by the sum as it stands (`direct.rs`); where L is so
//! large that a table of every phase would not fit memory, rows are interpolated between 512 phases by cubic Lagrange (error
//! below −200 dB).
//!
//! Contract: output frame 0 lies at input frame 0 (no delay); before and after the input lies silence; N frames become
//! round-half-up(N·L/M). Equal rates pass bits through. Any output frame can be the first, and the lengths in which the input
//! comes change no bit. Channels do not touch one another. All is f64, the result is rounded to f32 once.
//!
//! Figures, from the taps and from tones (tests in `table.rs`, `blocks.rs`), with the lower rate at 44.1 kHz: within ±0.000001 dB up
//! to 20.0 kHz, −0.0005 dB at 20.4 kHz, −3 dB at 21.0 kHz, below −199 dB from 22.05 kHz on, images and aliases alike: there is no
//! band that folds back. Other rates scale with the lower one. What comes out is rounded to f32, −150 dB at full scale.
//!
//! *Reference*: Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", ISCAS 1974; Crochiere &
//! Rabiner, "Multirate Digital Signal Processing", 1983, ch. 2.

mod blocks;
mod direct;
mod filter;
mod plan;
mod table;

use self::blocks::Blocks;
use self::direct::Direct;
use self::plan::Plan;
use self::table::Table;
use crate::buffer::Buffer;

/// How frames are computed.
#[derive(Debug, Clone)]
enum Method {
    /// Equal rates: not at all.
    Pass,
    Blocks(Box<Blocks>),
    Direct(Direct),
}

/// A streaming linear-phase converter between two rates, all channels alike, without delay: output frame 0 lies at input frame 0.
#[derive(Debug, Clone)]
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    channels: usize,
    method: Method,
    /// The input frame behind the last one taken.
    input_end: u64,
    /// The next output frame.
    output_end: u64,
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
        let (method, input_end) = if from_hz == to_hz {
            (Method::Pass, output_frame)
        } else if let Some(plan) = Plan::of(from_hz, to_hz) {
            let (blocks, first) = Blocks::starting_at(plan, channels, output_frame);
            (Method::Blocks(Box::new(blocks)), first)
        } else {
            let (direct, first) = Direct::starting_at(Table::of(from_hz, to_hz), channels, output_frame);
            (Method::Direct(direct), first)
        };
        Self { from_hz, to_hz, channels, method, input_end, output_end: output_frame }
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
        assert_eq!(input.channel_count(), self.channels, "channels of the input");
        assert_eq!(out.channel_count(), self.channels, "channels of the output");
        self.input_end += input.frames() as u64;
        match &mut self.method {
            Method::Pass => {
                out.set_frames(input.frames());
                input.iter().zip(out.iter_mut()).for_each(|(from, to)| to.copy_from_slice(from));
            }
            Method::Blocks(blocks) => blocks.process(input, out),
            Method::Direct(direct) => direct.process(input, out),
        }
        self.output_end += out.frames() as u64;
    }

    /// After the last input: puts the rest into `out` (resized to it), so that the sum of all output is `output_frames` of all input.
    pub fn flush(&mut self, out: &mut Buffer) {
        let left = Self::output_frames(self.from_hz, self.to_hz, self.input_end).saturating_sub(self.output_end);
        match &mut self.method {
            Method::Blocks(blocks) if left > 0 => blocks.flush(left, out),
            Method::Direct(direct) if left > 0 => direct.flush(left, out),
            _ => out.set_frames(0),
        }
        self.output_end += out.frames() as u64;
    }
}

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// Output frames per so many input frames, in lowest terms.
fn ratio(from_hz: u32, to_hz: u32) -> (u64, u64) {
    let divisor = greatest_common_divisor(from_hz, to_hz);
    (u64::from(to_hz / divisor), u64::from(from_hz / divisor))
}
