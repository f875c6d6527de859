//! Whether sums pass as sums: what every processor declares of itself, held against what it does.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::BTreeMap;

#[path = "support/long.rs"]
mod long;

use mixdown_dsp::nodes::Processor;
use proptest::prelude::*;
use support::{Rig, moving_lanes, variants};

type Audio = Vec<Vec<f32>>;

/// Frames of a signal: long enough for attacks, releases and the first echoes.
const FRAMES: usize = 6000;

/// Noise in multiples of 2⁻¹⁵, so that sums of two are exact, that sets in at `start` and is turned down after a while.
fn sound(seed: u64, channels: usize, start: usize, level: f64) -> Audio {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1u32 << 23) - 1.0
    };
    let sample = |frame: usize, noise: f64| {
        let level = if frame < start { 0.0 } else { level * [1.0, 0.1][frame / 2000 % 2] };
        ((noise * level * 32_768.0).round() / 32_768.0) as f32
    };
    (0..channels).map(|_| (0..FRAMES).map(|frame| sample(frame, next())).collect()).collect()
}

/// The signals and automation of one trial.
#[derive(Debug, Clone)]
struct Trial {
    seed: u64,
    channels: usize,
    starts: (usize, usize),
    level: f64,
    moving: bool,
    block: usize,
}

/// How far f(a + b) lies from f(a) + f(b), as a share of the highest sample on either side.
fn residue(processor: &Processor, trial: &Trial, key: Option<&Audio>) -> f64 {
    let Trial { seed, channels, starts, level, moving, block } = *trial;
    let a = sound(seed, channels, starts.0, level);
    let b = sound(seed + 1, channels, starts.1, level);
    let sum: Audio = a.iter().zip(&b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect();
    let lanes = if moving { moving_lanes(processor, FRAMES as u64) } else { Vec::new() };
    let run =
        |input: &Audio| Rig::new(processor, 48_000, channels, &lanes).run(input, key.map(Vec::as_slice), &[block]);
    let (a, b, sum) = (run(&a), run(&b), run(&sum));
    let frames = sum.iter().flatten().zip(a.iter().flatten().zip(b.iter().flatten()));
    let (mut highest, mut worst) = (1e-9, 0.0);
    for (sum, (a, b)) in frames {
        let (sum, a, b) = (f64::from(*sum), f64::from(*a), f64::from(*b));
        highest = [sum.abs(), a.abs(), b.abs()].into_iter().fold(highest, f64::max);
        worst = (sum - a - b).abs().max(worst);
    }
    worst / highest
}

/// Three roundings to f32 at the end and some on the way: −126 dB of the highest sample.
const ROUNDING: f64 = 5e-7;

/// Every way to run a variant: without key, and with one that is unlike both signals.
fn ways(processor: &Processor, trial: &Trial) -> Vec<Option<Audio>> {
    let key = processor.parameters().accepts_sidechain().then(|| sound(trial.seed + 2, 1, 500, 0.9));
    [None].into_iter().chain(key.map(Some)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: long::rounds(200), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_pass_as_sums_through_every_processor_that_says_so(
        which in any::<prop::sample::Index>(),
        seed in any::<u32>(),
        channels in 1usize..=2,
        starts in (0usize..4000, 0usize..4000),
        level in prop::sample::select(vec![0.004, 0.1, 0.45]),
        moving in any::<bool>(),
        block in prop::sample::select(vec![16usize, 333, 4096]),
    ) {
        let variants = variants();
        let (label, processor) = which.get(&variants);
        let trial = Trial { seed: u64::from(seed), channels, starts, level, moving, block };
        for key in ways(processor, &trial) {
            if processor.parameters().is_linear(key.is_some()) {
                let residue = residue(processor, &trial, key.as_ref());
                prop_assert!(residue < ROUNDING, "{label}, keyed: {}, {trial:?}: {residue:.1e}", key.is_some());
            }
        }
    }
}

#[test]
fn every_processor_answers_to_sums_as_it_declares() {
    let trial = Trial { seed: 7, channels: 2, starts: (0, 900), level: 0.45, moving: false, block: 512 };
    // By name of processor and whether it is keyed: the most that any variant bends a sum.
    let mut bent: BTreeMap<(&str, bool), f64> = BTreeMap::new();
    for (label, processor) in variants() {
        for key in ways(&processor, &trial) {
            let residue = residue(&processor, &trial, key.as_ref());
            if processor.parameters().is_linear(key.is_some()) {
                assert!(residue < ROUNDING, "{label}, keyed: {}: {residue:.1e}", key.is_some());
            } else {
                let worst = bent.entry((processor.name(), key.is_some())).or_default();
                *worst = worst.max(residue);
            }
        }
    }
    assert!(!bent.is_empty());
    for ((name, keyed), residue) in bent {
        assert!(residue > 1e-3, "{name}, keyed: {keyed}, says that it bends sums, but it passes them to {residue:.1e}");
    }
}
