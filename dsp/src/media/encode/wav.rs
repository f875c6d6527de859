//! WAVE through hound.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use super::{FileSpec, invalid};
use crate::session::document::Depth;

/// RIFF counts in 32 bits, and hound wraps without a word beyond them: audio may take what the longest header leaves.
const MAX_DATA_BYTES: u64 = u32::MAX as u64 - 128;

/// A WAVE file being written.
pub(super) struct WavWriter {
    writer: hound::WavWriter<BufWriter<File>>,
}

fn io_error(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(source) => source,
        other => invalid(other.to_string()),
    }
}

impl WavWriter {
    pub(super) fn create(path: &Path, spec: &FileSpec) -> io::Result<Self> {
        let (bits_per_sample, sample_format) = match spec.depth {
            Depth::Int16 => (16, hound::SampleFormat::Int),
            Depth::Int24 => (24, hound::SampleFormat::Int),
            Depth::Float32 => (32, hound::SampleFormat::Float),
        };
        let frame_bytes = spec.channels as u64 * u64::from(bits_per_sample / 8);
        let data_bytes = spec.frames.saturating_mul(frame_bytes);
        if data_bytes > MAX_DATA_BYTES {
            return Err(invalid(format!(
                "{} frames need {data_bytes} bytes: a WAVE file holds at most {MAX_DATA_BYTES} (4 GiB), which are {} frames; FLAC holds more",
                spec.frames,
                MAX_DATA_BYTES / frame_bytes,
            )));
        }
        let (channels, sample_rate) = (spec.channels as u16, spec.sample_rate_hz);
        let wav = hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format };
        Ok(Self { writer: hound::WavWriter::create(path, wav).map_err(io_error)? })
    }

    pub(super) fn write_ints(&mut self, samples: &[i32]) -> io::Result<()> {
        samples.iter().try_for_each(|sample| self.writer.write_sample(*sample)).map_err(io_error)
    }

    pub(super) fn write_floats(&mut self, samples: &[f32]) -> io::Result<()> {
        samples.iter().try_for_each(|sample| self.writer.write_sample(*sample)).map_err(io_error)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.writer.finalize().map_err(io_error)
    }
}
