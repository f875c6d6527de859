//! The meter beside ffmpeg's.

use std::process::Command;

use mixdown_dsp::loudness::Meter;
use mixdown_dsp::units::gain_from_db;

use super::measure;
use super::signals::{Noise, buffer};

/// ffmpeg's figures of a file that holds `channels`: (integrated, range, true peak).
fn ffmpeg(sample_rate_hz: u32, channels: &[&[f32]], layout: &str) -> [f64; 3] {
    let folder = tempfile::tempdir().expect("a folder for the signal");
    let file = folder.path().join("signal.f32");
    let bytes: Vec<u8> = (0..channels[0].len())
        .flat_map(|n| channels.iter().flat_map(move |channel| channel[n].to_le_bytes()))
        .collect();
    std::fs::write(&file, bytes).expect("room for the signal");
    let output = Command::new("ffmpeg")
        .args([
            "-hide_banner",
            "-nostdin",
            "-f",
            "f32le",
            "-ar",
            &sample_rate_hz.to_string(),
            "-ch_layout",
            layout,
            "-i",
        ])
        .arg(&file)
        .args(["-af", "ebur128=peak=true", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is the oracle of this test but is not on PATH: run `make test`, which installs it");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ffmpeg failed:\n{log}");
    let summary = log.rsplit("Summary:").next().unwrap_or_default();
    ["I:", "LRA:", "Peak:"].map(|label| {
        let rest = summary.split(label).nth(1).unwrap_or_else(|| panic!("ffmpeg printed no {label}\n{log}"));
        rest.split_whitespace().next().unwrap_or_default().parse().unwrap_or(f64::NAN)
    })
}

/// Music-like noise: swells over 30 dB, lows stronger than highs, channels related but not alike.
fn programme(sample_rate_hz: u32, seconds: u32) -> [Vec<f32>; 2] {
    let mut noise = Noise::new(77);
    let frames = (sample_rate_hz * seconds) as usize;
    let (mut low, mut last, mut left, mut right) = (0.0_f32, [0.0; 2], Vec::new(), Vec::new());
    for n in 0..frames {
        let swell = mixdown_dsp::math::sin(n as f64 / f64::from(sample_rate_hz) * 0.7) * 15.0 - 20.0;
        let gain = gain_from_db(swell) as f32;
        low += (noise.next() - low) * 0.05;
        // Sums of neighbours: nothing near half the rate, where meters may differ.
        let own = [noise.next(), noise.next()];
        left.push(gain * (low + 0.1 * (own[0] + last[0])));
        right.push(gain * (low + 0.1 * (own[1] + last[1])));
        last = own;
    }
    [left, right]
}

#[test]
fn ffmpeg_reads_the_same_to_its_last_printed_digit() {
    for rate in [44_100, 48_000, 96_000] {
        let [left, right] = programme(rate, 60);
        let measured = {
            let mut meter = Meter::new(rate, 2);
            meter.push(&buffer(&[&left, &right]));
            meter.finish()
        };
        let [integrated, range, true_peak] = ffmpeg(rate, &[&left, &right], "stereo");
        let ours = measured.integrated_lufs.unwrap();
        assert!((ours - integrated).abs() <= 0.06, "{rate} Hz: {ours:.3} LUFS, ffmpeg {integrated}");
        let ours = measured.loudness_range_lu.unwrap();
        assert!((ours - range).abs() <= 0.3, "{rate} Hz: {ours:.3} LU, ffmpeg {range}");
        let ours = measured.true_peak_dbtp.unwrap();
        assert!((ours - true_peak).abs() <= 0.3, "{rate} Hz: {ours:.3} dBTP, ffmpeg {true_peak}");
    }
}

#[test]
fn ffmpeg_weighs_the_channels_of_5_1_alike() {
    let mut noise = Noise::new(5);
    let channels: Vec<Vec<f32>> = (1..=6).map(|n| (0..480_000).map(|_| noise.next() / n as f32).collect()).collect();
    let channels: Vec<&[f32]> = channels.iter().map(Vec::as_slice).collect();
    let [integrated, ..] = ffmpeg(48_000, &channels, "5.1");
    let ours = measure(48_000, &channels).integrated_lufs.unwrap();
    assert!((ours - integrated).abs() <= 0.06, "{ours:.3} LUFS, ffmpeg {integrated}");
}
