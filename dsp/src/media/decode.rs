//! Decodes audio files as streams.
//!
//! Read: WAVE and RF64 (8, 16, 24, 32-bit integer; 32 and 64-bit float), AIFF and AIFF-C, CAF, FLAC, ALAC and AAC in MP4,
//! MP3, ADTS, Vorbis and Opus in Ogg, with 1 to 8 channels. Samples come out as f32 with full scale 1: integers of up to 24
//! bits are exact, 32-bit integers and 64-bit floats round to the nearest f32.
//!
//! Lengths: frames that the encoder put before and after the programme are taken off where the file tells them (LAME tag
//! of MP3, first and last page of Ogg, edit list or `iTunSMPB` of MP4). An MP3 without a LAME tag and a bare ADTS stream tell
//! nothing: their packets are counted and nothing is taken off.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::demux::{Container, StreamReader};
use super::wav::WavReader;
use crate::buffer::Buffer;
use crate::control::not_a_number;

/// Most channels of a file.
const MAX_CHANNELS: u32 = 8;
/// Sample rates that are accepted, in Hz.
const SAMPLE_RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=384_000;
/// Frames decoded at a time by [`verify`].
const VERIFY_FRAMES: usize = 16_384;

/// What an audio file is, as its own header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Frames at the file's rate, encoder delay and padding taken off.
    pub frames: u64,
    /// The file's rate in Hz.
    pub sample_rate_hz: u32,
    /// Channels, 1 to 8.
    pub channels: u32,
    /// Whether decoding is lossy (MP3, Vorbis, Opus, AAC).
    pub lossy: bool,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// It cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Its bytes are no audio that is known, or are broken.
    #[error("{}: {message}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// Stable code: `not_audio`, `truncated`, `corrupt`, `empty`, `not_finite`, `unsupported`, `facts_differ`.
        code: &'static str,
        /// What was found, where (frame or byte), and what was expected.
        message: String,
    },
}

/// A [`MediaError`] of a file whose path the reader does not know.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Bad { code: &'static str, message: String },
}

impl Fault {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::Bad { code, message: message.into() }
    }

    pub(super) fn truncated(found: u64, promised: u64) -> Self {
        Self::new("truncated", format!("it ends after {found} frames: its header promises {promised}"))
    }

    pub(super) fn of(self, path: &Path) -> MediaError {
        let path = path.to_owned();
        match self {
            Self::Io(source) => MediaError::Io { path, source },
            Self::Bad { code, message } => MediaError::Bad { path, code, message },
        }
    }
}

impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::new("truncated", "it ends before its audio does"),
            _ => Self::Io(source),
        }
    }
}

/// Reads the header of a file.
///
/// # Errors
/// See [`MediaError`].
pub fn probe(path: &Path) -> Result<Probe, MediaError> {
    Ok(Decoder::open(path)?.probe)
}

/// Decodes a file to its end: finds truncation, corruption, NaN and infinity, and a FLAC whose audio is not that of its
/// MD5.
///
/// # Errors
/// See [`MediaError`].
pub fn verify(path: &Path) -> Result<Probe, MediaError> {
    let mut decoder = Decoder::open_as(path, true).map_err(|fault| fault.of(path))?;
    let mut block = Buffer::new(decoder.probe.channels as usize, VERIFY_FRAMES);
    loop {
        block.set_frames(VERIFY_FRAMES);
        if decoder.read(&mut block)? == 0 {
            break;
        }
    }
    if let Source::Stream(stream) = &mut decoder.source
        && stream.checksum_holds() == Some(false)
    {
        return Err(Fault::new("corrupt", "its audio is not that of the MD5 in its header").of(path));
    }
    Ok(decoder.probe)
}

/// Who reads the container.
enum Source {
    Wav(WavReader),
    Stream(StreamReader),
}

