//! What groups put into a mix: their sum is the mix before the master chain, whatever the session.

use mixdown_dsp::graph::Wiring;
use mixdown_dsp::session::ValidSession;
use mixdown_dsp::session::valid::Share;
use mixdown_dsp::units::db_from_gain;
use serde_json::{Value, json};

use crate::long::rounds;
use crate::random;
use crate::studio::{Audio, Cut, PLAIN, Rendered, Rng, Studio, noise};

/// The level of the loudest residue of a sum of groups against their mix, in dBFS, and its root mean square.
fn residue_dbfs(groups: &[Audio], mix: &Audio) -> (f64, f64) {
    let (mut peak, mut squares, mut count) = (0.0_f64, 0.0, 0);
    for (channel, samples) in mix.iter().enumerate() {
        for (frame, sample) in samples.iter().enumerate() {
            let sum: f64 = groups.iter().map(|group| f64::from(group[channel][frame])).sum();
            let residue = sum - f64::from(*sample);
            peak = peak.max(residue.abs());
            squares += residue * residue;
            count += 1;
        }
    }
    let db = |linear: f64| db_from_gain(linear.max(1e-12));
    (db(peak), db((squares / f64::from(count)).sqrt()))
}

fn peak(audio: &[Vec<f32>]) -> f32 {
    audio.iter().flatten().fold(0.0, |peak, sample| sample.abs().max(peak))
}

/// Tracks of a random graph, put into groups at random; some buses too.
fn grouped(document: &mut Value, rng: &mut Rng) {
    let count = 1 + rng.below(4);
    let mut groups: Vec<Value> =
        (0..count).map(|group| json!({ "name": format!("G{group}"), "tracks": [], "buses": [] })).collect();
    for (kind, odds) in [("tracks", 2), ("buses", 6)] {
        for strip in document[kind].as_array().unwrap() {
            let group = rng.below(count * odds / 2 + usize::from(kind == "buses") * 3);
            if let Some(group) = groups.get_mut(group).filter(|_| rng.below(odds) > 0) {
                group[kind].as_array_mut().unwrap().push(strip["name"].clone());
            }
        }
    }
    document["groups"] = json!(groups);
    document["ungrouped"] = json!(["rest", "by_bus", "by_track"][rng.below(3)]);
}

/// Effects that pass sums as sums, some of them with long memories.
fn effect(rng: &mut Rng) -> Value {
    match rng.below(7) {
        0 => json!({ "eq": { "bands": [{ "kind": "bell", "frequency_hz": 900.0, "gain_db": 4.0, "q": 1.0 }] } }),
        1 => json!({ "delay": { "time_ms": 11.0, "feedback": 0.5, "mix": 0.4 } }),
        2 => json!({ "reverb": { "decay_s": 0.3, "mix": 0.3 } }),
        3 => json!({ "mono_below": {} }),
        4 => json!({ "pan": { "position": 0.3 } }),
        5 => json!({ "mid_side": { "direction": "encode" } }),
        _ => json!({ "convolution": { "file": "room.wav" } }),
    }
}

/// A random session with groups, effects and look-ahead everywhere, and group prints of two mixes.
fn session(studio: &Studio, rng: &mut Rng) -> ValidSession {
    let mixes = json!([{ "name": "main", "master_chain": false },
        { "name": "other", "master_chain": false, "mute": ["T0"], "fader_offset_db": { "T0": -3.0 } }]);
    let mut document = random::graph("noise.wav", mixes, rng);
    random::sprinkle(&mut document, rng);
    for bus in document["buses"].as_array_mut().unwrap() {
        // Without the dynamics that stand everywhere in these graphs no bus would ever be split.
        let split = rng.below(3) > 0;
        let inserts = bus["inserts"].as_array_mut().unwrap();
        inserts.retain(|insert| !split || insert.get("compressor").is_none() || insert.get("sidechain").is_some());
        if split {
            let kept: Vec<Value> = inserts.iter().map(|insert| insert["name"].clone()).collect();
            (0..rng.below(3)).for_each(|_| inserts.push(effect(rng)));
            let lanes = bus["automation"].as_array_mut().unwrap();
            lanes.retain(|lane| {
                let target = lane["parameter"].as_str().unwrap();
                let insert = target.strip_prefix("inserts.").and_then(|rest| rest.split('.').next());
                insert.is_none_or(|insert| kept.contains(&json!(insert)))
            });
        }
    }
    grouped(&mut document, rng);
    document["deliverables"] = json!([
        { "each": "group", "name": "{group}", "format": "wav", "depth": "32f" },
        { "each": "group", "mix": "other", "name": "{mix} {group}", "format": "wav", "depth": "32f" },
    ]);
    studio.session(document)
}

