//! Groups and their names: who is in which, what a shared bus becomes, and files that stay in their folder.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use std::sync::atomic::{AtomicU32, Ordering};

use mixdown_dsp::session::valid::{Content, Share};
use mixdown_dsp::session::{ValidSession, check, from_json};
use proptest::prelude::*;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

#[path = "support/long.rs"]
mod long;

/// Drums through a bus of their own into another, a voice with reverb, a bass that goes straight to the master.
fn document() -> Value {
    let facts = json!({ "digest": "0".repeat(64), "size_bytes": 1, "frames": 48_000, "sample_rate_hz": 48_000,
        "channels": 1, "lossy": false });
    let clips = json!([{ "file": "a.wav" }]);
    json!({
        "version": 1, "sample_rate_hz": 48_000, "assets": { "a.wav": facts },
        "metadata": { "title": "Song", "artist": "AC/DC", "track_number": 3 },
        "tracks": [
            { "name": "Kick", "clips": clips, "output": "Kit", "sends": [{ "to": "Crush" }] },
            { "name": "Snare", "clips": clips, "output": "Kit", "sends": [{ "to": "Hall" }] },
            { "name": "Vox", "clips": clips, "sends": [{ "to": "Hall" }, { "to": "Crush" }] },
            { "name": "Bass", "clips": clips },
            { "name": "Empty" },
        ],
        "buses": [
            { "name": "Kit", "output": "Drum bus", "inserts": [{ "eq": {} }] },
            { "name": "Drum bus", "inserts": [{ "name": "glue", "compressor": {} }] },
            { "name": "Hall", "inserts": [{ "reverb": {} }] },
            { "name": "Crush", "inserts": [{ "saturator": {} }] },
        ],
        "mixes": [{ "name": "main" }, { "name": "a cappella", "solo": ["Vox"] }],
        "groups": [{ "name": "Drums", "buses": ["Drum bus"] }, { "name": "Vocals", "tracks": ["Vox"] }],
        "deliverables": [{ "each": "group", "format": "wav", "depth": "24" }],
    })
}

