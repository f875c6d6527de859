//! Writes lossy files: MP3 (behind the build feature `mp3`), Opus, Ogg Vorbis.
//!
//! The encoder gets the finished master as it is, in floating point. Everything that a player must know to give back as
//! many frames as went in is written. Tags stand before the sound, so what they tell of it is known before: a master is
//! finished into a PCM file first, and encoded from there.
//!
//! Nothing in a file depends on clock or chance: for one build on one kind of machine, the same samples give the same bytes.

#[cfg(feature = "mp3")]
mod mp3;
mod opus;
mod vorbis;

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::picture::Picture;
use super::tags::Tags;
use crate::buffer::Buffer;
use crate::session::document::Format;
use crate::session::lossy::BitRate;

/// What a lossy file is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct LossySpec {
    /// The codec: one for which [`Format::is_lossy`] holds and which this build can write.
    pub format: Format,
    /// How many bits it may take: of the kind and in the range that the codec has.
    pub bit_rate: BitRate,
    /// Sample rate in Hz: one that the codec has.
    pub sample_rate_hz: u32,
    /// Channels: 1 or 2.
    pub channels: usize,
    /// Length in frames.
    pub frames: u64,
    /// What the tags say.
    pub tags: Tags,
    /// The cover picture.
    pub cover: Option<Arc<Picture>>,
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.into())
}

/// Who encodes.
enum Writer {
    #[cfg(feature = "mp3")]
    Mp3(mp3::Mp3Writer),
    Opus(Box<opus::OpusWriter>),
    Vorbis(Box<vorbis::VorbisWriter>),
}

/// A lossy file being written.
pub struct LossyWriter {
    writer: Writer,
    channels: usize,
    frames_left: u64,
}

impl LossyWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` for what the codec does not have, or this build cannot write.
    pub fn create(path: &Path, spec: &LossySpec) -> io::Result<Self> {
        if !(1..=2).contains(&spec.channels) {
            return Err(invalid(format!("a lossy file of {} channels: expected 1 or 2", spec.channels)));
        }
        let writer = match spec.format {
            #[cfg(feature = "mp3")]
            Format::Mp3 => Writer::Mp3(mp3::Mp3Writer::create(path, spec)?),
            Format::Opus => Writer::Opus(Box::new(opus::OpusWriter::create(path, spec)?)),
            Format::Vorbis => Writer::Vorbis(Box::new(vorbis::VorbisWriter::create(path, spec)?)),
            other => {
                let reason = other.why_not_written().unwrap_or("it is lossless");
                return Err(invalid(format!("{other:?} cannot be written as a lossy file: {reason}")));
            }
        };
        Ok(Self { writer, channels: spec.channels, frames_left: spec.frames })
    }

    /// Appends the frames of a block.
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` for another channel count or more frames than announced.
    pub fn write(&mut self, block: &Buffer) -> io::Result<()> {
        if block.channel_count() != self.channels {
            return Err(invalid(format!("{} channels for a file of {}", block.channel_count(), self.channels)));
        }
        self.frames_left = (self.frames_left)
            .checked_sub(block.frames() as u64)
            .ok_or_else(|| invalid("more frames written than were announced"))?;
        match &mut self.writer {
            #[cfg(feature = "mp3")]
            Writer::Mp3(mp3) => mp3.write(block),
            Writer::Opus(opus) => opus.write(block),
            Writer::Vorbis(vorbis) => vorbis.write(block),
        }
    }

    /// Ends the file. Fails if the number of frames differs from the one announced.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self) -> io::Result<()> {
        if self.frames_left > 0 {
            return Err(invalid(format!("{} frames fewer written than were announced", self.frames_left)));
        }
        match self.writer {
            #[cfg(feature = "mp3")]
            Writer::Mp3(mp3) => mp3.finish(),
            Writer::Opus(opus) => opus.finish(),
            Writer::Vorbis(vorbis) => vorbis.finish(),
        }
    }
}
