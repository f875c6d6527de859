//! Containers that count in 64 bits, and those whose lengths were left open.

use mixdown_dsp::media::{Probe, probe, verify};

use crate::tools::{code, decode, ffmpeg, floats, make_file, message, noise};

const PROBE: Probe = Probe { frames: 10_007, sample_rate_hz: 48_000, channels: 2, lossy: false };

fn samples() -> Vec<i32> {
    noise(2 * 10_007)
}

fn bytes_of(samples: &[i32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()[..3].to_vec()).collect()
}

/// A chunk of RIFF whose header may say another length.
fn chunk(name: &[u8; 4], length: u32, body: &[u8]) -> Vec<u8> {
    let mut chunk = [&name[..], &length.to_le_bytes(), body].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// The `fmt ` chunk of 24-bit stereo at 48 kHz.
fn format() -> Vec<u8> {
    let body = [&1_u16.to_le_bytes()[..], &2_u16.to_le_bytes(), &48_000_u32.to_le_bytes(), &288_000_u32.to_le_bytes()];
    chunk(b"fmt ", 16, &[&body.concat()[..], &6_u16.to_le_bytes(), &24_u16.to_le_bytes()].concat())
}

/// The `ds64` chunk: sizes of file, data and further chunks.
fn ds64(data_bytes: u64, table: &[(&[u8; 4], u64)]) -> Vec<u8> {
    let sizes = [data_bytes + 1_000, data_bytes, data_bytes / 6].map(u64::to_le_bytes);
    let mut body = [sizes.as_flattened(), &(table.len() as u32).to_le_bytes()].concat();
    for (name, bytes) in table {
        body.extend_from_slice(*name);
        body.extend_from_slice(&bytes.to_le_bytes());
    }
    chunk(b"ds64", body.len() as u32, &body)
}

#[test]
fn rf64_and_bw64_are_read_by_the_lengths_of_their_ds64_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let (path, samples) = (folder.path().join("a.wav"), samples());
    let data = bytes_of(&samples);
    // An odd chunk before the audio, and one whose length only the table tells.
    let odd = chunk(b"bext", 603, &[7; 603]);
    let long = [&b"axml"[..], &u32::MAX.to_le_bytes(), &[b' '; 20]].concat();
    let sizes = ds64(data.len() as u64, &[(b"axml", 20)]);
    for mark in [b"RF64", b"BW64"] {
        let head = [&mark[..], &u32::MAX.to_le_bytes(), b"WAVE", &sizes, &odd, &long, &format()].concat();
        std::fs::write(&path, [head, chunk(b"data", u32::MAX, &data), chunk(b"LIST", 4, b"INFO")].concat()).unwrap();
        assert_eq!(verify(&path).unwrap(), PROBE);
        assert!(decode(&path, 999).unwrap() == floats(&samples));
    }
    // What ffmpeg makes of the first kind.
    make_file(&path, &samples, 2, 48_000, &["-c:a", "pcm_s24le", "-rf64", "always"]);
    assert!(decode(&path, 999).unwrap() == floats(&samples));
}

#[test]
fn a_wave_whose_lengths_were_left_open_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (path, samples) = (folder.path().join("a.wav"), samples());
    let data = bytes_of(&samples);
    for (mark, riff_bytes, data_bytes) in
        [(b"RIFF", 0, 0), (b"RIFF", u32::MAX, u32::MAX), (b"RIFF", 0, data.len() as u32), (b"RF64", 0, u32::MAX)]
    {
        let sizes = if mark == b"RF64" { ds64(0, &[]) } else { chunk(b"JUNK", 28, &[0; 28]) };
        let head = [&mark[..], &u32::to_le_bytes(riff_bytes), b"WAVE", &sizes, &format()].concat();
        std::fs::write(&path, [head, chunk(b"data", data_bytes, &data)].concat()).unwrap();
        assert_eq!(verify(&path).unwrap(), PROBE, "{riff_bytes} {data_bytes}");
        assert!(decode(&path, 999).unwrap() == floats(&samples));
    }
}

