//! What channel strips, sends, buses and mixes do to stems.

use serde_json::{Value, json};

use crate::studio::{Audio, PLAIN, Studio};

const ONE: [f32; 100] = [1.0; 100];

fn mixes(document: Value) -> Vec<Audio> {
    let mut studio = Studio::new();
    studio.asset("mono.wav", &[ONE.to_vec()]);
    studio.asset("stereo.wav", &[ONE.to_vec(), vec![0.5; 100]]);
    let session = studio.session(document);
    studio.render(&session, PLAIN).mixes
}

fn levels(mix: &Audio) -> (f32, f32) {
    assert!(mix.iter().all(|channel| channel.iter().all(|sample| *sample == channel[0])), "the level moves");
    (mix[0][0], mix[1][0])
}

fn mono(fields: Value) -> Value {
    with(json!({ "clips": [{ "file": "mono.wav" }] }), fields)
}

fn with(mut document: Value, fields: Value) -> Value {
    document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    document
}

#[test]
fn a_mono_track_is_panned_by_the_session_s_law() {
    for (law, centre) in [(-3.0, 0.5f64.sqrt()), (-4.5, (0.5 * 0.5f64.sqrt()).sqrt()), (-6.0, 0.5)] {
        for (pan, left, right) in [(0.0, centre, centre), (-1.0, 1.0, 0.0), (1.0, 0.0, 1.0)] {
            let mix = mixes(json!({ "pan_law_db": law, "tracks": [mono(json!({ "name": "T", "pan": pan }))] }));
            assert_eq!(levels(&mix[0]), (left as f32, right as f32), "law {law}, pan {pan}");
        }
    }
}

#[test]
fn a_stereo_track_is_balanced_and_untouched_at_the_centre() {
    for (pan, left, right) in [(0.0, 1.0, 0.5), (0.5, 0.5, 0.5), (-0.5, 1.0, 0.25), (1.0, 0.0, 0.5)] {
        let track = json!({ "name": "T", "clips": [{ "file": "stereo.wav" }], "pan": pan });
        assert_eq!(levels(&mixes(json!({ "tracks": [track] }))[0]), (left, right), "pan {pan}");
    }
}

#[test]
fn sends_are_taken_before_or_after_the_fader() {
    let send = |tap: &str| json!([{ "to": "B", "gain_db": -20.0, "tap": tap }]);
    let tracks = |tap: &str| json!([mono(json!({ "name": "T", "pan": -1.0, "fader_db": -120.0, "sends": send(tap) }))]);
    let buses = json!([{ "name": "B" }]);
    let silent = mixes(json!({ "tracks": tracks("post_fader"), "buses": buses }));
    assert_eq!(levels(&silent[0]), (0.0, 0.0));
    let centred = mixes(json!({ "tracks": tracks("pre_fader"), "buses": buses }));
    let expected = (0.1 * 0.5f64.sqrt()) as f32;
    assert_eq!(levels(&centred[0]), (expected, expected));
    let faded = mono(json!({ "name": "T", "pan": -1.0, "fader_db": -20.0, "sends": send("post_fader") }));
    let sum = mixes(json!({ "tracks": [faded], "buses": buses }));
    assert_eq!(levels(&sum[0]), (0.11, 0.0));
}

#[test]
fn polarity_turns_fader_and_post_fader_sends_but_no_pre_fader_send() {
    let sends = json!([{ "to": "Pre", "tap": "pre_fader" }, { "to": "Post", "gain_db": -20.0 }]);
    let track = mono(json!({ "name": "T", "pan": 1.0, "invert_polarity": true, "output": "Out", "sends": sends }));
    let document = json!({
        "tracks": [track],
        "buses": [{ "name": "Pre" }, { "name": "Post" }, { "name": "Out" }],
        "mixes": [
            { "name": "main", "mute": ["Pre", "Post"], "master_chain": false },
            { "name": "post", "mute": ["Pre", "Out"], "master_chain": false },
            { "name": "pre", "mute": ["Post", "Out"], "master_chain": false },
        ],
    });
    let centre = 0.5f64.sqrt() as f32;
    let found: Vec<_> = mixes(document).iter().map(levels).collect();
    assert_eq!(found, [(0.0, -1.0), (0.0, -0.1), (centre, centre)]);
}

