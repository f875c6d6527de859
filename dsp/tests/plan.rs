//! The plan: what an edit renders again, how a session is cut, and that the cut never enters a key.

use std::collections::BTreeSet;

use mixdown_dsp::plan::{Granularity, KeepStems, Key, Keys, Plan, TaskKind, plan, revisions};
use mixdown_dsp::session::{ValidSession, from_json};
use serde_json::{Value, json};

fn document() -> Value {
    let facts = |name: &str| {
        let digest = format!("{:0>64}", name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
        json!({ "digest": digest, "size_bytes": 96044, "frames": 48000, "sample_rate_hz": 48000, "channels": 1,
            "lossy": name.ends_with("mp3") })
    };
    json!({
        "version": 1, "sample_rate_hz": 48000,
        "assets": { "kick.wav": facts("kick.wav"), "bass.wav": facts("bass.wav"), "vox.mp3": facts("vox.mp3") },
        "tracks": [
            { "name": "Kick", "clips": [{ "file": "kick.wav" }] },
            { "name": "Bass", "clips": [{ "file": "bass.wav" }],
              "inserts": [{ "sidechain": "Kick", "compressor": { "threshold_db": -30.0 } }] },
            { "name": "Vox", "clips": [{ "file": "vox.mp3" }], "sends": [{ "to": "Hall" }],
              "inserts": [{ "name": "tone", "eq": { "bands": [{ "kind": "bell", "frequency_hz": 900.0, "gain_db": 2.0 }] } }] },
        ],
        "buses": [{ "name": "Hall", "inserts": [{ "reverb": {} }] }],
        "loudness": { "integrated_lufs": -14.0 },
        "mixes": [{ "name": "main" }, { "name": "instrumental", "mute": ["Vox"] }],
        "deliverables": [
            { "name": "main", "mix": "main", "format": "wav", "depth": "24" },
            { "name": "instrumental", "mix": "instrumental", "format": "flac", "depth": "24" },
            { "name": "vox", "print": "Vox", "format": "wav", "depth": "32f" },
        ],
    })
}

fn session(document: &Value) -> ValidSession {
    from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn cut(session: &ValidSession, present: &BTreeSet<Key>, granularity: Granularity, keep: KeepStems) -> Plan {
    plan(session, &Keys::of(session), &|key| present.contains(key), granularity, keep)
}

fn everything(plan: &Plan) -> BTreeSet<Key> {
    plan.tasks.iter().flat_map(|task| task.makes.iter().copied()).collect()
}

/// What a farm that has rendered `document` once, spread, must render for `edited`.
fn rendered_after_edit(edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut edited = document();
    let before = session(&edited);
    let present = everything(&cut(&before, &BTreeSet::new(), Granularity::Spread, KeepStems::Always));
    edit(&mut edited);
    let after = session(&edited);
    cut(&after, &present, Granularity::Spread, KeepStems::Always)
        .tasks
        .into_iter()
        .map(|task| task.display_name)
        .collect()
}

#[test]
fn a_spread_session_has_a_task_per_decode_stem_mix_and_master() {
    let session = session(&document());
    let plan = cut(&session, &BTreeSet::new(), Granularity::Spread, KeepStems::Always);
    let kinds: Vec<TaskKind> = plan.tasks.iter().map(|task| task.spec.kind()).collect();
    use TaskKind::{Decode, Master, Mix, Stem};
    assert_eq!(kinds, [Decode, Stem, Stem, Stem, Mix, Mix, Master, Master, Master]);
}

#[test]
fn every_need_is_made_by_an_earlier_task_or_is_present() {
    let session = session(&document());
    for granularity in [Granularity::Auto, Granularity::Fused, Granularity::Spread] {
        let plan = cut(&session, &BTreeSet::new(), granularity, KeepStems::Auto);
        let mut made = BTreeSet::new();
        for (index, task) in plan.tasks.iter().enumerate() {
            assert!(task.needs.iter().all(|key| made.contains(key)), "{} misses a need", task.display_name);
            assert!(task.after.iter().all(|earlier| *earlier < index));
            made.extend(task.makes.iter().copied());
        }
        let masters: BTreeSet<Key> = Keys::of(&session).masters.into_iter().collect();
        assert!(masters.is_subset(&made));
    }
}

#[test]
fn a_fused_session_is_one_task_that_needs_nothing() {
    let session = session(&document());
    let plan = cut(&session, &BTreeSet::new(), Granularity::Fused, KeepStems::Never);
    assert_eq!(plan.tasks.len(), 1);
    assert_eq!(plan.tasks[0].spec.kind(), TaskKind::Fused);
    assert!(plan.tasks[0].needs.is_empty());
    assert_eq!(plan.tasks[0].spec.keep_stems, [2], "the printed stem is a file anyway");
}

#[test]
fn the_cut_never_enters_a_key() {
    let session = session(&document());
    let spread = everything(&cut(&session, &BTreeSet::new(), Granularity::Spread, KeepStems::Always));
    let fused = everything(&cut(&session, &BTreeSet::new(), Granularity::Fused, KeepStems::Always));
    assert_eq!(spread, fused);
}

#[test]
fn a_second_identical_submit_plans_nothing_and_shows_every_file_as_cached() {
    let session = session(&document());
    let present = everything(&cut(&session, &BTreeSet::new(), Granularity::Fused, KeepStems::Auto));
    let again = cut(&session, &present, Granularity::Auto, KeepStems::Auto);
    assert_eq!(again.tasks, []);
    let names: BTreeSet<&str> = again.cached.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["master \"main.wav\"", "master \"instrumental.flac\"", "master \"vox.wav\""]));
}

