//! Writes deliverables.
//!
//! A writer of one more format has three steps: `create(path, &FileSpec)`, `write(samples)`, `finish(&Tags)`. Its tags it takes
//! from [`FileSpec::tags_reserved`] while nothing is measured, to keep their place, and from `finish` when all is; see
//! [`crate::media::tags`].

mod aiff;
mod bext;
mod bits;
mod flac;
mod frame;
mod ixml;
mod pcm_bytes;
mod predict;
mod rice;
mod wav;

pub use bext::{BroadcastSpec, coding_history};

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::picture::Picture;
use super::tags::{ReplayGain, Tags};
use crate::loudness::Measurement;
use crate::session::document::{Depth, Format, Metadata};

/// What a file is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSpec {
    /// Container and codec.
    pub format: Format,
    /// Bits per sample.
    pub depth: Depth,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Channels: 1 or 2.
    pub channels: usize,
    /// Length in frames.
    pub frames: u64,
    /// What the tags say.
    pub metadata: Metadata,
    /// The cover picture.
    pub cover: Option<Arc<Picture>>,
    /// Whether the tags tell at what gain to play the file (ReplayGain 2.0).
    pub replay_gain: bool,
    /// What a broadcast wave file says beside; `None` for all others.
    pub broadcast: Option<BroadcastSpec>,
}

impl FileSpec {
    /// Bytes of the audio where samples are stored as they are.
    fn data_bytes(&self) -> u64 {
        self.frames.saturating_mul((self.channels * self.depth.sample_bytes()) as u64)
    }

    /// The tags of the file as it was measured.
    fn tags(&self, measured: Option<&Measurement>) -> Tags {
        let replay_gain = measured.filter(|_| self.replay_gain).and_then(ReplayGain::of);
        Tags::of(&self.metadata, replay_gain)
    }

    /// Tags that take as much room as any measurement can make them take.
    fn tags_reserved(&self) -> Tags {
        Tags::of(&self.metadata, self.replay_gain.then_some(ReplayGain::WIDEST))
    }
}

/// Interleaved samples for a file.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// For 16 and 24 bits: each value lies in the depth's range.
    Int(&'a [i32]),
    /// For 32-bit float.
    Float(&'a [f32]),
}

impl Samples<'_> {
    fn count(self) -> usize {
        match self {
            Self::Int(samples) => samples.len(),
            Self::Float(samples) => samples.len(),
        }
    }
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.into())
}

/// What channels are called where they have names.
fn channel_names(channels: usize) -> &'static [&'static str] {
    if channels == 1 { &["M"] } else { &["L", "R"] }
}

/// Who writes the container.
enum Writer {
    Wav(Box<wav::WavWriter>),
    Aiff(Box<aiff::AiffWriter>),
    Flac(Box<flac::FlacWriter>),
}

/// A deliverable being written; the same samples give the same bytes.
pub struct FileWriter {
    writer: Writer,
    spec: FileSpec,
    /// Samples announced and not yet written.
    samples_left: u64,
}

impl FileWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` for a combination that the container cannot hold.
    pub fn create(path: &Path, spec: &FileSpec) -> io::Result<Self> {
        if !(1..=2).contains(&spec.channels) {
            return Err(invalid(format!("a file of {} channels: expected 1 or 2", spec.channels)));
        }
        let writer = match spec.format {
            Format::Wav | Format::Bwf => Writer::Wav(Box::new(wav::WavWriter::create(path, spec)?)),
            Format::Aiff => Writer::Aiff(Box::new(aiff::AiffWriter::create(path, spec)?)),
            Format::Flac => Writer::Flac(Box::new(flac::FlacWriter::create(path, spec)?)),
            lossy => return Err(invalid(format!("{} is no lossless format", lossy.label()))),
        };
        let samples_left = spec.frames.saturating_mul(spec.channels as u64);
        Ok(Self { writer, spec: spec.clone(), samples_left })
    }

    /// Appends interleaved samples.
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` for samples of the other kind, out of range, or more than announced.
    pub fn write(&mut self, samples: Samples<'_>) -> io::Result<()> {
        self.samples_left = (self.samples_left)
            .checked_sub(samples.count() as u64)
            .ok_or_else(|| invalid("more frames written than were announced"))?;
        let depth = self.spec.depth;
        match (samples, depth) {
            (Samples::Int(samples), Depth::Int16 | Depth::Int24) => {
                let full_scale = if depth == Depth::Int16 { 1 << 15 } else { 1 << 23 };
                let lies_outside = |sample: &&i32| !(-full_scale..full_scale).contains(*sample);
                // Chunks are looked at whole, which vectors do at once.
                let has_over = |chunk: &&[i32]| chunk.iter().fold(false, |any, sample| any | lies_outside(&sample));
                let over = samples.chunks(64).find(has_over).and_then(|chunk| chunk.iter().find(lies_outside));
                if let Some(over) = over {
                    return Err(invalid(format!("the sample {over} lies outside -{full_scale} to {}", full_scale - 1)));
                }
            }
            (Samples::Float(_), Depth::Float32) => {}
            _ => return Err(invalid(format!("samples of the wrong kind for a file of depth {depth:?}"))),
        }
        match (&mut self.writer, samples) {
            (Writer::Wav(wav), samples) => wav.write(samples),
            (Writer::Aiff(aiff), samples) => aiff.write(samples),
            (Writer::Flac(flac), Samples::Int(samples)) => flac.write(samples),
            (Writer::Flac(_), Samples::Float(_)) => Err(invalid("float samples for a FLAC file")),
        }
    }

    /// Ends the file, which was `measured` to be so; without, what would tell of it is left out. Fails if the number of
    /// frames differs from the one announced.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self, measured: Option<&Measurement>) -> io::Result<()> {
        if self.samples_left > 0 {
            let missing = self.samples_left / self.spec.channels as u64;
            return Err(invalid(format!("{missing} frames fewer written than were announced")));
        }
        match self.writer {
            Writer::Wav(wav) => wav.finish(measured),
            Writer::Aiff(aiff) => aiff.finish(&self.spec.tags(measured)),
            Writer::Flac(flac) => flac.finish(&self.spec.tags(measured)),
        }
    }
}