fn of_mix(session: &ValidSession, rendered: &Rendered, mix: usize) -> Vec<Audio> {
    let prints = session.group_prints.iter().zip(&rendered.groups);
    prints.filter(|(print, _)| print.mix == mix).map(|(_, audio)| audio.clone()).collect()
}

#[test]
fn the_groups_of_any_session_sum_to_its_mix() {
    let mut studio = Studio::new();
    studio.asset("noise.wav", &[noise(1, 2000, 0.1), noise(2, 2000, 0.1)]);
    studio.asset("room.wav", &[noise(3, 300, 0.1), noise(4, 300, 0.1)]);
    let (mut parts, mut wholes, mut worst, mut loudest) = (0, 0, f64::NEG_INFINITY, 0.0f32);
    for seed in 0..u64::from(rounds(200)) {
        let session = session(&studio, &mut Rng(seed));
        let block_frames = [64, 512, 333][seed as usize % 3];
        let rendered = studio.render(&session, Cut { block_frames, ..PLAIN });
        for (mix, audio) in rendered.mixes.iter().enumerate() {
            let groups = of_mix(&session, &rendered, mix);
            let (peak_db, rms_db) = residue_dbfs(&groups, audio);
            worst = worst.max(rms_db);
            loudest = loudest.max(peak(audio));
            // The steps of a float double at full scale, and at each power of two above.
            let highest = groups.iter().map(|group| peak(group)).fold(peak(audio), f32::max);
            let scale = f64::from((highest.ceil() as u32).next_power_of_two());
            let told = format!("seed {seed}, mix {mix}: {} groups of up to {highest}", groups.len());
            assert!(rms_db < -140.0 + db_from_gain(scale), "{told} null at {rms_db:.1} dBFS");
            // No sample is further off than half a step of each file.
            let rounding = scale * f64::from(f32::EPSILON) / 4.0 * (groups.len() + 1) as f64;
            assert!(peak_db <= db_from_gain(rounding) + 0.01, "{told}: a sample is {peak_db:.1} dBFS off");
            for group in &groups {
                assert_eq!(group[0].len() as u64, session.length_frames, "seed {seed}");
            }
        }
        let shares = session.group_prints.iter().flat_map(|print| &print.buses);
        parts += shares.clone().filter(|share| **share == Share::Part).count();
        wholes += shares.filter(|share| **share == Share::Whole).count();
    }
    println!("worst residue {worst:.1} dBFS, loudest mix {loudest}; {parts} shares of buses, {wholes} whole buses");
    assert!(
        parts > 100 && wholes > 100,
        "{parts} shares of buses and {wholes} whole buses are too few to tell anything"
    );
}

/// A session of bursts, noise and a voice, with groups of it.
fn song(studio: &mut Studio, buses: &Value, groups: &Value) -> ValidSession {
    let burst = |seed: u64| {
        let mut audio = noise(seed, 9000, 0.4);
        audio.iter_mut().enumerate().for_each(|(frame, sample)| *sample *= [1.0, 0.03][frame / 1100 % 2]);
        audio
    };
    for (name, seed) in [("a.wav", 1), ("b.wav", 2), ("c.wav", 3)] {
        studio.asset(name, &[burst(seed)]);
    }
    let track = |name: &str, output: &str| {
        json!({ "name": name, "clips": [{ "file": format!("{}.wav", name.to_lowercase()) }], "output": output,
            "sends": [{ "to": "Return", "gain_db": -4.0 }] })
    };
    studio.session(json!({
        "end": 12_000, "tracks": [track("A", "Sum"), track("B", "Sum"), track("C", "master")], "buses": buses, "groups": groups,
        "deliverables": [{ "each": "group", "name": "{group}", "format": "wav", "depth": "32f" }],
    }))
}

fn by_name<'a>(session: &ValidSession, rendered: &'a Rendered, name: &str) -> &'a Audio {
    let at =
        session.group_prints.iter().position(|print| print.name == name).unwrap_or_else(|| panic!("no group {name}"));
    &rendered.groups[at]
}

const EACH: fn() -> Value =
    || json!([{ "name": "GA", "tracks": ["A"] }, { "name": "GB", "tracks": ["B"] }, { "name": "GC", "tracks": ["C"] }]);

