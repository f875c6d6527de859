use std::path::PathBuf;

use mixdown_dsp::media::{Decoder, Probe, probe, verify};
use tempfile::TempDir;

use crate::tools::{code, decode, ffmpeg, floats, make_file, message, noise, tones};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn every_lossless_format_of_24_bits_decodes_to_the_very_samples() {
    let folder = Folder::new();
    for (name, arguments) in [
        ("a.wav", &["-c:a", "pcm_s24le"][..]),
        ("b.wav", &["-c:a", "pcm_s32le"]),
        ("c.wav", &["-c:a", "pcm_f32le"]),
        ("d.wav", &["-c:a", "pcm_f64le"]),
        ("e.wav", &["-c:a", "pcm_s24le", "-rf64", "always"]),
        ("f.aiff", &["-c:a", "pcm_s24be"]),
        ("g.aiff", &["-c:a", "pcm_f32be", "-f", "aiff"]),
        ("h.flac", &["-c:a", "flac", "-bits_per_raw_sample", "24", "-sample_fmt", "s32"]),
        ("i.m4a", &["-c:a", "alac", "-sample_fmt", "s32p"]),
        ("j.caf", &["-c:a", "pcm_s24le"]),
    ] {
        for channels in [1, 2, 6, 8] {
            let (path, samples) = (folder.file(&format!("{channels}{name}")), noise(10_007 * channels));
            if name.ends_with("m4a") && channels == 8 || name.ends_with("caf") && channels > 2 {
                continue;
            }
            make_file(&path, &samples, channels, 48_000, arguments);
            let expected = Probe { frames: 10_007, sample_rate_hz: 48_000, channels: channels as u32, lossy: false };
            assert_eq!(probe(&path).unwrap(), expected, "{channels}{name}");
            assert_eq!(verify(&path).unwrap(), expected, "{channels}{name}");
            let decoded = decode(&path, 1000).unwrap();
            assert!(decoded == floats(&samples), "{channels}{name}: samples differ");
        }
    }
}

#[test]
fn coarser_integers_decode_exactly_too() {
    let folder = Folder::new();
    for (name, bits, arguments) in [
        ("a.wav", 8, &["-c:a", "pcm_u8"][..]),
        ("b.wav", 16, &["-c:a", "pcm_s16le"]),
        ("c.aiff", 16, &["-c:a", "pcm_s16be"]),
        ("d.flac", 16, &["-c:a", "flac", "-sample_fmt", "s16"]),
        ("e.m4a", 16, &["-c:a", "alac", "-sample_fmt", "s16p"]),
    ] {
        let step = 1 << (24 - bits);
        let samples: Vec<i32> = noise(30_001).iter().map(|sample| sample / step * step).collect();
        let path = folder.file(name);
        make_file(&path, &samples, 1, 44_100, arguments);
        assert!(decode(&path, 4096).unwrap() == floats(&samples), "{name}");
    }
}

#[test]
fn blocks_of_any_size_give_the_same_samples() {
    let folder = Folder::new();
    for (name, arguments) in
        [("a.wav", &["-c:a", "pcm_s24le"][..]), ("b.flac", &[]), ("c.mp3", &[]), ("d.ogg", &[]), ("e.opus", &[])]
    {
        let path = folder.file(name);
        make_file(&path, &tones(9_000, 44_100), 2, 44_100, arguments);
        let whole = decode(&path, 65_536).unwrap();
        assert!(decode(&path, 1).unwrap() == whole && decode(&path, 997).unwrap() == whole, "{name}");
    }
}

#[test]
fn an_mp3_without_a_tag_and_a_bare_aac_stream_have_the_length_of_their_packets() {
    let folder = Folder::new();
    for (name, arguments) in
        [("a.mp3", &["-c:a", "libmp3lame", "-q:a", "2", "-write_xing", "0"][..]), ("b.aac", &["-c:a", "aac"])]
    {
        let path = folder.file(name);
        make_file(&path, &tones(50_000, 44_100), 2, 44_100, arguments);
        let frames = probe(&path).unwrap().frames;
        assert!((50_000..54_000).contains(&frames), "{name}: {frames}");
        assert_eq!(decode(&path, 4096).unwrap().len() as u64, frames * 2, "{name}");
    }
}

#[test]
fn text_under_an_audio_name_is_not_audio() {
    let folder = Folder::new();
    for name in ["a.wav", "b.flac", "c.mp3"] {
        std::fs::write(folder.file(name), "Dear studio, please find the mix attached.\n".repeat(500)).unwrap();
        assert_eq!(code(probe(&folder.file(name))), "not_audio");
    }
}

#[test]
fn a_missing_file_and_a_folder_are_errors_of_the_file_system() {
    let folder = Folder::new();
    assert_eq!(code(probe(&folder.file("missing.wav"))), "io");
    assert_eq!(code(probe(folder.0.path())), "io");
}