fn session(document: &Value) -> ValidSession {
    from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn with(edit: impl FnOnce(&mut Value)) -> Value {
    let mut document = document();
    edit(&mut document);
    document
}

fn names(session: &ValidSession) -> Vec<&str> {
    session.deliverables.iter().map(|file| file.file_name.as_str()).collect()
}

/// A print's tracks and buses by name; a bus that is split has a `~` before its name.
fn parts(session: &ValidSession, group: &str) -> Vec<String> {
    let print = session.group_prints.iter().find(|print| print.name == group).unwrap_or_else(|| panic!("no {group}"));
    let tracks = session.tracks.iter().zip(&print.tracks).filter(|(_, sounds)| **sounds);
    let buses = session.buses.iter().zip(&print.buses).filter_map(|(bus, share)| match share {
        Share::Nothing => None,
        Share::Part => Some(format!("~{}", bus.name)),
        Share::Whole => Some(bus.name.clone()),
    });
    tracks.map(|(track, _)| track.name.clone()).chain(buses).collect()
}

/// The faults of a document, each as code and pointer.
fn expect(document: &Value, codes: &[&str], pointers: &[&str]) {
    let faults = from_json(&document.to_string()).expect_err("a faulty document");
    let found: Vec<(&str, &str)> = faults.0.iter().map(|fault| (fault.code, fault.pointer.as_str())).collect();
    let wanted: Vec<(&str, &str)> = codes.iter().copied().zip(pointers.iter().copied()).collect();
    assert_eq!(found, wanted, "{faults}");
}

fn deliverables(deliverables: Value) -> Value {
    with(|document| document["deliverables"] = deliverables)
}

/// One deliverable of this name that holds the mix.
fn named(name: &str) -> Value {
    deliverables(json!([{ "name": name, "mix": "main", "format": "wav", "depth": "16" }]))
}

#[test]
fn a_group_has_its_tracks_those_that_lead_into_its_buses_and_its_share_of_the_others() {
    let session = session(&document());
    assert_eq!(names(&session), ["Song - Drums.wav", "Song - Vocals.wav", "Song - Rest.wav", "Song - Crush.wav"]);
    assert_eq!(parts(&session, "Drums"), ["Kick", "Snare", "Kit", "Drum bus", "~Hall"]);
    assert_eq!(parts(&session, "Vocals"), ["Vox", "~Hall"]);
    assert_eq!(parts(&session, "Rest"), ["Bass"], "what has no clips is nowhere");
    assert_eq!(parts(&session, "Crush"), ["Crush"]);
    assert_eq!(session.content_name(session.deliverables[0].content), "group \"Drums\" of main");
}

#[test]
fn a_bus_that_a_group_names_is_wholly_its_own_whoever_feeds_it() {
    let session = session(&with(|document| document["groups"][1]["buses"] = json!(["Hall", "Crush"])));
    assert_eq!(parts(&session, "Drums"), ["Kick", "Snare", "Kit", "Drum bus"]);
    assert_eq!(parts(&session, "Vocals"), ["Vox", "Hall", "Crush"]);
}

#[test]
fn a_bus_that_one_group_feeds_alone_is_its_own_even_if_it_bends_sums() {
    let session = session(&with(|document| {
        document["tracks"][0]["sends"] = json!([]);
        document["tracks"][1]["sends"] = json!([]);
    }));
    assert_eq!(parts(&session, "Vocals"), ["Vox", "Hall", "Crush"]);
}

#[test]
fn what_a_mix_mutes_shares_nothing() {
    let session = session(&deliverables(json!([
        { "each": "group", "mix": "a cappella", "format": "wav", "depth": "24" },
    ])));
    assert_eq!(names(&session), ["Song (a cappella) - Vocals.wav"]);
    assert_eq!(parts(&session, "Vocals"), ["Vox", "Hall", "Crush"]);
}

#[test]
fn a_keyed_compressor_passes_sums_so_that_its_bus_is_split() {
    let duck = json!([{ "sidechain": "Bass", "compressor": {} }]);
    let session = session(&with(|document| document["buses"][3]["inserts"] = duck));
    assert_eq!(parts(&session, "Drums"), ["Kick", "Snare", "Kit", "Drum bus", "~Hall", "~Crush"]);
}

#[test]
fn what_follows_a_bus_that_stands_alone_hears_it_as_a_group() {
    let session = session(&with(|document| {
        document["buses"][3]["output"] = json!("Hall");
        document["buses"][3]["sends"] = json!([]);
    }));
    assert_eq!(parts(&session, "Crush"), ["~Hall", "Crush"]);
}

#[test]
fn tracks_in_no_group_are_the_rest_or_groups_by_bus_or_by_track() {
    let groups = |ungrouped: &str| {
        let session = session(&with(|document| {
            document["groups"] = json!([]);
            document["ungrouped"] = json!(ungrouped);
        }));
        session.group_prints.iter().map(|print| print.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(groups("rest"), ["Rest"]);
    assert_eq!(groups("by_bus"), ["Drum bus", "Vox", "Bass", "Crush"]);
    assert_eq!(
        groups("by_track"),
        ["Snare", "Vox", "Bass", "Drum bus", "Crush"],
        "all of the kick goes through the drum bus"
    );
}

#[test]
fn a_group_of_the_name_of_a_bus_that_stands_alone_keeps_it() {
    let session = session(&with(|document| document["groups"][1]["name"] = json!("Crush")));
    assert_eq!(parts(&session, "Crush"), ["Vox", "~Hall"]);
    assert_eq!(parts(&session, "Crush bus"), ["Crush"]);
}

#[test]
fn check_notes_a_shared_bus_at_its_place_and_a_group_that_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.json");
    let document = with(|document| {
        document["deliverables"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "group": "Drums", "mix": "a cappella", "name": "d", "format": "wav", "depth": "24" }));
    });
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(folder.path().join("a.wav"), spec).unwrap();
    (0..100).for_each(|_| wav.write_sample(0i16).unwrap());
    wav.finalize().unwrap();
    std::fs::write(&path, serde_json::to_string_pretty(&document).unwrap()).unwrap();
    let (_, notes) = check(&path, mixdown_dsp::session::Inspection::Digests).unwrap();
    let found: Vec<(&str, &str)> = notes.iter().map(|note| (note.code, note.pointer.as_str())).collect();
    assert_eq!(found, [("shared_bus", "/buses/3"), ("silent_group", "/deliverables/1/group")]);
    assert!(notes.iter().all(|note| note.line > 1 && note.file.ends_with("song.json")), "{notes:?}");
    for word in ["\"main\"", "\"Crush\"", "\"Drums\"", "\"Vocals\"", "saturator"] {
        assert!(notes[0].message.contains(word), "{word} in {}", notes[0].message);
    }
}