#[test]
fn mute_silences_fader_and_sends_and_solo_spares_buses() {
    let track = |name: &str, pan: f64, muted: bool| {
        let sends = json!([{ "to": "B", "gain_db": -20.0, "tap": "pre_fader" }]);
        mono(json!({ "name": name, "pan": pan, "mute": muted, "sends": sends }))
    };
    let document = json!({
        "tracks": [track("L", -1.0, false), track("R", 1.0, false), track("Muted", 0.0, true)],
        "buses": [{ "name": "B", "pan": -1.0 }],
        "mixes": [
            { "name": "main", "master_chain": false },
            { "name": "mute", "mute": ["L"], "master_chain": false },
            { "name": "solo", "solo": ["L"], "master_chain": false },
            { "name": "dry", "mute": ["B"], "master_chain": false },
        ],
    });
    let send = 0.1 * 0.5f64.sqrt();
    let found: Vec<_> = mixes(document).iter().map(levels).collect();
    let expected = [(1.0 + 2.0 * send, 1.0), (send, 1.0), (1.0 + send, 0.0), (1.0, 1.0)];
    for ((left, right), expected) in found.into_iter().zip(expected) {
        assert!((f64::from(left) - expected.0).abs() < 1e-7 && f64::from(right) == expected.1, "{left} {right}");
    }
}

#[test]
fn buses_feed_buses_in_any_document_order_and_mixes_offset_faders() {
    let document = json!({
        "tracks": [mono(json!({ "name": "T", "pan": -1.0, "output": "First" }))],
        "buses": [
            { "name": "Last", "fader_db": -20.0 },
            { "name": "Middle", "output": "Last", "sends": [{ "to": "Last", "gain_db": 0.0 }] },
            { "name": "First", "output": "Middle", "invert_polarity": true },
        ],
        "mixes": [
            { "name": "main", "master_chain": false },
            { "name": "louder", "fader_offset_db": { "Last": 20.0, "T": -20.0 }, "master_chain": false },
        ],
    });
    let found: Vec<_> = mixes(document).iter().map(levels).collect();
    assert_eq!(found, [(-0.2, 0.0), (-0.2, 0.0)]);
}

#[test]
fn the_master_s_inserts_and_fader_belong_to_mixes_with_a_master_chain() {
    let document = json!({
        "tracks": [mono(json!({ "name": "T", "pan": -1.0 }))],
        "master": { "fader_db": -20.0, "inserts": [{ "gain": { "gain_db": -20.0 } }] },
        "mixes": [{ "name": "main" }, { "name": "plain", "master_chain": false }],
    });
    let found: Vec<_> = mixes(document).iter().map(levels).collect();
    assert_eq!(found[1], (1.0, 0.0));
    assert!((found[0].0 - 0.01).abs() < 1e-8, "{found:?}");
}

#[test]
fn automation_hits_its_frames() {
    let lane = |parameter: &str, points: Value| json!({ "parameter": parameter, "points": points });
    let track = mono(json!({ "name": "T", "pan": -1.0, "automation": [lane("fader_db", json!([
        { "at": 10, "value": 0.0, "curve": "hold" },
        { "at": 20, "value": -20.0, "curve": "linear" },
        { "at": 40, "value": -40.0, "curve": "hold" },
        { "at": 60, "value": -120.0, "curve": "hold" },
    ]))] }));
    let mix = &mixes(json!({ "tracks": [track] }))[0][0];
    for (frame, sample) in mix.iter().enumerate() {
        let expected = match frame {
            0..20 => 1.0,
            20..40 => mixdown_dsp::units::gain_from_db(-(frame as f64)),
            40..60 => 0.01,
            _ => 0.0,
        };
        assert!((f64::from(*sample) - expected).abs() <= 1e-7 * expected, "frame {frame}: {sample} for {expected}");
    }
}
