//! AIFF of integers, AIFF-C of floats (Apple, "Audio Interchange File Format" 1.3 and "AIFF-C", draft of 1991).
//!
//! ```text
//! FORM … AIFF │ COMM │ SSND … │ NAME AUTH (c) ANNO │ ID3
//! FORM … AIFC │ FVER │ COMM with fl32 │ SSND … │ …
//! ```
//!
//! Every length has 32 bits and there is no longer variant: files that reach 4 GiB are refused.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::pcm_bytes::{Endian, fill};
use super::{FileSpec, Samples, invalid};
use crate::media::tags::{Tags, id3, plain};
use crate::session::document::Depth;

const FILE_BUFFER_BYTES: usize = 64 * 1024;
/// Offset and block size at the head of SSND's body, both 0.
const SSND_HEAD_BYTES: u64 = 8;

/// An AIFF file being written.
pub(super) struct AiffWriter {
    file: BufWriter<File>,
    spec: FileSpec,
    scratch: Vec<u8>,
}

impl AiffWriter {
    pub(super) fn create(path: &Path, spec: &FileSpec) -> io::Result<Self> {
        let reserved = header(spec, trailer(spec, &spec.tags_reserved()).len())?;
        let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(path)?);
        file.write_all(&reserved)?;
        Ok(Self { file, spec: spec.clone(), scratch: Vec::new() })
    }

    pub(super) fn write(&mut self, samples: Samples<'_>) -> io::Result<()> {
        fill(samples, self.spec.depth, Endian::Big, &mut self.scratch);
        self.file.write_all(&self.scratch)
    }

    pub(super) fn finish(mut self, tags: &Tags) -> io::Result<()> {
        if self.spec.data_bytes() % 2 == 1 {
            self.file.write_all(&[0])?;
        }
        let trailer = trailer(&self.spec, tags);
        self.file.write_all(&trailer)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(&self.spec, trailer.len())?)?;
        self.file.flush()
    }
}

fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = [&id[..], &(body.len() as u32).to_be_bytes(), body].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// Everything before the audio; `trailer_bytes` follow it.
fn header(spec: &FileSpec, trailer_bytes: usize) -> io::Result<Vec<u8>> {
    /// The version of AIFF-C: the only one there is.
    const AIFC_VERSION_1: u32 = 0xA280_5140;
    let is_float = spec.depth == Depth::Float32;
    let mut head = if is_float { b"AIFC" } else { b"AIFF" }.to_vec();
    if is_float {
        head.extend(chunk(b"FVER", &AIFC_VERSION_1.to_be_bytes()));
    }
    let data_bytes = spec.data_bytes();
    let behind = (head.len() + common_bytes(spec) + 8 + trailer_bytes) as u64 + SSND_HEAD_BYTES;
    let form_bytes = behind.saturating_add(data_bytes).saturating_add(data_bytes % 2);
    let (Ok(form_bytes), Ok(frames)) = (u32::try_from(form_bytes), u32::try_from(spec.frames)) else {
        let message = format!(
            "{} frames need {form_bytes} bytes: an AIFF file holds at most {} (4 GiB); WAVE and FLAC hold more",
            spec.frames,
            u32::MAX
        );
        return Err(invalid(message));
    };
    head.extend(chunk(b"COMM", &common(spec, frames)));
    let ssnd_bytes = (data_bytes + SSND_HEAD_BYTES) as u32;
    Ok([&b"FORM"[..], &form_bytes.to_be_bytes(), &head, b"SSND", &ssnd_bytes.to_be_bytes(), &[0; 8]].concat())
}

fn common_bytes(spec: &FileSpec) -> usize {
    8 + common(spec, 0).len()
}

/// The body of COMM: channels, frames, bits, rate; for floats also how they are stored.
fn common(spec: &FileSpec, frames: u32) -> Vec<u8> {
    let channels = (spec.channels as u16).to_be_bytes();
    let bits = (8 * spec.depth.sample_bytes() as u16).to_be_bytes();
    let mut body = [&channels[..], &frames.to_be_bytes(), &bits, &extended(spec.sample_rate_hz)].concat();
    if spec.depth == Depth::Float32 {
        // The kind, and its name as a counted string of 17 letters.
        body.extend_from_slice(b"fl32\x11IEEE 32-bit float");
    }
    body
}

/// A whole number as the 80-bit extended float of IEEE 754: sign and exponent, then 64 bits with the leading one.
fn extended(value: u32) -> [u8; 10] {
    let mut bytes = [0; 10];
    if value > 0 {
        let shift = u64::from(value).leading_zeros();
        bytes[..2].copy_from_slice(&(16_383 + 63 - shift as u16).to_be_bytes());
        bytes[2..].copy_from_slice(&(u64::from(value) << shift).to_be_bytes());
    }
    bytes
}

/// Everything behind the audio.
fn trailer(spec: &FileSpec, tags: &Tags) -> Vec<u8> {
    let mut trailer: Vec<u8> =
        plain::aiff_fields(tags).into_iter().flat_map(|(id, text)| chunk(id, text.as_bytes())).collect();
    trailer.extend(chunk(b"ID3 ", &id3::tag(tags, spec.cover.as_deref(), 0)));
    trailer
}
