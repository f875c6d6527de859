use mixdown_dsp::nodes::{Compressor, Detection, Processor, Smoothing};

use super::dynamics::{amplitude, arrival_frames, constant, levels, thd_db, tone};
use super::support::{MAX_BLOCK_FRAMES, Rig, bits, noise, render};
use super::{db, from_db};

const RATE_HZ: u32 = 48_000;

/// Output level in dB as the tutorial of Giannoulis, Massberg and Reiss (2012) has it.
fn static_curve_db(c: &Compressor, x: f64) -> f64 {
    let (over, knee) = (x - c.threshold_db, c.knee_db);
    if 2.0 * over < -knee {
        x
    } else if knee > 0.0 && 2.0 * over.abs() <= knee {
        x + (1.0 / c.ratio - 1.0) * (over + knee / 2.0) * (over + knee / 2.0) / (2.0 * knee)
    } else {
        c.threshold_db + over / c.ratio
    }
}

#[test]
fn the_static_curve_holds_to_a_thousandth_of_a_db() {
    for (rate_hz, threshold_db, ratio, knee_db) in [
        (RATE_HZ, -18.0, 2.0, 6.0),
        (RATE_HZ, -40.0, 8.0, 0.0),
        (RATE_HZ, -30.0, 100.0, 20.0),
        (44_100, -24.0, 4.0, 12.0),
        (88_200, -35.0, 3.0, 40.0),
        (96_000, -20.0, 1.5, 6.0),
        (176_400, -50.0, 20.0, 0.0),
        (192_000, -18.0, 2.0, 6.0),
    ] {
        let c = Compressor { threshold_db, ratio, knee_db, attack_ms: 0.05, ..Compressor::default() };
        for step in 0..=160 {
            let level_db = -80.0 + 0.5 * f64::from(step);
            let output = render(&Processor::Compressor(c.clone()), rate_hz, &[constant(level_db, 2000)]);
            let measured = db(f64::from(output[0][1999]));
            let expected = static_curve_db(&c, level_db);
            assert!((measured - expected).abs() < 0.001, "{level_db} dB at {rate_hz} Hz: {measured}, not {expected}");
        }
    }
}

#[test]
fn rms_detection_reads_the_mean_square_of_its_window() {
    // A square-ish pattern whose mean square over any 480 frames is a quarter: 1 in 4 samples is full scale.
    let c = Compressor {
        threshold_db: -20.0,
        ratio: 4.0,
        knee_db: 0.0,
        attack_ms: 0.1,
        detection: Detection::Rms,
        rms_ms: 10.0,
        ..Compressor::default()
    };
    let input: Vec<f32> = (0..4800).map(|frame| if frame % 4 == 0 { 1.0 } else { 0.0 }).collect();
    let output = render(&Processor::Compressor(c.clone()), RATE_HZ, &[input]);
    let gain_db = db(f64::from(output[0][4796]));
    let level_db = db(0.5);
    let expected = static_curve_db(&c, level_db) - level_db;
    assert!((gain_db - expected).abs() < 0.02, "{gain_db} instead of {expected}");
}

#[test]
fn attack_and_release_are_63_percent_times() {
    for (rate_hz, attack_ms, release_ms) in [
        (RATE_HZ, 1.0, 50.0),
        (RATE_HZ, 10.0, 120.0),
        (RATE_HZ, 30.0, 400.0),
        (44_100, 10.0, 120.0),
        (88_200, 3.0, 60.0),
        (192_000, 10.0, 50.0),
    ] {
        let c = Compressor { ratio: 4.0, knee_db: 0.0, attack_ms, release_ms, ..Compressor::default() };
        let frames = |ms: f64| (ms * f64::from(rate_hz) / 1000.0) as usize;
        let (rise, fall) = (1000, 1000 + frames(20.0 * attack_ms));
        let end = fall + frames(20.0 * release_ms);
        let input = levels(&[(-60.0, rise), (0.0, fall - rise), (-60.0, end - fall)]);
        let output = render(&Processor::Compressor(c), rate_hz, std::slice::from_ref(&input));
        for (name, ms, start, end) in [("attack", attack_ms, rise, fall), ("release", release_ms, fall, end)] {
            let measured = arrival_frames(&input, &output[0], start, end);
            let tolerance = (frames(ms) / 200).max(1);
            assert!(measured.abs_diff(frames(ms)) <= tolerance, "{name} {ms} ms at {rate_hz} Hz: {measured} frames");
        }
    }
}

