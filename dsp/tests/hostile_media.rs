//! Files that were harmed on their way are read or refused, in bounded time and memory. A process of its own, whose memory and
//! processor time nothing else uses.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "support/long.rs"]
mod long;
#[path = "media/tools.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod tools;

use std::path::PathBuf;
use std::sync::OnceLock;

use mixdown_dsp::media::{MediaError, Picture, verify};
use proptest::prelude::*;

use tools::{decode, ffmpeg, make_file, tones};

/// One small whole file of every format, and the folder they lie in.
struct Specimens {
    folder: tempfile::TempDir,
    files: Vec<(PathBuf, Vec<u8>)>,
}

fn specimens() -> &'static Specimens {
    static SPECIMENS: OnceLock<Specimens> = OnceLock::new();
    SPECIMENS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let formats: [(&str, &[&str]); 15] = [
            ("a.wav", &["-c:a", "pcm_s24le"]),
            ("b.wav", &["-c:a", "pcm_f32le"]),
            ("c.wav", &["-c:a", "pcm_s16le", "-rf64", "always"]),
            ("d.aiff", &["-c:a", "pcm_s24be"]),
            ("e.aiff", &["-c:a", "pcm_f32be"]),
            ("f.flac", &["-sample_fmt", "s32"]),
            ("g.m4a", &["-c:a", "alac"]),
            ("h.m4a", &["-c:a", "aac"]),
            ("i.mp3", &["-c:a", "libmp3lame", "-q:a", "4"]),
            ("j.ogg", &["-c:a", "libvorbis"]),
            ("k.caf", &["-c:a", "pcm_s24le"]),
            ("l.aac", &["-c:a", "aac"]),
            ("m.opus", &["-c:a", "libopus"]),
            ("n.caf", &["-c:a", "alac"]),
            ("o.wav", &["-c:a", "pcm_s24le", "-rf64", "always"]),
        ];
        let make = |(name, arguments): (&str, &[&str])| {
            let path = folder.path().join(name);
            make_file(&path, &tones(12_000, 48_000), 2, 48_000, arguments);
            let mut bytes = std::fs::read(&path).unwrap();
            if name == "o.wav" {
                bytes[..4].copy_from_slice(b"BW64");
            }
            (path, bytes)
        };
        let files = formats.map(make).to_vec();
        Specimens { folder, files }
    })
}

/// The greatest memory this process has held, in bytes.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB").trim();
    line.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The processor time this thread has had, in ns (Linux, Documentation/scheduler/sched-stats): a busy machine does not lengthen it.
fn thread_ns() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap()
}

/// What happens to a file on its way.
#[derive(Debug, Clone)]
enum Harm {
    Set(f64, u8),
    SetInHeader(usize, u8),
    /// Four bytes that claim a great length.
    Inflate(usize),
    Cut(f64),
    Remove(f64, usize),
    Repeat(f64, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let place = 0.0_f64..1.0;
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(place, byte)| Harm::Set(place, byte)),
        (0_usize..600, any::<u8>()).prop_map(|(at, byte)| Harm::SetInHeader(at, byte)),
        (0_usize..600).prop_map(Harm::Inflate),
        place.clone().prop_map(Harm::Cut),
        (place.clone(), 1_usize..3_000).prop_map(|(place, length)| Harm::Remove(place, length)),
        (place, 1_usize..3_000).prop_map(|(place, length)| Harm::Repeat(place, length)),
    ]
}

fn apply(harm: &Harm, bytes: &mut Vec<u8>) {
    let length = bytes.len();
    let at = |place: f64| ((length as f64 * place) as usize).min(length.saturating_sub(1));
    match *harm {
        _ if length < 8 => {}
        Harm::Set(place, byte) => bytes[at(place)] = byte,
        Harm::SetInHeader(at, byte) => bytes[at % length] = byte,
        Harm::Inflate(at) => bytes[at % (length - 4)..][..4].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0x7F]),
        Harm::Cut(place) => bytes.truncate(at(place)),
        Harm::Remove(place, count) => drop(bytes.drain(at(place)..length.min(at(place) + count))),
        Harm::Repeat(place, count) => {
            let piece = bytes[at(place)..length.min(at(place) + count)].to_vec();
            bytes.splice(at(place)..at(place), piece);
        }
    }
}

const CODES: [&str; 6] = ["not_audio", "truncated", "corrupt", "empty", "not_finite", "unsupported"];

proptest! {
    #![proptest_config(ProptestConfig { cases: long::rounds(600), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_harmed_file_is_read_or_refused_in_bounded_time_and_memory(
        which in 0_usize..15,
        harms in prop::collection::vec(harm(), 1..6),
        name in "[a-z]{12}",
    ) {
        let Specimens { folder, files } = specimens();
        let (path, mut bytes) = (folder.path().join(name).with_extension(files[which].0.extension().unwrap()), files[which].1.clone());
        harms.iter().for_each(|harm| apply(harm, &mut bytes));
        std::fs::write(&path, &bytes).unwrap();
        let (before, started) = (peak_memory_bytes(), thread_ns());
        match verify(&path) {
            Ok(found) => {
                let samples = decode(&path, 1_000).unwrap().len() as u64;
                prop_assert_eq!(samples, found.frames * u64::from(found.channels));
            }
            Err(MediaError::Bad { code, message, .. }) => prop_assert!(CODES.contains(&code), "{} {}", code, message),
            Err(MediaError::Io { source, .. }) => prop_assert!(false, "an error of the file system: {source}"),
        }
        std::fs::remove_file(&path).unwrap();
        let spent_ns = thread_ns() - started;
        prop_assert!(spent_ns < 5_000_000_000, "{spent_ns} ns");
        // The kernel counts pages late: its high-water mark may read a little lower than before.
        prop_assert!(peak_memory_bytes().saturating_sub(before) < 200 << 20, "{} bytes before", before);
    }
    #[test]
    fn a_harmed_picture_is_read_or_refused(
        which in 0_usize..2,
        harms in prop::collection::vec(harm(), 1..4),
        name in "[a-z]{12}",
    ) {
        static PICTURES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
        let folder = specimens().folder.path();
        let pictures = PICTURES.get_or_init(|| ["p.png", "p.jpg"].map(|name| {
            let path = folder.join(name);
            ffmpeg(&["-f", "lavfi", "-i", "testsrc=s=64x48", "-frames:v", "1", path.to_str().unwrap()]);
            std::fs::read(path).unwrap()
        }));
        let (path, mut bytes) = (folder.join(name), pictures[which].clone());
        harms.iter().for_each(|harm| apply(harm, &mut bytes));
        std::fs::write(&path, &bytes).unwrap();
        match Picture::read(&path) {
            Ok(picture) => prop_assert!(picture.bytes == bytes && picture.width > 0 && picture.height > 0),
            Err(MediaError::Bad { code, message, .. }) => {
                let codes = ["empty", "not_a_picture", "truncated", "corrupt", "too_large"];
                prop_assert!(codes.contains(&code), "{} {}", code, message);
            }
            Err(MediaError::Io { source, .. }) => prop_assert!(false, "an error of the file system: {source}"),
        }
        std::fs::remove_file(&path).unwrap();
    }
}