impl Source {
    fn open(mut file: File, verified: bool) -> Result<Self, Fault> {
        let mut start = Vec::with_capacity(16);
        (&mut file).take(16).read_to_end(&mut start)?;
        file.seek(SeekFrom::Start(0))?;
        if start.is_empty() {
            return Err(Fault::new("empty", "the file has no bytes"));
        }
        if WavReader::recognises(&start) {
            return Ok(Self::Wav(WavReader::open(file)?));
        }
        match Container::recognise(&start) {
            Some(container) => Ok(Self::Stream(StreamReader::open(file, container, verified)?)),
            None => Err(Fault::new(
                "not_audio",
                format!(
                    "it begins with {:?}: expected a WAVE, AIFF, CAF, FLAC, MP4, MP3 or Ogg file",
                    start.escape_ascii().to_string()
                ),
            )),
        }
    }

    fn probe(&self) -> &Probe {
        match self {
            Self::Wav(wav) => wav.probe(),
            Self::Stream(stream) => stream.probe(),
        }
    }

    fn speakers(&self) -> u32 {
        match self {
            Self::Wav(wav) => wav.speakers(),
            Self::Stream(stream) => stream.speakers(),
        }
    }
}

/// A file being decoded, at its own rate, from its first frame to its last.
pub struct Decoder {
    path: PathBuf,
    source: Source,
    probe: Probe,
    /// Decoded frames of a stream not yet handed out: channels of `block_frames`, of which `block_used` are gone.
    block: Vec<Vec<f32>>,
    block_frames: usize,
    block_used: usize,
    /// The next frame to be handed out.
    position: u64,
}

