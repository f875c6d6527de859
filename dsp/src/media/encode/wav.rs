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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::media::encode::{BroadcastSpec, coding_history};
    use crate::media::{Decoder, probe};
    use crate::session::document::{Broadcast, Format, Metadata};

    fn spec(channels: usize, depth: Depth, frames: u64) -> FileSpec {
        let metadata =
            Metadata { title: Some("Long".into()), isrc: Some("USS1Z9900001".into()), ..Metadata::default() };
        let coding_history = coding_history(48_000, 48_000, depth, channels, "none");
        FileSpec {
            format: Format::Bwf,
            depth,
            sample_rate_hz: 48_000,
            channels,
            frames,
            metadata,
            cover: None,
            replay_gain: true,
            broadcast: Some(BroadcastSpec { said: Broadcast::default(), time_reference_frames: 7, coding_history }),
        }
    }

    fn measured() -> Measurement {
        Measurement {
            frames: 1,
            sample_rate_hz: 48_000,
            channels: 1,
            duration_seconds: 1.0,
            integrated_lufs: Some(-23.0),
            loudness_range_lu: None,
            momentary_max_lufs: None,
            short_term_max_lufs: None,
            true_peak_dbtp: Some(-1.0),
            sample_peak_dbfs: None,
        }
    }

    /// A whole file whose audio is a hole: zeros that take no room on the disk.
    fn hollow(folder: &Path, spec: &FileSpec) -> PathBuf {
        let path = folder.join("hollow.wav");
        let mut writer = WavWriter::create(&path, spec).unwrap();
        writer.file.seek(SeekFrom::Current(spec.data_bytes() as i64)).unwrap();
        writer.finish(Some(&measured())).unwrap();
        path
    }

    fn run(program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).output().expect("`make test` installs what the tests need");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the file begins with, after every reader has found all of it: frames, tags, `bext` and iXML.
    fn mark_of(folder: &Path, spec: &FileSpec) -> String {
        let path = hollow(folder, spec);
        let name = path.to_str().unwrap();
        assert_eq!(probe(&path).unwrap().frames, spec.frames);
        let entries = ["-v", "error", "-show_entries", "stream=duration_ts", "-of", "csv=p=0", name];
        assert_eq!(run("ffprobe", &entries).trim(), spec.frames.to_string());
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let script = format!("{root}/tests/read_back.py");
        let found = run(&format!("{root}/.cache/python/bin/python"), &[&script, name]);
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        assert_eq!(found["tags"]["TIT2"][0], "Long");
        assert_eq!((&found["bext"]["time_reference"], &found["bext"]["loudness_value"]), (&7.into(), &(-2300).into()));
        assert_eq!(found["ixml"]["BEXT/BWF_LOUDNESS_VALUE"][0], "-2300");
        assert_eq!(found["size_told"], std::fs::metadata(&path).unwrap().len());
        found["mark"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_last_frame_that_32_bits_count_is_riff_and_one_more_is_rf64() {
        let folder = tempfile::tempdir().unwrap();
        for (channels, depth) in [(1, Depth::Int16), (1, Depth::Int24), (2, Depth::Int24), (2, Depth::Float32)] {
            let of = |frames| spec(channels, depth, frames);
            let trailer_bytes = trailer(&of(0), &of(0).tags(Some(&measured())), Some(&measured())).len();
            let around = header(&of(0), None, 0).len() - 8 + trailer_bytes;
            // RIFF tells the bytes behind its length, an even number; its greatest, 0xFFFFFFFF, means another thing.
            let frames = (u64::from(u32::MAX) - 1 - around as u64) / (channels * depth.sample_bytes()) as u64;
            let (last, next) = (of(frames), of(frames + 1));
            let bytes = around as u64 + last.data_bytes().next_multiple_of(2);
            let frame_bytes = (channels * depth.sample_bytes()) as u64;
            assert!(bytes < u64::from(u32::MAX) && bytes + frame_bytes.next_multiple_of(2) >= u64::from(u32::MAX) - 1);
            assert_eq!(mark_of(folder.path(), &last), "RIFF", "{channels} of {depth:?}");
            assert_eq!(mark_of(folder.path(), &next), "RF64", "{channels} of {depth:?}");
        }
    }

    #[test]
    fn tags_alone_carry_a_file_beyond_4_gib() {
        let folder = tempfile::tempdir().unwrap();
        let around = header(&spec(2, Depth::Int24, 0), None, 0).len() as u64;
        // The audio and all before it still fit; what stands behind it does not.
        let frames = (u64::from(u32::MAX) - around - 100) / 6;
        let whole = spec(2, Depth::Int24, frames);
        assert!(header(&whole, None, 0).starts_with(b"RIFF"), "without its tags it would be RIFF");
        assert_eq!(mark_of(folder.path(), &whole), "RF64");
    }

    #[test]
    fn a_long_file_cut_anywhere_in_its_audio_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for frames in [1 << 29, 1 << 31] {
            let whole = spec(1, Depth::Int24, frames);
            let path = hollow(folder.path(), &whole);
            let before = header(&whole, None, 0).len() as u64;
            for cut in [before - 1, before + 5, before + whole.data_bytes() / 2, before + whole.data_bytes() - 1] {
                File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
                assert!(Decoder::open(&path).is_err(), "{frames} frames, cut to {cut} bytes");
                hollow(folder.path(), &whole);
            }
        }
    }
}
