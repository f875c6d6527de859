//! The samples as they are delivered, and everything that is measured on them.

use super::chain::Block;
use crate::buffer::Buffer;
use crate::execute::ExecuteError;
use crate::kernels::dither::Quantizer;
use crate::kernels::true_peak::TruePeakReader;
use crate::loudness::Measurement;
use crate::media::Samples;
use crate::quality::{Analysis, Analyzer, Quality, Source, Split};
use crate::relay::{Leg, listening};
use crate::session::document::{Depth, Dither};
use crate::session::valid::Deliverable;

/// What one pass over the source gave.
pub(super) struct Pass {
    pub measurement: Measurement,
    pub quality: Quality,
    /// Linear true peak per window of the output, as delivered, by the most pessimistic reader: exact where it lies
    /// above the limit, and the greatest of all of them is exact too.
    pub window_peaks: Vec<f64>,
    /// The limiter's lowest gain, linear.
    pub lowest_gain: f64,
    /// Samples that did not fit the integers.
    pub clipped: u64,
    /// Whether all samples were integers already, so that dither would only be noise.
    pub was_on_grid: bool,
}

/// Quantises block by block and measures what comes of it.
pub(super) struct Delivered {
    /// With the value of one step.
    quantizer: Option<(Quantizer, f32)>,
    analyzer: Analyzer,
    frames: u64,
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
    pub(super) fn new(asked: &Deliverable, dither: Dither, seed: u64, channels: usize, limit: f64) -> Self {
        let &Deliverable { depth, sample_rate_hz, .. } = asked;
        let quantizer = bits(depth).map(|bits| {
            let scale = (1u32 << (bits - 1)) as f32;
            let quantizer = match dither.shape() {
                Some(shape) => Quantizer::shaped(bits, shape, seed),
                None => Quantizer::new(bits, dither != Dither::None, seed),
            };
            (quantizer, 1.0 / scale)
        });
        let nominal_bits = Some(bits(depth).unwrap_or(32));
        let source = Source { sample_rate_hz, channels, speakers: 0, nominal_bits };
        Self { quantizer, analyzer: Analyzer::with_limit(source, TruePeakReader::strict, limit), frames: 0, clipped: 0 }
    }

    /// The legs that turn blocks into what a player gets and measure it, and then `keep` them as long as the true peak has not
    /// passed the limit: the file is to be made again then.
    pub(super) fn legs<'a>(
        &'a mut self,
        mut keep: impl FnMut(&Block) -> Result<(), ExecuteError> + Send + 'a,
    ) -> Vec<Leg<'a, Block, ExecuteError>> {
        let Self { quantizer, analyzer, frames, clipped } = self;
        let Split { mut intake, parts, limit } = analyzer.split();
        let mut legs: Vec<Leg<'a, Block, ExecuteError>> = vec![Box::new(move |block| {
            match quantizer {
                Some((quantizer, step)) => {
                    *clipped += quantizer.process(&block.audio, *frames, &mut block.integers);
                    played(&block.integers, *step, &mut block.audio);
                }
                None => interleave(&block.audio, &mut block.floats),
            }
            *frames += block.audio.frames() as u64;
            intake.mend(&mut block.audio);
            Ok(())
        })];
        legs.extend(parts.into_iter().map(|part| listening(part, |block: &Block| &block.audio)));
        legs.push(Box::new(move |block| if limit.is_passed() { Ok(()) } else { keep(block) }));
        legs
    }

    /// Whether a true peak has passed the limit.
    pub(super) fn is_over(&self) -> bool {
        self.analyzer.has_passed_limit()
    }

    /// The frames of a block as the file gets them.
    pub(super) fn samples<'b>(depth: Depth, block: &'b Block) -> Samples<'b> {
        match bits(depth) {
            Some(_) => Samples::Int(&block.integers),
            None => Samples::Float(&block.floats),
        }
    }

    pub(super) fn finish(self, lowest_gain: f64) -> Pass {
        let was_on_grid = self.quantizer.is_some_and(|(quantizer, _)| !quantizer.was_off_grid());
        let Analysis { measurement, quality, window_peaks } = self.analyzer.finish();
        Pass { measurement, quality, window_peaks, lowest_gain, clipped: self.clipped, was_on_grid }
    }
}

/// What a player makes of interleaved integers.
fn played(integers: &[i32], step: f32, block: &mut Buffer) {
    let channels = block.channel_count();
    for (index, channel) in block.iter_mut().enumerate() {
        for (sample, integer) in channel.iter_mut().zip(integers.iter().skip(index).step_by(channels)) {
            *sample = *integer as f32 * step;
        }
    }
}

fn interleave(block: &Buffer, out: &mut Vec<f32>) {
    let channels: Vec<&[f32]> = block.iter().collect();
    out.clear();
    out.extend((0..block.frames()).flat_map(|frame| channels.iter().map(move |channel| channel[frame])));
}
