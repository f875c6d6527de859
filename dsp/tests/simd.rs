//! Unsafe code stands in one file, and what it chooses is speed alone.

use std::path::{Path, PathBuf};

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::interpolator::{Interpolator, convolve};
use mixdown_dsp::kernels::resampler::Resampler;
use mixdown_dsp::simd::Level;

/// Every Rust file below a folder, what Cargo builds left out.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn one_file_allows_unsafe_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut files = Vec::new();
    sources(root, &mut files);
    assert!(files.len() > 100, "{} files", files.len());
    // The lint denies unsafe code everywhere; what remains is to allow it.
    let allows = |text: &str| {
        let dense: String = text.split_whitespace().collect();
        ["allow(", "expect(", "warn("].iter().any(|level| dense.contains(&format!("{level}{}", "unsafe_code")))
    };
    let allowing: Vec<PathBuf> = files
        .iter()
        .filter(|path| allows(&std::fs::read_to_string(path).expect("a source file")))
        .map(|path| path.strip_prefix(root).expect("because it was found there").to_owned())
        .collect();
    assert_eq!(allowing, [Path::new("dsp/src/simd.rs")]);
}

#[test]
fn levels_have_names_that_are_read_back() {
    for level in Level::ALL {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    assert!("sse9".parse::<Level>().is_err());
    assert!(Level::Baseline.is_available());
}

fn noise(frames: usize) -> Vec<f32> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..frames).map(|_| next()).collect()
}

#[test]
fn every_level_gives_the_same_bits() {
    let samples = noise(24_000);
    let mut results: Vec<Vec<u32>> = Vec::new();
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        assert!(level.force());
        let mut bits = Vec::new();
        for channels in 1..=3 {
            for (from_hz, to_hz) in [(44_100, 48_000), (96_000, 44_100), (48_000, 96_000), (44_101, 48_000)] {
                let mut input = Buffer::new(channels, samples.len());
                input.iter_mut().for_each(|channel| channel.copy_from_slice(&samples));
                let (mut resampler, mut out) = (Resampler::new(from_hz, to_hz, channels), Buffer::new(channels, 0));
                resampler.process(&input, &mut out);
                bits.extend(out.iter().flatten().map(|sample| sample.to_bits()));
                resampler.flush(&mut out);
                bits.extend(out.iter().flatten().map(|sample| sample.to_bits()));
            }
        }
        for bank in
            [Interpolator::coarse(), Interpolator::common(), Interpolator::detection(), Interpolator::accurate()]
        {
            bits.extend(samples.windows(2 * bank.reach()).step_by(17).map(|window| bank.peak(window).to_bits()));
        }
        let mut out = vec![0.0; 101];
        convolve(&samples[..64], &samples, &mut out);
        bits.extend(out.iter().map(|value| value.to_bits()));
        results.push(bits);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}
