//! Sessions made at random: routes, nested buses, sends, side-chains, automation, mutes, and look-ahead on some paths.

use serde_json::{Value, json};

use crate::studio::Rng;

/// A processor that changes nothing but lags by `ms`.
pub fn lagging(ms: f64) -> Value {
    json!({ "compressor": { "ratio": 1.0, "knee_db": 0.0, "lookahead_ms": ms } })
}

/// Puts processors that only lag into the chains of a document, at places of the generator's choice.
pub fn sprinkle(document: &mut Value, rng: &mut Rng) {
    let sprinkle_chain = |strip: &mut Value, rng: &mut Rng| {
        let chain = strip.as_object_mut().unwrap().entry("inserts").or_insert(json!([])).as_array_mut().unwrap();
        for _ in 0..rng.below(3) {
            let place = rng.below(chain.len() + 1);
            chain.insert(place, lagging(rng.below(1000) as f64 * 0.02));
        }
    };
    for strips in ["tracks", "buses"] {
        for strip in document[strips].as_array_mut().unwrap() {
            sprinkle_chain(strip, rng);
        }
    }
    sprinkle_chain(&mut document["master"], rng);
}

/// A course through a few points in `min` to `max`.
fn lane(parameter: &str, min: f64, max: f64, rng: &mut Rng) -> Value {
    let mut at = 0;
    let mut point = || {
        at += 1 + rng.below(1200);
        let curve = ["linear", "hold"][rng.below(2)];
        json!({ "at": at, "value": min + (max - min) * rng.below(101) as f64 / 100.0, "curve": curve })
    };
    let points: Vec<Value> = (0..3).map(|_| point()).collect();
    json!({ "parameter": parameter, "points": points })
}

/// Inserts that move nothing in time, some automated; `keys` may drive their detectors.
fn inserts(keys: &[String], lanes: &mut Vec<Value>, rng: &mut Rng) -> Value {
    let mut inserts = Vec::new();
    for index in 0..rng.below(4) {
        let name = format!("insert {index}");
        let mut insert = match rng.below(4) {
            0 => {
                lanes.extend((rng.below(2) == 0).then(|| lane(&format!("inserts.{name}.gain_db"), -9.0, 3.0, rng)));
                json!({ "gain": { "gain_db": -1.5 } })
            }
            1 => {
                lanes.extend((rng.below(2) == 0).then(|| lane(&format!("inserts.{name}.width"), 0.2, 2.0, rng)));
                json!({ "width": { "width": 0.6 } })
            }
            _ => {
                let threshold = format!("inserts.{name}.threshold_db");
                lanes.extend((rng.below(2) == 0).then(|| lane(&threshold, -60.0, 0.0, rng)));
                let lookahead_ms = rng.below(3) as f64 * 0.7;
                let threshold_db = -20.0;
                let mut insert = json!({ "compressor": { "ratio": 3.0, "threshold_db": threshold_db, "lookahead_ms": lookahead_ms } });
                if !keys.is_empty() && rng.below(2) == 0 {
                    insert["sidechain"] = json!(keys[rng.below(keys.len())]);
                }
                insert
            }
        };
        insert["name"] = json!(name);
        inserts.push(insert);
    }
    json!(inserts)
}

/// A graph of tracks that play `file` and of buses in buses. Buses stand in the document in an order of their own.
pub fn graph(file: &str, mixes: Value, rng: &mut Rng) -> Value {
    let bus_count = rng.below(6);
    let track_count = 1 + rng.below(5);
    graph_of(track_count, bus_count, file, mixes, rng)
}

/// The same of so many tracks and buses.
pub fn graph_of(track_count: usize, bus_count: usize, file: &str, mixes: Value, rng: &mut Rng) -> Value {
    // Routes go from lower to higher ranks, which are shuffled against the document order.
    let mut ranks: Vec<usize> = (0..bus_count).collect();
    (1..bus_count).rev().for_each(|index| ranks.swap(index, rng.below(index + 1)));
    let strip = |name: String, above: usize, keys: &[String], rng: &mut Rng| {
        let higher: Vec<usize> = (0..bus_count).filter(|bus| ranks[*bus] >= above).collect();
        let bus = |rng: &mut Rng| (!higher.is_empty()).then(|| format!("B{}", higher[rng.below(higher.len())]));
        let level = -(rng.below(12) as f64);
        let mut strip = json!({ "name": name, "pan": rng.below(5) as f64 / 2.0 - 1.0, "fader_db": level });
        if let Some(output) = bus(rng).filter(|_| rng.below(3) > 0) {
            strip["output"] = json!(output);
        }
        let mut lanes = Vec::new();
        strip["inserts"] = inserts(keys, &mut lanes, rng);
        let mut sends: Vec<Value> = Vec::new();
        for _ in 0..rng.below(3) {
            let Some(to) = bus(rng).filter(|to| sends.iter().all(|send| send["to"] != **to)) else { continue };
            lanes.extend((rng.below(3) == 0).then(|| lane(&format!("sends.{to}.gain_db"), -20.0, 0.0, rng)));
            let tap = ["pre_fader", "post_fader"][rng.below(2)];
            sends.push(json!({ "to": to, "gain_db": -3.0, "tap": tap }));
        }
        strip["sends"] = json!(sends);
        lanes.extend((rng.below(3) == 0).then(|| lane("fader_db", -30.0, 6.0, rng)));
        lanes.extend((rng.below(3) == 0).then(|| lane("pan", -0.9, 0.9, rng)));
        strip["automation"] = json!(lanes);
        strip
    };
    let mut tracks = Vec::new();
    for index in 0..track_count {
        let keys: Vec<String> = (0..index).map(|track| format!("T{track}")).collect();
        let mut track = strip(format!("T{index}"), 0, &keys, rng);
        track["clips"] = json!([{ "file": file }]);
        tracks.push(track);
    }
    // A bus is keyed by stems, or by a bus of a lower rank, which never hangs on it.
    let bus = |index: usize, rng: &mut Rng| {
        let lower = (0..bus_count).filter(|bus| ranks[*bus] < ranks[index]).map(|bus| format!("B{bus}"));
        let keys: Vec<String> = (0..track_count).map(|track| format!("T{track}")).chain(lower).collect();
        strip(format!("B{index}"), ranks[index] + 1, &keys, rng)
    };
    let buses: Vec<Value> = (0..bus_count).map(|index| bus(index, rng)).collect();
    json!({ "tracks": tracks, "buses": buses, "master": {}, "end": 3000, "mixes": mixes })
}
