//! Latency compensation: a latency anywhere moves nothing anywhere.

use serde_json::json;

use crate::production::{mixes, production};
use crate::random;
use crate::studio::{Cut, PLAIN, Rendered, Rng, Studio, impulse, noise, sounding};

#[test]
fn latency_sprinkled_over_a_production_changes_no_bit_of_its_stems_and_mixes() {
    let (studio, document) = production();
    let expected = studio.render(&studio.session(document.clone()), PLAIN);
    let mut rng = Rng(7);
    for round in 0..crate::long::rounds(200) as usize {
        let mut sprinkled = document.clone();
        random::sprinkle(&mut sprinkled, &mut rng);
        let cut = Cut { threads: 2, block_frames: [512, 333, 64][round % 3], spread: round % 2 == 1 };
        let found = studio.render(&studio.session(sprinkled.clone()), cut);
        assert!(found == expected, "round {round} differs, {cut:?}: {sprinkled:#}");
    }
}

#[test]
fn an_impulse_through_any_graph_stays_on_its_frame() {
    let mut studio = Studio::new();
    studio.asset("impulse.wav", &[impulse(1234, 2000)]);
    let mut rng = Rng(1);
    let rounds = crate::long::rounds(200) as usize;
    // Hard pans in a row silence a graph now and then.
    let (mut automated, mut sounded) = (0, 0);
    for round in 0..rounds {
        let document = random::graph("impulse.wav", mixes(), &mut rng);
        automated += usize::from(document.to_string().contains("points"));
        let plain = studio.render(&studio.session(document.clone()), PLAIN);
        let mut lagged = document.clone();
        random::sprinkle(&mut lagged, &mut rng);
        let (threads, block_frames) = ([1, 2, 64][round / 3 % 3], [100, 512, 4096][round % 3]);
        let cut = Cut { threads, block_frames, spread: false };
        let found = studio.render(&studio.session(lagged.clone()), cut);
        for channel in found.mixes.iter().flatten() {
            assert!(sounding(channel).iter().all(|(frame, _)| *frame == 1234), "round {round}: {lagged:#}");
        }
        assert!(found == plain, "round {round}: {lagged:#}");
        sounded += usize::from(plain.mixes[0].iter().any(|channel| !sounding(channel).is_empty()));
    }
    assert!(automated > rounds / 2 && sounded > rounds * 9 / 10, "{automated} and {sounded} of {rounds}");
}

#[test]
fn a_sound_split_over_any_two_paths_and_summed_upside_down_is_exact_silence() {
    let mut studio = Studio::new();
    studio.asset("noise.wav", &[noise(1, 2500, 0.5)]);
    let mut rng = Rng(2);
    let rounds = crate::long::rounds(200) as usize;
    let mut sounded = 0;
    for round in 0..rounds {
        let mut document = random::graph("noise.wav", json!([{ "name": "main" }]), &mut rng);
        random::sprinkle(&mut document, &mut rng);
        let sounds = |rendered: &Rendered| rendered.mixes[0].iter().flatten().any(|sample| *sample != 0.0);
        sounded += usize::from(sounds(&studio.render(&studio.session(document.clone()), PLAIN)));
        // What went to the master goes there on two ways through nested buses, each with latencies of its own.
        let way = |name: &str, invert: bool, rng: &mut Rng| {
            let chain = |rng: &mut Rng| random::lagging(rng.below(500) as f64 * 0.02);
            let outer = json!({ "name": format!("{name} outer"), "inserts": [chain(rng)] });
            let turned = json!({ "gain": { "invert_polarity": invert } });
            let inner = json!({ "name": name, "inserts": [chain(rng), turned], "output": format!("{name} outer") });
            [outer, inner]
        };
        let ([outer, inner], [other_outer, other_inner]) =
            (way("As it is", false, &mut rng), way("Turned", true, &mut rng));
        for strips in ["tracks", "buses"] {
            for strip in document[strips].as_array_mut().unwrap() {
                if strip.get("output").is_none() {
                    strip["output"] = json!("As it is");
                    strip["sends"].as_array_mut().unwrap().push(json!({ "to": "Turned" }));
                }
            }
        }
        document["buses"].as_array_mut().unwrap().extend([outer, other_outer, inner, other_inner]);
        let cut = Cut { block_frames: [100, 512, 4096][round % 3], ..PLAIN };
        assert!(!sounds(&studio.render(&studio.session(document.clone()), cut)), "round {round}: {document:#}");
    }
    assert!(sounded > rounds * 9 / 10, "{sounded} of {rounds}");
}
