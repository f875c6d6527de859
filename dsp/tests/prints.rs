//! Stems and groups as files: the same bytes whatever the cut, as little work as an edit asks for; stems that are clips and
//! inserts to the bit, and sums of groups that null at the depth of the files.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/farm.rs"]
mod farm;
#[path = "graph/production.rs"]
mod production;
#[path = "graph/studio.rs"]
#[allow(dead_code, reason = "the graph's tests use the rest")]
mod studio;

use std::collections::{BTreeMap, BTreeSet};

use mixdown_dsp::execute::{ExecuteError, Options, execute};
use mixdown_dsp::plan::{Granularity, KeepStems, Key, Keys, Plan, plan};
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::ValidSession;
use mixdown_dsp::units::gain_from_db;
use serde_json::{Value, json};

use crate::farm::{Farm, OPTIONS, run, run_seeing};
use crate::production::production;
use crate::studio::Studio;

/// The production with its groups printed, those of two mixes.
fn document() -> (Studio, Value) {
    let (studio, mut document) = production();
    document["groups"] = json!([
        { "name": "Rhythm", "tracks": ["T0", "Bass"] },
        { "name": "Voice", "tracks": ["Vox"], "buses": ["Echo"] },
    ]);
    document["deliverables"] = json!([
        { "mix": "plain", "name": "plain", "format": "wav", "depth": "32f" },
        { "each": "group", "name": "{group}", "format": "wav", "depth": "32f" },
        { "each": "group", "mix": "without the first", "name": "{mix} - {group}", "format": "flac", "depth": "24" },
    ]);
    // Whole numbers need room: the noise of the production goes over full scale here and there.
    for mix in document["mixes"].as_array_mut().unwrap() {
        let lowered = ["T0", "Bass", "Vox", "Keys"].map(|name| (name.to_owned(), json!(-12.0)));
        mix["fader_offset_db"] = Value::Object(lowered.into_iter().collect());
    }
    (studio, document)
}

fn session() -> (Studio, ValidSession) {
    let (studio, document) = document();
    let session = studio.session(document);
    (studio, session)
}

#[test]
fn fused_and_spread_tasks_print_the_same_bytes() {
    let (studio, session) = session();
    let (fused, fused_masters) = run(&studio, &session, Granularity::Fused, OPTIONS);
    let (spread, spread_masters) =
        run(&studio, &session, Granularity::Spread, Options { threads: 1, block_frames: 333 });
    let expected = ["Rest.wav", "Rhythm.wav", "Voice.wav"];
    assert!(expected.iter().all(|name| fused_masters.contains_key(*name)), "{fused_masters:?}");
    assert_eq!(fused_masters, spread_masters);
    assert_eq!(fused, spread);
}

/// The samples of a WAV file in steps of its depth, or of full scale if it is floating.
fn samples(path: &std::path::Path) -> Vec<f64> {
    let mut reader = hound::WavReader::open(path).unwrap();
    match reader.spec().sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(|sample| f64::from(sample.unwrap())).collect(),
        hound::SampleFormat::Int => reader.samples::<i32>().map(|sample| f64::from(sample.unwrap())).collect(),
    }
}

