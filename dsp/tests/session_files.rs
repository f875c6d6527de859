//! Sessions on disk: files found, named by digest, probed; what is wrong with one stands at the clip that plays it.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use std::path::Path;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::session::{Inspection, from_json, load, to_json};

/// Writes a 16-bit WAV of a rising ramp.
fn write_wav(path: &Path, channels: u16, sample_rate: u32, frames: u32) {
    let spec = hound::WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for frame in 0..frames * u32::from(channels) {
        writer.write_sample((frame % 1000) as i16).unwrap();
    }
    writer.finalize().unwrap();
}

/// A session in `folder` whose clips play `files`, one line each.
fn write_session(folder: &Path, files: &[&str]) -> std::path::PathBuf {
    let clips: String = files.iter().map(|file| format!("  {{ file = \"{file}\" }},\n")).collect();
    let text = format!(
        "version = 1\nsample_rate_hz = 48000\n[[tracks]]\nname = \"t\"\nclips = [\n{clips}]\n\
         [[deliverables]]\nname = \"x\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"16\"\n"
    );
    let path = folder.join("session.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn each_file_is_named_by_its_digest_and_probed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("song")).unwrap();
    write_wav(&folder.path().join("shared.wav"), 2, 44_100, 441);
    write_wav(&folder.path().join("song/own.wav"), 1, 48_000, 480);
    let path = write_session(&folder.path().join("song"), &["own.wav", "../shared.wav", "own.wav"]);
    let session = load(&path, Inspection::Digests).unwrap();
    let names: Vec<_> = session.assets.iter().map(|asset| asset.name.as_str()).collect();
    assert_eq!(names, ["../shared.wav", "own.wav"]);
    let shared = &session.document.assets["../shared.wav"];
    let bytes = std::fs::read(folder.path().join("shared.wav")).unwrap();
    assert_eq!((shared.digest, shared.size_bytes), (Digest::of(&bytes), bytes.len() as u64));
    assert_eq!((shared.frames, shared.sample_rate_hz, shared.channels, shared.lossy), (441, 44_100, 2, false));
    assert_eq!(session.length_frames, 480);
    assert_eq!(load(&path, Inspection::Whole).unwrap(), session);
}

#[test]
fn a_session_in_json_is_the_same_and_keeps_its_places() {
    let folder = tempfile::tempdir().unwrap();
    write_wav(&folder.path().join("a.wav"), 1, 48_000, 480);
    let session = load(&write_session(folder.path(), &["a.wav"]), Inspection::Digests).unwrap();
    let path = folder.path().join("session.json");
    std::fs::write(&path, to_json(&session.document)).unwrap();
    assert_eq!(load(&path, Inspection::Digests).unwrap(), session);
    std::fs::write(&path, "{\"version\": 1,\n  \"sample_rate_hz\": 47000,\n  \"tracks\": [], \"deliverables\": []}")
        .unwrap();
    let faults = load(&path, Inspection::Digests).unwrap_err();
    assert_eq!((faults.0[0].line, faults.0[0].column), (2, 21));
    assert_eq!(faults.0[0].file, path.display().to_string());
}

#[test]
fn files_that_cannot_be_used_are_faults_at_their_first_clip() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    write_wav(&file("good.wav"), 1, 48_000, 480);
    write_wav(&file("empty.wav"), 1, 48_000, 0);
    write_wav(&file("six.wav"), 6, 48_000, 480);
    std::fs::write(file("text.wav"), "once upon a time ".repeat(100)).unwrap();
    std::fs::create_dir(file("folder.wav")).unwrap();
    let files = ["good.wav", "gone.wav", "text.wav", "empty.wav", "folder.wav", "six.wav", "gone.wav"];
    let faults = load(&write_session(folder.path(), &files), Inspection::Digests).unwrap_err();
    let found: Vec<_> = faults.0.iter().map(|fault| (fault.code, fault.line, fault.column)).collect();
    let wanted = [
        ("missing_file", 7, 12),
        ("not_audio", 8, 12),
        ("empty", 9, 12),
        ("not_a_file", 10, 12),
        ("too_many_channels", 11, 12),
    ];
    assert_eq!(found, wanted, "{faults}");
    assert_eq!(faults.0[0].pointer, "/tracks/0/clips/1/file");
    assert!(faults.0[0].expected.ends_with("gone.wav"), "{faults}");
}

#[test]
fn a_file_that_breaks_off_or_holds_no_numbers_is_found_when_asked_to_be_thorough() {
    let folder = tempfile::tempdir().unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(folder.path().join("nan.wav"), spec).unwrap();
    for frame in 0..1000 {
        writer.write_sample(if frame == 500 { f32::NAN } else { 0.5 }).unwrap();
    }
    writer.finalize().unwrap();
    let faults = load(&write_session(folder.path(), &["nan.wav"]), Inspection::Whole).unwrap_err();
    assert_eq!((faults.0[0].code, faults.0[0].line), ("not_finite", 6), "{faults}");
}

