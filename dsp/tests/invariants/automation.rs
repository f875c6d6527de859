//! What moves: a lane that stands is the parameter, and every number moves or says why not.

use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::node::ParameterLane;

use super::support::{bits, noise, variants};
use super::{SPAN_HZ, for_all};

#[test]
fn a_constant_lane_equals_the_parameter() {
    // The ends of the range and a value within, each in some of the cases of every parameter.
    let mut shares = [0.4, 0.0, 1.0].into_iter().cycle();
    for_all(&SPAN_HZ, |case| {
        let input = noise(case.channels, 1200, 0.8);
        let share = shares.next().expect("because a cycle does not end");
        for (parameter, spec) in case.processor.parameters().specs().into_iter().enumerate() {
            let value = spec.min + share * (spec.max.min(20_000.0) - spec.min);
            let mut set = case.processor.clone();
            set.parameters_mut().set(parameter, value);
            let knot = |frame| Knot { frame, value, curve: Curve::Linear };
            let lane = Lane::new(vec![knot(100), knot(900)]).expect("because the frames rise");
            let automated = case.rig(&[ParameterLane { parameter, lane }]).run(&input, None, &[256]);
            assert!(bits(&automated) == bits(&case.render(&set, &input)), "{}, {} {value}", case.label, spec.name);
        }
    });
}

#[test]
fn a_lane_that_has_come_to_rest_equals_the_parameter() {
    for_all(&[44_100, 96_000], |case| {
        // Of those whose lines, windows and responses move, and whose gain does not depend on how silence was heard.
        if !matches!(case.processor.name(), "compressor" | "multiband" | "reverb" | "convolution") {
            return;
        }
        // The lane moves while all is silent.
        let mut input = noise(case.channels, case.frames(20_000), 0.8);
        input.iter_mut().for_each(|channel| channel[..case.frames(4000)].fill(0.0));
        for (parameter, spec) in case.processor.parameters().specs().into_iter().enumerate() {
            // A phase remembers at what speeds it has come.
            if spec.name == "modulation_hz" {
                continue;
            }
            let value = spec.min + 0.4 * (spec.max.min(20_000.0) - spec.min);
            let mut set = case.processor.clone();
            set.parameters_mut().set(parameter, value);
            let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
            let lane = Lane::new(vec![knot(0, spec.min), knot(900, value)]).expect("because the frames rise");
            let moved = case.rig(&[ParameterLane { parameter, lane }]).run(&input, None, &[256]);
            let still = case.render(&set, &input);
            let loudest = still.iter().flatten().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
            for (moved, still) in moved.iter().flatten().zip(still.iter().flatten()) {
                let apart = (moved - still).abs();
                // Windows and delays that stand still have whole frames.
                assert!(apart <= 1e-4 * loudest.max(1.0), "{}, {}: {moved}, not {still}", case.label, spec.name);
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
