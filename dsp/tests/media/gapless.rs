//! What encoders put before and after the programme is taken off, whoever made the file: lengths and samples are those of
//! a decoder from outside, and nothing moves.

use std::path::Path;

use mixdown_dsp::media::{probe, verify};

use crate::tools::{bytes_as_floats, decode, ffmpeg, ffmpeg_decode, lag, make_file, run, sweep};

/// An encoder of the outside world, called with a 24-bit WAVE file and a path.
struct Encoder {
    program: &'static str,
    extension: &'static str,
    arguments: &'static [&'static str],
}

const fn encoder(program: &'static str, extension: &'static str, arguments: &'static [&'static str]) -> Encoder {
    Encoder { program, extension, arguments }
}

const ENCODERS: &[Encoder] = &[
    encoder("ffmpeg", "mp3", &["-c:a", "libmp3lame", "-b:a", "192k"]),
    encoder("lame", "mp3", &["-b", "128"]),
    encoder("lame", "mp3", &["-V", "2"]),
    encoder("lame", "mp3", &["-m", "m", "-b", "96"]),
    encoder("ffmpeg", "m4a", &["-c:a", "aac", "-b:a", "192k"]),
    encoder("ffmpeg", "ogg", &["-c:a", "libvorbis", "-q:a", "6"]),
    encoder("oggenc", "ogg", &["-q", "3"]),
    encoder("oggenc", "ogg", &["-b", "256", "--managed"]),
    encoder("ffmpeg", "opus", &["-c:a", "libopus", "-b:a", "128k"]),
    encoder("opusenc", "opus", &["--bitrate", "96"]),
    encoder("opusenc", "opus", &["--bitrate", "160", "--framesize", "2.5"]),
    encoder("opusenc", "opus", &["--bitrate", "96", "--framesize", "60", "--hard-cbr"]),
];

impl Encoder {
    fn encode(&self, wav: &Path, path: &Path) {
        let (wav, to) = (wav.to_str().unwrap(), path.to_str().unwrap());
        match self.program {
            "ffmpeg" => drop(ffmpeg(&[&["-i", wav], self.arguments, &[to]].concat())),
            "lame" => drop(run("lame", &[&["--quiet"], self.arguments, &[wav, to]].concat())),
            "oggenc" => drop(run("oggenc", &[&["-Q", "-s", "1"], self.arguments, &[wav, "-o", to]].concat())),
            _ => drop(run("opusenc", &[&["--quiet", "--serial", "1"], self.arguments, &[wav, to]].concat())),
        }
    }
}

/// What the reference decoder of a format makes of a file. ffmpeg's own is it for MP3 and AAC. Of Vorbis it keeps the
/// padding of streams of one page, and of Opus it decodes some packets of several frames to noise.
pub fn reference(path: &Path) -> Vec<f32> {
    let file = path.to_str().unwrap();
    match path.extension().unwrap().to_str().unwrap() {
        "ogg" => {
            let raw = run("oggdec", &["-Q", "-R", "-b", "16", "-e", "0", "-s", "1", "-o", "-", file]);
            raw.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect()
        }
        "opus" => bytes_as_floats(&ffmpeg(&["-c:a", "libopus", "-i", file, "-f", "f32le", "-c:a", "pcm_f32le", "-"])),
        _ => ffmpeg_decode(path),
    }
}

#[test]
fn lengths_and_places_are_those_of_the_source_for_every_encoder_and_odd_lengths() {
    let folder = tempfile::tempdir().unwrap();
    for (sample_rate_hz, frames) in [
        (44_100, 50),
        (44_100, 1_153),
        (44_100, 44_100),
        (44_100, 132_301),
        (48_000, 700),
        (48_000, 1_151),
        (48_000, 44_100),
        (48_000, 144_001),
    ] {
        let wav = folder.path().join("source.wav");
        let source = sweep(frames, sample_rate_hz);
        make_file(&wav, &source, 2, sample_rate_hz, &["-c:a", "pcm_s24le"]);
        for encoder in ENCODERS {
            let arguments = encoder.arguments.join(" ");
            let what = format!("{} {arguments} of {frames} frames at {sample_rate_hz} Hz", encoder.program);
            let path = folder.path().join(format!("lossy.{}", encoder.extension));
            encoder.encode(&wav, &path);
            let found = probe(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(verify(&path).unwrap(), found, "{what}");
            let channels = found.channels as usize;
            let (ours, theirs) = (decode(&path, 4096).unwrap(), reference(&path));
            assert_eq!(ours.len() as u64, found.frames * u64::from(found.channels), "{what}");
            assert!(found.lossy, "{what}");
            // Opus is at 48 kHz whatever it was made of.
            let rate = u64::from(if encoder.extension == "opus" { 48_000 } else { sample_rate_hz });
            assert_eq!(u64::from(found.sample_rate_hz), rate, "{what}");
            let exact = (frames as u64 * rate).div_ceil(u64::from(sample_rate_hz));
            // The tag that ffmpeg writes into an MP3 of 48 kHz tells some frames more.
            let told_more = encoder.program == "ffmpeg" && encoder.extension == "mp3";
            assert!(found.frames == exact || told_more && (exact..exact + 1_152).contains(&found.frames), "{what}");
            // ffmpeg takes the frames off the start of AAC that the edit list tells, but not those off its end: the last block of
            // 1024 stays whole.
            let kept = if encoder.extension == "m4a" { exact.next_multiple_of(1_024) } else { found.frames };
            assert_eq!(theirs.len() as u64, kept * u64::from(found.channels), "{what}");
            // Rounding differs between decoders; a shift by one frame would show as 0.1.
            let error = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 3e-4, "{what}: {error} away from the reference");
            if encoder.extension == "ogg" {
                let by_ffmpeg = ffmpeg_decode(&path);
                let count = by_ffmpeg.len() as u64 / u64::from(found.channels);
                if frames > 100_000 {
                    assert_eq!(count, exact, "{what}: by ffmpeg");
                    let error = ours.iter().zip(&by_ffmpeg).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(error < 3e-4, "{what}: {error} away from ffmpeg");
                } else {
                    // A stream of one page or two: ffmpeg does not cut the last block by the position of the page, and may
                    // count it from a page that begins later. It is off by no more than half a short block of 256.
                    assert!(count.abs_diff(exact) <= 128, "{what}: {count} by ffmpeg");
                }
            }
            if frames >= 44_100 && rate == u64::from(sample_rate_hz) {
                let source: Vec<f32> = source.iter().step_by(2).map(|sample| *sample as f32).collect();
                let first: Vec<f32> = ours.iter().step_by(channels).copied().collect();
                assert_eq!(lag(&source, &first), 0, "{what}");
            }
        }
    }
}