#[test]
fn printed_groups_null_against_the_printed_mix_as_far_as_the_depth_allows() {
    // Per file, what rounding takes: half a step, and dither up to one more; in floating point a part of full scale.
    for (depth, dither, most) in
        [("32f", "none", gain_from_db(-140.0)), ("24", "none", 0.5), ("24", "tpdf", 1.5), ("16", "tpdf", 1.5)]
    {
        let (studio, mut document) = document();
        for file in document["deliverables"].as_array_mut().unwrap() {
            file["format"] = json!("wav");
            file["depth"] = json!(depth);
            file["dither"] = json!(dither);
        }
        document["deliverables"].as_array_mut().unwrap().truncate(2);
        let session = studio.session(document);
        let mut files: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        run_seeing(&studio, &session, Granularity::Fused, OPTIONS, |name, path| {
            files.insert(name.to_owned(), samples(path));
        });
        let mix = files.remove("plain.wav").unwrap();
        assert!(files.len() >= 3, "{:?}", files.keys());
        let loudest = mix.iter().fold(0.0, |loudest: f64, sample| loudest.max(sample.abs()));
        let floating = depth == "32f";
        let most = if floating { most } else { most * (files.len() + 1) as f64 };
        assert!(loudest > 1000.0 * most, "{depth}: a mix at {loudest}");
        let mut worst = 0.0f64;
        for (at, sample) in mix.iter().enumerate() {
            let sum: f64 = files.values().map(|file| file[at]).sum();
            worst = worst.max((sum - sample).abs());
        }
        assert!(worst <= most * (1.0 + 1e-9), "{depth}, dither {dither}: {worst} is more than {most}");
        assert!(floating || worst > 0.0, "{depth}: nothing was rounded");
        assert!(files.values().all(|file| file.len() == mix.len()), "files of one length");
    }
}

/// The document with nothing but this track to be heard, through a strip that does nothing. Tracks that key it stay, muted.
fn bare(document: &Value, track: usize) -> Value {
    let mut bare = document.clone();
    for (index, track_there) in bare["tracks"].as_array_mut().unwrap().iter_mut().enumerate() {
        let fields = track_there.as_object_mut().unwrap();
        for strip in ["fader_db", "pan", "invert_polarity", "sends", "output"] {
            fields.remove(strip);
        }
        if let Some(lanes) = fields.get_mut("automation") {
            lanes.as_array_mut().unwrap().retain(|lane| lane["parameter"].as_str().unwrap().starts_with("inserts."));
        }
        fields.insert("mute".to_owned(), json!(index != track));
        // Where the gain is 1: of a mono track at the side, of a stereo one in the middle.
        fields.insert("pan".to_owned(), json!(if fields["name"] == "T0" { -1.0 } else { 0.0 }));
    }
    for gone in ["buses", "master", "groups"] {
        bare.as_object_mut().unwrap().remove(gone);
    }
    bare["mixes"] = json!([{ "name": "plain", "master_chain": false }]);
    bare["deliverables"] = json!([{ "mix": "plain", "name": "bare", "format": "wav", "depth": "32f" }]);
    bare
}

#[test]
fn a_printed_stem_is_to_the_bit_the_clips_and_inserts_of_its_track_alone() {
    let (studio, mut document) = document();
    document["deliverables"] = json!([{ "each": "track", "name": "{track}", "format": "wav", "depth": "32f" }]);
    // What the strips, other tracks and mixes do is heard in no stem.
    document["tracks"][2]["mute"] = json!(true);
    let bits = |path: &std::path::Path| {
        let mut reader = hound::WavReader::open(path).unwrap();
        let channels = usize::from(reader.spec().channels);
        (channels, reader.samples::<f32>().map(|sample| sample.unwrap().to_bits()).collect::<Vec<u32>>())
    };
    let mut prints = BTreeMap::new();
    run_seeing(&studio, &studio.session(document.clone()), Granularity::Fused, OPTIONS, |name, path| {
        prints.insert(name.trim_end_matches(".wav").to_owned(), bits(path));
    });
    assert_eq!(prints.keys().collect::<Vec<_>>(), ["Bass", "Keys", "T0", "Vox"]);
    for (track, name) in ["T0", "Bass", "Vox", "Keys"].into_iter().enumerate() {
        let mut alone = Vec::new();
        run_seeing(&studio, &studio.session(bare(&document, track)), Granularity::Fused, OPTIONS, |_, path| {
            alone = bits(path).1;
        });
        let (channels, print) = &prints[name];
        let left_alone: Vec<u32> = if *channels == 1 { alone.iter().step_by(2).copied().collect() } else { alone };
        assert_eq!(*channels, if name == "T0" { 1 } else { 2 }, "{name}");
        assert!(print.iter().any(|sample| *sample != 0), "{name} is silent");
        let differing = print.iter().zip(&left_alone).filter(|(a, b)| a != b).count();
        assert_eq!((differing, print.len()), (0, left_alone.len()), "{name}");
    }
}

