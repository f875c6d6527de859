use core::f64::consts::{PI, TAU};

use mixdown_dsp::kernels::ballistics::Smoothing;
use mixdown_dsp::math;
use mixdown_dsp::nodes::{CompressorBand, Detection, Multiband, Processor};

use super::dynamics::{arrival_frames, levels};
use super::support::{MAX_BLOCK_FRAMES, Rig, bits, impulse, noise, render};
use super::tools::{read_f32, sox};
use super::{audible_hz, db, from_db, spectrum};

const RATE_HZ: u32 = 48_000;
const RATES_HZ: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

fn tone(hz: f64, level_db: f64, frames: usize) -> Vec<f32> {
    let step = TAU * hz / f64::from(RATE_HZ);
    (0..frames).map(|frame| (from_db(level_db) * math::sin(step * frame as f64)) as f32).collect()
}

/// The amplitude of a frequency in the last 100 ms, in which all tones used here have whole periods.
fn level_db(signal: &[f32], hz: f64) -> f64 {
    let end = &signal[signal.len() - 4800..];
    let (re, im) = spectrum(end, hz, f64::from(RATE_HZ));
    db((re * re + im * im).sqrt() / 2400.0)
}

/// Four bands that compress what is above −30 dBFS, whatever its shape.
fn four_bands() -> Multiband {
    let band = CompressorBand {
        threshold_db: -30.0,
        ratio: 4.0,
        knee_db: 0.0,
        attack_ms: 5.0,
        release_ms: 100.0,
        ..CompressorBand::default()
    };
    Multiband {
        crossovers_hz: vec![100.0, 1000.0, 8000.0],
        slope_db_per_octave: 48,
        bands: vec![band; 4],
        detection: Detection::Rms,
        rms_ms: 50.0,
        ..Multiband::default()
    }
}

#[test]
fn at_ratio_1_it_is_the_product_of_the_all_passes_at_every_rate() {
    let crossovers_hz = vec![150.0, 500.0, 2500.0, 7000.0];
    let idle = CompressorBand { ratio: 1.0, threshold_db: -80.0, ..CompressorBand::default() };
    let m = Multiband { crossovers_hz: crossovers_hz.clone(), bands: vec![idle; 5], ..Multiband::default() };
    for rate_hz in RATES_HZ {
        let response = render(&Processor::Multiband(m.clone()), rate_hz, &impulse(1, rate_hz as usize / 5)).remove(0);
        for hz in audible_hz(30) {
            let (re, im) = spectrum(&response, hz, f64::from(rate_hz));
            let magnitude_db = db((re * re + im * im).sqrt());
            assert!(magnitude_db.abs() < 1e-4, "{magnitude_db} dB at {hz} of {rate_hz} Hz");
            // (1 − √2·s + s²)/(1 + √2·s + s²) at s = j·x turns by −2·atan2(√2·x, 1 − x²).
            let turn = |corner: &f64| {
                let x = math::tan(PI * hz / f64::from(rate_hz)) / math::tan(PI * corner / f64::from(rate_hz));
                let (re, im) = (1.0 - x * x, core::f64::consts::SQRT_2 * x);
                let power = re * re + im * im;
                ((re * re - im * im) / power, -2.0 * re * im / power)
            };
            let expected =
                crossovers_hz.iter().map(turn).fold((1.0, 0.0), |a, b| (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0));
            let error = ((re - expected.0) * (re - expected.0) + (im - expected.1) * (im - expected.1)).sqrt();
            assert!(error < 2e-5, "{error} at {hz} of {rate_hz} Hz");
        }
    }
}

#[test]
fn each_band_has_its_own_static_curve() {
    // In the middle of each band, where the crossovers of 48 dB/octave leave it alone.
    for (which, hz) in [30.0, 310.0, 2800.0, 18_000.0].into_iter().enumerate() {
        for level in [-60.0, -40.0, -20.0, -6.0] {
            let mut m = four_bands();
            m.bands[which].makeup_db = 3.0;
            let output = render(&Processor::Multiband(m), RATE_HZ, &[tone(hz, level, 48_000)]).remove(0);
            // RMS reads a sine 3.01 dB below its amplitude.
            let over_db = (level - 3.0103 + 30.0).max(0.0);
            let expected = level - over_db * 0.75 + 3.0;
            let found = level_db(&output, hz);
            assert!((found - expected).abs() < 0.03, "{hz} Hz at {level} dB: {found} instead of {expected}");
        }
    }
}