/// The boxes of an iTunes comment, ISO/IEC 14496-12 §4.2: a size and a type before each body.
fn mp4_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes(), &kind[..], body].concat()
}

#[test]
fn an_m4a_without_edit_list_is_trimmed_by_its_itunes_comment() {
    let folder = tempfile::tempdir().unwrap();
    let (path, frames) = (folder.path().join("a.m4a"), 60_001);
    let source = sweep(frames, 44_100);
    make_file(&path, &source, 2, 44_100, &["-c:a", "aac", "-b:a", "256k"]);
    let mut bytes = std::fs::read(&path).unwrap();
    let find = |bytes: &[u8], mark: &[u8]| bytes.windows(4).rposition(|window| window == mark).unwrap();
    let edits = find(&bytes, b"edts");
    bytes[edits..edits + 4].copy_from_slice(b"free");
    let padding = (frames + 1_024).next_multiple_of(1_024) - frames - 1_024;
    let note = format!(" 00000000 {:08X} {padding:08X} {frames:016X} 00000000 00000000", 1_024);
    let text = [&[0, 0, 0, 1, 0, 0, 0, 0], note.as_bytes()].concat();
    let named =
        [mp4_box(b"mean", b"\0\0\0\0com.apple.iTunes"), mp4_box(b"name", b"\0\0\0\0iTunSMPB"), mp4_box(b"data", &text)];
    let comment = mp4_box(b"----", &named.concat());
    // The movie box comes last in what ffmpeg writes, so that it can grow.
    let movie = find(&bytes, b"moov") - 4;
    let size = u32::from_be_bytes(*bytes[movie..].first_chunk().unwrap()) as usize;
    assert_eq!(movie + size, bytes.len());
    bytes.extend(mp4_box(b"udta", &mp4_box(b"ilst", &comment)));
    let grown = (bytes.len() - movie) as u32;
    bytes[movie..movie + 4].copy_from_slice(&grown.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(probe(&path).unwrap().frames, frames as u64);
    let ours: Vec<f32> = decode(&path, 4096).unwrap().iter().step_by(2).copied().collect();
    let source: Vec<f32> = source.iter().step_by(2).map(|sample| *sample as f32).collect();
    assert_eq!((ours.len(), lag(&source, &ours)), (frames, 0));
}

#[test]
fn the_output_gain_of_an_opus_header_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.opus");
    make_file(&path, &sweep(48_000, 48_000), 2, 48_000, &["-c:a", "libopus", "-b:a", "128k"]);
    let plain = decode(&path, 4096).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let head = bytes.windows(8).position(|window| window == b"OpusHead").unwrap();
    bytes[head + 16..head + 18].copy_from_slice(&(-6 * 256_i16).to_le_bytes());
    // The page's checksum no longer holds: it is the plain CRC-32 of RFC 3533, over the page with zeros in its place.
    bytes[22..26].fill(0);
    let page = 27 + usize::from(bytes[26]) + usize::from(bytes[27]);
    let mut crc = 0_u32;
    for byte in &bytes[..page] {
        crc ^= u32::from(*byte) << 24;
        (0..8).for_each(|_| crc = crc << 1 ^ if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 });
    }
    bytes[22..26].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let turned_down = decode(&path, 4096).unwrap();
    let error = plain.iter().zip(&turned_down).map(|(a, b)| (a * 0.501_187_2 - b).abs()).fold(0.0, f32::max);
    assert!(plain.len() == turned_down.len() && error < 1e-5, "{error}");
}

#[test]
fn channels_of_opus_come_in_the_order_of_wave() {
    let folder = tempfile::tempdir().unwrap();
    for (channels, layout) in [(1, "mono"), (3, "3.0"), (4, "quad"), (5, "5.0"), (6, "5.1"), (7, "6.1"), (8, "7.1")] {
        // A tone of its own on every channel; ffmpeg puts them in the order of WAVE too.
        let sines: Vec<String> = (1..=channels).map(|index| format!("sin({}*t)/4", index * 900)).collect();
        let source = format!("aevalsrc={}:c={layout}:s=48000:d=0.5", sines.join("|"));
        let path = folder.path().join("a.opus");
        let (family, bitrate) = if channels > 2 { ("1", "512k") } else { ("0", "192k") };
        let codec = ["-c:a", "libopus", "-b:a", bitrate, "-mapping_family", family];
        ffmpeg(&[&["-f", "lavfi", "-i", &source], &codec[..], &[path.to_str().unwrap()]].concat());
        let (ours, theirs) = (decode(&path, 4096).unwrap(), reference(&path));
        let error = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(ours.len() == theirs.len() && error < 3e-4, "{layout}: {error}");
    }
}
