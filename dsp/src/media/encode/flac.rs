//! FLAC (RFC 9639): the stream around the frames.
//!
//! Blocks of 4096 frames are encoded and written as they come, so memory is flat; the header is written again at the end,
//! when MD5, frame sizes, seek points and the measured tags are known. Its block sizes exclude the last block, as the RFC wants (§8.2): readers that trust
//! a smaller minimum fail on it. Nothing in the file depends on clock, version, threads or machine.
//!
//! The encoder is ours: the one in pure Rust (flacenc 0.5) stops at 96 kHz, codes 24-bit audio with 4-bit Rice parameters
//! alone, writes loud noise as more bytes than it has, and calls the platform's cosine.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use md5::{Digest, Md5};

use super::frame::FrameEncoder;
use super::pcm_bytes::{Endian, fill};
use super::{FileSpec, Samples, invalid};
use crate::media::tags::{Tags, vorbis};
use crate::session::document::Depth;

/// Frames per block.
const BLOCK_FRAMES: usize = 4096;
/// A seek point every so many seconds, as `flac` sets them.
const SEEK_POINT_SECONDS: u64 = 10;
/// Room for those who change tags later without writing the file anew, as `flac` leaves it.
const PADDING_BYTES: usize = 8192;
/// What 36 bits count.
const MAX_FRAMES: u64 = (1 << 36) - 1;
/// What 20 bits count.
const MAX_SAMPLE_RATE_HZ: u32 = (1 << 20) - 1;
/// What a block holds: 24 bits count its bytes.
const MAX_BLOCK_BYTES: usize = (1 << 24) - 1;

/// The type of a metadata block, RFC 9639 §8.1.
#[derive(Debug, Clone, Copy)]
enum Block {
    StreamInfo = 0,
    Padding = 1,
    SeekTable = 3,
    Comments = 4,
    Picture = 6,
}

/// A FLAC file being written.
pub(super) struct FlacWriter {
    file: BufWriter<File>,
    encoder: FrameEncoder,
    /// Interleaved samples waiting for their block to fill.
    waiting: Vec<i32>,
    md5: Md5,
    bytes: Vec<u8>,
    sample_rate_hz: u32,
    channels: usize,
    depth: Depth,
    /// What the header tells from the start, so that a file that was never ended is seen to lack its end.
    announced_frames: u64,
    frames: u64,
    blocks: u32,
    /// Bytes of the smallest and the greatest block.
    block_bytes: Option<(usize, usize)>,
    /// Bytes of all blocks so far.
    audio_bytes: u64,
    /// Of each block that a seek point leads to: its first frame and where it begins behind the header.
    seek_points: Vec<(u64, u64)>,
    seek_point_count: usize,
    /// The PICTURE block's body.
    picture: Option<Vec<u8>>,
    header_bytes: usize,
}

