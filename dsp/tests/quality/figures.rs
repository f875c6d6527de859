//! Figures against closed forms.

use core::f64::consts::TAU;

use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::quality::{Analyzer, Quality, Source};

use super::signals::{Noise, buffer, part};
use super::{analyse, analyse_bits};

const RATES: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

fn tone(sample_rate_hz: u32, hz: f64, amplitude: f64, degrees: f64, seconds: f64) -> Vec<f32> {
    let step = TAU * hz / f64::from(sample_rate_hz);
    let frames = (seconds * f64::from(sample_rate_hz)) as usize;
    (0..frames).map(|n| (amplitude * (step * n as f64 + degrees.to_radians()).sin()) as f32).collect()
}

fn noise(seed: u64, frames: usize) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    (0..frames).map(|_| 0.25 * noise.next()).collect()
}

#[track_caller]
fn assert_near(what: &str, found: Option<f64>, expected: f64, tolerance: f64) {
    let found = found.unwrap_or_else(|| panic!("{what}: nothing"));
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, not {expected}");
}

#[test]
fn a_sine_has_the_level_crest_and_ratios_of_a_sine_at_every_rate() {
    for rate in RATES {
        let sine = tone(rate, 1000.0, 0.5, 0.0, 10.0);
        let analysis = analyse(rate, &[&sine, &sine]);
        let (quality, measured) = (&analysis.quality, &analysis.measurement);
        let channel = &quality.channels[0];
        assert_near("sample peak", channel.sample_peak_dbfs, -6.02, 0.02);
        assert_near("true peak", channel.true_peak_dbtp, -6.02, 0.01);
        assert_near("mean square", channel.rms_dbfs, -9.03, 0.01);
        assert_near("crest", channel.crest_db, 3.01, 0.02);
        // Two channels of −6.02 dBFS at 1000 Hz: −6.02 − 0.691 + 0.698 LUFS.
        assert_near("integrated", measured.integrated_lufs, -6.014, 0.01);
        assert_near("PLR", quality.loudness.plr_lu, 0.0, 0.02);
        assert_near("PSR", quality.loudness.psr_min_lu, 0.0, 0.03);
        assert_near("PSR median", quality.loudness.psr_median_lu, 0.0, 0.03);
        // All its power lies within the band around 1 kHz; the nearest middle is 20·2^(68/12) = 1015.9 Hz.
        let spectrum = &quality.spectrum;
        let loudest = (0..spectrum.levels_dbfs.len())
            .max_by(|a, b| spectrum.levels_dbfs[*a].partial_cmp(&spectrum.levels_dbfs[*b]).unwrap())
            .unwrap();
        assert!((spectrum.frequencies_hz[loudest] / 1000.0).log2().abs() <= 1.0 / 12.0, "{loudest}");
        assert_near("level at 1 kHz", spectrum.levels_dbfs[loudest], -9.03, 0.1);
    }
}

#[test]
fn the_correlation_of_two_sines_is_the_cosine_of_their_angle() {
    for (degrees, mono_loss_lu) in [(0.0, 0.0), (60.0, 1.25), (90.0, 3.01), (120.0, 6.02), (150.0, 11.74)] {
        let (left, right) = (tone(48_000, 500.0, 0.5, 0.0, 4.0), tone(48_000, 500.0, 0.5, degrees, 4.0));
        let stereo = analyse(48_000, &[&left, &right]).quality.stereo.unwrap();
        let cosine = f64::to_radians(degrees).cos();
        assert_near("mean", stereo.mean_correlation, cosine, 0.001);
        assert!(stereo.correlation.iter().all(|value| (value.unwrap() - cosine).abs() < 0.002), "{degrees}");
        let band = stereo.bands.iter().find(|band| band.middle_hz == 500.0).unwrap();
        assert_near("band", band.correlation, cosine, 0.002);
        assert_eq!(band.in_trouble, cosine < -0.3, "{degrees}");
        // What both loudspeakers play instead has (1 + cos)/2 of the power.
        assert_near("mono", stereo.mono_loss_lu, mono_loss_lu, 0.01);
    }
}

