//! Previews: what a browser plays of a file.

use std::path::Path;

use super::decode::{Decoder, MediaError};
use super::encode::{FileSpec, FileWriter, Samples};
use crate::buffer::Buffer;
use crate::kernels::dither::Quantizer;
use crate::kernels::resampler::Resampler;
use crate::session::document::{Depth, Format, Metadata};

/// Frames decoded at a time.
const BLOCK_FRAMES: usize = 16_384;
/// Bits of a preview.
const BITS: u32 = 16;
/// The seed of its dither; any will do, as long as it is always the same.
const SEED: u64 = 1;

/// The rate of the preview of a file: its own up to 48 kHz, else the half or quarter of it.
#[must_use]
pub fn preview_rate_hz(sample_rate_hz: u32) -> u32 {
    match sample_rate_hz {
        88_200 | 176_400 => 44_100,
        rate if rate > 48_000 => 48_000,
        rate => rate,
    }
}

/// Writes the preview of a mono or stereo file: FLAC of 16 bits, dithered, at 48 kHz at most. Every browser plays that,
/// lossless, so that versions are heard as they are.
///
/// # Errors
/// The file cannot be decoded; the preview cannot be written (`Io` with its path).
pub fn write_preview(from: &Path, to: &Path) -> Result<(), MediaError> {
    let writing = |source| MediaError::Io { path: to.to_owned(), source };
    let mut decoder = Decoder::open(from)?;
    let (channels, from_hz) = (decoder.probe().channels as usize, decoder.probe().sample_rate_hz);
    let to_hz = preview_rate_hz(from_hz);
    let spec = FileSpec {
        format: Format::Flac,
        depth: Depth::Int16,
        sample_rate_hz: to_hz,
        channels,
        frames: Resampler::output_frames(from_hz, to_hz, decoder.probe().frames),
        metadata: Metadata::default(),
        cover: None,
        replay_gain: false,
        broadcast: None,
    };
    let mut writer = FileWriter::create(to, &spec).map_err(writing)?;
    let mut resampler = (from_hz != to_hz).then(|| Resampler::new(from_hz, to_hz, channels));
    let mut quantizer = Quantizer::new(BITS, true, SEED);
    let (mut read, mut converted) = (Buffer::new(channels, BLOCK_FRAMES), Buffer::new(channels, 0));
    let (mut integers, mut frame) = (Vec::new(), 0);
    let mut ended = false;
    while !ended {
        read.set_frames(BLOCK_FRAMES);
        ended = decoder.read(&mut read)? == 0;
        let block = match &mut resampler {
            Some(resampler) if ended => {
                resampler.flush(&mut converted);
                &converted
            }
            Some(resampler) => {
                resampler.process(&read, &mut converted);
                &converted
            }
            None => &read,
        };
        let frames = (block.frames() as u64).min(spec.frames - frame);
        if frames == 0 {
            continue;
        }
        quantizer.process(block, frame, &mut integers);
        writer.write(Samples::Int(&integers[..frames as usize * channels])).map_err(writing)?;
        frame += frames;
    }
    writer.finish(None).map_err(writing)
}