#[test]
fn groups_have_names_of_their_own_and_nothing_in_two_of_them() {
    let groups = |groups: Value| with(|document| document["groups"] = groups);
    expect(&groups(json!([{ "name": "A" }, { "name": "A" }])), &["duplicate_name"], &["/groups/1/name"]);
    expect(&groups(json!([{ "name": "" }])), &["bad_name"], &["/groups/0/name"]);
    expect(
        &groups(
            json!([{ "name": "A", "tracks": ["Kick", "Kick"], "buses": ["Hall"] }, { "name": "B", "buses": ["Hall"] }]),
        ),
        &["in_two_groups", "in_two_groups"],
        &["/groups/0/tracks/1", "/groups/1/buses/0"],
    );
    expect(
        &groups(json!([{ "name": "A", "tracks": ["Hall", "Kik"], "buses": ["Kick"] }])),
        &["not_a_bus", "not_a_track", "dangling_name"],
        &["/groups/0/buses/0", "/groups/0/tracks/0", "/groups/0/tracks/1"],
    );
}

#[test]
fn a_deliverable_holds_one_thing_of_something_that_is_there() {
    let one = |fields: Value| {
        let mut file = json!({ "name": "x", "format": "wav", "depth": "24" });
        file.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        deliverables(json!([file]))
    };
    expect(&one(json!({ "group": "Drms" })), &["dangling_name"], &["/deliverables/0/group"]);
    expect(&one(json!({ "group": "Crush", "mix": "a cappella" })), &["dangling_name"], &["/deliverables/0/group"]);
    expect(&one(json!({ "group": "Drums", "print": "Kick" })), &["too_many"], &["/deliverables/0/group"]);
    expect(&one(json!({ "each": "group", "group": "Drums" })), &["too_many"], &["/deliverables/0/each"]);
    expect(&one(json!({ "each": "mix", "mix": "main" })), &["too_many"], &["/deliverables/0/mix"]);
    expect(&one(json!({ "each": "track", "mix": "main" })), &["too_many"], &["/deliverables/0/mix"]);
    expect(&one(json!({ "each": "group" })), &["duplicate_name"], &["/deliverables/0/name"]);
}

#[test]
fn each_asks_for_a_file_for_each_mix_and_each_track_that_plays() {
    let session = session(&deliverables(json!([
        { "each": "mix", "format": "wav", "depth": "24" },
        { "each": "track", "name": "{number} {track}", "format": "flac", "depth": "16" },
    ])));
    assert_eq!(
        names(&session),
        ["Song (main).wav", "Song (a cappella).wav", "01 Kick.flac", "02 Snare.flac", "03 Vox.flac", "04 Bass.flac"]
    );
    assert_eq!(session.deliverables[4].content, Content::Print(2));
}