#[test]
fn unrelated_noise_is_uncorrelated_level_in_every_band_and_loses_3_lu_in_mono() {
    let frames = 48_000 * 60;
    let (left, right) = (noise(1, frames), noise(2, frames));
    let quality = analyse(48_000, &[&left, &right]).quality;
    let stereo = quality.stereo.as_ref().unwrap();
    assert_near("correlation", stereo.mean_correlation, 0.0, 0.01);
    assert_near("mono", stereo.mono_loss_lu, 3.01, 0.1);
    // Uniform noise of ±0.25 has a power of 0.25²/3, evenly over 24 kHz: a band of 1/6 octave has its share.
    for (hz, level) in quality.spectrum.frequencies_hz.iter().zip(&quality.spectrum.levels_dbfs).skip(30) {
        let width = hz * (2_f64.powf(1.0 / 12.0) - 2_f64.powf(-1.0 / 12.0));
        if hz * 2_f64.powf(1.0 / 12.0) < 23_000.0 {
            let expected = 10.0 * (0.0625 / 3.0 * width / 24_000.0).log10();
            assert_near(&format!("{hz} Hz"), *level, expected, 0.5);
        }
    }
    assert!(!stereo.mono_as_stereo && !stereo.inverted_channel);
}

#[test]
fn a_true_peak_between_samples_is_told_with_its_place_and_channel() {
    // fs/4 at 45° peaks 3 dB above its samples; a burst in the right channel at 2.5 s, a lower one in the left at 4.25 s.
    let rate = 48_000;
    let mut channels = [vec![0.0; 6 * rate], vec![0.0; 6 * rate]];
    let mut burst = |channel: usize, at: usize, amplitude: f64| {
        for n in 0..400_usize {
            let fade = (n.min(399 - n) as f64 / 200.0).min(1.0);
            let x = fade * amplitude * (TAU * 0.25 * n as f64 + TAU / 8.0).sin();
            channels[channel][at + n] = x as f32;
        }
    };
    burst(1, 120_000, 0.8);
    burst(0, 204_000, 0.4);
    let quality = analyse(rate as u32, &[&channels[0], &channels[1]]).quality;
    let loudest = quality.true_peaks.iter().max_by(|a, b| a.dbtp.total_cmp(&b.dbtp)).unwrap();
    assert_eq!(loudest.channel, 1);
    assert!((loudest.at_seconds - 120_200.0 / 48_000.0).abs() < 0.0005, "{loudest:?}");
    assert_near("its level", Some(loudest.dbtp), 20.0 * 0.8_f64.log10(), 0.1);
    let left = quality.true_peaks.iter().find(|peak| peak.channel == 0).unwrap();
    assert!((left.at_seconds - 204_200.0 / 48_000.0).abs() < 0.0005, "{left:?}");
    assert_near("the left one", Some(left.dbtp), 20.0 * 0.4_f64.log10(), 0.1);
    assert_near("channel", quality.channels[1].true_peak_dbtp, loudest.dbtp, 0.0);
}

#[test]
fn maxima_are_told_with_the_end_of_their_windows() {
    let rate = 48_000;
    let mut signal = tone(rate, 1000.0, 0.05, 0.0, 20.0);
    let loud = tone(rate, 1000.0, 0.5, 0.0, 3.0);
    signal[8 * rate as usize..][..loud.len()].copy_from_slice(&loud);
    let analysis = analyse(rate, &[&signal, &signal]);
    let course = &analysis.quality.loudness;
    assert_near("short-term", course.short_term_max_at_seconds, 11.0, 0.02);
    assert!((8.39..=11.05).contains(&course.momentary_max_at_seconds.unwrap()), "{course:?}");
    let greatest = |values: &[Option<f64>]| values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_near("momentary", analysis.measurement.momentary_max_lufs, greatest(&course.momentary_lufs), 0.006);
    assert_near("short-term", analysis.measurement.short_term_max_lufs, greatest(&course.short_term_lufs), 0.006);
}