impl FlacWriter {
    pub(super) fn create(path: &Path, spec: &FileSpec) -> io::Result<Self> {
        let bits = match spec.depth {
            Depth::Int16 => 16,
            Depth::Int24 => 24,
            Depth::Float32 => return Err(invalid("FLAC holds no float samples: expected a depth of 16 or 24 bits")),
        };
        if spec.frames > MAX_FRAMES || spec.sample_rate_hz > MAX_SAMPLE_RATE_HZ || spec.sample_rate_hz == 0 {
            let (frames, rate) = (spec.frames, spec.sample_rate_hz);
            return Err(invalid(format!(
                "{frames} frames at {rate} Hz: FLAC holds at most {MAX_FRAMES} frames and {MAX_SAMPLE_RATE_HZ} Hz"
            )));
        }
        let mut writer = Self {
            file: BufWriter::new(File::create(path)?),
            encoder: FrameEncoder::new(spec.sample_rate_hz, spec.channels, bits),
            waiting: Vec::with_capacity(BLOCK_FRAMES * spec.channels),
            md5: Md5::new(),
            bytes: Vec::new(),
            sample_rate_hz: spec.sample_rate_hz,
            channels: spec.channels,
            depth: spec.depth,
            announced_frames: spec.frames,
            frames: 0,
            blocks: 0,
            block_bytes: None,
            audio_bytes: 0,
            seek_points: Vec::new(),
            seek_point_count: spec.frames.div_ceil(SEEK_POINT_SECONDS * u64::from(spec.sample_rate_hz)) as usize,
            picture: spec.cover.as_deref().map(vorbis::picture),
            header_bytes: 0,
        };
        // Holds the place of the true one.
        let header = writer.header(&spec.tags_reserved())?;
        writer.header_bytes = header.len();
        writer.file.write_all(&header)?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, mut samples: &[i32]) -> io::Result<()> {
        let block_samples = BLOCK_FRAMES * self.channels;
        while !samples.is_empty() {
            let (head, rest) = samples.split_at(samples.len().min(block_samples - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            samples = rest;
            if self.waiting.len() == block_samples {
                self.write_block()?;
            }
        }
        Ok(())
    }

    /// Encodes what waits as one block.
    fn write_block(&mut self) -> io::Result<()> {
        fill(Samples::Int(&self.waiting), self.depth, Endian::Little, &mut self.bytes);
        self.md5.update(&self.bytes);
        let next_point = self.seek_points.len() as u64 * SEEK_POINT_SECONDS * u64::from(self.sample_rate_hz);
        if (self.frames..self.frames + BLOCK_FRAMES as u64).contains(&next_point) {
            self.seek_points.push((self.frames, self.audio_bytes));
        }
        let encoded = self.encoder.encode(&self.waiting, self.blocks);
        self.audio_bytes += encoded.len() as u64;
        self.file.write_all(encoded)?;
        let (least, most) = self.block_bytes.unwrap_or((usize::MAX, 0));
        self.block_bytes = Some((least.min(encoded.len()), most.max(encoded.len())));
        self.frames += (self.waiting.len() / self.channels) as u64;
        self.blocks += 1;
        self.waiting.clear();
        Ok(())
    }

    pub(super) fn finish(mut self, tags: &Tags) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.write_block()?;
        }
        let header = self.header(tags)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)?;
        self.file.flush()
    }

    /// Everything before the audio. Where a header was written before, it is as long as that one.
    fn header(&mut self, tags: &Tags) -> io::Result<Vec<u8>> {
        let mut header = b"fLaC".to_vec();
        let info = self.stream_info();
        append(&mut header, Block::StreamInfo, &info)?;
        append(&mut header, Block::SeekTable, &self.seek_table())?;
        append(&mut header, Block::Comments, &vorbis::comments(&vorbis::fields(tags, vorbis::Gain::ReplayGain, &[])))?;
        if let Some(picture) = &self.picture {
            append(&mut header, Block::Picture, picture)?;
        }
        let padding_bytes = match self.header_bytes {
            0 => PADDING_BYTES,
            before => before - header.len() - 4,
        };
        // Bit 7 marks the last block.
        let last_at = header.len();
        append(&mut header, Block::Padding, &vec![0; padding_bytes])?;
        header[last_at] |= 0x80;
        Ok(header)
    }

    /// The body of the SEEKTABLE block, §8.5.
    fn seek_table(&self) -> Vec<u8> {
        /// A point that is none.
        const PLACEHOLDER: (u64, u64) = (u64::MAX, 0);
        let points = self.seek_points.iter().copied().chain(std::iter::repeat(PLACEHOLDER));
        let mut table = Vec::with_capacity(self.seek_point_count * 18);
        for (frame, at) in points.take(self.seek_point_count) {
            let block_frames = match frame {
                u64::MAX => 0,
                frame => (self.frames - frame).min(BLOCK_FRAMES as u64) as u16,
            };
            table.extend_from_slice(&frame.to_be_bytes());
            table.extend_from_slice(&at.to_be_bytes());
            table.extend_from_slice(&block_frames.to_be_bytes());
        }
        table
    }

    /// The body of the STREAMINFO block, RFC 9639 §8.2.
    fn stream_info(&mut self) -> [u8; 34] {
        let mut body = [0; 34];
        let block_frames = (BLOCK_FRAMES as u16).to_be_bytes();
        body[0..2].copy_from_slice(&block_frames);
        body[2..4].copy_from_slice(&block_frames);
        let (least, most) = self.block_bytes.unwrap_or((0, 0));
        body[4..7].copy_from_slice(&(least as u32).to_be_bytes()[1..]);
        body[7..10].copy_from_slice(&(most as u32).to_be_bytes()[1..]);
        let (channels, bits) = (self.channels as u64 - 1, 8 * self.depth.sample_bytes() as u64 - 1);
        let facts = u64::from(self.sample_rate_hz) << 44 | channels << 41 | bits << 36 | self.announced_frames;
        body[10..18].copy_from_slice(&facts.to_be_bytes());
        body[18..34].copy_from_slice(&self.md5.finalize_reset());
        body
    }
}

/// Appends a metadata block: its type, three bytes of length, its body.
fn append(header: &mut Vec<u8>, block: Block, body: &[u8]) -> io::Result<()> {
    if body.len() > MAX_BLOCK_BYTES {
        let message = format!("a {block:?} block of {} bytes: FLAC holds at most {MAX_BLOCK_BYTES}", body.len());
        return Err(invalid(message));
    }
    header.extend_from_slice(&((block as u32) << 24 | body.len() as u32).to_be_bytes());
    header.extend_from_slice(body);
    Ok(())
}