#[test]
fn more_files_than_1024_are_refused() {
    let many: Vec<Value> = (0..513)
        .map(|at| json!({ "each": "mix", "name": format!("{at} {{mix}}"), "format": "wav", "depth": "24" }))
        .collect();
    expect(&deliverables(json!(many)), &["out_of_range"], &["/deliverables/512"]);
}

#[test]
fn templates_are_filled_with_what_the_session_says() {
    for (template, expected) in [
        ("{artist} - {title} ({mix}) {rate} {depth}", "AC-DC - Song (main) 48kHz 16bit.wav"),
        ("{track_number} {title} [{format}]", "03 Song [wav].wav"),
        ("{{{title}}}", "{Song}.wav"),
        ("{ title }", "Song.wav"),
    ] {
        assert_eq!(names(&session(&named(template))), [expected]);
    }
    let session = session(&deliverables(json!([
        { "name": "{rate} {depth}", "mix": "main", "format": "wav", "depth": "32f", "sample_rate_hz": 44_100 },
        { "name": "{track}", "print": "Vox", "format": "flac", "depth": "24" },
        { "name": "{mix} {group}", "group": "Vocals", "format": "flac", "depth": "24" },
    ])));
    assert_eq!(names(&session), ["44.1kHz 32bit float.wav", "Vox.flac", "main Vocals.flac"]);
}

#[test]
fn a_placeholder_that_gives_nothing_says_what_is_missing() {
    let at = &["/deliverables/0/name"];
    expect(&named("{album} x"), &["missing_value"], at);
    expect(&named("{group}"), &["missing_value"], at);
    expect(&named("{number}"), &["missing_value"], at);
    expect(&named("{titel}"), &["unknown_placeholder"], at);
    for bad in ["{title", "title}", "{{title}", "{a{b}}"] {
        expect(&named(bad), &["malformed"], at);
    }
    for bad in ["{title}/{mix}", "../{title}", ".{title}", "CON", "lpt1", "a\u{202e}b"] {
        expect(&named(bad), &["bad_file_name"], at);
    }
    let faults = from_json(&named("{titel} {album}").to_string()).unwrap_err();
    assert!(faults.0[0].message.contains("did you mean \"title\"?"), "{faults}");
    let faults = from_json(&named("{album}").to_string()).unwrap_err();
    assert!(faults.0[0].message.contains("metadata.album is not set"), "{faults}");
}

#[test]
fn names_that_some_file_system_takes_for_one_are_refused() {
    for (first, second) in [("Mix", "mix"), ("Straße", "STRASSE"), ("Caf\u{e9}", "Cafe\u{301}"), ("A{{", "a{{")] {
        let file = |name: &str| json!({ "name": name, "mix": "main", "format": "wav", "depth": "16" });
        expect(&deliverables(json!([file(first), file(second)])), &["duplicate_name"], &["/deliverables/1/name"]);
    }
    // Tracks that differ in nothing that a file name can hold.
    let document = with(|document| {
        document["tracks"][0]["name"] = json!("a/b");
        document["tracks"][1]["name"] = json!("a:b");
        document["deliverables"] = json!([{ "each": "track", "name": "{track}", "format": "wav", "depth": "16" }]);
    });
    let faults = from_json(&document.to_string()).unwrap_err();
    assert_eq!(faults.0[0].code, "duplicate_name");
}

/// Texts that try to get out: separators, dots, devices, controls, marks of direction, long ones, combining ones.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "\\", "..", ".", " ", ":", "\u{0}", "\n", "\u{202e}", "\u{200b}", "con", "NUL", "com1", "ä", "e\u{301}",
        "😀", "{title}", "{", "}", "a", "~", "*?<>|\"", "\u{feff}", "C:", "%2e%2e", "$HOME",
    ]);
    let pieces = prop::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat());
    prop_oneof![pieces, "\\PC{1,40}", Just("x".repeat(400)), Just("😀".repeat(180)), Just("ä".repeat(300))]
}

