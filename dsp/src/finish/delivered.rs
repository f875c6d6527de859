//! The samples as they are delivered, and everything that is measured on them.

use super::chain::WINDOW_FRAMES;
use crate::buffer::Buffer;
use crate::kernels::dither::Quantizer;
use crate::kernels::true_peak::TruePeakReader;
use crate::loudness::{Measurement, Meter};
use crate::media::Samples;
use crate::session::document::{Depth, Dither};
use crate::session::valid::Deliverable;
use crate::units::db_from_gain;

/// What one pass over the source gave.
pub(super) struct Pass {
    pub measurement: Measurement,
    /// Linear true peak per window of the output, as delivered, by the most pessimistic reader: exact where it lies
    /// above the limit, and the greatest of all of them is exact too.
    pub window_peaks: Vec<f64>,
    /// The limiter's lowest gain, linear.
    pub lowest_gain: f64,
    /// Samples that did not fit the integers.
    pub clipped: u64,
}

/// Quantises block by block and measures what comes of it.
pub(super) struct Delivered {
    /// With the value of one step.
    quantizer: Option<(Quantizer, f32)>,
    integers: Vec<i32>,
    floats: Vec<f32>,
    meter: Meter,
    peaks: Vec<TruePeakReader>,
    /// The true peak, linear, above which windows must be told apart.
    limit: f64,
    window_peaks: Vec<f64>,
    window_filled: usize,
    clipped: u64,
}

/// The bits of an integer depth.
pub(super) fn bits(depth: Depth) -> Option<u32> {
    match depth {
        Depth::Int16 => Some(16),
        Depth::Int24 => Some(24),
        Depth::Float32 => None,
    }
}

impl Delivered {
    pub(super) fn new(asked: &Deliverable, seed: u64, channels: usize, limit: f64) -> Self {
        let &Deliverable { depth, dither, sample_rate_hz, .. } = asked;
        let quantizer = bits(depth).map(|bits| {
            let scale = (1u32 << (bits - 1)) as f32;
            (Quantizer::new(bits, dither == Dither::Tpdf, seed), 1.0 / scale)
        });
        Self {
            quantizer,
            integers: Vec::new(),
            floats: Vec::new(),
            meter: Meter::loudness_only(sample_rate_hz, channels),
            peaks: (0..channels).map(|_| TruePeakReader::strict()).collect(),
            limit,
            window_peaks: Vec::new(),
            window_filled: 0,
            clipped: 0,
        }
    }

    /// Takes the block whose first frame is `frame` and turns it into what a player gets.
    pub(super) fn take(&mut self, block: &mut Buffer, frame: u64) {
        match &mut self.quantizer {
            Some((quantizer, step)) => {
                self.clipped += quantizer.process(block, frame, &mut self.integers);
                let channels = block.channel_count();
                for (index, channel) in block.iter_mut().enumerate() {
                    let integers = self.integers.iter().skip(index).step_by(channels);
                    for (sample, integer) in channel.iter_mut().zip(integers) {
                        *sample = *integer as f32 * *step;
                    }
                }
            }
            None => interleave(block, &mut self.floats),
        }
        self.meter.push(block);
        self.read_peaks(block);
    }

    /// The last block, interleaved, as the file gets it.
    pub(super) fn samples(&self) -> Samples<'_> {
        match self.quantizer {
            Some(_) => Samples::Int(&self.integers),
            None => Samples::Float(&self.floats),
        }
    }

    pub(super) fn finish(mut self, lowest_gain: f64) -> Pass {
        self.end_window(TruePeakReader::finish);
        let mut measurement = self.meter.finish();
        let highest = self.window_peaks.iter().copied().fold(0.0, f64::max);
        measurement.true_peak_dbtp = (highest > 0.0).then(|| db_from_gain(highest));
        Pass { measurement, window_peaks: self.window_peaks, lowest_gain, clipped: self.clipped }
    }

    fn read_peaks(&mut self, block: &Buffer) {
        let mut from = 0;
        while from < block.frames() {
            let to = block.frames().min(from + WINDOW_FRAMES - self.window_filled);
            for (peak, channel) in self.peaks.iter_mut().zip(block.iter()) {
                peak.push(&channel[from..to]);
            }
            self.window_filled += to - from;
            if self.window_filled == WINDOW_FRAMES {
                let limit = self.limit;
                self.end_window(|peak| peak.take_peak(limit));
            }
            from = to;
        }
    }

    fn end_window(&mut self, read: impl FnMut(&mut TruePeakReader) -> f64) {
        self.window_peaks.push(self.peaks.iter_mut().map(read).fold(0.0, f64::max));
        self.window_filled = 0;
    }
}

fn interleave(block: &Buffer, out: &mut Vec<f32>) {
    let channels: Vec<&[f32]> = block.iter().collect();
    out.clear();
    out.extend((0..block.frames()).flat_map(|frame| channels.iter().map(move |channel| channel[frame])));
}