/// A PNG of 3 by 2 grey pixels; and of the largest size that its header can tell.
fn png(width: u32) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], body: &[u8]| [&(body.len() as u32).to_be_bytes(), &kind[..], body, &[0; 4]].concat();
    let header = [&width.to_be_bytes()[..], &2_u32.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header), &chunk(b"IDAT", &[0; 9]), &chunk(b"IEND", &[])].concat()
}

#[test]
fn a_cover_is_named_by_its_digest_and_measured_and_a_bad_one_is_a_fault_at_its_name() {
    let folder = tempfile::tempdir().unwrap();
    write_wav(&folder.path().join("a.wav"), 1, 48_000, 480);
    let path = write_session(folder.path(), &["a.wav"]);
    let text = std::fs::read_to_string(&path).unwrap() + "[metadata]\ncover = \"cover.png\"\n";
    std::fs::write(&path, text).unwrap();
    let with = |bytes: &[u8]| {
        std::fs::write(folder.path().join("cover.png"), bytes).unwrap();
        load(&path, Inspection::Digests)
    };
    let session = with(&png(3)).unwrap();
    let facts = &session.cover.as_ref().unwrap().facts;
    assert_eq!((facts.digest, facts.width, facts.height), (Digest::of(&png(3)), 3, 2));
    let files: Vec<_> = session.input_files().map(|file| file.name).collect();
    assert_eq!(files, ["a.wav", "cover.png"]);
    assert_eq!(from_json(&to_json(&session.document)).unwrap(), session);

    let jpeg = |size: &[u8]| [&[0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8][..], size, &[3; 10], &[0xFF, 0xD9]].concat();
    let facts = with(&jpeg(&[0, 5, 0, 7])).unwrap().cover.unwrap().facts;
    assert_eq!((facts.width, facts.height), (7, 5));
    let huge = vec![0; 16_000_001];
    let cut = &png(3)[..40];
    for (bytes, code) in [
        (&b""[..], "empty"),
        (b"GIF89a", "not_a_picture"),
        (cut, "truncated"),
        (&jpeg(&[0, 5, 0, 7])[..20], "truncated"),
        (&jpeg(&[0, 0, 0, 7]), "corrupt"),
        (&png(70_000), "corrupt"),
        (&huge, "too_large"),
    ] {
        let faults = with(bytes).unwrap_err();
        assert_eq!(faults.0.len(), 1, "{faults}");
        assert_eq!((faults.0[0].code, faults.0[0].line, faults.0[0].column), (code, 14, 9), "{faults}");
    }
    std::fs::remove_file(folder.path().join("cover.png")).unwrap();
    let faults = load(&path, Inspection::Digests).unwrap_err();
    assert_eq!((faults.0[0].code, faults.0[0].line, faults.0[0].column), ("missing_file", 14, 9), "{faults}");
}

#[test]
fn impulse_responses_are_found_probed_and_refused_like_clips() {
    let folder = tempfile::tempdir().unwrap();
    write_wav(&folder.path().join("a.wav"), 1, 48_000, 480);
    write_wav(&folder.path().join("room.wav"), 4, 96_000, 9600);
    write_wav(&folder.path().join("three.wav"), 3, 48_000, 480);
    std::fs::write(folder.path().join("damaged.wav"), "RIFF and nothing more").unwrap();
    let path = write_session(folder.path(), &["a.wav"]);
    let plain = std::fs::read_to_string(&path).unwrap();
    let with = |file: &str| {
        let room = format!("[[buses]]\nname = \"r\"\ninserts = [{{ convolution = {{ file = \"{file}\" }} }}]\n");
        std::fs::write(&path, format!("{plain}{room}")).unwrap();
        load(&path, Inspection::Whole)
    };
    let session = with("room.wav").unwrap();
    let names: Vec<_> = session.assets.iter().map(|asset| asset.name.as_str()).collect();
    assert_eq!(names, ["a.wav", "room.wav"]);
    assert_eq!(session.buses[0].inserts[0].asset, Some(1));
    // The track does not go through the room: its tail does not count.
    assert_eq!(session.length_frames, 480);
    for (file, code) in [("three.wav", "too_many_channels"), ("gone.wav", "missing_file"), ("damaged.wav", "not_audio")]
    {
        let faults = with(file).unwrap_err();
        assert_eq!(faults.0.len(), 1, "{faults}");
        assert_eq!((faults.0[0].code, faults.0[0].pointer.as_str()), (code, "/buses/0/inserts/0/convolution/file"));
    }
}
