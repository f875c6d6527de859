//! What no session should hold, and parameters at the ends of their ranges.

use super::rest::bring_to_rest;
use super::support::{Rig, bits, noise};
use super::{Case, RATES_HZ, SPAN_HZ, for_all};

/// The greatest f32 over full scale, in dB.
const GREATEST_DB: usize = 771;

/// Noise at full scale and 100 dB above it, among what no session should hold.
fn wild(channels: usize) -> Vec<Vec<f32>> {
    let mut input = noise(channels, 4000, 1.0);
    for (index, sample) in input.iter_mut().flatten().enumerate() {
        match index % 400 {
            7 => *sample = f32::NAN,
            21 => *sample = f32::INFINITY,
            33 => *sample = f32::NEG_INFINITY,
            50..200 => *sample *= 1e5,
            301 => *sample = f32::MAX,
            _ => {}
        }
    }
    input
}

/// Calls `check` with every node after such an input, and after such a key too where it listens to one.
fn for_all_after_it(check: impl Fn(&Case, Rig)) {
    for_all(&SPAN_HZ, |case| {
        let input = wild(case.channels);
        for key in case.keys(1).into_iter().map(|key| key.map(|_| input.clone())) {
            let mut rig = case.rig(&[]);
            let output = rig.run(&input, key.as_deref(), &[100]);
            assert!(output.iter().flatten().all(|sample| sample.is_finite()), "{}", case.label);
            check(case, rig);
        }
    });
}

/// What the node makes of a sound from where it stands, and what a new one makes of it from there.
fn beside_a_new_one(case: &Case, mut rig: Rig) -> [Vec<Vec<f32>>; 2] {
    let mut new = case.rig(&[]);
    new.frame = rig.frame;
    let input = noise(case.channels, case.frames(24_000), 0.5);
    [&mut rig, &mut new].map(|rig| rig.run(&input, None, &[1000]))
}

#[test]
fn after_nan_infinity_and_plus_100_db_a_node_that_is_reset_is_a_new_one() {
    for_all_after_it(|case, mut rig| {
        rig.node.reset();
        rig.frame = 0;
        let [reset, new] = beside_a_new_one(case, rig);
        assert!(bits(&reset) == bits(&new), "{} remembers", case.label);
        assert!(new.iter().flatten().any(|sample| *sample != 0.0), "{} is silent", case.label);
    });
}

#[test]
fn after_nan_infinity_and_plus_100_db_and_rest_a_node_is_a_new_one() {
    for_all_after_it(|case, mut rig| {
        let tail = case.processor.longest_tail_frames(&[], case.rate_hz) as usize;
        bring_to_rest(case, &mut rig, tail, GREATEST_DB);
        let is_at_rest = rig.node.is_at_rest();
        let [rested, new] = beside_a_new_one(case, rig);
        assert!(rested.iter().flatten().all(|sample| sample.is_finite()), "{}", case.label);
        assert!(rested.iter().flatten().any(|sample| *sample != 0.0), "{} stays silent", case.label);
        // A gain that was driven down by 771 dB takes its time, and some nodes never say that they rest.
        assert!(!is_at_rest || bits(&rested) == bits(&new), "{} is no new one at rest", case.label);
    });
}

#[test]
fn extreme_parameters_at_every_rate_give_finite_sound() {
    for_all(&RATES_HZ, |case| {
        for (parameter, spec) in case.processor.parameters().specs().into_iter().enumerate() {
            for value in [spec.min, spec.max] {
                let mut extreme = case.processor.clone();
                extreme.parameters_mut().set(parameter, value);
                let output = case.render(&extreme, &noise(case.channels, 1000, 1.0));
                let loudest = output.iter().flatten().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
                assert!(loudest < 1e4, "{}, {} = {value}: {loudest}", case.label, spec.name);
            }
        }
    });
}