#[test]
fn ratio_1_is_bit_exact_at_any_mix_and_a_pure_delay_with_look_ahead() {
    let input = noise(2, 3000, 1.0);
    for (mix, lookahead_ms) in [(1.0, 0.0), (0.3, 0.0), (0.7, 5.0)] {
        let c = Compressor { ratio: 1.0, mix, lookahead_ms, threshold_db: -60.0, ..Compressor::default() };
        let delay = (lookahead_ms * 48.0) as usize;
        let output = render(&Processor::Compressor(c), RATE_HZ, &input);
        for (output, input) in output.iter().zip(&input) {
            assert!(output[..delay].iter().all(|sample| *sample == 0.0));
            assert!(output[delay..] == input[..input.len() - delay], "mix {mix}, look-ahead {lookahead_ms} ms");
        }
    }
}

#[test]
fn look_ahead_has_the_gain_down_when_the_peak_arrives() {
    let c = Compressor { ratio: 100.0, knee_db: 0.0, attack_ms: 0.5, lookahead_ms: 5.0, ..Compressor::default() };
    let mut input = constant(-40.0, 4000);
    input[2000..].fill(1.0);
    let output = render(&Processor::Compressor(c), RATE_HZ, &[input]);
    // Ten time constants ahead of the step.
    let overshoot = db(f64::from(output[0][2000 + 240])) - (-18.0 + 18.0 / 100.0);
    assert!(overshoot < 0.02, "{overshoot} dB");
    assert!(db(f64::from(output[0][1999])) > -40.1, "the gain fell before the look-ahead");
}

#[test]
fn a_key_drives_the_gain_instead_of_the_signal() {
    let c = Compressor { ratio: 4.0, knee_db: 0.0, attack_ms: 0.1, ..Compressor::default() };
    let (quiet, loud) = (constant(-40.0, 2000), constant(0.0, 2000));
    let keyed = |input: &[f32], key: Vec<Vec<f32>>| {
        let mut rig = Rig::new(&Processor::Compressor(c.clone()), RATE_HZ, 1, &[]);
        let output = rig.run(&[input.to_vec()], Some(&key), &[MAX_BLOCK_FRAMES]);
        db(f64::from(output[0][1999] / input[1999]))
    };
    assert!((keyed(&quiet, vec![loud.clone()]) + 13.5).abs() < 0.02);
    assert!((keyed(&quiet, vec![quiet.clone(), loud.clone()]) + 13.5).abs() < 0.02, "a stereo key links its channels");
    assert_eq!(keyed(&loud, vec![quiet]), 0.0);
}

#[test]
fn channels_are_linked_and_equal_channels_stay_equal() {
    let c = Processor::Compressor(Compressor { threshold_db: -30.0, ..Compressor::default() });
    let mono = noise(1, 3000, 1.0).remove(0);
    let output = render(&c, RATE_HZ, &[mono.clone(), mono.clone()]);
    assert!(bits(&output[..1]) == bits(&output[1..]));

    let quiet: Vec<f32> = mono.iter().map(|sample| sample * 0.0625).collect();
    let linked = render(&c, RATE_HZ, &[mono, quiet]);
    for (left, right) in linked[0].iter().zip(&linked[1]) {
        assert!((left * 0.0625 - right).abs() <= 1e-7 * left.abs(), "{left} and {right}");
    }
}

/// The gain in dB of the last frame of each level.
fn gains_db(c: &Compressor, steps: &[(f64, usize)]) -> Vec<f64> {
    let input = levels(steps);
    let output = render(&Processor::Compressor(c.clone()), RATE_HZ, std::slice::from_ref(&input)).remove(0);
    let ends = steps.iter().scan(0, |end, (_, frames)| {
        *end += frames;
        Some(*end - 1)
    });
    ends.map(|end| db(f64::from(output[end] / input[end]))).collect()
}