#[test]
fn a_compressor_that_groups_share_is_a_group_of_its_own_and_the_sum_still_nulls() {
    let mut studio = Studio::new();
    let glue = json!({ "compressor": { "threshold_db": -25.0, "ratio": 4.0, "lookahead_ms": 1.0 } });
    let buses = json!([{ "name": "Sum", "inserts": [glue] }, { "name": "Return", "inserts": [{ "reverb": { "decay_s": 0.2 } }] }]);
    let session = song(&mut studio, &buses, &EACH());
    let rendered = studio.render(&session, PLAIN);
    let names: Vec<&str> = session.group_prints.iter().map(|print| print.name.as_str()).collect();
    assert_eq!(names, ["GA", "GB", "GC", "Sum"]);
    let (peak_db, rms_db) = residue_dbfs(&rendered.groups, &rendered.mixes[0]);
    assert!(peak_db < -140.0 && rms_db < -155.0, "{peak_db:.1} dBFS, {rms_db:.1} dBFS RMS");
    // What only sends to the return is quiet beside what goes through the bus.
    assert!(peak(by_name(&session, &rendered, "Sum")) > peak(by_name(&session, &rendered, "GA")));
}

#[test]
fn a_bus_keyed_by_another_is_split_by_the_gain_that_the_whole_mix_gives_it() {
    let mut studio = Studio::new();
    let duck =
        json!({ "sidechain": "Return", "compressor": { "threshold_db": -40.0, "ratio": 8.0, "attack_ms": 1.0 } });
    let buses = json!([{ "name": "Sum", "inserts": [duck, { "eq": { "bands": [{ "kind": "high_pass", "frequency_hz": 90.0 }] } }] },
        { "name": "Return", "inserts": [{ "saturator": { "drive_db": 6.0 } }], "fader_db": -3.0, "pan": 0.4 }]);
    let session = song(&mut studio, &buses, &EACH());
    let rendered = studio.render(&session, PLAIN);
    let names: Vec<&str> = session.group_prints.iter().map(|print| print.name.as_str()).collect();
    assert_eq!(names, ["GA", "GB", "GC", "Return"], "the keyed bus is split, the saturated one stands alone");
    let (peak_db, _) = residue_dbfs(&rendered.groups, &rendered.mixes[0]);
    assert!(peak_db < -140.0, "{peak_db:.1} dBFS");
    // Alone, without the others in its key, the group would sound louder.
    let alone = song(&mut studio, &buses, &EACH());
    let mut document = serde_json::to_value(&alone.document).expect("a document is JSON");
    document["mixes"] = json!([{ "name": "main", "master_chain": false, "solo": ["A"] }]);
    document["deliverables"] = json!([{ "group": "GA", "name": "x", "format": "wav", "depth": "32f" }]);
    let alone = studio.session(document);
    let alone = studio.render(&alone, PLAIN);
    assert!(residue_dbfs(&alone.groups, by_name(&session, &rendered, "GA")).1 > -60.0);
}

#[test]
fn groups_have_the_same_bits_for_any_block_length_threads_and_passes() {
    let mut studio = Studio::new();
    let buses = json!([{ "name": "Sum", "inserts": [{ "sidechain": "Return", "compressor": { "threshold_db": -40.0, "lookahead_ms": 2.0 } }] },
        { "name": "Return", "inserts": [{ "reverb": { "decay_s": 0.3 } }, { "delay": { "time_ms": 3.0 } }] }]);
    let session = song(&mut studio, &buses, &EACH());
    let expected = studio.render(&session, PLAIN);
    assert_eq!(expected.groups.len(), 3);
    for (threads, block_frames, spread) in [(1, 1, false), (2, 100, true), (3, 4096, false)] {
        assert!(studio.render(&session, Cut { threads, block_frames, spread }) == expected, "{block_frames}");
    }
}

#[test]
fn a_group_runs_nothing_that_it_does_not_need() {
    let mut studio = Studio::new();
    let buses =
        json!([{ "name": "Sum", "inserts": [{ "eq": {} }] }, { "name": "Return", "inserts": [{ "reverb": {} }] }]);
    let session = song(&mut studio, &buses, &EACH());
    let wiring = |group: usize| Wiring::of_group(&session, &session.group_prints[group]);
    let stems = |group: usize| wiring(group).stems(&session).into_iter().collect::<Vec<_>>();
    assert_eq!((stems(0), stems(1), stems(2)), (vec![0], vec![1], vec![2]));
    let buses = |group: usize| wiring(group).buses.iter().map(|wired| (wired.bus, wired.whole)).collect::<Vec<_>>();
    assert_eq!(buses(0), [(0, false), (1, false)]);
    assert_eq!(buses(2), [(1, false)]);
}
