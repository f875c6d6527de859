use mixdown_dsp::nodes::{Gate, Processor};

use super::dynamics::{arrival_frames, constant, levels, tone};
use super::support::{MAX_BLOCK_FRAMES, Rig, render};
use super::{db, from_db};

const RATE_HZ: u32 = 48_000;

fn fast() -> Gate {
    Gate { attack_ms: 0.01, hold_ms: 0.0, release_ms: 1.0, ..Gate::default() }
}

fn gated(gate: &Gate, input: &[f32]) -> Vec<f32> {
    render(&Processor::Gate(gate.clone()), RATE_HZ, &[input.to_vec()]).remove(0)
}

#[test]
fn closed_it_lowers_by_its_range_and_open_it_is_bit_exact() {
    for range_db in [0.0, 12.0, 60.0, 100.0] {
        let gate = Gate { range_db, ..fast() };
        for level_db in [-79.0, -60.0, -40.1] {
            let output = gated(&gate, &constant(level_db, 2000));
            for frame in [0, 1999] {
                let gain_db = db(f64::from(output[frame])) - level_db;
                assert!((gain_db + range_db).abs() < 1e-4, "{level_db} dBFS: {gain_db} dB");
            }
        }
        let open = constant(-39.9, 2000);
        assert!(gated(&gate, &open)[200..] == open[200..], "range {range_db} dB");
    }
}

#[test]
fn it_opens_at_the_threshold_and_closes_below_the_hysteresis() {
    let gate = Gate { threshold_db: -30.0, hysteresis_db: 5.0, ..fast() };
    let steps = [(-30.1, false), (-29.9, true), (-34.9, true), (-35.1, false), (-30.1, false), (-29.9, true)];
    let input = levels(&steps.map(|(level_db, _)| (level_db, 2000)));
    let output = gated(&gate, &input);
    for (index, (level_db, is_open)) in steps.into_iter().enumerate() {
        let end = index * 2000 + 1999;
        let gain_db = db(f64::from(output[end] / input[end]));
        let expected = if is_open { 0.0 } else { -60.0 };
        assert!((gain_db - expected).abs() < 0.01, "{level_db} dBFS: {gain_db} dB");
    }
}

#[test]
fn it_holds_to_the_frame() {
    for (hold_ms, frames) in [(0.0, 0), (0.02, 1), (10.0, 480), (123.4, 5923)] {
        for lookahead_ms in [0.0, 4.0] {
            let gate = Gate { hold_ms, lookahead_ms, ..fast() };
            let latency = (lookahead_ms * 48.0) as usize;
            let (last_loud, end) = (1999, 2000 + frames);
            let mut input = levels(&[(-6.0, 2000), (-50.0, 8000)]);
            input.resize(12_000, 0.0);
            let output = &gated(&gate, &input)[latency..];
            let is_open = |frame: usize| output[frame] == input[frame];
            assert!((last_loud - 1000..end).all(is_open), "hold {hold_ms} ms, look-ahead {lookahead_ms} ms");
            assert!(!is_open(end), "hold {hold_ms} ms, look-ahead {lookahead_ms} ms");
        }
    }
}

#[test]
fn a_level_between_the_two_thresholds_renews_the_hold() {
    let gate = Gate { threshold_db: -20.0, hysteresis_db: 6.0, hold_ms: 10.0, ..fast() };
    // 400 frames below, then 10 within the hysteresis, again and again: never 480 in a row.
    let mut steps = vec![(-6.0, 1000)];
    steps.extend([(-60.0, 400), (-24.0, 10)].repeat(5));
    let input = levels(&steps);
    assert!(gated(&gate, &input)[500..] == input[500..]);
}

