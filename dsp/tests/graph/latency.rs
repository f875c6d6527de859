//! Latency compensation: a latency anywhere moves nothing anywhere.

use serde_json::{Value, json};

use crate::production::{mixes, production};
use crate::studio::{Cut, PLAIN, Rng, Studio, impulse, sounding};

/// A processor that changes nothing but lags by `ms`.
fn lagging(ms: f64) -> Value {
    json!({ "compressor": { "ratio": 1.0, "knee_db": 0.0, "lookahead_ms": ms } })
}

/// Puts processors that only lag into the chains of a document, at places of the generator's choice.
fn sprinkle(document: &mut Value, rng: &mut Rng) {
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

#[test]
fn latency_sprinkled_over_a_production_changes_no_bit_of_its_stems_and_mixes() {
    let (studio, document) = production();
    let expected = studio.render(&studio.session(document.clone()), PLAIN);
    let mut rng = Rng(7);
    for round in 0..12 {
        let mut sprinkled = document.clone();
        sprinkle(&mut sprinkled, &mut rng);
        let cut = Cut { threads: 2, block_frames: [512, 333, 64][round % 3], spread: round % 2 == 1 };
        let found = studio.render(&studio.session(sprinkled.clone()), cut);
        assert!(found == expected, "round {round} differs, {cut:?}: {sprinkled:#}");
    }
}

/// A graph of tracks and buses with random routes, sends, side-chains and levels.
fn random_graph(rng: &mut Rng) -> Value {
    let bus_count = rng.below(6);
    let track_count = 1 + rng.below(5);
    // Routes go from lower to higher ranks, which are shuffled against the document order.
    let mut ranks: Vec<usize> = (0..bus_count).collect();
    (1..bus_count).rev().for_each(|index| ranks.swap(index, rng.below(index + 1)));
    let strip = |name: String, above: usize, rng: &mut Rng| {
        let higher: Vec<usize> = (0..bus_count).filter(|bus| ranks[*bus] >= above).collect();
        let bus = |rng: &mut Rng| (!higher.is_empty()).then(|| format!("B{}", higher[rng.below(higher.len())]));
        let level = -(rng.below(12) as f64);
        let mut strip = json!({ "name": name, "pan": rng.below(5) as f64 / 2.0 - 1.0, "fader_db": level });
        if let Some(output) = bus(rng).filter(|_| rng.below(3) > 0) {
            strip["output"] = json!(output);
        }
        let taps = ["pre_fader", "post_fader"];
        let sends: Vec<Value> = (0..rng.below(3))
            .filter_map(|_| Some(json!({ "to": bus(rng)?, "gain_db": -3.0, "tap": taps[rng.below(2)] })))
            .collect();
        let mut unique: Vec<Value> = Vec::new();
        for send in sends {
            if unique.iter().all(|other| other["to"] != send["to"]) {
                unique.push(send);
            }
        }
        strip["sends"] = json!(unique);
        strip
    };
    let mut tracks = Vec::new();
    for index in 0..track_count {
        let mut track = strip(format!("T{index}"), 0, rng);
        track["clips"] = json!([{ "file": "impulse.wav" }]);
        if index > 0 && rng.below(2) == 0 {
            let key = format!("T{}", rng.below(index));
            track["inserts"] = json!([{ "sidechain": key, "compressor": { "ratio": 1.0, "lookahead_ms": 1.0 } }]);
        }
        tracks.push(track);
    }
    let buses: Vec<Value> = (0..bus_count).map(|index| strip(format!("B{index}"), ranks[index] + 1, rng)).collect();
    json!({ "tracks": tracks, "buses": buses, "master": {}, "end": 3000, "mixes": mixes() })
}

#[test]
fn an_impulse_through_any_graph_stays_on_its_frame() {
    let mut studio = Studio::new();
    studio.asset("impulse.wav", &[impulse(1234, 2000)]);
    let mut rng = Rng(1);
    for round in 0..crate::long::rounds(60) as usize {
        let document = random_graph(&mut rng);
        let plain = studio.render(&studio.session(document.clone()), PLAIN);
        let mut lagged = document.clone();
        sprinkle(&mut lagged, &mut rng);
        let cut = Cut { block_frames: [100, 512, 4096][round % 3], ..PLAIN };
        let found = studio.render(&studio.session(lagged.clone()), cut);
        for channel in found.mixes.iter().flatten() {
            assert!(sounding(channel).iter().all(|(frame, _)| *frame == 1234), "round {round}: {lagged:#}");
        }
        assert!(found == plain, "round {round}: {lagged:#}");
        assert!(!sounding(&plain.mixes[0][0]).is_empty() || !sounding(&plain.mixes[0][1]).is_empty());
    }
}