#[test]
fn an_rf64_whose_tables_lie_is_refused_with_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let file = |parts: &[&[u8]]| {
        let head = [&b"RF64"[..], &u32::MAX.to_le_bytes(), b"WAVE"].concat();
        std::fs::write(&path, [&head[..], &parts.concat()].concat()).unwrap();
        (code(probe(&path)), message(probe(&path)))
    };
    let data = chunk(b"data", u32::MAX, &[1; 600]);
    let (code, told) = file(&[&ds64(6_000_000_000_000, &[]), &format(), &data]);
    assert!(code == "truncated" && told.contains("1000000000000"), "{code}: {told}");
    let (code, told) = file(&[&chunk(b"ds64", 12, &[0; 12]), &format(), &data]);
    assert!(code == "corrupt" && told.contains("12 bytes"), "{code}: {told}");
    let long = [&b"axml"[..], &u32::MAX.to_le_bytes(), &[b' '; 20]].concat();
    let (code, told) = file(&[&ds64(600, &[(b"axml", u64::MAX)]), &long, &format(), &data]);
    assert!(code == "truncated" && told.contains("axml"), "{code}: {told}");
    let (code, _) = file(&[&ds64(600, &[]), &data]);
    assert_eq!(code, "corrupt");
}

/// Where the body of a chunk of CAF begins: behind its name and 64 bits of length.
fn caf_body(bytes: &[u8], name: &[u8; 4]) -> usize {
    let mut at = 8;
    while &bytes[at..at + 4] != name {
        at += 12 + u64::from_be_bytes(bytes[at + 4..at + 12].try_into().unwrap()) as usize;
    }
    at + 12
}

#[test]
fn caf_of_every_coding_decodes_to_the_very_samples() {
    let folder = tempfile::tempdir().unwrap();
    for (name, step, arguments) in [
        ("a.caf", 256, &["-c:a", "pcm_s16le"][..]),
        ("b.caf", 256, &["-c:a", "pcm_s16be"]),
        ("c.caf", 1, &["-c:a", "pcm_s24be"]),
        ("d.caf", 1, &["-c:a", "pcm_s32le"]),
        ("e.caf", 1, &["-c:a", "pcm_f32le"]),
        ("f.caf", 1, &["-c:a", "pcm_f32be"]),
        ("g.caf", 1, &["-c:a", "alac", "-sample_fmt", "s32p"]),
    ] {
        let path = folder.path().join(name);
        let samples: Vec<i32> = samples().iter().map(|sample| sample / step * step).collect();
        make_file(&path, &samples, 2, 48_000, arguments);
        assert_eq!(verify(&path).unwrap(), PROBE, "{name}");
        assert!(decode(&path, 999).unwrap() == floats(&samples), "{name}");
    }
}

#[test]
fn caf_with_an_odd_chunk_or_an_open_length_is_read_to_its_end_and_a_cut_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, samples) = (folder.path().join("a.caf"), samples());
    make_file(&path, &samples, 2, 48_000, &["-c:a", "pcm_s24le"]);
    let whole = std::fs::read(&path).unwrap();
    let data = caf_body(&whole, b"data");
    // Chunks of CAF have no byte that makes them even.
    let odd = [&b"free"[..], &13_u64.to_be_bytes(), &[0; 13]].concat();
    let with_odd = [&whole[..data - 12], &odd, &whole[data - 12..]].concat();
    // Open lengths stand in the last chunk: here the edit count (4 bytes) and the frames.
    let mut open = whole[..data + 4 + 3 * samples.len()].to_vec();
    open[data - 8..data].copy_from_slice(&u64::MAX.to_be_bytes());
    for (told, bytes) in [("odd", &with_odd), ("open", &open)] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(verify(&path).unwrap(), PROBE, "{told}");
        assert!(decode(&path, 999).unwrap() == floats(&samples), "{told}");
    }
    let piped = ffmpeg(&["-i", path.to_str().unwrap(), "-c:a", "pcm_s24le", "-f", "caf", "-"]);
    std::fs::write(&path, piped).unwrap();
    assert!(decode(&path, 999).unwrap() == floats(&samples), "piped");
    for part in [data + 3_000, data - 4, 20] {
        std::fs::write(&path, &whole[..part]).unwrap();
        let refused = code(verify(&path));
        assert!(["truncated", "corrupt", "unsupported"].contains(&refused), "{part}: {refused}");
    }
}
