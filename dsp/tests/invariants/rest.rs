//! Latency, tails and silence.

use mixdown_dsp::node::ParameterLane;

use super::support::{MAX_BLOCK_FRAMES, Rig, bits, impulse, moving_lanes, noise, paths};
use super::{Case, RATES_HZ, SPAN_HZ, for_all};

#[test]
fn the_latency_declared_is_the_one_measured() {
    for_all(&RATES_HZ, |case| {
        let mut processor = case.processor.clone();
        // An effect's own delay is no latency: the dry sound shows what is.
        let mix = processor.parameters().specs().iter().position(|spec| spec.name == "mix");
        if let Some(mix) = mix {
            processor.parameters_mut().set(mix, 0.0);
        }
        let mut input = impulse(case.channels, 8192);
        // Sides that differ: a difference of the two is no silence.
        for (channel, level) in input.iter_mut().zip([0.01, 0.006]) {
            channel[0] *= level;
        }
        let output = case.render(&processor, &input);
        let declared = processor.parameters().latency_frames(case.rate_hz);
        // A steep low-pass begins at once, but very softly.
        let audible = if declared == 0 { 0.0 } else { 1e-5 };
        let measured = output[0].iter().position(|sample| sample.abs() > audible);
        assert_eq!(measured, Some(declared), "{}", case.label);
    });
}

/// Asserts that nothing of full-scale noise is heard when the longest tail of these lanes is over, while a key goes on.
fn assert_quiet_after_the_tail(case: &Case, lanes: &[ParameterLane]) {
    let parameters = case.processor.parameters();
    let tail = case.processor.longest_tail_frames(lanes, case.rate_hz) as usize;
    let after = parameters.latency_frames(case.rate_hz) + tail;
    let sounding = case.rate_hz as usize / 2;
    for key in case.keys(sounding + after + 10_000) {
        let mut rig = case.rig(lanes);
        let (during, then) = match &key {
            None => (None, None),
            Some(key) => {
                let part = |from: usize, to: usize| Some(key.iter().map(|k| k[from..to].to_vec()).collect::<Vec<_>>());
                (part(0, sounding), part(sounding, sounding + after + 10_000))
            }
        };
        rig.run(&noise(case.channels, sounding, 1.0), during.as_deref(), &[MAX_BLOCK_FRAMES]);
        let silence = vec![vec![0.0; after + 10_000]; case.channels];
        let rest = rig.run(&silence, then.as_deref(), &[MAX_BLOCK_FRAMES]);
        let loudest = rest.iter().flat_map(|channel| &channel[after..]).fold(0.0f32, |peak, s| peak.max(s.abs()));
        assert!(loudest < 1e-6, "{}, keyed: {}: {loudest} after {after} frames", case.label, key.is_some());
    }
}

#[test]
fn after_the_tail_declared_the_sound_stays_below_120_db() {
    for_all(&SPAN_HZ, |case| assert_quiet_after_the_tail(case, &[]));
}

/// Every path, moving: each at one of the rates, mono and stereo in turn. `frames` is how long its lanes move, at a rate.
fn for_all_moving(frames: impl Fn(u32) -> u64, check: impl Fn(&Case, &[ParameterLane])) {
    for (index, (label, processor)) in paths().into_iter().enumerate() {
        let (rate_hz, channels) = (SPAN_HZ[index % SPAN_HZ.len()], 1 + index % 2);
        let lanes = moving_lanes(&processor, frames(rate_hz));
        let label = format!("{label} moving, {channels} channels, {rate_hz} Hz");
        check(&Case { label, processor, channels, rate_hz }, &lanes);
    }
}

#[test]
fn after_the_longest_tail_of_its_automation_the_sound_stays_below_120_db() {
    // The parameters are furthest from where they rest as the input ends, and jump back in the tail.
    for_all_moving(u64::from, assert_quiet_after_the_tail);
}

/// Feeds silence until the node says that it is at rest, or until what stood at `peak_db` has long fallen to nothing.
pub fn bring_to_rest(case: &Case, rig: &mut Rig, tail: usize, peak_db: usize) {
    // A tail falls by 120 dB; states are cleared at −600 dB, a compressor's gain at 1e-9 dB.
    let end = rig.frame + ((600 + peak_db).div_ceil(120) * tail + case.frames(150_000)) as i64;
    while rig.frame < end && !rig.node.is_at_rest() {
        rig.run_silence(case.channels, MAX_BLOCK_FRAMES);
    }
}

fn assert_falls_silent(case: &Case, lanes: &[ParameterLane]) {
    let tail = case.processor.longest_tail_frames(lanes, case.rate_hz) as usize;
    for key in case.keys(5000) {
        let rested = || {
            let mut rig = case.rig(lanes);
            rig.run(&noise(case.channels, 5000, 1.0), key.as_deref(), &[MAX_BLOCK_FRAMES]);
            bring_to_rest(case, &mut rig, tail, 120);
            rig
        };
        let mut rig = rested();
        let may_be_skipped = rig.node.is_at_rest();
        let rest = rig.run_silence(case.channels, 10_000);
        assert!(rest.iter().flatten().all(|sample| *sample == 0.0), "{} does not fall silent", case.label);
        if !may_be_skipped {
            continue;
        }
        let mut skipped = rested();
        skipped.frame += 10_000;
        let input = noise(case.channels, 3000, 0.5);
        let (kept, resumed) = (rig.run(&input, None, &[500]), skipped.run(&input, None, &[500]));
        assert!(bits(&kept) == bits(&resumed), "{} was not at rest", case.label);
    }
}

#[test]
fn silence_in_becomes_exact_silence_out_and_a_node_at_rest_may_be_skipped() {
    for_all(&SPAN_HZ, |case| assert_falls_silent(case, &[]));
}

#[test]
fn a_moving_node_falls_silent_too_and_may_be_skipped_at_rest() {
    for_all_moving(|_| 10_000, assert_falls_silent);
}

#[test]
fn a_node_that_says_it_is_at_rest_gives_only_zeros_for_silence() {
    for_all(&SPAN_HZ, |case| {
        for key in case.keys(3000) {
            let mut rig = case.rig(&[]);
            rig.run(&noise(case.channels, 3000, 1.0), key.as_deref(), &[MAX_BLOCK_FRAMES]);
            let mut was_at_rest = false;
            for _ in 0..1000 {
                let output = rig.run_silence(case.channels, 100);
                let silent = output.iter().flatten().all(|sample| *sample == 0.0);
                assert!(silent || !was_at_rest, "{} sounds at {}", case.label, rig.frame);
                was_at_rest |= rig.node.is_at_rest();
            }
        }
    });
}
