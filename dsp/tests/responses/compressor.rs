use mixdown_dsp::nodes::{Compressor, Detection, Processor};

use super::support::{MAX_BLOCK_FRAMES, Rig, bits, noise, render};
use super::{db, from_db};

const RATE_HZ: u32 = 48_000;

fn constant(level_db: f64, frames: usize) -> Vec<f32> {
    vec![from_db(level_db) as f32; frames]
}

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
fn the_static_curve_holds_to_two_hundredths_of_a_db() {
    for (threshold_db, ratio, knee_db) in [(-18.0, 2.0, 6.0), (-40.0, 8.0, 0.0), (-30.0, 100.0, 20.0)] {
        let c = Compressor { threshold_db, ratio, knee_db, attack_ms: 0.1, ..Compressor::default() };
        for step in 0..=40 {
            let level_db = -80.0 + 2.0 * f64::from(step);
            let output = render(&Processor::Compressor(c.clone()), RATE_HZ, &[constant(level_db, 2000)]);
            let measured = db(f64::from(output[0][1999]));
            let expected = static_curve_db(&c, level_db);
            assert!((measured - expected).abs() < 0.02, "{level_db} dB: {measured} instead of {expected}");
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

/// Frames from `start` until the gain has gone 63.2 % of its way in dB.
fn time_constant_frames(input: &[f32], output: &[f32], start: usize, end: usize) -> usize {
    let gain = |frame: usize| db(f64::from(output[frame]) / f64::from(input[frame]));
    let (from, to) = (gain(start - 1), gain(end - 1));
    let reached = |frame: &usize| (gain(*frame) - from) / (to - from) >= 1.0 - 1.0 / core::f64::consts::E - 1e-6;
    (start..end).find(reached).expect("because the gain arrives") + 1 - start
}

#[test]
fn attack_and_release_are_63_percent_times() {
    for (attack_ms, release_ms) in [(1.0, 50.0), (10.0, 120.0), (30.0, 400.0)] {
        let c = Compressor { ratio: 4.0, knee_db: 0.0, attack_ms, release_ms, ..Compressor::default() };
        let frames = |ms: f64| (ms * f64::from(RATE_HZ) / 1000.0) as usize;
        let (rise, fall) = (1000, 1000 + frames(20.0 * attack_ms));
        let end = fall + frames(20.0 * release_ms);
        let input: Vec<f32> =
            (0..end).map(|frame| from_db(if (rise..fall).contains(&frame) { 0.0 } else { -60.0 }) as f32).collect();
        let output = render(&Processor::Compressor(c), RATE_HZ, std::slice::from_ref(&input));
        for (name, ms, start, end) in [("attack", attack_ms, rise, fall), ("release", release_ms, fall, end)] {
            let measured = time_constant_frames(&input, &output[0], start, end);
            let tolerance = (frames(ms) / 200).max(1);
            assert!(measured.abs_diff(frames(ms)) <= tolerance, "{name} {ms} ms: {measured} frames");
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
