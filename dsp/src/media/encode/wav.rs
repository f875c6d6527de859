//! WAVE, with or without the chunks of broadcast wave; RF64 by itself where 32 bits no longer count the bytes.
//!
//! ```text
//! RIFF … WAVE │ JUNK (28) │ bext │ fmt │ fact │ data … │ LIST INFO │ id3 │ iXML │ axml
//! RF64 -1 WAVE│ ds64 (28) │ bext │ fmt │ fact │ data -1 │ …
//! ```
//!
//! The first chunk keeps the place of `ds64`, as EBU Tech 3306 wants it; what is measured goes into `bext`, which has a fixed
//! length, and behind the audio. Ours because hound counts in 32 bits and wraps without a word.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::pcm_bytes::{Endian, fill};
use super::{FileSpec, Samples, bext, ixml};
use crate::loudness::Measurement;
use crate::media::tags::{Tags, id3, plain};
use crate::session::document::Depth;

const FILE_BUFFER_BYTES: usize = 64 * 1024;
/// "See ds64."
const ELSEWHERE: u32 = u32::MAX;
/// The body of ds64: sizes of file and data, the frames, and no further sizes (EBU Tech 3306 §3).
const DS64_BYTES: usize = 28;

/// A WAVE file being written.
pub(super) struct WavWriter {
    file: BufWriter<File>,
    spec: FileSpec,
    scratch: Vec<u8>,
    header_bytes: usize,
}

impl WavWriter {
    pub(super) fn create(path: &Path, spec: &FileSpec) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(path)?);
        // Holds the place of the true one.
        let header = header(spec, None, 0);
        file.write_all(&header)?;
        Ok(Self { file, spec: spec.clone(), scratch: Vec::new(), header_bytes: header.len() })
    }

    pub(super) fn write(&mut self, samples: Samples<'_>) -> io::Result<()> {
        fill(samples, self.spec.depth, Endian::Little, &mut self.scratch);
        self.file.write_all(&self.scratch)
    }

    pub(super) fn finish(mut self, measured: Option<&Measurement>) -> io::Result<()> {
        if self.spec.data_bytes() % 2 == 1 {
            self.file.write_all(&[0])?;
        }
        let trailer = trailer(&self.spec, &self.spec.tags(measured), measured);
        self.file.write_all(&trailer)?;
        self.file.seek(SeekFrom::Start(0))?;
        let header = header(&self.spec, measured, trailer.len());
        debug_assert_eq!(header.len(), self.header_bytes, "a header as long as the one that kept its place");
        self.file.write_all(&header)?;
        self.file.flush()
    }
}

/// A chunk: its name, its length, its body, and a byte more where that is odd.
fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = [&id[..], &(body.len() as u32).to_le_bytes(), body].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// Everything before the audio; `trailer_bytes` follow it.
fn header(spec: &FileSpec, measured: Option<&Measurement>, trailer_bytes: usize) -> Vec<u8> {
    let mut chunks = Vec::new();
    if let Some(broadcast) = &spec.broadcast {
        chunks.extend(chunk(b"bext", &bext::body(spec, broadcast, measured)));
    }
    chunks.extend(chunk(b"fmt ", &format(spec)));
    if spec.depth == Depth::Float32 {
        // Everything but plain PCM tells its frames (Microsoft, "Multimedia Data Standards Update", 1994).
        let frames = u32::try_from(spec.frames).unwrap_or(ELSEWHERE);
        chunks.extend(chunk(b"fact", &frames.to_le_bytes()));
    }
    let data_bytes = spec.data_bytes();
    // From behind the length to the end: "WAVE", the place of ds64, the chunks, the head of the data, the data.
    let behind = (4 + 8 + DS64_BYTES + chunks.len() + 8 + trailer_bytes) as u64;
    let riff_bytes = behind.saturating_add(data_bytes).saturating_add(data_bytes % 2);
    let short = u32::try_from(riff_bytes).ok().filter(|bytes| *bytes < ELSEWHERE).zip(u32::try_from(data_bytes).ok());
    let (riff, riff_length, first, data_length) = match short {
        Some((riff_bytes, data_bytes)) => (b"RIFF", riff_bytes, chunk(b"JUNK", &[0; DS64_BYTES]), data_bytes),
        None => {
            let sizes = [riff_bytes, data_bytes, spec.frames].map(u64::to_le_bytes);
            let body = [sizes.as_flattened(), &0_u32.to_le_bytes()].concat();
            (b"RF64", ELSEWHERE, chunk(b"ds64", &body), ELSEWHERE)
        }
    };
    let head = [&riff[..], &riff_length.to_le_bytes(), b"WAVE", &first].concat();
    [&head[..], &chunks, b"data", &data_length.to_le_bytes()].concat()
}

/// The body of `fmt `: WAVEFORMATEXTENSIBLE where a sample has more than 16 bits, as Microsoft asks for.
fn format(spec: &FileSpec) -> Vec<u8> {
    const PCM: u16 = 1;
    const IEEE_FLOAT: u16 = 3;
    const EXTENSIBLE: u16 = 0xFFFE;
    /// What follows the tag proper in the sub-format's GUID.
    const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
    let tag = if spec.depth == Depth::Float32 { IEEE_FLOAT } else { PCM };
    let sample_bytes = spec.depth.sample_bytes() as u16;
    let (channels, bits) = (spec.channels as u16, sample_bytes * 8);
    let frame_bytes = channels * sample_bytes;
    let extensible = spec.depth != Depth::Int16;
    let mut body = if extensible { EXTENSIBLE } else { tag }.to_le_bytes().to_vec();
    body.extend_from_slice(&channels.to_le_bytes());
    body.extend_from_slice(&spec.sample_rate_hz.to_le_bytes());
    body.extend_from_slice(&spec.sample_rate_hz.saturating_mul(u32::from(frame_bytes)).to_le_bytes());
    body.extend_from_slice(&frame_bytes.to_le_bytes());
    body.extend_from_slice(&bits.to_le_bytes());
    if extensible {
        // Front centre, or front left and front right.
        let speakers: u32 = if channels == 1 { 0b100 } else { 0b011 };
        body.extend_from_slice(&22_u16.to_le_bytes());
        body.extend_from_slice(&bits.to_le_bytes());
        body.extend_from_slice(&speakers.to_le_bytes());
        body.extend_from_slice(&tag.to_le_bytes());
        body.extend_from_slice(&GUID_TAIL);
    }
    body
}

/// Everything behind the audio.
fn trailer(spec: &FileSpec, tags: &Tags, measured: Option<&Measurement>) -> Vec<u8> {
    let mut info = b"INFO".to_vec();
    for (id, text) in plain::info_fields(tags) {
        info.extend(chunk(id, &[text.as_bytes(), &[0]].concat()));
    }
    let mut trailer = [chunk(b"LIST", &info), chunk(b"id3 ", &id3::tag(tags, spec.cover.as_deref(), 0))].concat();
    if let Some(broadcast) = &spec.broadcast {
        trailer.extend(chunk(b"iXML", ixml::document(spec, broadcast, measured).as_bytes()));
        if let Some(isrc) = &spec.metadata.isrc {
            trailer.extend(chunk(b"axml", ixml::identifier(isrc).as_bytes()));
        }
    }
    trailer
}
