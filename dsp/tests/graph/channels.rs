//! Where a chain changes the number of channels.

use serde_json::{Value, json};

use crate::studio::{PLAIN, Rendered, Studio, noise};

/// A stereo track with these inserts, on a bus with those, into a master with these.
fn render(track: Value, bus: Value, master: Value) -> Rendered {
    let mut studio = Studio::new();
    studio.asset("wide.wav", &[noise(1, 4000, 0.5), noise(2, 4000, 0.5)]);
    let session = studio.session(json!({
        "tracks": [{ "name": "Wide", "clips": [{ "file": "wide.wav" }], "inserts": track, "output": "Bus" }],
        "buses": [{ "name": "Bus", "inserts": bus }],
        "master": { "inserts": master },
        "mixes": [{ "name": "main" }],
    }));
    studio.render(&session, PLAIN)
}

fn mean(left: f32, right: f32) -> f32 {
    ((f64::from(left) + f64::from(right)) * 0.5) as f32
}

#[test]
fn a_track_made_mono_has_a_mono_stem_that_the_pan_law_places() {
    let plain = render(json!([]), json!([]), json!([]));
    let narrow = render(json!([{ "mono": {} }, { "gain": {} }]), json!([]), json!([]));
    assert_eq!((plain.stems[0].len(), narrow.stems[0].len()), (2, 1));
    let sides = plain.stems[0][0].iter().zip(&plain.stems[0][1]);
    let stem: Vec<f32> = sides.map(|(left, right)| mean(*left, *right)).collect();
    assert!(narrow.stems[0] == [stem.clone()]);
    let place = |sample: &f32| (f64::from(*sample) * core::f64::consts::FRAC_1_SQRT_2) as f32;
    let placed: Vec<f32> = stem.iter().map(place).collect();
    assert!(narrow.mixes[0][0][..placed.len()] == placed && narrow.mixes[0][1][..placed.len()] == placed);
}

#[test]
fn a_bus_or_a_master_made_mono_plays_on_both_sides_at_its_level() {
    let plain = render(json!([]), json!([]), json!([]));
    let mono = || json!([{ "mono": {} }]);
    for narrow in [render(json!([]), mono(), json!([])), render(json!([]), json!([]), mono())] {
        for frame in 0..4000 {
            let expected = mean(plain.mixes[0][0][frame], plain.mixes[0][1][frame]);
            assert_eq!([narrow.mixes[0][0][frame], narrow.mixes[0][1][frame]], [expected; 2]);
        }
    }
}

#[test]
fn a_chain_may_narrow_and_widen_again() {
    let chain = json!([{ "mono": { "take": "left" } }, { "pan": { "position": 1.0 } }, { "swap": {} }]);
    let rendered = render(chain, json!([]), json!([]));
    let plain = render(json!([]), json!([]), json!([]));
    assert!(rendered.stems[0][0] == plain.stems[0][0]);
    assert!(rendered.stems[0][1].iter().all(|sample| *sample == 0.0));
}