#[test]
fn the_least_psr_is_that_of_the_densest_three_seconds() {
    // Clicks of 0.9 twice a second over a tone are dynamic; the tone alone, louder, is not.
    let rate = 48_000;
    let mut signal = tone(rate, 1000.0, 0.2, 0.0, 12.0);
    signal[6 * rate as usize..].iter_mut().for_each(|x| *x *= 1.5);
    for at in (0..6 * rate as usize).step_by(24_000) {
        signal[at] = 0.9;
    }
    let course = analyse(rate, &[&signal, &signal]).quality.loudness;
    assert_near("least", course.psr_min_lu, 0.0, 0.05);
    assert!((9.0..=12.0).contains(&course.psr_min_at_seconds.unwrap()), "{course:?}");
    // In the first half the peak is 0.9 or a little more between the samples, S about −14 LUFS.
    assert!(course.psr_median_lu.unwrap() > 0.5, "{course:?}");
}

#[test]
fn the_histogram_holds_every_stretch_once() {
    let rate = 48_000;
    let mut signal = tone(rate, 1000.0, 0.5, 0.0, 3.0);
    signal.extend(tone(rate, 1000.0, 0.05, 0.0, 1.0));
    signal.extend(vec![0.0; rate as usize]);
    let histogram = analyse(rate, &[&signal]).quality.histogram;
    let share = |level: f64| histogram.shares[(level - histogram.from_dbfs) as usize];
    assert_eq!((share(-9.03 - 0.97), share(-29.03 - 0.97), histogram.below), (0.6, 0.2, 0.2), "{histogram:?}");
}

#[test]
fn the_same_samples_give_the_same_bytes_however_they_are_cut() {
    for rate in [44_100, 96_000, 11_025] {
        let frames = 4 * rate as usize + 1234;
        let whole = buffer(&[&noise(7, frames), &noise(8, frames)]);
        let source = Source { sample_rate_hz: rate, channels: 2, speakers: 0, nominal_bits: Some(24) };
        let json = |block: usize| {
            let mut analyzer = Analyzer::with_limit(source, TruePeakReader::strict, 0.25);
            for start in (0..frames).step_by(block) {
                analyzer.push(&part(&whole, start, frames.min(start + block)));
            }
            let analysis = analyzer.finish();
            (serde_json::to_string(&analysis.quality).unwrap(), analysis.window_peaks.len())
        };
        let expected = json(frames);
        for block in [1, 17, 256, 441, 4096] {
            assert!(json(block) == expected, "{rate} Hz, blocks of {block}");
        }
    }
}

#[test]
fn equal_samples_have_equal_digests_and_one_bit_makes_another() {
    let samples = noise(3, 10_000);
    let mut other = samples.clone();
    other[5000] += 1e-6;
    let digest = |samples: &[f32], bits: u32| analyse_bits(48_000, &[samples], bits).quality.samples_digest;
    assert_eq!(digest(&samples, 24), digest(&samples, 32));
    assert_ne!(digest(&samples, 24), digest(&other, 24));
    let mut bytes = Vec::new();
    samples.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    assert_eq!(digest(&samples, 24), mixdown_dsp::digest::Digest::of(&bytes));
}

#[test]
fn two_hours_fit_a_document_of_250_kilobytes() {
    let rate = 8_000;
    let source = Source { sample_rate_hz: rate, channels: 2, speakers: 0, nominal_bits: Some(32) };
    let mut analyzer = Analyzer::new(source, TruePeakReader::new);
    let block = buffer(&[&noise(1, 80_000), &noise(2, 80_000)]);
    (0..720).for_each(|_| analyzer.push(&block));
    let analysis = analyzer.finish();
    assert_eq!(analysis.measurement.duration_seconds, 7200.0);
    let json = serde_json::to_string(&analysis.quality).unwrap();
    println!("{} bytes, {} columns", json.len(), analysis.quality.loudness.momentary_lufs.len());
    assert!(json.len() < 250_000, "{}", json.len());
    assert_eq!(serde_json::from_str::<Quality>(&json).unwrap(), analysis.quality);
}

#[test]
fn files_of_no_frames_and_of_one_are_analysed() {
    for frames in [0, 1, 100] {
        let analysis = analyse(48_000, &[&vec![0.5; frames], &vec![0.5; frames]]);
        assert_eq!(analysis.measurement.frames, frames as u64);
        assert!(serde_json::to_string(&analysis.quality).is_ok());
    }
}