#[test]
fn a_loud_band_leaves_the_others_alone() {
    let (loud, quiet) = (tone(30.0, -6.0, 48_000), tone(2800.0, -50.0, 48_000));
    let input: Vec<f32> = loud.iter().zip(&quiet).map(|(a, b)| a + b).collect();
    let output = render(&Processor::Multiband(four_bands()), RATE_HZ, &[input]).remove(0);
    let (bass, treble) = (level_db(&output, 30.0), level_db(&output, 2800.0));
    assert!((treble + 50.0).abs() < 0.01, "{treble} dB at 2.8 kHz");
    assert!((bass - (-6.0 - 0.75 * (24.0 - 3.0103))).abs() < 0.1, "{bass} dB at 30 Hz");
}

#[test]
fn bypass_and_mix_work_band_by_band() {
    let mut m = four_bands();
    m.bands[0].bypass = true;
    m.bands[2].mix = 0.5;
    let gain_db = |hz| {
        let output = render(&Processor::Multiband(m.clone()), RATE_HZ, &[tone(hz, -10.0, 48_000)]).remove(0);
        level_db(&output, hz) + 10.0
    };
    let full_db = -0.75 * (20.0 - 3.0103);
    assert!(gain_db(30.0).abs() < 0.001, "{}", gain_db(30.0));
    assert!((gain_db(310.0) - full_db).abs() < 0.03, "{}", gain_db(310.0));
    let half_db = db(0.5 + 0.5 * from_db(full_db));
    assert!((gain_db(2800.0) - half_db).abs() < 0.03, "{} instead of {half_db}", gain_db(2800.0));
}

#[test]
fn a_key_is_parted_by_the_same_crossover() {
    let quiet = tone(2800.0, -50.0, 48_000);
    let keyed = |key: Vec<Vec<f32>>| {
        let mut rig = Rig::new(&Processor::Multiband(four_bands()), RATE_HZ, 1, &[]);
        level_db(&rig.run(std::slice::from_ref(&quiet), Some(&key), &[MAX_BLOCK_FRAMES])[0], 2800.0) + 50.0
    };
    let expected = -0.75 * (20.0 - 3.0103);
    let (in_band, stereo, elsewhere) = (
        keyed(vec![tone(2800.0, -10.0, 48_000)]),
        keyed(vec![quiet.clone(), tone(2800.0, -10.0, 48_000)]),
        keyed(vec![tone(310.0, -10.0, 48_000)]),
    );
    assert!((in_band - expected).abs() < 0.03 && (stereo - expected).abs() < 0.03, "{in_band} and {stereo} dB");
    assert!(elsewhere.abs() < 0.02, "{elsewhere} dB");
}

#[test]
fn attack_and_release_are_those_of_the_band() {
    // Steady tones seen through their RMS window of one period: 10 kHz, in a band of its own.
    let band = CompressorBand { threshold_db: -40.0, ratio: 4.0, knee_db: 0.0, ..CompressorBand::default() };
    let times = CompressorBand { attack_ms: 20.0, release_ms: 150.0, ..band.clone() };
    let m = Multiband {
        crossovers_hz: vec![1000.0],
        bands: vec![CompressorBand { bypass: true, ..band }, times],
        detection: Detection::Rms,
        rms_ms: 1.0,
        ..Multiband::default()
    };
    let (loud, quiet) = (tone(10_000.0, -6.0, 96_000), tone(10_000.0, -60.0, 96_000));
    let input: Vec<f32> = (0..96_000).map(|n| if (24_000..48_000).contains(&n) { loud[n] } else { quiet[n] }).collect();
    let output = render(&Processor::Multiband(m), RATE_HZ, std::slice::from_ref(&input)).remove(0);
    // Amplitudes over 0.5 ms.
    let gain_db = |at: usize| {
        let rms = |signal: &[f32]| signal[at..at + 24].iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>();
        db((rms(&output) / rms(&input)).sqrt())
    };
    for (start, end, ms) in [(24_000, 47_900, 20.0), (48_000, 95_900, 150.0)] {
        let (from, to) = (gain_db(start - 100), gain_db(end));
        let reached =
            (start + 480..end).find(|at| (gain_db(*at) - from) / (to - from) > 1.0 - 1.0 / core::f64::consts::E);
        let found_ms = (reached.expect("because it arrives") + 12 - start) as f64 / 48.0;
        // 10 ms after the step the crossover has rung out; the window adds at most its length.
        assert!((0.0..1.6).contains(&(found_ms - ms)), "{found_ms} ms instead of {ms}");
    }
}

