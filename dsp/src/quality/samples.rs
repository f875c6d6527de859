//! Levels and waveform, and what shows in the samples alone.

use super::bits::BitsReader;
use super::channel::ChannelSums;
use super::clipping::ClippingFinder;
use super::columns::{Column, Columns, Extent, Levels};
use super::dropouts::DropoutFinder;
use super::histogram::LevelCounter;
use super::silence::SilenceFinder;
use crate::buffer::Buffer;
use crate::loudness::hop_start;

/// Sums of samples stand in so many lanes, each in time order.
const LANES: usize = 8;

/// Reads them hop by hop: every sum goes over whole hops, so that blocks leave no trace.
pub(super) struct SampleReader {
    sample_rate_hz: u32,
    /// The hop in progress.
    hop: Buffer,
    filled: usize,
    hops: u64,
    pub frames: u64,
    pub columns: Columns<Levels>,
    pub levels: LevelCounter,
    pub dropouts: DropoutFinder,
    pub clipping: ClippingFinder,
    pub silence: SilenceFinder,
    pub bits: BitsReader,
    pub sums: Vec<ChannelSums>,
    /// Σ l·r; 0 but for two channels.
    pub products: f64,
}

impl SampleReader {
    pub(super) fn new(sample_rate_hz: u32, channels: usize, nominal_bits: Option<u32>) -> Self {
        Self {
            sample_rate_hz,
            hop: Buffer::new(channels, 0),
            filled: 0,
            hops: 0,
            frames: 0,
            columns: Columns::new(),
            levels: LevelCounter::new(),
            dropouts: DropoutFinder::new(sample_rate_hz, channels),
            clipping: ClippingFinder::new(channels),
            silence: SilenceFinder::new(channels),
            bits: BitsReader::new(nominal_bits),
            sums: vec![ChannelSums::default(); channels],
            products: 0.0,
        }
    }

    pub(super) fn push(&mut self, block: &Buffer) {
        let mut from = 0;
        while from < block.frames() {
            let length = (hop_start(self.hops + 1, self.sample_rate_hz) - self.frames) as usize;
            let to = block.frames().min(from + length - self.filled);
            self.hop.set_frames(length);
            for (kept, channel) in self.hop.iter_mut().zip(block.iter()) {
                kept[self.filled..self.filled + to - from].copy_from_slice(&channel[from..to]);
            }
            self.filled += to - from;
            if self.filled == length {
                self.take_hop();
            }
            from = to;
        }
    }

    /// Takes what is left of a hop for one.
    pub(super) fn end(&mut self) {
        if self.filled > 0 {
            self.hop.set_frames(self.filled);
            self.take_hop();
        }
    }

    fn take_hop(&mut self) {
        self.dropouts.push(&self.hop);
        let mut column = Levels { frames: self.filled as u64, ..Levels::EMPTY };
        for (index, channel) in self.hop.iter().enumerate() {
            let (extent, sum) = measure(channel);
            let peak = extent.max.max(-extent.min);
            let sums = &mut self.sums[index];
            sums.peak = sums.peak.max(peak);
            sums.sum += sum;
            sums.squares += extent.squares;
            column.channels[index] = extent;
            self.clipping.push(index, self.frames, channel, peak);
            self.silence.push(index, self.frames, channel, peak);
            self.bits.push(channel);
        }
        let channels = self.hop.channel_count();
        if channels == 2 {
            column.products = products(self.hop.channel(0), self.hop.channel(1));
            self.products += column.products;
        }
        let squares = column.channels[..channels].iter().map(|extent| extent.squares).sum();
        self.levels.push(squares, (self.filled * channels) as u64);
        self.columns.push(&column);
        self.frames += self.filled as u64;
        self.hops += 1;
        self.filled = 0;
    }
}

/// Extent and sum of the samples.
fn measure(samples: &[f32]) -> (Extent, f64) {
    let mut min = [f32::INFINITY; LANES];
    let mut max = [f32::NEG_INFINITY; LANES];
    let (mut sum, mut squares) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let (chunks, rest) = samples.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let x = chunk[lane];
            min[lane] = min[lane].min(x);
            max[lane] = max[lane].max(x);
            sum[lane] += f64::from(x);
            squares[lane] += f64::from(x) * f64::from(x);
        }
    }
    for (lane, &x) in rest.iter().enumerate() {
        min[lane] = min[lane].min(x);
        max[lane] = max[lane].max(x);
        sum[lane] += f64::from(x);
        squares[lane] += f64::from(x) * f64::from(x);
    }
    let extent = Extent {
        min: min.into_iter().fold(f32::INFINITY, f32::min),
        max: max.into_iter().fold(f32::NEG_INFINITY, f32::max),
        squares: squares.iter().sum(),
    };
    (extent, sum.iter().sum())
}

/// Σ l·r.
fn products(left: &[f32], right: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            lanes[lane] += f64::from(left[lane]) * f64::from(right[lane]);
        }
    }
    for (lane, (left, right)) in lanes.iter_mut().zip(left_rest.iter().zip(right_rest)) {
        *lane += f64::from(*left) * f64::from(*right);
    }
    lanes.iter().sum()
}
