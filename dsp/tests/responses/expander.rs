use mixdown_dsp::nodes::{Detection, Expander, Processor};

use super::db;
use super::dynamics::{arrival_frames, constant, levels, thd_db, tone};
use super::support::{bits, noise, render};

const RATE_HZ: u32 = 48_000;

fn expanded(expander: &Expander, input: &[f32]) -> Vec<f32> {
    expanded_at(RATE_HZ, expander, input)
}

fn expanded_at(rate_hz: u32, expander: &Expander, input: &[f32]) -> Vec<f32> {
    render(&Processor::Expander(expander.clone()), rate_hz, &[input.to_vec()]).remove(0)
}

/// The compressor's tutorial curve turned about: gain in dB at a level.
fn static_gain_db(e: &Expander, x: f64) -> f64 {
    let (under, knee) = (e.threshold_db - x, e.knee_db);
    let reduction = if 2.0 * under < -knee {
        0.0
    } else if knee > 0.0 && 2.0 * under.abs() <= knee {
        (e.ratio - 1.0) * (under + knee / 2.0) * (under + knee / 2.0) / (2.0 * knee)
    } else {
        (e.ratio - 1.0) * under.max(0.0)
    };
    -reduction.min(e.range_db)
}

#[test]
fn the_static_curve_holds_to_a_thousandth_of_a_db() {
    for (rate_hz, threshold_db, ratio, knee_db, range_db) in [
        (48_000, -45.0, 2.0, 6.0, 100.0),
        (44_100, -30.0, 4.0, 0.0, 40.0),
        (96_000, -20.0, 1.5, 40.0, 20.0),
        (192_000, -50.0, 100.0, 10.0, 80.0),
    ] {
        let e =
            Expander { threshold_db, ratio, knee_db, range_db, attack_ms: 0.05, rms_ms: 1.0, ..Expander::default() };
        for detection in [Detection::Peak, Detection::Rms] {
            let e = Expander { detection, ..e.clone() };
            for step in 0..=80 {
                let level_db = -80.0 + f64::from(step);
                let measured = db(f64::from(expanded_at(rate_hz, &e, &constant(level_db, 2000))[1999])) - level_db;
                let expected = static_gain_db(&e, level_db);
                assert!((measured - expected).abs() < 0.001, "{level_db} dB: {measured} instead of {expected}");
            }
        }
    }
}

#[test]
fn an_rms_detector_gives_a_steady_tone_the_gain_of_its_rms_level() {
    let e = Expander { threshold_db: -20.0, ratio: 3.0, knee_db: 0.0, range_db: 60.0, ..Expander::default() };
    // Ten milliseconds are whole periods of 1 kHz; a sine's RMS lies 3.01 dB below its peak.
    let input = tone(1000.0, 0.05, 24_000);
    let output = expanded(&e, &input);
    let peak = |signal: &[f32]| signal[20_000..].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    let gain_db = db(f64::from(peak(&output) / peak(&input)));
    let expected = static_gain_db(&e, db(0.05) - 3.0103);
    assert!((gain_db - expected).abs() < 0.02, "{gain_db} instead of {expected}");
}

#[test]
fn attack_and_release_are_63_percent_times() {
    for (rate_hz, attack_ms, release_ms) in
        [(48_000, 1.0, 50.0), (48_000, 10.0, 120.0), (44_100, 5.0, 80.0), (96_000, 10.0, 60.0), (192_000, 2.0, 50.0)]
    {
        let e = Expander { knee_db: 0.0, hold_ms: 0.0, attack_ms, release_ms, ..Expander::default() };
        let e = Expander { detection: Detection::Peak, ..e };
        let frames = |ms: f64| (ms * f64::from(rate_hz) / 1000.0) as usize;
        let (rise, fall) = (1000, 1000 + frames(25.0 * attack_ms));
        let end = fall + frames(25.0 * release_ms);
        let input = levels(&[(-60.0, rise), (-10.0, fall - rise), (-60.0, end - fall)]);
        let output = expanded_at(rate_hz, &e, &input);
        for (name, ms, start, end) in [("attack", attack_ms, rise, fall), ("release", release_ms, fall, end)] {
            let measured = arrival_frames(&input, &output, start, end);
            let tolerance = (frames(ms) / 200).max(1);
            assert!(measured.abs_diff(frames(ms)) <= tolerance, "{name} {ms} ms at {rate_hz} Hz: {measured} frames");
        }
    }
}

