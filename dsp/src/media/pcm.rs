//! The file format of artifacts: a 32-byte header and interleaved little-endian f32 frames.
//!
//! ```text
//! 0  "MXDPCM1\0"   8  channels u32   12  sample rate u32   16  frames u64   24  zero u64   32  frames × channels × f32
//! ```

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::interleaved::part;
use crate::buffer::Buffer;
use crate::digest::Digest;

const MAGIC: &[u8; 8] = b"MXDPCM1\0";
const HEADER_BYTES: u64 = 32;
const SAMPLE_BYTES: usize = 4;
/// Most channels of an artifact.
const MAX_CHANNELS: u32 = 64;
/// Frames converted at a time; bounds the scratch memory whatever the block size.
const CHUNK_FRAMES: usize = 4096;
/// Bytes gathered before they are written and hashed, so that blocks of one frame cost no system call each.
const WRITE_BYTES: usize = 64 * 1024;
/// Bytes read at once for blocks that need less; larger ones are read straight to where they are converted.
const READ_BYTES: usize = 16 * 1024;

/// A PCM artifact being written.
pub struct PcmWriter {
    file: File,
    pending: Vec<u8>,
    hasher: Option<Box<blake3::Hasher>>,
    channels: usize,
    frames: u64,
    written: u64,
}

