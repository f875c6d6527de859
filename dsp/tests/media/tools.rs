//! Programs from outside our code that make and judge files, and the signals put into them.

use std::path::Path;
use std::process::Command;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::media::{Decoder, FileSpec, FileWriter, MediaError, Samples};
use mixdown_dsp::session::document::{Depth, Format, Metadata};

/// Runs a program; its standard output.
pub fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("`{program}` cannot be run ({error}): `make test` installs what the tests need");
    });
    assert!(output.status.success(), "{program} {}\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs ffmpeg, silent but for errors, overwriting.
pub fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    run("ffmpeg", &[&["-v", "error", "-y", "-bitexact"], arguments].concat())
}

/// 24-bit noise: the top bits of a 64-bit linear congruential generator (Knuth, MMIX), at −6 dBFS, with both extremes.
pub fn noise(samples: usize) -> Vec<i32> {
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    let mut signal: Vec<i32> = (0..samples)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state as i64 >> 41) as i32
        })
        .collect();
    signal[0] = -8_388_608;
    signal[samples - 1] = 8_388_607;
    signal
}

/// A stereo tone of 997 and 1499 Hz at −6 dBFS in 24 bits, interleaved: what lossy encoders keep well.
#[expect(clippy::disallowed_methods, reason = "a test signal need not have the same bits everywhere")]
pub fn tones(frames: usize, sample_rate_hz: u32) -> Vec<i32> {
    (0..frames)
        .flat_map(|frame| {
            [997.0, 1499.0].map(|hz| std::f64::consts::TAU * hz * frame as f64 / f64::from(sample_rate_hz))
        })
        .map(|phase| (phase.sin() * 4_194_304.0).round() as i32)
        .collect()
}

/// A sweep from 200 Hz to 12 kHz at −6 dBFS in 24 bits, the same on both channels, interleaved: it resembles itself at no
/// other place.
#[expect(clippy::disallowed_methods, reason = "a test signal need not have the same bits everywhere")]
pub fn sweep(frames: usize, sample_rate_hz: u32) -> Vec<i32> {
    let seconds = frames as f64 / f64::from(sample_rate_hz);
    (0..frames)
        .flat_map(|frame| {
            let t = frame as f64 / f64::from(sample_rate_hz);
            let phase = std::f64::consts::TAU * (200.0 * t + 0.5 * 11_800.0 / seconds * t * t);
            [(phase.sin() * 4_194_304.0).round() as i32; 2]
        })
        .collect()
}

/// By how many frames `decoded` lies behind `source`, −1500 to 1500: where their cross-correlation is greatest.
pub fn lag(source: &[f32], decoded: &[f32]) -> i64 {
    let correlation = |lag: i64| -> f64 {
        let (from, behind) = (source.iter().skip(1_500).take(12_000), (1_500 + lag) as usize);
        from.zip(decoded.iter().skip(behind)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    (-1_500..=1_500).max_by(|a, b| correlation(*a).total_cmp(&correlation(*b))).unwrap()
}

/// Writes 24-bit samples as a raw file beside `path` and has ffmpeg make `path` of it.
pub fn make_file(path: &Path, samples: &[i32], channels: usize, sample_rate_hz: u32, arguments: &[&str]) {
    let raw = path.with_extension("s24");
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()[..3].to_vec()).collect();
    std::fs::write(&raw, bytes).unwrap();
    let (rate, count) = (sample_rate_hz.to_string(), channels.to_string());
    let input = ["-f", "s24le", "-ar", &rate, "-ac", &count, "-i", raw.to_str().unwrap()];
    ffmpeg(&[&input, arguments, &[path.to_str().unwrap()]].concat());
}

/// What ffmpeg decodes of a file, interleaved.
pub fn ffmpeg_decode(path: &Path) -> Vec<f32> {
    bytes_as_floats(&ffmpeg(&["-i", path.to_str().unwrap(), "-f", "f32le", "-c:a", "pcm_f32le", "-"]))
}

/// Little-endian 32-bit floats.
pub fn bytes_as_floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// What we decode of a file, interleaved, read in blocks of `block_frames`.
pub fn decode(path: &Path, block_frames: usize) -> Result<Vec<f32>, MediaError> {
    let mut decoder = Decoder::open(path)?;
    let channels = decoder.probe().channels as usize;
    let mut block = Buffer::new(channels, block_frames);
    let mut samples = Vec::new();
    loop {
        block.set_frames(block_frames);
        let frames = decoder.read(&mut block)?;
        if frames == 0 {
            return Ok(samples);
        }
        for frame in 0..frames {
            samples.extend(block.iter().map(|channel| channel[frame]));
        }
    }
}

/// 24-bit integers as the floats they mean.
pub fn floats(samples: &[i32]) -> Vec<f32> {
    samples.iter().map(|sample| *sample as f32 / 8_388_608.0).collect()
}

/// The stable code of a failure.
pub fn code<T>(result: Result<T, MediaError>) -> &'static str {
    match result {
        Ok(_) => "none",
        Err(MediaError::Bad { code, .. }) => code,
        Err(MediaError::Io { .. }) => "io",
    }
}

/// What a failure says.
pub fn message<T>(result: Result<T, MediaError>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

/// A file without tags that holds so many samples.
pub fn spec(format: Format, depth: Depth, channels: usize, sample_rate_hz: u32, samples: usize) -> FileSpec {
    let frames = (samples / channels) as u64;
    let metadata = Metadata::default();
    FileSpec {
        format,
        depth,
        sample_rate_hz,
        channels,
        frames,
        metadata,
        cover: None,
        replay_gain: false,
        broadcast: None,
    }
}

/// Writes a file, some samples at a time; nothing is said of its loudness.
pub fn write(path: &Path, spec: &FileSpec, samples: &[i32], piece: usize) {
    let mut writer = FileWriter::create(path, spec).unwrap();
    samples.chunks(piece).for_each(|piece| writer.write(Samples::Int(piece)).unwrap());
    writer.finish(None).unwrap();
}