#[test]
fn attack_and_release_are_63_percent_times_of_the_range() {
    for (rate_hz, attack_ms, release_ms) in
        [(RATE_HZ, 0.5, 50.0), (RATE_HZ, 30.0, 400.0), (44_100, 10.0, 120.0), (96_000, 5.0, 60.0), (192_000, 2.0, 50.0)]
    {
        let gate = Gate { attack_ms, release_ms, hold_ms: 0.0, range_db: 40.0, ..Gate::default() };
        let frames = |ms: f64| (ms * f64::from(rate_hz) / 1000.0) as usize;
        let (rise, fall) = (1000, 1000 + frames(25.0 * attack_ms).max(2000));
        let end = fall + frames(25.0 * release_ms);
        let input = levels(&[(-60.0, rise), (-10.0, fall - rise), (-60.0, end - fall)]);
        let output = render(&Processor::Gate(gate), rate_hz, std::slice::from_ref(&input)).remove(0);
        let gain_db = |frame: usize| db(f64::from(output[frame] / input[frame]));
        let (closed, open) = (gain_db(rise - 1), gain_db(fall - 1));
        assert!((closed + 40.0).abs() < 1e-4 && open.abs() < 1e-4, "{closed} and {open} dB at {rate_hz} Hz");
        for (name, ms, start, end) in [("attack", attack_ms, rise, fall), ("release", release_ms, fall, end)] {
            let measured = arrival_frames(&input, &output, start, end);
            let tolerance = (frames(ms) / 200).max(1);
            assert!(measured.abs_diff(frames(ms)) <= tolerance, "{name} {ms} ms at {rate_hz} Hz: {measured} frames");
        }
    }
}

#[test]
fn look_ahead_opens_it_before_the_sound() {
    let gate = Gate { lookahead_ms: 5.0, attack_ms: 0.2, ..fast() };
    let input = levels(&[(-70.0, 3000), (-6.0, 1000)]);
    let output = &gated(&gate, &input)[240..];
    let gain_db = |frame: usize| db(f64::from(output[frame] / input[frame]));
    assert!((gain_db(3000 - 241) + 60.0).abs() < 0.01, "{}", gain_db(3000 - 241));
    assert!(gain_db(3000).abs() < 0.01, "{}", gain_db(3000));
}

#[test]
fn its_key_may_be_another_sound_and_filtered() {
    let opens = |gate: &Gate, key: Vec<f32>| {
        let input = constant(-60.0, key.len());
        let mut rig = Rig::new(&Processor::Gate(gate.clone()), RATE_HZ, 1, &[]);
        let output = rig.run(std::slice::from_ref(&input), Some(&[key]), &[MAX_BLOCK_FRAMES]);
        let gains = output[0][2400..].iter().map(|sample| db(f64::from(sample / input[0])));
        gains.fold(f64::NEG_INFINITY, f64::max) > -1.0
    };
    let plain = Gate { threshold_db: -20.0, hold_ms: 20.0, ..fast() };
    assert!(opens(&plain, tone(80.0, from_db(-10.0), 4800)));
    assert!(!opens(&plain, tone(80.0, from_db(-25.0), 4800)));
    let high = Gate { key_high_pass_hz: 500.0, ..plain.clone() };
    assert!(!opens(&high, tone(80.0, from_db(-10.0), 4800)));
    assert!(opens(&high, tone(3000.0, from_db(-10.0), 4800)));
    let low = Gate { key_low_pass_hz: 500.0, ..plain };
    assert!(opens(&low, tone(80.0, from_db(-10.0), 4800)));
    assert!(!opens(&low, tone(3000.0, from_db(-10.0), 4800)));
}

#[test]
fn channels_open_together_or_apart() {
    let (loud, quiet) = (constant(-10.0, 2000), constant(-45.0, 2000));
    let gains_db = |stereo_link: f64| {
        let gate = Processor::Gate(Gate { stereo_link, ..fast() });
        let output = render(&gate, RATE_HZ, &[loud.clone(), quiet.clone()]);
        [output[0][1999] / loud[0], output[1][1999] / quiet[0]].map(|gain| db(f64::from(gain)))
    };
    assert_eq!(gains_db(1.0), [0.0, 0.0]);
    let apart = gains_db(0.0);
    assert!(apart[0] == 0.0 && (apart[1] + 60.0).abs() < 0.01, "{apart:?}");
    // −45 dBFS goes 0.1 of the 35 dB up to −10: −41.5, still below the threshold of −40. At 0.2 it is −38.
    assert!((gains_db(0.1)[1] + 60.0).abs() < 0.01);
    assert_eq!(gains_db(0.2)[1], 0.0);
}