impl PcmWriter {
    /// Creates the file; its length in frames is fixed beforehand.
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` for no channels or more than 64.
    pub fn create(path: &Path, channels: usize, sample_rate_hz: u32, frames: u64) -> io::Result<Self> {
        let count = u32::try_from(channels).ok().filter(|count| (1..=MAX_CHANNELS).contains(count));
        let Some(count) = count else {
            let message = format!("an artifact cannot have {channels} channels: expected 1 to {MAX_CHANNELS}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        let mut pending = Vec::with_capacity(2 * WRITE_BYTES);
        pending.extend(MAGIC);
        pending.extend(count.to_le_bytes());
        pending.extend(sample_rate_hz.to_le_bytes());
        pending.extend(frames.to_le_bytes());
        pending.extend(0_u64.to_le_bytes());
        Ok(Self { file: File::create(path)?, pending, hasher: None, channels, frames, written: 0 })
    }

    /// Hashes the file while it is written: [`PcmWriter::finish`] then gives its digest.
    #[must_use]
    pub fn hashed(self) -> Self {
        Self { hasher: Some(Box::default()), ..self }
    }

    /// Appends the frames of `block`.
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` for another channel count or more frames than announced.
    pub fn write(&mut self, block: &Buffer) -> io::Result<()> {
        if block.channel_count() != self.channels {
            let message = format!("{} channels written to an artifact of {}", block.channel_count(), self.channels);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let total = self.written.saturating_add(block.frames() as u64);
        if total > self.frames {
            let message = format!("{total} frames written to an artifact announced with {}", self.frames);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        for start in (0..block.frames()).step_by(CHUNK_FRAMES) {
            let end = block.frames().min(start + CHUNK_FRAMES);
            let at = self.pending.len();
            self.pending.resize(at + (end - start) * self.channels * SAMPLE_BYTES, 0);
            interleave(block, start, &mut self.pending[at..]);
            self.flush(self.pending.len() / WRITE_BYTES * WRITE_BYTES)?;
        }
        self.written = total;
        Ok(())
    }

    /// Writes what came first, in whole multiples of [`WRITE_BYTES`] but for the last: the tree of a digest then grows by
    /// subtrees of one size, which fill the widest vectors.
    fn flush(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > 0 {
            let first = &self.pending[..bytes];
            if let Some(hasher) = &mut self.hasher {
                hasher.update(first);
            }
            self.file.write_all(first)?;
            self.pending.drain(..bytes);
        }
        Ok(())
    }

    /// Ends the file, and gives its digest if it was [hashed](Self::hashed).
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` if fewer frames than announced were written.
    pub fn finish(mut self) -> io::Result<Option<Digest>> {
        if self.written != self.frames {
            let message = format!("an artifact announced with {} frames got {}", self.frames, self.written);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        self.flush(self.pending.len())?;
        Ok(self.hasher.map(|hasher| Digest::from_bytes(*hasher.finalize().as_bytes())))
    }
}

/// Writes the frames of a block from `start` on into `out`, as many as it holds.
fn interleave(block: &Buffer, start: usize, out: &mut [u8]) {
    if block.channel_count() == 2 {
        let frames = block.channel(0)[start..].iter().zip(&block.channel(1)[start..]);
        for (slot, (left, right)) in out.chunks_exact_mut(2 * SAMPLE_BYTES).zip(frames) {
            slot[..SAMPLE_BYTES].copy_from_slice(&left.to_le_bytes());
            slot[SAMPLE_BYTES..].copy_from_slice(&right.to_le_bytes());
        }
        return;
    }
    for (index, channel) in block.iter().enumerate() {
        let slots = out[index * SAMPLE_BYTES..].chunks_mut(block.channel_count() * SAMPLE_BYTES);
        for (slot, sample) in slots.zip(&channel[start..]) {
            slot[..SAMPLE_BYTES].copy_from_slice(&sample.to_le_bytes());
        }
    }
}

/// A PCM artifact being read, sequentially from any frame.
pub struct PcmReader {
    file: BufReader<File>,
    scratch: Vec<u8>,
    channels: usize,
    sample_rate_hz: u32,
    frames: u64,
    position: u64,
}

impl PcmReader {
    /// Opens the file and checks header and size.
    ///
    /// # Errors
    /// What the file system says; `InvalidData` when it is no whole PCM artifact.
    pub fn open(path: &Path) -> io::Result<Self> {
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
        let file = File::open(path)?;
        let found_bytes = file.metadata()?.len();
        let mut file = BufReader::with_capacity(READ_BYTES, file);
        let mut header = [0_u8; HEADER_BYTES as usize];
        if found_bytes < HEADER_BYTES {
            return Err(invalid(format!("{found_bytes} bytes are too few for the header of a PCM artifact")));
        }
        file.read_exact(&mut header)?;
        if !header.starts_with(MAGIC) {
            return Err(invalid("not a PCM artifact".to_owned()));
        }
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (channels, sample_rate_hz) = (word(8), word(12));
        let frames = u64::from(word(16)) | u64::from(word(20)) << 32;
        if !(1..=MAX_CHANNELS).contains(&channels) || sample_rate_hz == 0 {
            return Err(invalid(format!("a PCM artifact of {channels} channels at {sample_rate_hz} Hz")));
        }
        let promised = u128::from(frames) * u128::from(channels) * SAMPLE_BYTES as u128 + u128::from(HEADER_BYTES);
        if promised != u128::from(found_bytes) {
            return Err(invalid(format!("a PCM artifact of {found_bytes} bytes whose header promises {promised}")));
        }
        Ok(Self { file, scratch: Vec::new(), channels: channels as usize, sample_rate_hz, frames, position: 0 })
    }

    /// Whether a file begins as a PCM artifact does.
    ///
    /// # Errors
    /// What the file system says.
    pub fn recognises(path: &Path) -> io::Result<bool> {
        let mut start = [0_u8; MAGIC.len()];
        match File::open(path)?.read_exact(&mut start) {
            Ok(()) => Ok(&start == MAGIC),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Sample rate in Hz.
    #[must_use]
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Length in frames.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Goes to a frame; it may lie past the end.
    ///
    /// # Errors
    /// What the file system says.
    pub fn seek(&mut self, frame: u64) -> io::Result<()> {
        if frame != self.position {
            let within = frame.min(self.frames);
            self.file.seek(SeekFrom::Start(HEADER_BYTES + within * (self.channels * SAMPLE_BYTES) as u64))?;
            self.position = frame;
        }
        Ok(())
    }

    /// Fills `out` with the next frames; past the end: silence.
    ///
    /// # Errors
    /// What the file system says; `InvalidInput` for another channel count.
    pub fn read(&mut self, out: &mut Buffer) -> io::Result<()> {
        if out.channel_count() != self.channels {
            let message = format!("{} channels read from an artifact of {}", out.channel_count(), self.channels);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let left = self.frames.saturating_sub(self.position);
        let present = usize::try_from(left).unwrap_or(usize::MAX).min(out.frames());
        for start in (0..present).step_by(CHUNK_FRAMES) {
            let end = present.min(start + CHUNK_FRAMES);
            self.scratch.resize((end - start) * self.channels * SAMPLE_BYTES, 0);
            self.file.read_exact(&mut self.scratch)?;
            let mut channels: Vec<&mut [f32]> = out.iter_mut().map(|channel| &mut channel[start..end]).collect();
            part(&self.scratch, &mut channels, |bytes| f32::from_le_bytes(*bytes));
        }
        for channel in out.iter_mut() {
            channel[present..].fill(0.0);
        }
        self.position = self.position.saturating_add(out.frames() as u64);
        Ok(())
    }
}