#[test]
fn attack_and_release_are_63_percent_times_where_no_crossover_rings() {
    // Direct current in a band up to 20 kHz: the detector reads the level itself.
    let band = CompressorBand { threshold_db: -40.0, ratio: 4.0, knee_db: 0.0, ..CompressorBand::default() };
    for (rate_hz, attack_ms, release_ms) in [(48_000, 20.0, 150.0), (96_000, 10.0, 60.0), (192_000, 30.0, 100.0)] {
        let times = CompressorBand { attack_ms, release_ms, ..band.clone() };
        let bands = vec![times, CompressorBand { bypass: true, ..band.clone() }];
        let m = Multiband { crossovers_hz: vec![20_000.0], bands, ..Multiband::default() };
        let frames = |ms: f64| (ms * f64::from(rate_hz) / 1000.0) as usize;
        let (on, off) = (frames(20.0), frames(20.0 + 25.0 * attack_ms));
        let end = off + frames(25.0 * release_ms);
        let input = levels(&[(-60.0, on), (-6.0, off - on), (-60.0, end - off)]);
        let mut output = render(&Processor::Multiband(m), rate_hz, std::slice::from_ref(&input)).remove(0);
        let settled_db = db(f64::from(output[off - 1] / input[off - 1]));
        assert!((settled_db + 0.75 * 34.0).abs() < 0.02, "{settled_db} dB for 34 dB over at {rate_hz} Hz");
        for (name, ms, from, to) in [("attack", attack_ms, on, off), ("release", release_ms, off, end)] {
            // For half a millisecond after a step the output is the crossover's own, and no gain.
            let before = output[from - 1] / input[from - 1];
            (from..from + frames(0.5)).for_each(|frame| output[frame] = before * input[frame]);
            let found = arrival_frames(&input, &output, from, to);
            let tolerance = (frames(ms) / 200).max(1);
            assert!(found.abs_diff(frames(ms)) <= tolerance, "{name} {ms} ms at {rate_hz} Hz: {found} frames");
        }
    }
}

#[test]
fn channels_are_linked_and_equal_channels_stay_equal() {
    let m = Processor::Multiband(Multiband { smoothing: Smoothing::Decoupled, auto_release: true, ..four_bands() });
    let mono = noise(1, 5000, 1.0).remove(0);
    let output = render(&m, RATE_HZ, &[mono.clone(), mono.clone()]);
    assert!(bits(&output[..1]) == bits(&output[1..]));
    let quiet: Vec<f32> = mono.iter().map(|sample| sample * 0.0625).collect();
    let linked = render(&m, RATE_HZ, &[mono, quiet]);
    for (left, right) in linked[0].iter().zip(&linked[1]) {
        assert!((left * 0.0625 - right).abs() <= 1e-8 + 1e-6 * left.abs(), "{left} and {right}");
    }
}

#[test]
fn at_ratio_1_two_bands_are_those_of_sox() {
    let idle = CompressorBand { ratio: 1.0, ..CompressorBand::default() };
    let m = Multiband { crossovers_hz: vec![1000.0], bands: vec![idle; 2], ..Multiband::default() };
    let input = noise(1, 48_000, 0.25);
    let folder = tempfile::tempdir().expect("because there is room for a folder");
    let straight = "0.005,0.1 -90,-90,0,0";
    let theirs = read_f32(&sox(folder.path(), &input, &["mcompand", straight, "1000", straight]), 1).remove(0);
    let ours = render(&Processor::Multiband(m), RATE_HZ, &input).remove(0);
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-6, "{worst}");
}
