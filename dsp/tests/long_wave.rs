//! A WAVE file beyond 4 GiB, written and read back; it has a process of its own, whose memory is watched.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::media::{Decoder, FileSpec, FileWriter, Probe, Samples};
use mixdown_dsp::session::document::{Depth, Format};

#[path = "support/long.rs"]
mod long;
#[path = "media/tools.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod tools;

use tools::{ffmpeg, spec};

/// The greatest memory this process has held, in bytes.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() * 1024
}

/// A file of `frames` frames of 32-bit float stereo in which every frame can be told from every other.
fn write_long(path: &Path, frames: u64, block: &mut Vec<f32>) {
    let spec = FileSpec { frames, ..spec(Format::Wav, Depth::Float32, 2, 192_000, 0) };
    let mut writer = FileWriter::create(path, &spec).unwrap();
    for start in (0..frames).step_by(BLOCK_FRAMES) {
        fill(start, BLOCK_FRAMES.min((frames - start) as usize), block);
        writer.write(Samples::Float(block)).unwrap();
    }
    writer.finish(None).unwrap();
}

const BLOCK_FRAMES: usize = 1 << 16;

/// The frames from `start` on: their number, in two halves of 20 bits that a float holds exactly.
fn fill(start: u64, frames: usize, block: &mut Vec<f32>) {
    block.clear();
    block.extend(
        (start..start + frames as u64)
            .flat_map(|frame| [frame & 0xF_FFFF, frame >> 20].map(|half| half as f32 / 1_048_576.0)),
    );
}

/// 5 GiB where the large counts are asked for, else 48 MiB.
#[test]
fn a_file_of_any_length_is_written_and_read_back_in_flat_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    let is_long = long::rounds(1) > 1;
    let frames: u64 = if is_long { 5 << 27 } else { 6 << 20 };
    let (mut block, before) = (Vec::new(), peak_memory_bytes());
    write_long(&path, frames, &mut block);
    let mut mark = [0; 4];
    File::open(&path).unwrap().read_exact(&mut mark).unwrap();
    assert_eq!(&mark, if is_long { b"RF64" } else { b"RIFF" });
    let mut decoder = Decoder::open(&path).unwrap();
    assert_eq!(*decoder.probe(), Probe { frames, sample_rate_hz: 192_000, channels: 2, lossy: false });
    let mut buffer = Buffer::new(2, BLOCK_FRAMES);
    let mut at = 0;
    while at < frames {
        buffer.set_frames(BLOCK_FRAMES);
        let got = decoder.read(&mut buffer).unwrap();
        fill(at, got, &mut block);
        let same = (0..2).all(|channel| buffer.channel(channel)[..got].iter().eq(block[channel..].iter().step_by(2)));
        assert!(got > 0 && same, "other samples than were written within {got} frames from {at}");
        at += got as u64;
    }
    // The kernel counts pages late: its high-water mark may read a little lower than before.
    let more = peak_memory_bytes().saturating_sub(before);
    assert!(more < 16 << 20, "{more} bytes more");
    // The last second, by ffmpeg.
    let from = format!("{}", frames / 192_000 - 1);
    let theirs = ffmpeg(&["-ss", &from, "-i", path.to_str().unwrap(), "-f", "f32le", "-c:a", "pcm_f32le", "-"]);
    let start = (frames / 192_000 - 1) * 192_000;
    fill(start, (frames - start) as usize, &mut block);
    assert!(block.iter().flat_map(|sample| sample.to_le_bytes()).eq(theirs));
}
