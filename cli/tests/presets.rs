//! `mixdown presets`: the list, and an insert to paste.

mod support;

use support::{run, run_in, write_session, write_sine};

#[test]
fn the_presets_are_listed_with_what_they_are_for() {
    let ran = run(&["presets"]).expect_code(0);
    for word in ["compressor", "vocal-gentle", "Evens out a vocal", "reverb", "hall"] {
        assert!(ran.stdout.contains(word), "{word} in\n{}", ran.stdout);
    }
    let ran = run(&["presets", "delay"]).expect_code(0);
    assert!(ran.stdout.contains("slap") && !ran.stdout.contains("vocal-gentle"), "{}", ran.stdout);
    let presets = run(&["presets", "eq", "--json"]).expect_code(0).json();
    assert_eq!(presets["presets"][0]["processor"], "eq");
    assert!(presets["presets"][0]["parameters"]["bands"].is_array());
}

#[test]
fn every_preset_prints_an_insert_that_a_session_takes() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    // The impulse response that printed convolutions name.
    write_sine(&folder.path().join("response.wav"), 440.0, 0.25, 0.5, 2);
    let session = std::fs::read_to_string(folder.path().join("song.toml")).unwrap();
    let presets = run(&["presets", "--json"]).expect_code(0).json();
    let names = presets["presets"].as_array().unwrap().iter();
    let mut inserts = String::new();
    for preset in names {
        let (processor, name) = (preset["processor"].as_str().unwrap(), preset["name"].as_str().unwrap());
        let snippet = run(&["presets", processor, name]).expect_code(0).stdout;
        let named = snippet.replace(&format!("name = \"{name}\"\n"), &format!("name = \"{processor}/{name}\"\n"));
        inserts += &named.replace("[[tracks.inserts]]", "[[buses.inserts]]");
    }
    // At most 64 inserts to a chain.
    let inserts: Vec<&str> = inserts.split_inclusive("}\n").filter(|part| part.contains("[[buses.inserts]]")).collect();
    let inserts = inserts.chunks(50).enumerate();
    let buses = inserts.map(|(index, chain)| format!("\n[[buses]]\nname = \"presets {index}\"\n{}", chain.concat()));
    std::fs::write(folder.path().join("presets.toml"), session + &buses.collect::<String>()).unwrap();
    run_in(folder.path(), &["check", "presets.toml", "--quick"]).expect_code(0);
}

#[test]
fn a_slip_of_the_fingers_is_answered_with_the_nearest_name() {
    let ran = run(&["presets", "compresor"]).expect_code(2);
    assert!(ran.stderr.contains("did you mean \"compressor\"?"), "{}", ran.stderr);
    let ran = run(&["presets", "compressor", "vocal-gentel"]).expect_code(2);
    assert!(ran.stderr.contains("did you mean \"vocal-gentle\"?"), "{}", ran.stderr);
    let ran = run(&["presets", "compressor", "hall", "--json"]).expect_code(2);
    assert_eq!(ran.json()["error"]["code"], "unknown_preset");
}
