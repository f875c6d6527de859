//! Distortion and noise of the converter beside those of others, all with samples of 32 bits.
//!
//! Tones of a whole number of Hz, of which one second is transformed as it is: each falls on one bin, and all else is what
//! the converter added.

use std::process::Command;

use super::{convert, sine};

/// The powers of the bins of one second, 1 Hz apart: a Fourier transform whose length has small factors.
fn powers(second: &[f32]) -> Vec<f64> {
    let mut bins = transform(&second.iter().map(|sample| (f64::from(*sample), 0.0)).collect::<Vec<_>>());
    bins.truncate(second.len() / 2 + 1);
    bins.into_iter().map(|(re, im)| re * re + im * im).collect()
}

/// Cooley and Tukey's transform for any factors.
fn transform(x: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let n = x.len();
    let Some(factor) = (2..=n).find(|factor| n.is_multiple_of(*factor)) else { return x.to_vec() };
    let part = n / factor;
    let parts: Vec<Vec<(f64, f64)>> = (0..factor)
        .map(|first| transform(&x.iter().skip(first).step_by(factor).copied().collect::<Vec<_>>()))
        .collect();
    (0..n)
        .map(|bin| {
            parts.iter().enumerate().fold((0.0, 0.0), |(re, im), (first, values)| {
                let (sin, cos) = (-std::f64::consts::TAU * ((first * bin) % n) as f64 / n as f64).sin_cos();
                let (a, b) = values[bin % part];
                (re + a * cos - b * sin, im + a * sin + b * cos)
            })
        })
        .collect()
}

/// The strongest other bin and the sum of all others, in dB under the tone of `hz`, not counting direct current; and how far
/// the tone of half of full scale is off its level, in dB.
fn spurious_noise_and_droop(converted: &[f32], rate_hz: u32, hz: usize) -> [f64; 3] {
    let second = rate_hz as usize;
    let middle = (converted.len() - second) / 2;
    let powers = powers(&converted[middle..][..second]);
    let others = powers.iter().enumerate().skip(1).filter(|(bin, _)| *bin != hz).map(|(_, power)| *power);
    let (most, sum) = others.fold((0.0, 0.0), |(most, sum): (f64, f64), power| (most.max(power), sum + power));
    let [most, sum] = [most, sum].map(|power| 10.0 * (power / powers[hz]).log10());
    let amplitude = 2.0 * powers[hz].sqrt() / second as f64;
    [most, sum, (20.0 * (amplitude / 0.5).log10()).abs()]
}

/// What sox or ffmpeg makes of a tone.
fn convert_by(tool: &str, from_hz: u32, to_hz: u32, samples: &[f32]) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.f32");
    std::fs::write(&path, samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    let (from, to, path) = (from_hz.to_string(), to_hz.to_string(), path.to_str().unwrap().to_owned());
    let output = match tool.strip_prefix("ffmpeg ") {
        Some(options) => {
            let filter = format!("aresample={to}:{options}");
            let input = ["-v", "error", "-f", "f32le", "-ar", &from, "-ac", "1", "-i", &path];
            Command::new("ffmpeg").args(input).args(["-af", &filter, "-f", "f32le", "-c:a", "pcm_f32le", "-"]).output()
        }
        None => {
            let input = ["-D", "-t", "f32", "-r", &from, "-c", "1", &path, "-t", "f32", "-", "rate"];
            Command::new("sox").args(input).args(tool.split(' ').skip(2)).arg(&to).output()
        }
    };
    let output = output.unwrap_or_else(|error| panic!("{tool} cannot be run ({error}): `make test` installs it"));
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

const OTHERS: [&str; 4] =
    ["sox rate -v", "sox rate -v -b 99.7", "ffmpeg resampler=soxr:precision=28", "ffmpeg resampler=soxr:precision=33"];

#[test]
fn at_32_bits_no_other_converter_has_less_distortion_or_noise() {
    for (from_hz, to_hz) in [(96_000, 44_100), (44_100, 48_000), (48_000, 44_100)] {
        // Tones up to 20 kHz, at half of full scale.
        let tones: Vec<(usize, Vec<f32>)> = [1000, 7001, 18_000, 19_997]
            .into_iter()
            .map(|hz: u32| (hz as usize, sine(f64::from(hz), from_hz, 2 * from_hz as usize, 0.5)))
            .collect();
        let row = |convert: &dyn Fn(&[f32]) -> Vec<f32>| {
            let measured: Vec<[f64; 3]> =
                tones.iter().map(|(hz, tone)| spurious_noise_and_droop(&convert(tone), to_hz, *hz)).collect();
            let spurious = measured.iter().map(|[spurious, ..]| *spurious).fold(f64::NEG_INFINITY, f64::max);
            ([spurious, measured[0][1], measured[2][1]], measured[3][2])
        };
        let (ours, droop) = row(&|tone| convert(from_hz, to_hz, tone));
        println!(
            "{from_hz} to {to_hz} Hz, spurious, THD+N at 1 and 18 kHz in dBc: {ours:.1?}, off by {droop:.5} dB at 20 kHz"
        );
        for tool in OTHERS {
            let (theirs, their_droop) = row(&|tone| convert_by(tool, from_hz, to_hz, tone));
            println!("    {tool}: {theirs:.1?}, off by {their_droop:.5} dB");
            // What both add lies under the rounding to 32 bits, which is all that is read here; by a decibel differ the ways in
            // which one tone happens to be rounded. So these columns hold a tie, and the level near the edge decides.
            for (ours, theirs) in ours.into_iter().zip(theirs) {
                assert!(ours <= theirs + 1.0, "{tool}, {from_hz} to {to_hz} Hz: {theirs} dBc, ours {ours}");
            }
            assert!(droop < their_droop, "{tool}, {from_hz} to {to_hz} Hz: off by {their_droop} dB, ours {droop}");
        }
    }
}
