//! Every lossless format at every rate and depth as the finish delivers it, converted and dithered, read by ffmpeg: null
//! against the float master, which itself is the sine that was put in.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::process::Command;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::finish::deliver;
use mixdown_dsp::math;
use mixdown_dsp::media::pcm::PcmWriter;
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::document::SAMPLE_RATES_HZ;
use mixdown_dsp::session::{ValidSession, from_json};
use serde_json::{Value, json};

const RATE: u32 = 48_000;
const FRAMES: usize = 24_000;
/// Left and right in Hz, at −6 dBFS.
const TONES_HZ: [f64; 2] = [997.0, 6_301.0];

fn tone(hz: f64, frame: usize, sample_rate_hz: u32) -> f64 {
    0.5 * math::sin(std::f64::consts::TAU * hz * frame as f64 / f64::from(sample_rate_hz))
}

/// A mix of the tones.
fn source(folder: &Path) -> PathBuf {
    let path = folder.join("source");
    let mut writer = PcmWriter::create(&path, 2, RATE, FRAMES as u64).unwrap();
    let mut block = Buffer::new(2, FRAMES);
    for (channel, hz) in block.iter_mut().zip(TONES_HZ) {
        channel.iter_mut().enumerate().for_each(|(frame, sample)| *sample = tone(hz, frame, RATE) as f32);
    }
    writer.write(&block).unwrap();
    writer.finish().unwrap();
    path
}

fn session(files: &[Value]) -> ValidSession {
    let document = json!({
        "version": 1, "sample_rate_hz": RATE, "end": FRAMES,
        "assets": { "a.wav": { "digest": "0".repeat(64), "size_bytes": 1, "frames": 48000, "sample_rate_hz": RATE,
            "channels": 2, "lossy": false } },
        "tracks": [{ "name": "A", "clips": [{ "file": "a.wav" }] }],
        "deliverables": files,
    });
    from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
}

/// What ffmpeg decodes of a delivered file, interleaved.
fn delivered(source: &Path, session: &ValidSession, index: usize) -> Vec<f64> {
    let (path, _) = deliver(source, session, index, None, None, source.parent().unwrap(), 2, &Unwatched).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&path)
        .args(["-f", "f64le", "-c:a", "pcm_f64le", "-"])
        .output()
        .expect("ffmpeg is there; `make test` installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// The files of one rate: the float master first, then every format, depth and dither.
fn files(sample_rate_hz: u32) -> Vec<Value> {
    let mut files = Vec::new();
    for format in ["wav", "bwf", "aiff", "flac"] {
        for depth in ["32f", "24", "16"] {
            for dither in ["tpdf", "none"] {
                if depth == "32f" && (format == "flac" || dither == "tpdf") {
                    continue;
                }
                files.push(json!({ "name": format!("{format} {depth} {dither}"), "mix": "main", "format": format,
                    "depth": depth, "dither": dither, "sample_rate_hz": sample_rate_hz }));
            }
        }
    }
    files
}

#[test]
fn every_format_at_every_rate_and_depth_is_the_float_master_as_far_as_its_dither_allows() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    for sample_rate_hz in SAMPLE_RATES_HZ {
        let files = files(sample_rate_hz);
        let session = session(&files);
        let master = delivered(&source, &session, 0);
        assert_eq!(master.len(), 2 * FRAMES * sample_rate_hz as usize / RATE as usize);
        // A twentieth of a second from either end, where the converter hears no edge.
        let away = 2 * (sample_rate_hz / 20) as usize;
        for (at, sample) in master.iter().enumerate().take(master.len() - away).skip(away) {
            let off = (sample - tone(TONES_HZ[at % 2], at / 2, sample_rate_hz)).abs();
            assert!(off < 2e-7, "{sample_rate_hz} Hz, sample {at}: {off:e} from the sine");
        }
        for (index, file) in files.iter().enumerate().skip(1) {
            let what = format!("{} at {sample_rate_hz} Hz", file["name"]);
            let (found, depth) = (delivered(&source, &session, index), file["depth"].as_str().unwrap());
            assert_eq!(found.len(), master.len(), "{what}");
            let Ok(bits) = depth.parse::<u32>() else {
                assert!(found == master, "{what}: other floats");
                continue;
            };
            let steps = f64::from(1_u32 << (bits - 1));
            let errors: Vec<f64> = found.iter().zip(&master).map(|(a, b)| (a - b) * steps).collect();
            let most = errors.iter().fold(0.0f64, |most, error| most.max(error.abs()));
            let power = errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64;
            // Rounding makes a twelfth of a step squared, triangular dither a sixth more: a quarter (Lipshitz, Wannamaker,
            // Vanderkooy, JAES 40(5), 1992).
            let (allowed, expected) = if file["dither"] == "tpdf" { (1.5, 0.25) } else { (0.5, 1.0 / 12.0) };
            assert!(most <= allowed && most > 0.9 * allowed, "{what}: {most} steps off");
            // At 24 bits the floats have a grid of their own, a quarter of a step.
            let near = if bits == 24 { 0.15 } else { 0.03 };
            assert!((power / expected - 1.0).abs() < near, "{what}: {power} steps squared of noise");
        }
    }
}