#[test]
fn automatic_release_is_fast_after_a_peak_and_slow_after_a_loud_passage() {
    let c = Compressor { ratio: 4.0, knee_db: 0.0, attack_ms: 1.0, release_ms: 60.0, ..Compressor::default() };
    for smoothing in [Smoothing::Branching, Smoothing::Decoupled] {
        let after = |auto_release: bool, loud_frames: usize| {
            let c = Compressor { auto_release, smoothing, ..c.clone() };
            gains_db(&c, &[(0.0, loud_frames), (-60.0, 9600)])[1]
        };
        // 13.5 dB of reduction, 200 ms later: e^(−200/60) of it is 0.48 dB.
        for loud_frames in [960, 240_000] {
            assert!((after(false, loud_frames) + 0.48).abs() < 0.1, "{smoothing:?}: {}", after(false, loud_frames));
        }
        assert!(after(true, 960) > -0.6, "{smoothing:?}: {}", after(true, 960));
        assert!(after(true, 240_000) < -8.0, "{smoothing:?}: {}", after(true, 240_000));
    }
}

#[test]
fn a_filtered_key_hears_less_of_what_is_filtered() {
    let c = Compressor { threshold_db: -50.0, ratio: 100.0, knee_db: 0.0, attack_ms: 5.0, ..Compressor::default() };
    let reduction_db = |c: &Compressor, frequency_hz: f64| {
        let input = tone(frequency_hz, 0.5, 48_000);
        let output = render(&Processor::Compressor(c.clone()), RATE_HZ, std::slice::from_ref(&input)).remove(0);
        let peak = |signal: &[f32]| signal[38_400..].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        -db(f64::from(peak(&output) / peak(&input)))
    };
    // Two octaves below the corner of 12 dB/octave the key is 24 dB down, and so is the reduction at an infinite ratio.
    let high = Compressor { key_high_pass_hz: 400.0, ..c.clone() };
    let heard = reduction_db(&c, 100.0) - reduction_db(&high, 100.0);
    assert!((heard - 24.1).abs() < 1.0, "{heard} dB");
    assert!((reduction_db(&c, 4019.0) - reduction_db(&high, 4019.0)).abs() < 0.1);
    let low = Compressor { key_low_pass_hz: 1000.0, ..c.clone() };
    let heard = reduction_db(&c, 4019.0) - reduction_db(&low, 4019.0);
    assert!((heard - 24.1).abs() < 1.5, "{heard} dB");
    assert!((reduction_db(&c, 100.0) - reduction_db(&low, 100.0)).abs() < 0.1);
}

#[test]
fn the_link_goes_from_each_its_own_gain_to_one_for_both() {
    let c = Compressor { threshold_db: -40.0, ratio: 100.0, knee_db: 0.0, attack_ms: 0.1, ..Compressor::default() };
    let input = [constant(0.0, 2000), constant(-20.0, 2000)];
    for (stereo_link, expected_db) in [(0.0, 20.0), (0.5, 30.0), (1.0, 40.0)] {
        let linked = Processor::Compressor(Compressor { stereo_link, ..c.clone() });
        let output = render(&linked, RATE_HZ, &input);
        let reduction_db = |channel: usize| -db(f64::from(output[channel][1999] / input[channel][1999]));
        assert!((reduction_db(0) - 39.6).abs() < 0.02, "link {stereo_link}: {}", reduction_db(0));
        assert!((reduction_db(1) - expected_db * 0.99).abs() < 0.02, "link {stereo_link}: {}", reduction_db(1));
    }
    // Not linked, each channel has the bits of a compressor of its own.
    let apart = Processor::Compressor(Compressor { stereo_link: 0.0, ..c });
    let input = noise(2, 3000, 1.0);
    let output = render(&apart, RATE_HZ, &input);
    for channel in 0..2 {
        assert!(bits(&output[channel..=channel]) == bits(&render(&apart, RATE_HZ, &input[channel..=channel])));
    }
}

