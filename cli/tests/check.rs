//! `mixdown check` and `mixdown schema`: every fault at once, each at its place.

mod support;

use support::{run, run_in, write_session, write_session_with_a_shared_bus, write_sine};

#[test]
fn a_session_that_holds_together_has_no_faults() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    for flags in [&[][..], &["--quick"]] {
        let ran = run_in(folder.path(), &[&["check", "song.toml"], flags].concat()).expect_code(0);
        assert!(ran.stdout.starts_with("song.toml: no faults"), "{}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
    let document = run_in(folder.path(), &["check", "song.toml", "--json"]).expect_code(0).json();
    assert_eq!(document["valid"], true);
    assert_eq!(document["faults"], serde_json::json!([]));
    assert_eq!(document["tracks"], 2);
    assert_eq!(document["deliverables"], serde_json::json!(["song.wav", "song.flac", "instrumental.wav"]));
}

#[test]
fn a_bus_that_groups_share_is_noted_and_nothing_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    write_session_with_a_shared_bus(folder.path());
    let ran = run_in(folder.path(), &["check", "song.toml"]).expect_code(0);
    assert!(ran.stdout.contains("\nnote: song.toml:"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\"Glue\" is shared by the groups \"Tone\", \"Low\""), "{}", ran.stdout);
    let document = run_in(folder.path(), &["check", "song.toml", "--json"]).expect_code(0).json();
    assert_eq!(document["valid"], true);
    let note = &document["notes"][0];
    assert_eq!((note["code"].as_str(), note["pointer"].as_str()), (Some("shared_bus"), Some("/buses/0")));
    assert!(note["line"].as_u64() > Some(1), "{note}");
    assert!(document["deliverables"].as_array().unwrap().contains(&"Two tones - Glue.wav".into()));
}

#[test]
fn all_faults_come_at_once_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    write_sine(&folder.path().join("tone.wav"), 440.0, 0.25, 1.0, 1);
    // Lines and columns are counted by hand in this text.
    let session = "\
version = 1
sample_rate_hz = 48000
[[tracks]]
name = \"Vox\"
fader_db = 99.0
output = \"Verbb\"
wobble = 3
clips = [{ file = \"tone.wav\" }, { file = \"gone.wav\" }]
[[buses]]
name = \"Verb\"
[[deliverables]]
name = \"song\"
format = \"wav\"
depth = \"24\"
mix = \"main\"
";
    std::fs::write(folder.path().join("song.toml"), session).unwrap();
    let ran = run_in(folder.path(), &["check", "song.toml", "--json"]).expect_code(2);
    let document = ran.json();
    assert_eq!(document["valid"], false);
    let found: Vec<(String, u64)> = document["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["code"].as_str().unwrap().to_owned(), fault["line"].as_u64().unwrap()))
        .collect();
    for expected in [("out_of_range", 5), ("dangling_name", 6), ("unknown_field", 7), ("missing_file", 8)] {
        assert!(found.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} is not in {found:?}");
    }
    for fault in document["faults"].as_array().unwrap() {
        assert_eq!(fault["file"], "song.toml");
        assert!(fault["column"].as_u64().unwrap() > 0, "{fault}");
        assert!(!fault["message"].as_str().unwrap().is_empty() && !fault["expected"].as_str().unwrap().is_empty());
    }

    let ran = run_in(folder.path(), &["check", "song.toml"]).expect_code(2);
    assert_eq!(ran.stdout, "");
    for part in ["song.toml:5:12", "song.toml:6:10", "song.toml:7:1", "out_of_range", "Verbb", "wobble", "gone.wav"] {
        assert!(ran.stderr.contains(part), "{part} is missing in\n{}", ran.stderr);
    }
}

#[test]
fn broken_media_is_found_by_decoding_it_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    let tone = folder.path().join("tone.wav");
    let bytes = std::fs::read(&tone).unwrap();
    std::fs::write(&tone, &bytes[..bytes.len() / 2]).unwrap();
    let document = run_in(folder.path(), &["check", "song.toml", "--json"]).expect_code(2).json();
    assert_eq!(document["faults"][0]["code"], "truncated", "{document}");

    std::fs::write(&tone, "this is no audio").unwrap();
    let document = run_in(folder.path(), &["check", "song.toml", "--json"]).expect_code(2).json();
    assert_eq!(document["faults"][0]["code"], "not_audio", "{document}");
}

#[test]
fn a_session_that_is_not_there_is_bad_input() {
    for command in
        [&["check", "none.toml"][..], &["render", "none.toml", "--out", "never-made"], &["submit", "none.toml"]]
    {
        let ran = run(command).expect_code(2);
        assert!(ran.stderr.contains("none.toml"), "{command:?}:\n{}", ran.stderr);
    }
}

#[test]
fn the_schema_is_json_that_names_the_parts_of_a_session() {
    let schema = run(&["schema"]).expect_code(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for part in ["tracks", "buses", "master", "mixes", "deliverables", "loudness", "metadata"] {
        assert!(schema["properties"].get(part).is_some(), "{part} is missing");
    }
}

#[test]
fn a_fault_in_a_line_as_programs_write_them_is_told_by_its_place_alone() {
    let folder = tempfile::tempdir().unwrap();
    let tracks: Vec<String> = (0..2000).map(|index| format!(r#"{{"name":"t{index}"}}"#)).collect();
    let text = format!(
        r#"{{"version":1,"sample_rate_hz":48000,"colour":1,"tracks":[{}],"deliverables":[]}}"#,
        tracks.join(",")
    );
    std::fs::write(folder.path().join("song.json"), &text).unwrap();
    let stderr = run_in(folder.path(), &["check", "song.json"]).expect_code(2).stderr;
    assert!(stderr.contains("song.json:1:"), "{stderr}");
    assert!(stderr.len() < 10_000, "{} bytes for a fault or two", stderr.len());
}
