//! A production that uses everything the graph has.

use serde_json::{Value, json};

use crate::studio::{Studio, noise};

/// Mixes with and without master chain, with mutes, solo and offsets.
pub fn mixes() -> Value {
    json!([
        { "name": "main" },
        { "name": "plain", "master_chain": false },
        { "name": "without the first", "mute": ["T0"] },
        { "name": "first alone", "solo": ["T0"], "fader_offset_db": { "T0": -3.5 } },
    ])
}

/// Mono and stereo tracks, overlapping clips, every processor, side-chains from tracks and buses, sends of both taps, automation
/// of strips and inserts, buses into buses.
pub fn production() -> (Studio, Value) {
    let mut studio = Studio::new();
    let burst = |seed: u64, frames: usize| {
        let mut audio = noise(seed, frames, 0.8);
        for (frame, sample) in audio.iter_mut().enumerate() {
            *sample *= if frame / 1500 % 2 == 0 { 1.0 } else { 0.02 };
        }
        audio
    };
    studio.asset("kick.wav", &[burst(1, 9000)]);
    studio.asset("bass.wav", &[burst(2, 12_000), burst(3, 12_000)]);
    studio.asset("vox.wav", &[burst(4, 14_000)]);
    studio.asset("keys.wav", &[noise(5, 8000, 0.3), noise(6, 8000, 0.3)]);
    let decaying = |seed: u64| {
        let mut audio = noise(seed, 6000, 0.3);
        audio.iter_mut().enumerate().for_each(|(frame, sample)| *sample *= 1.0 - frame as f32 / 6000.0);
        audio
    };
    studio.asset("room.wav", &[decaying(7), decaying(8), decaying(9), decaying(10)]);
    let lane = |parameter: &str, from: f64, to: f64| {
        json!({ "parameter": parameter, "points": [
            { "at": 1003, "value": from }, { "at": 7001, "value": to, "curve": "hold" }, { "at": 9500, "value": from },
        ] })
    };
    let bell = json!({ "kind": "bell", "frequency_hz": 900.0, "gain_db": 4.0, "q": 1.2 });
    let pass = json!({ "kind": "high_pass", "frequency_hz": 80.0, "slope_db_per_octave": 24 });
    let document = json!({
        "end": 20_000,
        "tracks": [
            { "name": "T0", "clips": [{ "file": "kick.wav", "at": 200 }, { "file": "kick.wav", "at": 5000, "gain_db": -3.0 }],
              "inserts": [{ "name": "tone", "eq": { "bands": [bell, pass] } }], "output": "Drums",
              "automation": [lane("inserts.tone.bands.1.gain_db", -6.0, 8.0)] },
            { "name": "Bass", "clips": [
                { "file": "bass.wav", "length": 7000, "fade_out": { "length": 900 } },
                { "file": "bass.wav", "at": 6100, "offset": 500, "fade_in": { "length": 900, "curve": "s_curve" } } ],
              "inserts": [{ "eq": { "bands": [pass] } },
                { "name": "duck", "sidechain": "T0",
                  "compressor": { "threshold_db": -30.0, "ratio": 4.0, "lookahead_ms": 1.5, "attack_ms": 2.0 } }],
              "pan": 0.2, "invert_polarity": true, "automation": [lane("pan", -0.7, 0.9), lane("inserts.duck.ratio", 2.0, 9.0)] },
            { "name": "Vox", "clips": [{ "file": "vox.wav", "at": 777 }],
              "inserts": [{ "sidechain": "Bass", "compressor": { "threshold_db": -20.0, "detection": "rms" } },
                          { "gain": { "gain_db": 2.5 } }, { "convolution": { "file": "room.wav", "mix": 0.2, "length_s": 0.05 } }],
              "sends": [{ "to": "Hall", "gain_db": -6.0, "tap": "pre_fader" }, { "to": "Echo", "gain_db": -9.0 }],
              "automation": [lane("fader_db", -20.0, 2.0), lane("pan", -1.0, 1.0), lane("sends.Echo.gain_db", -120.0, 0.0)] },
            { "name": "Keys", "channels": 2, "clips": [{ "file": "keys.wav", "at": 3000 }],
              "inserts": [{ "delay": { "time_ms": 40.0, "mix": 0.4, "ping_pong": true } }], "sends": [{ "to": "Hall" }] },
            { "name": "Silent", "clips": [], "inserts": [{ "gain": {} }] },
        ],
        "buses": [
            { "name": "Hall", "inserts": [{ "reverb": { "decay_s": 0.5 } },
                { "name": "room", "convolution": { "file": "room.wav", "predelay_ms": 5.0, "mix": 0.3 } },
                { "sidechain": "Vox", "compressor": { "threshold_db": -40.0 } }], "output": "Returns" },
            { "name": "Echo", "inserts": [{ "delay": { "time_ms": 90.0 } }], "sends": [{ "to": "Hall", "gain_db": -10.0 }],
              "output": "Returns" },
            { "name": "Returns", "fader_db": -4.0, "automation": [lane("fader_db", -9.0, -3.0)] },
            { "name": "Drums", "inserts": [{ "compressor": { "lookahead_ms": 0.3, "mix": 0.5 } }, { "convolution": { "file": "room.wav", "mix": 0.1 } }],
              "pan": -0.1 },
        ],
        "master": {
            "inserts": [{ "sidechain": "Drums", "compressor": { "threshold_db": -15.0 } }, { "eq": { "bands": [bell] } }],
            "fader_db": -2.0,
        },
        "mixes": mixes(),
    });
    (studio, document)
}
