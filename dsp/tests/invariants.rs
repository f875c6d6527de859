//! The contract of a node, held over every processor: the default parameters of [`Processor::all`], which a new one
//! cannot escape, and the variants of `support`.

mod support;

use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::Processor;
#[path = "support/long.rs"]
mod long;

use proptest::prelude::*;
use support::{MAX_BLOCK_FRAMES, Rig, bits, impulse, moving_lanes, noise, render, variants};

const RATES_HZ: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// A key for processors that listen to one: bursts of noise, unlike the input.
fn key(processor: &Processor, frames: usize) -> Option<Vec<Vec<f32>>> {
    processor.parameters().accepts_sidechain().then(|| {
        let mut key = noise(3, frames, 0.9).split_off(1);
        key.iter_mut().for_each(|channel| channel.iter_mut().skip(frames / 2).for_each(|sample| *sample *= 0.01));
        key
    })
}

/// Calls `check` for every variant, mono and stereo.
fn for_all(mut check: impl FnMut(&str, &Processor, usize)) {
    for (label, processor) in variants() {
        for channels in [1, 2] {
            check(&format!("{label}, {channels} channels"), &processor, channels);
        }
    }
}

#[test]
fn any_split_into_blocks_gives_the_bits_of_one_block() {
    for_all(|label, processor, channels| {
        let input = noise(channels, 4000, 0.7);
        let key = key(processor, 4000);
        for lanes in [Vec::new(), moving_lanes(processor, 4000)] {
            for start in [0, -37] {
                let rendered = |blocks: &[usize]| {
                    let mut rig = Rig::new(processor, 48_000, channels, &lanes);
                    rig.frame = start;
                    bits(&rig.run(&input, key.as_deref(), blocks))
                };
                let whole = rendered(&[MAX_BLOCK_FRAMES]);
                for blocks in [&[1][..], &[64], &[1000], &[17, 1, 333, 16, 63]] {
                    assert!(rendered(blocks) == whole, "{label}, blocks {blocks:?} from {start}");
                }
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: long::rounds(200), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_splits_give_the_bits_of_one_block(
        which in any::<prop::sample::Index>(),
        blocks in prop::collection::vec(1usize..300, 1..12),
        start in -5000i64..5000,
        moving in any::<bool>(),
        keyed in any::<bool>(),
    ) {
        let variants = variants();
        let (label, processor) = which.get(&variants);
        let input = noise(2, 1500, 0.9);
        let lanes = if moving { moving_lanes(processor, 1500) } else { Vec::new() };
        let key = if keyed { key(processor, 1500) } else { None };
        let rendered = |blocks: &[usize]| {
            let mut rig = Rig::new(processor, 44_100, 2, &lanes);
            rig.frame = start;
            bits(&rig.run(&input, key.as_deref(), blocks))
        };
        prop_assert!(rendered(&blocks) == rendered(&[MAX_BLOCK_FRAMES]), "{} in {:?} from {}", label, blocks, start);
    }
}

#[test]
fn reset_equals_a_new_node() {
    for_all(|label, processor, channels| {
        let input = noise(channels, 3000, 0.8);
        let lanes = moving_lanes(processor, 3000);
        let mut rig = Rig::new(processor, 44_100, channels, &lanes);
        let first = rig.run(&input, None, &[1000]);
        rig.node.reset();
        rig.frame = 0;
        assert!(bits(&rig.run(&input, None, &[1000])) == bits(&first), "{label}");
    });
}

#[test]
fn the_latency_declared_is_the_one_measured() {
    for_all(|label, processor, channels| {
        for rate_hz in RATES_HZ {
            let mut processor = processor.clone();
            // An effect's own delay is no latency: the dry sound shows what is.
            let mix = processor.parameters().specs().iter().position(|spec| spec.name == "mix");
            if let Some(mix) = mix {
                processor.parameters_mut().set(mix, 0.0);
            }
            let mut input = impulse(channels, 8192);
            // Sides that differ: a difference of the two is no silence.
            for (channel, level) in input.iter_mut().zip([0.01, 0.006]) {
                channel[0] *= level;
            }
            let output = render(&processor, rate_hz, &input);
            let declared = processor.parameters().latency_frames(rate_hz);
            // A steep low-pass begins at once, but very softly.
            let audible = if declared == 0 { 0.0 } else { 1e-5 };
            let measured = output[0].iter().position(|sample| sample.abs() > audible);
            assert_eq!(measured, Some(declared), "{label} at {rate_hz} Hz");
        }
    });
}

#[test]
fn after_the_tail_declared_the_sound_stays_below_120_db() {
    for_all(|label, processor, channels| {
        for rate_hz in [44_100, 192_000] {
            let parameters = processor.parameters();
            let after = parameters.latency_frames(rate_hz) + parameters.tail_frames(rate_hz) as usize;
            let mut rig = Rig::new(processor, rate_hz, channels, &[]);
            rig.run(&noise(channels, rate_hz as usize / 2, 1.0), None, &[MAX_BLOCK_FRAMES]);
            let rest = rig.run_silence(channels, after + 20_000);
            let loudest = rest.iter().flat_map(|channel| &channel[after..]).fold(0.0f32, |peak, s| peak.max(s.abs()));
            assert!(loudest < 1e-6, "{label} at {rate_hz} Hz: {loudest} after {after} frames");
        }
    });
}

#[test]
fn silence_in_becomes_exact_silence_out_and_a_node_at_rest_may_be_skipped() {
    for_all(|label, processor, channels| {
        let tail = processor.parameters().tail_frames(44_100) as usize;
        let mut rig = Rig::new(processor, 44_100, channels, &[]);
        rig.run(&noise(channels, 5000, 1.0), None, &[MAX_BLOCK_FRAMES]);
        // A tail falls by 120 dB; states are cleared at −600 dB, a compressor's gain at 1e-9 dB.
        rig.run_silence(channels, 6 * tail + 150_000);
        let rest = rig.run_silence(channels, 10_000);
        assert!(rest.iter().flatten().all(|sample| *sample == 0.0), "{label} does not fall silent");

        let mut skipped = Rig::new(processor, 44_100, channels, &[]);
        skipped.run(&noise(channels, 5000, 1.0), None, &[MAX_BLOCK_FRAMES]);
        skipped.run_silence(channels, 6 * tail + 150_000);
        if skipped.node.is_at_rest() {
            skipped.frame += 10_000;
        } else {
            skipped.run_silence(channels, 10_000);
        }
        let input = noise(channels, 3000, 0.5);
        let (kept, resumed) = (rig.run(&input, None, &[500]), skipped.run(&input, None, &[500]));
        assert!(bits(&kept) == bits(&resumed), "{label} was not at rest");
    });
}

#[test]
fn a_node_that_says_it_is_at_rest_gives_only_zeros_for_silence() {
    for_all(|label, processor, channels| {
        let mut rig = Rig::new(processor, 44_100, channels, &[]);
        rig.run(&noise(channels, 3000, 1.0), None, &[MAX_BLOCK_FRAMES]);
        let mut was_at_rest = false;
        for _ in 0..2000 {
            let output = rig.run_silence(channels, 100);
            let silent = output.iter().flatten().all(|sample| *sample == 0.0);
            assert!(silent || !was_at_rest, "{label} sounds at {}", rig.frame);
            was_at_rest |= rig.node.is_at_rest();
        }
    });
}

#[test]
fn nan_infinity_and_plus_100_db_never_leave_a_node_broken() {
    for_all(|label, processor, channels| {
        let mut rig = Rig::new(processor, 48_000, channels, &[]);
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
        let output = rig.run(&input, Some(&input), &[100]);
        assert!(output.iter().flatten().all(|sample| sample.is_finite()), "{label}");
        // Sound goes on afterwards.
        rig.run_silence(channels, 100_000);
        let after = rig.run(&noise(channels, 60_000, 0.5), None, &[MAX_BLOCK_FRAMES]);
        assert!(after.iter().flatten().all(|sample| sample.is_finite()), "{label}");
        assert!(after.iter().flatten().any(|sample| *sample != 0.0), "{label} stays silent");
    });
}

#[test]
fn a_constant_lane_equals_the_parameter() {
    for_all(|label, processor, channels| {
        let input = noise(channels, 2000, 0.8);
        for (parameter, spec) in processor.parameters().specs().into_iter().enumerate() {
            let value = spec.min + 0.4 * (spec.max.min(20_000.0) - spec.min);
            let mut set = processor.clone();
            set.parameters_mut().set(parameter, value);
            let knot = |frame| Knot { frame, value, curve: Curve::Linear };
            let lane = Lane::new(vec![knot(100), knot(900)]).expect("because the frames rise");
            let lanes = [ParameterLane { parameter, lane }];
            let automated = Rig::new(processor, 44_100, channels, &lanes).run(&input, None, &[256]);
            assert!(bits(&automated) == bits(&render(&set, 44_100, &input)), "{label}, {}", spec.name);
        }
    });
}

#[test]
fn a_lane_that_has_come_to_rest_equals_the_parameter() {
    for_all(|label, processor, channels| {
        // Of those whose lines, windows and responses move, and whose gain does not depend on how silence was heard.
        if !matches!(processor.name(), "compressor" | "multiband" | "reverb" | "convolution") {
            return;
        }
        // The lane moves while all is silent.
        let mut input = noise(channels, 20_000, 0.8);
        input.iter_mut().for_each(|channel| channel[..4000].fill(0.0));
        for (parameter, spec) in processor.parameters().specs().into_iter().enumerate() {
            // A phase remembers at what speeds it has come.
            if spec.name == "modulation_hz" {
                continue;
            }
            let value = spec.min + 0.4 * (spec.max.min(20_000.0) - spec.min);
            let mut set = processor.clone();
            set.parameters_mut().set(parameter, value);
            let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
            let lane = Lane::new(vec![knot(0, spec.min), knot(900, value)]).expect("because the frames rise");
            let lanes = [ParameterLane { parameter, lane }];
            let moved = Rig::new(processor, 44_100, channels, &lanes).run(&input, None, &[256]);
            let still = render(&set, 44_100, &input);
            let loudest = still.iter().flatten().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
            for (moved, still) in moved.iter().flatten().zip(still.iter().flatten()) {
                let apart = (moved - still).abs();
                // Windows and delays that stand still have whole frames.
                assert!(apart <= 1e-4 * loudest.max(1.0), "{label}, {}: {moved}, not {still}", spec.name);
            }
        }
    });
}

/// The names of all numbers in a document, lists counted from 1.
fn numbers(name: &str, value: &serde_json::Value, found: &mut Vec<String>) {
    let inside = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        serde_json::Value::Number(_) => found.push(name.to_owned()),
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(field, value)| numbers(&inside(field), value, found));
        }
        serde_json::Value::Array(values) => {
            values
                .iter()
                .zip(1..)
                .for_each(|(value, number): (_, u32)| numbers(&inside(&number.to_string()), value, found));
        }
        _ => {}
    }
}

/// Whether the kind of an equaliser's band has no use for a number: the gain and Q of a pass, the Q of a tilt.
fn is_ignored(document: &serde_json::Value, name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    let ["bands", number, field @ ("gain_db" | "q")] = parts[..] else { return false };
    let index = number.parse::<usize>().expect("because bands are counted") - 1;
    match document["eq"]["bands"][index]["kind"].as_str() {
        Some("high_pass" | "low_pass") => true,
        Some("notch") => field == "gain_db",
        Some("tilt") => field == "q",
        _ => false,
    }
}

#[test]
fn every_number_of_a_processor_can_be_automated_or_says_why_not() {
    let mut wrong = Vec::new();
    for (label, processor) in variants() {
        let document = serde_json::to_value(&processor).expect("because a processor is a document");
        let mut found = Vec::new();
        numbers("", &document[processor.name()], &mut found);
        let parameters = processor.parameters();
        let specs = parameters.specs();
        for name in found {
            let field = name.rsplit('.').next().expect("because there is a last part");
            let moves = specs.iter().any(|spec| spec.name == name);
            let fixed = parameters.fixed().iter().any(|(fixed, _)| *fixed == field) || is_ignored(&document, &name);
            if moves == fixed {
                wrong.push(format!("{label}, {name}: automatable {moves}, fixed {fixed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn extreme_parameters_at_every_rate_give_finite_sound() {
    for rate_hz in RATES_HZ {
        for (label, processor) in variants() {
            for (parameter, spec) in processor.parameters().specs().into_iter().enumerate() {
                for value in [spec.min, spec.max] {
                    let mut extreme = processor.clone();
                    extreme.parameters_mut().set(parameter, value);
                    let output = render(&extreme, rate_hz, &noise(2, 1000, 1.0));
                    let loudest = output.iter().flatten().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
                    assert!(loudest < 1e4, "{label}, {} = {value} at {rate_hz} Hz: {loudest}", spec.name);
                }
            }
        }
    }
}
