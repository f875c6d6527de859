//! What an MP4 file says of the frames its encoder put before and after the programme.
//!
//! Two notes are in use: the edit list (`elst`, ISO/IEC 14496-12 §8.6.6) and Apple's `iTunSMPB` comment. Symphonia
//! applies neither. Here the edit list rules, because every writer has it; `iTunSMPB` serves where it is missing.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::decode::Fault;

/// More than any real `moov` of an audio file; a hostile one is not read into memory.
const MAX_MOOV_BYTES: u64 = 64 << 20;

/// The part of the decoded frames that is the programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trim {
    pub(super) start_frames: u64,
    pub(super) frames: u64,
}

/// One box: its type and body.
struct Box4<'a> {
    kind: &'a [u8],
    body: &'a [u8],
}

/// The boxes that follow one another in `bytes`, as far as they are whole.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = Box4<'_>> {
    std::iter::from_fn(move || {
        let size = u32_at(bytes, 0)?;
        let (header, size) = match size {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(u64_at(bytes, 8)?).ok()?),
            size => (8, size as usize),
        };
        let (kind, body) = (bytes.get(4..8)?, bytes.get(header..size)?);
        bytes = &bytes[size..];
        Some(Box4 { kind, body })
    })
}

fn child<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| boxes(bytes).find(|found| found.kind == *kind).map(|found| found.body))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Timescale and duration of an `mvhd` or `mdhd`.
fn timing(body: &[u8]) -> Option<(u64, u64)> {
    match body.first()? {
        0 => Some((u32_at(body, 12)?.into(), u32_at(body, 16)?.into())),
        _ => Some((u32_at(body, 20)?.into(), u64_at(body, 24)?)),
    }
}

/// Length (movie timescale) and start (media timescale) of the first edit that plays something.
fn first_edit(elst: &[u8]) -> Option<(u64, u64)> {
    let (wide, count) = (*elst.first()? != 0, u32_at(elst, 4)?);
    let entry_bytes = if wide { 20 } else { 12 };
    (0..count as usize).map_while(|index| elst.get(8 + index * entry_bytes..)).find_map(|entry| {
        let (length, start) = if wide {
            (u64_at(entry, 0)?, u64_at(entry, 8)? as i64)
        } else {
            (u32_at(entry, 0)?.into(), i64::from(u32_at(entry, 4)? as i32))
        };
        // A start of −1 is an empty edit: silence before the programme, which nobody means in a music file.
        u64::try_from(start).ok().map(|start| (length, start))
    })
}

/// `iTunSMPB`: " 00000000 DELAY PADDING LENGTH …" in hexadecimal.
fn gapless_comment(moov: &[u8]) -> Option<Trim> {
    let at = moov.windows(8).position(|window| window == b"iTunSMPB")?;
    let text = moov.get(at..at + 200.min(moov.len() - at))?;
    let data = text.windows(4).position(|window| window == b"data")?;
    let words = text.get(data + 12..)?.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let mut numbers = words.map_while(|word| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    let (_, start_frames, _padding, frames) = (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
    Some(Trim { start_frames, frames })
}

/// The sound track's body in a `moov`.
fn sound_track(moov: &[u8]) -> Option<&[u8]> {
    boxes(moov)
        .filter(|found| found.kind == b"trak")
        .map(|found| found.body)
        .find(|trak| child(trak, &[b"mdia", b"hdlr"]).and_then(|hdlr| hdlr.get(8..12)) == Some(b"soun"))
}

fn trim_of(moov: &[u8]) -> Option<Trim> {
    let trak = sound_track(moov)?;
    let (timescale, decoded_frames) = timing(child(trak, &[b"mdia", b"mdhd"])?)?;
    let Some((length, start)) = child(trak, &[b"edts", b"elst"]).and_then(first_edit) else {
        return gapless_comment(moov);
    };
    let (movie_timescale, _) = timing(child(moov, &[b"mvhd"])?)?;
    let behind_start = decoded_frames.checked_sub(start)?;
    // The edit's length counts in the movie's ticks, often milliseconds: it can only tell the end to within one tick,
    // and the media's own duration is exact. So the edit cuts the end only where it is shorter by more than a tick.
    let at_most = u128::from(length + 1) * u128::from(timescale) / u128::from(movie_timescale.max(1));
    let frames = if at_most < u128::from(behind_start) && length > 0 {
        (u128::from(length) * u128::from(timescale) / u128::from(movie_timescale.max(1))) as u64
    } else {
        behind_start
    };
    Some(Trim { start_frames: start, frames })
}

/// Reads the trim of an MP4 file; `None` where it tells nothing. Fails if the file ends within one of its boxes.
pub(super) fn read(file: &mut File) -> Result<Option<Trim>, Fault> {
    let file_bytes = file.metadata()?.len();
    let (mut at, mut trim) = (0_u64, None);
    while at + 8 <= file_bytes {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0_u8; 16];
        let got = read_up_to(file, &mut header)?;
        let (Some(short), Some(kind)) = (u32_at(&header, 0), header.get(4..8)) else { break };
        let (header_bytes, size) = match short {
            0 => (8, file_bytes - at),
            1 if got == 16 => (16, u64_at(&header, 8).unwrap_or(0)),
            short => (8, u64::from(short)),
        };
        if size < header_bytes {
            break;
        }
        if size > file_bytes - at {
            let (kind, present) = (kind.escape_ascii(), file_bytes - at);
            let message = format!("it ends after {present} bytes of its {kind} box: its header promises {size}");
            return Err(Fault::new("truncated", message));
        }
        if kind == b"moov" {
            let body_bytes = size - header_bytes;
            if body_bytes > MAX_MOOV_BYTES {
                let message = format!("its moov box has {body_bytes} bytes: at most {MAX_MOOV_BYTES} are read");
                return Err(Fault::new("unsupported", message));
            }
            let mut moov = Vec::new();
            file.seek(SeekFrom::Start(at + header_bytes))?;
            file.take(body_bytes).read_to_end(&mut moov)?;
            trim = trim.or(trim_of(&moov));
        }
        at += size;
    }
    Ok(trim)
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
