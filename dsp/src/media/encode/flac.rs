//! FLAC (RFC 9639): the stream around the frames.
//!
//! Blocks of 4096 frames are encoded and written as they come, so memory is flat; the header is written again at the end,
//! when MD5 and frame sizes are known. Its block sizes exclude the last block, as the RFC wants (§8.2): readers that trust
//! a smaller minimum fail on it. Nothing in the file depends on clock, version, threads or machine.
//!
//! The encoder is ours: the one in pure Rust (flacenc 0.5) stops at 96 kHz, codes 24-bit audio with 4-bit Rice parameters
//! alone, writes loud noise as more bytes than it has, and calls the platform's cosine.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use md5::{Digest, Md5};

use super::frame::FrameEncoder;
use super::{FileSpec, invalid};
use crate::session::document::{Depth, Metadata};

/// Frames per block.
const BLOCK_FRAMES: usize = 4096;
/// Where STREAMINFO's body begins: behind the mark and the block's header.
const STREAM_INFO_AT: u64 = 8;
/// What 36 bits count.
const MAX_FRAMES: u64 = (1 << 36) - 1;
/// What 20 bits count.
const MAX_SAMPLE_RATE_HZ: u32 = (1 << 20) - 1;
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
    bits: u32,
    frames: u64,
    blocks: u32,
    /// Bytes of the smallest and the greatest block.
    block_bytes: Option<(usize, usize)>,
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
            bits,
            frames: 0,
            blocks: 0,
            block_bytes: None,
        };
        writer.file.write_all(b"fLaC")?;
        writer.file.write_all(&[0, 0, 0, 34])?;
        writer.file.write_all(&[0; 34])?;
        let comments = comments(&spec.metadata);
        let length = u32::try_from(comments.len()).ok().filter(|length| *length < 1 << 24);
        let length = length.ok_or_else(|| invalid("the tags exceed what a FLAC block holds, 16 MiB"))?;
        // The last block before the audio: bit 7; of type 4.
        writer.file.write_all(&(0x8400_0000 | length).to_be_bytes())?;
        writer.file.write_all(&comments)?;
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
        self.bytes.clear();
        for sample in &self.waiting {
            self.bytes.extend_from_slice(&sample.to_le_bytes()[..self.bits as usize / 8]);
        }
        self.md5.update(&self.bytes);
        let encoded = self.encoder.encode(&self.waiting, self.blocks);
        self.file.write_all(encoded)?;
        let (least, most) = self.block_bytes.unwrap_or((usize::MAX, 0));
        self.block_bytes = Some((least.min(encoded.len()), most.max(encoded.len())));
        self.frames += (self.waiting.len() / self.channels) as u64;
        self.blocks += 1;
        self.waiting.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.write_block()?;
        }
        let info = self.stream_info();
        self.file.seek(SeekFrom::Start(STREAM_INFO_AT))?;
        self.file.write_all(&info)?;
        self.file.flush()
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
        let (channels, bits) = (self.channels as u64 - 1, u64::from(self.bits) - 1);
        let facts = u64::from(self.sample_rate_hz) << 44 | channels << 41 | bits << 36 | self.frames;
        body[10..18].copy_from_slice(&facts.to_be_bytes());
        body[18..34].copy_from_slice(&self.md5.finalize_reset());
        body
    }
}

/// The body of a VORBIS_COMMENT block: little-endian lengths before UTF-8 text, RFC 9639 §8.6.
fn comments(metadata: &Metadata) -> Vec<u8> {
    // Without a version: a new release must not change the bytes of an old master.
    const VENDOR: &str = "Mixdown";
    let fields = [
        ("TITLE", metadata.title.clone()),
        ("ARTIST", metadata.artist.clone()),
        ("ALBUM", metadata.album.clone()),
        ("TRACKNUMBER", metadata.track_number.map(|number| number.to_string())),
        ("DATE", metadata.year.map(|year| year.to_string())),
        ("ISRC", metadata.isrc.clone()),
        ("BARCODE", metadata.upc.clone()),
    ];
    let fields: Vec<String> =
        fields.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))).collect();
    let text = |text: &str| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let count = (fields.len() as u32).to_le_bytes();
    let texts: Vec<u8> = fields.iter().flat_map(|field| text(field)).collect();
    [&text(VENDOR)[..], &count, &texts].concat()
}