#[test]
fn it_holds_to_the_frame() {
    let e = Expander { attack_ms: 0.01, hold_ms: 30.0, detection: Detection::Peak, ..Expander::default() };
    for lookahead_ms in [0.0, 3.0] {
        let e = Expander { lookahead_ms, ..e.clone() };
        let latency = (lookahead_ms * 48.0) as usize;
        let mut input = levels(&[(-10.0, 2000), (-60.0, 4000)]);
        input.resize(7000, 0.0);
        let output = &expanded(&e, &input)[latency..];
        assert!(output[1000..2000 + 1440] == input[1000..2000 + 1440], "look-ahead {lookahead_ms} ms");
        assert!(output[2000 + 1440] != input[2000 + 1440], "look-ahead {lookahead_ms} ms");
    }
}

#[test]
fn ratio_1_and_range_0_are_bit_exact() {
    let input = noise(2, 5000, 0.01);
    for e in [Expander { ratio: 1.0, ..Expander::default() }, Expander { range_db: 0.0, ..Expander::default() }] {
        let e = Expander { threshold_db: 0.0, mix: 0.6, ..e };
        assert!(bits(&render(&Processor::Expander(e), RATE_HZ, &input)) == bits(&input));
    }
}

#[test]
fn equal_channels_stay_equal_and_linked_ones_keep_their_balance() {
    let mono = noise(1, 5000, 0.02).remove(0);
    for stereo_link in [0.0, 0.4, 1.0] {
        let e = Expander { threshold_db: -30.0, stereo_link, ..Expander::default() };
        let output = render(&Processor::Expander(e), RATE_HZ, &[mono.clone(), mono.clone()]);
        assert!(bits(&output[..1]) == bits(&output[1..]), "link {stereo_link}");
    }
    let quiet: Vec<f32> = mono.iter().map(|sample| sample * 0.0625).collect();
    let e = Expander { threshold_db: -30.0, ..Expander::default() };
    let output = render(&Processor::Expander(e), RATE_HZ, &[mono, quiet]);
    for (left, right) in output[0].iter().zip(&output[1]) {
        assert!((left * 0.0625 - right).abs() <= 1e-7 * left.abs(), "{left} and {right}");
    }
}

/// Harmonics of 50, 100 and 1000 Hz at −20 dBFS, 20 dB below the threshold, in dB against the tone.
#[test]
fn harmonics_are_those_of_the_page() {
    let base = Expander { threshold_db: 0.0, knee_db: 0.0, range_db: 60.0, ..Expander::default() };
    let held = Expander { detection: Detection::Peak, ..base.clone() };
    let bare = Expander { hold_ms: 0.0, ..held.clone() };
    for (name, e, expected) in [
        ("rms", base, [-140.0; 3]),
        ("peak, hold 20 ms", held, [-140.0; 3]),
        ("peak, no hold", bare, [-37.3, -43.3, -62.8]),
    ] {
        for (hz, expected) in [50.0, 100.0, 1000.0].into_iter().zip(expected) {
            let found = thd_db(&Processor::Expander(e.clone()), hz, -20.0);
            let is_none = expected == -140.0 && found < expected;
            assert!(
                is_none || (found - expected).abs() < 0.1,
                "{name}, {hz} Hz: {found:.1} dB, {expected} on the page"
            );
        }
    }
}