#[test]
fn a_cut_file_says_what_it_lacks() {
    let folder = Folder::new();
    for (name, arguments) in [
        ("a.wav", &["-c:a", "pcm_s24le"][..]),
        ("b.aiff", &["-c:a", "pcm_s24be"]),
        ("c.flac", &[]),
        ("d.mp3", &[]),
        ("e.ogg", &[]),
        ("f.m4a", &["-c:a", "alac", "-movflags", "faststart"]),
        ("g.m4a", &["-c:a", "aac", "-movflags", "faststart"]),
        ("h.opus", &["-c:a", "libopus"]),
    ] {
        let path = folder.file(name);
        make_file(&path, &tones(48_000, 48_000), 2, 48_000, arguments);
        let whole = std::fs::read(&path).unwrap();
        for part in [0.95, 0.5] {
            std::fs::write(&path, &whole[..(whole.len() as f64 * part) as usize]).unwrap();
            assert_eq!(code(verify(&path)), "truncated", "{name}: {}", message(verify(&path)));
        }
        // What was promised is told in frames, in MP4 in bytes of the box that was cut.
        let told = match path.extension().and_then(|extension| extension.to_str()) {
            Some("wav" | "flac" | "mp3") => "48000",
            Some("m4a") => "of its mdat box",
            _ => "",
        };
        assert!(message(verify(&path)).contains(told), "{}", message(verify(&path)));
    }
}

#[test]
fn a_file_without_frames_is_empty() {
    let folder = Folder::new();
    for name in ["a.wav", "b.aiff"] {
        make_file(&folder.file(name), &[], 2, 48_000, &[]);
        assert_eq!(code(probe(&folder.file(name))), "empty", "{name}");
    }
    std::fs::write(folder.file("c.wav"), []).unwrap();
    assert_eq!(code(probe(&folder.file("c.wav"))), "empty");
}

#[test]
fn nan_and_infinity_name_their_frame_and_channel() {
    let folder = Folder::new();
    let path = folder.file("a.wav");
    make_file(&path, &noise(2 * 20_000), 2, 48_000, &["-c:a", "pcm_f32le"]);
    let whole = std::fs::read(&path).unwrap();
    let data = whole.len() - 2 * 20_000 * 4;
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut bytes = whole.clone();
        bytes[data + (12_345 * 2 + 1) * 4..][..4].copy_from_slice(&bad.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(code(verify(&path)), "not_finite");
        assert!(message(verify(&path)).contains("frame 12345 of channel 2"), "{}", message(verify(&path)));
        assert!(probe(&path).is_ok());
    }
}

#[test]
fn more_than_eight_channels_and_unknown_codecs_are_unsupported() {
    let folder = Folder::new();
    make_file(&folder.file("a.wav"), &noise(12 * 100), 12, 48_000, &["-c:a", "pcm_s24le"]);
    assert_eq!(code(probe(&folder.file("a.wav"))), "unsupported");
    make_file(&folder.file("b.wav"), &noise(2 * 5000), 2, 48_000, &["-c:a", "adpcm_ms"]);
    assert_eq!(code(probe(&folder.file("b.wav"))), "unsupported");
}

#[test]
fn a_flac_whose_audio_is_not_that_of_its_checksum_is_corrupt() {
    let folder = Folder::new();
    let path = folder.file("a.flac");
    make_file(&path, &noise(40_000), 1, 48_000, &[]);
    let mut bytes = std::fs::read(&path).unwrap();
    // The MD5 stands at the end of STREAMINFO: 4 bytes of mark, 4 of block header, 18 of facts.
    bytes[26] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(code(verify(&path)), "corrupt");
}

#[test]
fn a_wave_whose_length_a_pipe_left_open_ends_where_the_file_does() {
    let folder = Folder::new();
    let (path, samples) = (folder.file("a.wav"), noise(2 * 3_000));
    make_file(&path, &samples, 2, 48_000, &["-c:a", "pcm_s24le"]);
    let piped = ffmpeg(&["-i", path.to_str().unwrap(), "-c:a", "pcm_s24le", "-f", "wav", "-"]);
    std::fs::write(&path, piped).unwrap();
    assert!(decode(&path, 512).unwrap() == floats(&samples));
}

#[test]
fn the_places_of_the_channels_are_those_the_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    for (layout, extension, mask) in [
        ("5.1", "wav", 0x3F),
        ("5.1(side)", "wav", 0x60F),
        ("4.0", "wav", 0x107),
        ("7.1", "wav", 0x63F),
        ("stereo", "wav", 0),
        ("5.1", "flac", 0x3F),
        ("7.1", "flac", 0x63F),
    ] {
        let path = folder.path().join(format!("places.{extension}"));
        let source = format!("anullsrc=cl={layout}:r=48000");
        ffmpeg(&["-f", "lavfi", "-i", &source, "-t", "0.1", path.to_str().unwrap()]);
        assert_eq!(Decoder::open(&path).unwrap().speakers(), mask, "{layout} in {extension}");
    }
}