/// The coefficients of a curve as its paper or the script has them, and the rate that it is for.
const CURVES: [(&str, u32, &[f64]); 3] = [
    ("lipshitz_5", 44_100, &[2.033, -2.165, 1.959, -1.590, 0.6149]),
    ("wannamaker_9", 44_100, &[2.412, -3.370, 3.937, -4.174, 3.353, -2.205, 1.281, -0.569, 0.0847]),
    ("threshold_9", 48_000, &[2.41655, -2.68403, 1.22203, 0.45482, -0.91765, 0.19826, 0.40672, -0.41198, 0.11920]),
];

/// Noise that a curve has shaped is that of flat dither through 1 − Σ cₖ·z⁻ᵏ: its power is a quarter of a step squared times
/// 1 + Σ cₖ² (Parseval), and what comes out of the inverse of the filter is flat dither again.
#[test]
fn shaped_noise_in_a_delivered_file_has_the_power_and_the_shape_of_its_curve() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    for (name, sample_rate_hz, coefficients) in CURVES {
        let of = |format: &str, depth: &str, dither: &str| {
            json!({ "name": format!("{format} {depth} {dither}"), "mix": "main", "format": format, "depth": depth,
                "dither": dither, "sample_rate_hz": sample_rate_hz })
        };
        let files = [of("wav", "32f", "none"), of("wav", "16", name), of("flac", "16", name), of("aiff", "16", name)];
        let session = session(&files);
        let master = delivered(&source, &session, 0);
        for (index, file) in files.iter().enumerate().skip(1) {
            let what = format!("{} at {sample_rate_hz} Hz", file["name"]);
            let found = delivered(&source, &session, index);
            assert_eq!(found.len(), master.len(), "{what}");
            let noise: Vec<f64> = found.iter().zip(&master).map(|(a, b)| (a - b) * 32_768.0).collect();
            let power = noise.iter().map(|error| error * error).sum::<f64>() / noise.len() as f64;
            let theory = 0.25 * (1.0 + coefficients.iter().map(|c| c * c).sum::<f64>());
            println!("{what}: {power} steps squared, theory {theory}");
            assert!((power / theory - 1.0).abs() < 0.04, "{what}: {power} steps squared, theory {theory}");
            let (mut white, mut whitened) = (noise.clone(), 0.0);
            for at in 0..white.len() {
                // Two channels lie side by side.
                let past = coefficients.iter().zip(1..).filter_map(|(c, k)| Some(c * white[at.checked_sub(2 * k)?]));
                white[at] += past.sum::<f64>();
                whitened += white[at] * white[at];
            }
            whitened /= noise.len() as f64;
            println!("{what}: whitened {whitened}");
            assert!((whitened / 0.25 - 1.0).abs() < 0.04, "{what}: {whitened} steps squared without the curve");
        }
    }
}