#[test]
fn a_mono_key_drives_both_channels_and_a_stereo_key_each_its_own() {
    let c = Compressor { ratio: 4.0, knee_db: 0.0, attack_ms: 0.1, stereo_link: 0.0, ..Compressor::default() };
    let (quiet, loud) = (constant(-40.0, 2000), constant(0.0, 2000));
    let gains_db = |key: &[Vec<f32>]| {
        let mut rig = Rig::new(&Processor::Compressor(c.clone()), RATE_HZ, 2, &[]);
        let output = rig.run(&[quiet.clone(), quiet.clone()], Some(key), &[MAX_BLOCK_FRAMES]);
        [0, 1].map(|channel| db(f64::from(output[channel][1999] / quiet[0])))
    };
    assert!(gains_db(std::slice::from_ref(&loud)).iter().all(|gain| (gain + 13.5).abs() < 0.02));
    let [left, right] = gains_db(&[quiet.clone(), loud.clone()]);
    assert!(left == 0.0 && (right + 13.5).abs() < 0.02, "{left} and {right} dB");
}

#[test]
fn equal_channels_stay_equal_at_any_link() {
    let mono = noise(1, 3000, 1.0).remove(0);
    for (stereo_link, smoothing) in [(0.0, Smoothing::Decoupled), (0.37, Smoothing::Branching)] {
        let c = Compressor { threshold_db: -30.0, stereo_link, smoothing, ..Compressor::default() };
        let output = render(&Processor::Compressor(c), RATE_HZ, &[mono.clone(), mono.clone()]);
        assert!(bits(&output[..1]) == bits(&output[1..]), "link {stereo_link}");
    }
}

/// Harmonics of 50, 100 and 1000 Hz at −6 dBFS, 12 dB over the threshold, in dB against the tone.
#[test]
fn harmonics_are_those_of_the_page() {
    let base = Compressor { ratio: 4.0, knee_db: 0.0, ..Compressor::default() };
    let decoupled = Compressor { smoothing: Smoothing::Decoupled, ..base.clone() };
    let fast = Compressor { attack_ms: 0.1, release_ms: 30.0, ..base.clone() };
    let rms = Compressor { detection: Detection::Rms, rms_ms: 10.0, ..base.clone() };
    let lookahead = Compressor { lookahead_ms: 10.0, ..base.clone() };
    for (name, c, expected) in [
        ("branching", base, [-42.5, -48.5, -68.4]),
        ("decoupled", decoupled, [-56.6, -68.3, -107.9]),
        ("fast", fast, [-28.6, -33.6, -52.9]),
        ("rms of whole half-periods", rms, [-140.0; 3]),
        ("peaks held over half a period", lookahead, [-140.0; 3]),
    ] {
        for (hz, expected) in [50.0, 100.0, 1000.0].into_iter().zip(expected) {
            let found = thd_db(&Processor::Compressor(c.clone()), hz, -6.0);
            let is_none = expected == -140.0 && found < expected;
            assert!(
                is_none || (found - expected).abs() < 0.1,
                "{name}, {hz} Hz: {found:.1} dB, {expected} on the page"
            );
        }
    }
}

/// Harmonics of high tones fold back at half the sample rate. The worst of them lie as far below the tone as the page says.
#[test]
fn aliases_of_high_tones_stay_below_those_of_the_page() {
    const ALIASES_HZ: [(f64, f64); 5] =
        [(7001.0, 12_995.0), (9001.0, 2995.0), (11_001.0, 14_997.0), (11_001.0, 7005.0), (15_001.0, 2997.0)];
    for (attack_ms, release_ms, smoothing, limit_db) in [
        (0.01, 30.0, Smoothing::Branching, -65.5),
        (0.1, 30.0, Smoothing::Decoupled, -76.5),
        (1.0, 30.0, Smoothing::Decoupled, -96.0),
        (10.0, 120.0, Smoothing::Branching, -84.0),
        (10.0, 120.0, Smoothing::Decoupled, -128.0),
    ] {
        let c = Compressor { ratio: 4.0, knee_db: 0.0, attack_ms, release_ms, smoothing, ..Compressor::default() };
        for (tone_hz, alias_hz) in ALIASES_HZ {
            let input = tone(tone_hz, from_db(-6.0), 96_000);
            let output = render(&Processor::Compressor(c.clone()), RATE_HZ, &[input]).remove(0);
            let found = db(amplitude(&output[48_000..], alias_hz) / amplitude(&output[48_000..], tone_hz));
            assert!(found < limit_db, "{tone_hz} Hz at {alias_hz} Hz, attack {attack_ms} ms: {found:.1} dB");
        }
    }
}