#[test]
fn editing_one_track_renders_that_stem_and_what_contains_it() {
    let rendered = rendered_after_edit(|document| {
        document["tracks"][2]["inserts"][0]["eq"]["bands"][0]["gain_db"] = json!(3.0);
    });
    // The instrumental's gain is solved on the main mix, so its file changes; its mix does not.
    assert_eq!(
        rendered,
        ["stem \"Vox\"", "mix \"main\"", "master \"main.wav\"", "master \"instrumental.flac\"", "master \"vox.wav\""]
    );
}

#[test]
fn editing_a_track_that_keys_another_renders_both_stems() {
    let rendered = rendered_after_edit(|document| document["tracks"][0]["clips"][0]["gain_db"] = json!(-1.0));
    let stems: Vec<&String> = rendered.iter().filter(|name| name.starts_with("stem")).collect();
    assert_eq!(stems, ["stem \"Kick\"", "stem \"Bass\""]);
}

#[test]
fn moving_a_fader_renders_no_stem() {
    let rendered = rendered_after_edit(|document| document["tracks"][2]["fader_db"] = json!(-2.0));
    assert!(rendered.iter().all(|name| !name.starts_with("stem") && !name.starts_with("decode")), "{rendered:?}");
    assert!(rendered.contains(&"mix \"main\"".to_owned()));
    assert!(!rendered.contains(&"mix \"instrumental\"".to_owned()), "the muted track is not in it");
}

#[test]
fn adding_a_mix_renders_that_mix_alone() {
    let rendered = rendered_after_edit(|document| {
        document["mixes"].as_array_mut().unwrap().push(json!({ "name": "a cappella", "solo": ["Vox"] }));
        let file = json!({ "name": "a cappella", "mix": "a cappella", "format": "wav", "depth": "24" });
        document["deliverables"].as_array_mut().unwrap().push(file);
    });
    assert_eq!(rendered, ["mix \"a cappella\"", "master \"a cappella.wav\""]);
}

#[test]
fn lengthening_one_track_keeps_the_other_stems() {
    let rendered = rendered_after_edit(|document| document["tracks"][2]["clips"][0]["at"] = json!(96_000));
    let stems: Vec<&String> = rendered.iter().filter(|name| name.starts_with("stem")).collect();
    assert_eq!(stems, ["stem \"Vox\""]);
}

#[test]
fn trim_fades_and_removal_of_dc_finish_that_file_alone_again() {
    for (field, value) in [
        ("trim", json!({})),
        ("trim", json!({ "threshold_dbfs": -60.0 })),
        ("fade_in", json!({ "length": "10ms" })),
        ("fade_out", json!({ "length": "10ms", "curve": "linear" })),
        ("remove_dc", json!(true)),
    ] {
        let rendered = rendered_after_edit(|document| document["deliverables"][1][field] = value);
        assert_eq!(rendered, ["master \"instrumental.flac\""], "{field}");
    }
}

#[test]
fn renaming_tracks_renders_nothing() {
    let rendered = rendered_after_edit(|document| {
        document["tracks"][2]["name"] = json!("Lead");
        document["mixes"][1]["mute"] = json!(["Lead"]);
        document["deliverables"][2]["print"] = json!("Lead");
    });
    assert_eq!(rendered, Vec::<String>::new());
}

#[test]
fn files_are_expected_to_cost_what_is_done_to_them() {
    let mut document = document();
    let opus =
        |name: &str, keep: bool| json!({ "name": name, "mix": "main", "format": "opus", "keep_ceiling_decoded": keep });
    document["deliverables"].as_array_mut().unwrap().extend([opus("opus", false), opus("kept", true)]);
    let session = session(&document);
    let plan = cut(&session, &BTreeSet::new(), Granularity::Spread, KeepStems::Always);
    let cost =
        |name: &str| plan.tasks.iter().find(|task| task.display_name == format!("master \"{name}\"")).unwrap().cost;
    // A print is neither limited nor verified; a lossy file is encoded and decoded; one that keeps its ceiling, again and again.
    let ladder = ["vox.wav", "main.wav", "opus.opus", "kept.opus"].map(cost);
    assert!(ladder.is_sorted_by(|cheaper, dearer| cheaper < dearer), "{ladder:?}");
    assert!(ladder[3] >= 2 * ladder[2], "{ladder:?}");
}

#[test]
fn a_task_demands_the_revisions_of_the_nodes_it_runs() {
    let session = session(&document());
    let plan = cut(&session, &BTreeSet::new(), Granularity::Spread, KeepStems::Always);
    let needed = |name: &str| {
        let task = plan.tasks.iter().find(|task| task.display_name == name).unwrap();
        task.revisions.keys().map(String::as_str).collect::<Vec<_>>()
    };
    assert_eq!(needed("stem \"Vox\""), ["eq", "stem"]);
    assert_eq!(needed("mix \"main\""), ["mix", "reverb", "solve"]);
    assert_eq!(needed("master \"main.wav\""), ["finish", "wav"]);
    for task in &plan.tasks {
        assert!(task.revisions.iter().all(|(name, revision)| revisions().get(name) == Some(revision)));
    }
}