impl Decoder {
    /// Opens a file.
    ///
    /// # Errors
    /// See [`MediaError`].
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        Self::open_as(path, false).map_err(|fault| fault.of(path))
    }

    fn open_as(path: &Path, verified: bool) -> Result<Self, Fault> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(Fault::Io(io::ErrorKind::IsADirectory.into()));
        }
        let source = Source::open(file, verified)?;
        let probe = source.probe().clone();
        if probe.channels == 0 || probe.channels > MAX_CHANNELS {
            let message = format!("{} channels: expected 1 to {MAX_CHANNELS}", probe.channels);
            return Err(Fault::new("unsupported", message));
        }
        if !SAMPLE_RATES_HZ.contains(&probe.sample_rate_hz) {
            let (low, high) = SAMPLE_RATES_HZ.into_inner();
            let message = format!("a sample rate of {} Hz: expected {low} to {high} Hz", probe.sample_rate_hz);
            return Err(Fault::new("unsupported", message));
        }
        if probe.frames == 0 {
            return Err(Fault::new("empty", "it holds no audio: expected at least one frame"));
        }
        Ok(Self {
            path: path.to_owned(),
            source,
            probe,
            block: Vec::new(),
            block_frames: 0,
            block_used: 0,
            position: 0,
        })
    }

    /// What the header says.
    #[must_use]
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Where the channels belong: a bit of WAVE's channel mask for each, in order. 0 where the file does not say.
    #[must_use]
    pub fn speakers(&self) -> u32 {
        self.source.speakers()
    }

    /// Bits of a sample by the format, 32 for floating point; `None` for lossy codecs.
    #[must_use]
    pub fn bits(&self) -> Option<u32> {
        match &self.source {
            Source::Wav(wav) => Some(wav.bits()),
            Source::Stream(stream) => stream.bits(),
        }
    }

    /// The name of the format, `wav` or `flac` say.
    #[must_use]
    pub fn format(&self) -> &'static str {
        match &self.source {
            Source::Wav(_) => "wav",
            Source::Stream(stream) => stream.format(),
        }
    }

    /// Decodes the next frames into `out`, as many as `out` has (`out.channel_count()` is the file's); fewer only at the
    /// end. Sets `out`'s frames to what was decoded and returns it; 0 at the end.
    ///
    /// # Errors
    /// See [`MediaError`]; NaN or infinity is `not_finite` and names the frame.
    ///
    /// # Panics
    /// If `out` has another number of channels than the file.
    pub fn read(&mut self, out: &mut Buffer) -> Result<usize, MediaError> {
        assert_eq!(out.channel_count(), self.probe.channels as usize, "a buffer of the file's channels");
        let mut filled = 0;
        while filled < out.frames() && self.position < self.probe.frames {
            let left = usize::try_from(self.probe.frames - self.position).unwrap_or(usize::MAX);
            if let Source::Wav(wav) = &mut self.source {
                let end = filled + left.min(out.frames() - filled);
                let mut channels: Vec<&mut [f32]> = out.iter_mut().map(|channel| &mut channel[filled..end]).collect();
                let mut read = wav.read(&mut channels);
                if wav.is_float() {
                    read =
                        read.and_then(|()| numbers(channels.iter().map(|channel| &**channel), self.position, u64::MAX));
                }
                read.map_err(|fault| fault.of(&self.path))?;
                self.position += (end - filled) as u64;
                filled = end;
                continue;
            }
            let ready = self.fill().map_err(|fault| fault.of(&self.path))?;
            let count = ready.min(out.frames() - filled).min(left);
            for (from, to) in self.block.iter().zip(out.iter_mut()) {
                to[filled..filled + count].copy_from_slice(&from[self.block_used..self.block_used + count]);
            }
            self.block_used += count;
            self.position += count as u64;
            filled += count;
        }
        out.set_frames(filled);
        Ok(filled)
    }

    /// Goes to a frame, at most the end, without changing a bit of what follows. Cheap where the format allows (WAVE,
    /// AIFF, FLAC, ALAC); elsewhere, reads up to it.
    ///
    /// # Errors
    /// See [`MediaError`].
    pub(super) fn seek(&mut self, frame: u64) -> Result<(), MediaError> {
        let frame = frame.min(self.probe.frames);
        let ready = (self.block_frames - self.block_used) as u64;
        if frame < self.position || frame > self.position + ready {
            self.jump(frame).map_err(|fault| fault.of(&self.path))?;
        }
        while self.position < frame {
            let ready = self.fill().map_err(|fault| fault.of(&self.path))?;
            let count = usize::try_from(frame - self.position).unwrap_or(usize::MAX).min(ready);
            self.block_used += count;
            self.position += count as u64;
        }
        Ok(())
    }

    /// Goes to a frame outside the block, or as near before it as the format allows.
    fn jump(&mut self, frame: u64) -> Result<(), Fault> {
        let reached = match &mut self.source {
            Source::Wav(wav) => {
                wav.seek(frame)?;
                Some(frame)
            }
            // At the end there is nothing to find.
            Source::Stream(stream) if stream.is_seekable() && frame < self.probe.frames => stream.seek(frame),
            Source::Stream(_) if frame >= self.position => return Ok(()),
            Source::Stream(_) => None,
        };
        self.position = match reached {
            Some(reached) => reached,
            None => {
                self.source = Source::open(File::open(&self.path)?, false)?;
                0
            }
        };
        (self.block_frames, self.block_used) = (0, 0);
        Ok(())
    }

    /// Sees to it that some decoded frames wait in the block, and returns how many.
    fn fill(&mut self) -> Result<usize, Fault> {
        if self.block_used == self.block_frames {
            let Source::Stream(stream) = &mut self.source else {
                unreachable!("because frames of a WAVE are never kept in a block");
            };
            (self.block_frames, self.block_used) = (stream.next_block(&mut self.block)?, 0);
            if self.block_frames == 0 {
                return Err(Fault::truncated(self.position, self.probe.frames));
            }
            numbers(self.block.iter().map(Vec::as_slice), self.position, self.probe.frames)?;
        }
        Ok(self.block_frames - self.block_used)
    }
}

/// An error if a sample of the channels, whose first is frame `position`, is NaN or infinite before frame `end`.
fn numbers<'a>(channels: impl Iterator<Item = &'a [f32]>, position: u64, end: u64) -> Result<(), Fault> {
    for (index, channel) in channels.enumerate() {
        if let Some(at) = not_a_number(channel) {
            let (frame, found) = (position + at as u64, channel[at]);
            if frame < end {
                let message = format!("frame {frame} of channel {} is {found}: expected a number", index + 1);
                return Err(Fault::new("not_finite", message));
            }
        }
    }
    Ok(())
}
