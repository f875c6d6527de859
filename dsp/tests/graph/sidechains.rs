//! Where side-chain keys come from.

use serde_json::{Value, json};

use crate::studio::{PLAIN, Rendered, Studio};

/// A tone that lasts, on `Pad`, and a burst from frame 5000 to 6000, on `Key`.
fn render(pad: Value, key: Value, rest: Value) -> Rendered {
    let mut studio = Studio::new();
    studio.asset("pad.wav", &[vec![0.25; 10_000]]);
    studio
        .asset("key.wav", &[(0..10_000).map(|frame| if (5000..6000).contains(&frame) { 1.0 } else { 0.0 }).collect()]);
    let track = |name: &str, file: &str, fields: Value| {
        let mut track = json!({ "name": name, "clips": [{ "file": file }] });
        track.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        track
    };
    let mut document = json!({ "tracks": [track("Key", "key.wav", key), track("Pad", "pad.wav", pad)] });
    document.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    studio.render(&studio.session(document), PLAIN)
}

fn ducker(source: &str) -> Value {
    json!([{ "sidechain": source, "compressor": { "threshold_db": -20.0, "ratio": 10.0, "attack_ms": 0.1 } }])
}

/// The frames in which a signal of 0.25 times `gain` is pulled down.
fn ducked(channel: &[f32], gain: f64) -> (usize, usize) {
    let level = (0.25 * gain) as f32;
    let down: Vec<usize> = (0..10_000).filter(|frame| channel[*frame] < level * 0.999).collect();
    (down[0], down.len())
}

#[test]
fn a_track_is_keyed_by_another_s_stem_whatever_its_fader_and_mute_say() {
    for key in [json!({}), json!({ "fader_db": -120.0 }), json!({ "mute": true })] {
        let rendered = render(json!({ "inserts": ducker("Key") }), key, json!({}));
        let (first, count) = ducked(&rendered.stems[1][0], 1.0);
        assert_eq!(first, 5000);
        assert!((1000..10_000).contains(&count));
    }
}

#[test]
fn a_bus_is_keyed_by_a_stem_or_by_a_bus_after_its_fader() {
    let centre = 0.5f64.sqrt();
    let buses = |source: &str, fader_db: f64, mute: bool| {
        json!({ "buses": [
            { "name": "Music", "inserts": ducker(source) },
            { "name": "Trigger", "fader_db": fader_db, "mute": mute },
        ] })
    };
    let pad = || json!({ "output": "Music" });
    let mute_key = json!({ "mute": true });
    let by_stem = render(pad(), mute_key, buses("Key", 0.0, false));
    assert_eq!(ducked(&by_stem.mixes[0][0], centre).0, 5000);

    let trigger = || json!({ "output": "Trigger" });
    let by_bus = render(pad(), trigger(), buses("Trigger", -6.0, false));
    let at = &by_bus.mixes[0][0];
    assert!(f64::from(at[4999]) > 0.25 * centre * 0.9999);
    assert!(f64::from(at[7000]) < 0.25 * centre * 0.9999, "the release takes longer than the burst: {}", at[7000]);

    for silenced in [
        render(pad(), trigger(), buses("Trigger", -120.0, false)),
        render(pad(), trigger(), buses("Trigger", 0.0, true)),
    ] {
        let level = (0.25 * centre) as f32;
        assert!(silenced.mixes[0][0].iter().all(|sample| *sample == level));
    }
}