/// Short names that differ in what file systems may not tell apart, beside hostile ones.
fn alike() -> impl Strategy<Value = String> {
    prop_oneof![1 => hostile(), 3 => "[aAbB/:.éÉ_]{1,5}"]
}

/// Documents tried and accepted: what is refused proves nothing of names.
struct Tally {
    tried: AtomicU32,
    accepted: AtomicU32,
}

impl Tally {
    const fn new() -> Self {
        Self { tried: AtomicU32::new(0), accepted: AtomicU32::new(0) }
    }

    /// Counts a document; at the end of a run at least a third must have been accepted.
    fn count(&self, is_accepted: bool) {
        let tried = self.tried.fetch_add(1, Ordering::Relaxed) + 1;
        let accepted = self.accepted.fetch_add(u32::from(is_accepted), Ordering::Relaxed) + u32::from(is_accepted);
        assert!(
            tried < long::rounds(CASES) || 3 * accepted >= tried,
            "only {accepted} of {tried} documents are accepted"
        );
    }
}

/// Documents of each random test.
const CASES: u32 = 400;

proptest! {
    #![proptest_config(ProptestConfig { cases: long::rounds(CASES), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_leads_out_of_the_folder(
        title in hostile(),
        track in hostile(),
        template in prop::sample::select(vec!["{title}", "{title}{track}", "{track}", "{title} - {track}", "x{track}", "{track}."]),
    ) {
        let document = with(|document| {
            document["metadata"]["title"] = json!(title);
            document["tracks"][3]["name"] = json!(track);
            document["deliverables"] = json!([{ "name": template, "print": track, "format": "wav", "depth": "16" }]);
        });
        // Names that the document may not hold are told; what is left must give a file of this folder.
        static TALLY: Tally = Tally::new();
        let read = from_json(&document.to_string());
        TALLY.count(read.is_ok());
        let Ok(session) = read else { return Ok(()) };
        let name = &session.deliverables[0].file_name;
        let path = std::path::Path::new(name);
        prop_assert_eq!(path.components().collect::<Vec<_>>(), [std::path::Component::Normal(name.as_ref())]);
        prop_assert!(name.len() <= 255 && name.chars().count() <= 204, "{}", name.len());
        prop_assert!(name.ends_with(".wav") && name.len() > 4);
        let stem = name.strip_suffix(".wav").unwrap_or_default();
        prop_assert!(!stem.starts_with(['.', ' ']) && !stem.ends_with(['.', ' ']), "{name:?}");
        prop_assert!(!name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']), "{name:?}");
        prop_assert!(!name.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{name:?}");
        let device = stem.split('.').next().unwrap_or_default().trim_end().to_lowercase();
        prop_assert!(!["con", "prn", "aux", "nul", "com1", "lpt1"].contains(&device.as_str()), "{name:?}");
    }

    #[test]
    fn two_files_never_fall_together(first in alike(), second in alike()) {
        let document = with(|document| {
            document["tracks"][2]["name"] = json!(first);
            document["tracks"][3]["name"] = json!(second);
            document["groups"] = json!([]);
            // That of the voice alone would name a track that is no more.
            document["mixes"] = json!([{ "name": "main" }]);
            document["deliverables"] = json!([{ "each": "track", "name": "{track}", "format": "wav", "depth": "16" }]);
        });
        static TALLY: Tally = Tally::new();
        let read = from_json(&document.to_string());
        TALLY.count(read.is_ok());
        let Ok(session) = read else { return Ok(()) };
        let mut seen: Vec<String> = names(&session).iter().map(|name| name.nfd().collect::<String>().to_lowercase()).collect();
        seen.sort();
        let count = seen.len();
        seen.dedup();
        prop_assert_eq!(seen.len(), count);
    }
}