fn cut(session: &ValidSession, present: &BTreeSet<Key>) -> Plan {
    plan(session, &Keys::of(session), &|key| present.contains(key), Granularity::Spread, KeepStems::Always)
}

/// What a farm that has rendered the session must make once it is edited, by name of task.
fn made_after_edit(edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let (studio, mut document) = document();
    let before = studio.session(document.clone());
    let present: BTreeSet<Key> =
        cut(&before, &BTreeSet::new()).tasks.iter().flat_map(|task| task.makes.iter().copied()).collect();
    edit(&mut document);
    let after = studio.session(document);
    cut(&after, &present).tasks.into_iter().map(|task| task.display_name).collect()
}

fn made_but_files(made: Vec<String>) -> Vec<String> {
    made.into_iter().filter(|name| !name.starts_with("master")).collect()
}

#[test]
fn a_fader_of_one_group_renders_its_prints_and_the_mixes_again_and_no_other_group() {
    let made = made_after_edit(|document| document["tracks"][3]["fader_db"] = json!(-1.0));
    assert_eq!(made_but_files(made), ["mix \"plain\"", "group \"Rest\""], "the other mix prints the same Rest");
    let made = made_after_edit(|document| document["tracks"][0]["fader_db"] = json!(-1.0));
    let groups: Vec<String> = made_but_files(made).into_iter().filter(|name| name.starts_with("group")).collect();
    // T0 alone feeds the drum bus, which is keyed by nothing; its stem keys the bass as before.
    assert_eq!(groups, ["group \"Rhythm\""]);
}

#[test]
fn the_name_of_a_group_renders_nothing() {
    let made = made_after_edit(|document| document["groups"][0]["name"] = json!("Rhythm section"));
    assert_eq!(made_but_files(made), [""; 0]);
}

#[test]
fn a_group_that_sounds_alike_in_two_mixes_is_rendered_once() {
    let (_, session) = session();
    let keys = Keys::of(&session);
    let print = |mix: &str, name: &str| {
        let found =
            session.group_prints.iter().position(|print| session.mixes[print.mix].name == mix && print.name == name);
        keys.groups[found.unwrap()]
    };
    assert_eq!(print("main", "Rest"), print("without the first", "Rest"));
    assert_ne!(print("main", "Rhythm"), print("without the first", "Rhythm"));
    for granularity in [Granularity::Fused, Granularity::Spread] {
        let plan = plan(&session, &keys, &|_| false, granularity, KeepStems::Always);
        let makers =
            plan.tasks.iter().flat_map(|task| &task.makes).filter(|key| **key == print("main", "Rest")).count();
        assert_eq!(makers, 1, "{granularity:?}");
    }
}

#[test]
fn an_over_in_an_integer_print_of_a_group_says_how_far_to_pull_it_down() {
    let (studio, mut document) = document();
    document["mixes"] = json!([{ "name": "main", "fader_offset_db": { "Keys": 24.0 } }]);
    document["deliverables"] = json!([{ "group": "Rest", "name": "rest", "format": "wav", "depth": "24" }]);
    let session = studio.session(document);
    let keys = Keys::of(&session);
    let task = plan(&session, &keys, &|_| false, Granularity::Fused, KeepStems::Never).tasks.remove(0);
    let work_dir = studio.folder.path().join("work");
    std::fs::create_dir(&work_dir).unwrap();
    let farm = Farm { studio: &studio, work_dir, artifacts: BTreeMap::new() };
    let error = execute(&session, &keys, &task.spec, &farm, OPTIONS, &Unwatched).unwrap_err();
    let ExecuteError::BadSession(message) = &error else { panic!("{error}") };
    assert!(message.contains("rest.wav") && message.contains("pull it down by"), "{message}");
}
