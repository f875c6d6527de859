//! `mixdown analyze`: the fields that programs read, and files that cannot be measured.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{run_in, write_sine};

/// EBU Tech 3341, case 1: a stereo sine of 1000 Hz with peaks at −23.0 dBFS for 20 s measures −23.0 ±0.1 LUFS.
#[test]
fn the_first_case_of_tech_3341_measures_minus_23_lufs() {
    let folder = tempfile::tempdir().unwrap();
    write_sine(&folder.path().join("case-1.wav"), 1000.0, 0.070_794_578, 20.0, 2);
    let ran = run_in(folder.path(), &["analyze", "--json", "case-1.wav"]).expect_code(0);
    let document = ran.json();
    let [measured] = document.as_array().unwrap().as_slice() else { panic!("one file gives one entry: {document}") };
    assert_eq!(measured["file"], "case-1.wav");
    assert_eq!(measured["frames"], 960_000);
    assert_eq!(measured["sample_rate_hz"], 48_000);
    assert_eq!(measured["channels"], 2);
    assert_eq!(measured["duration_seconds"], 20.0);
    let near = |field: &str, expected: f64, tolerance: f64| {
        let found = measured[field].as_f64().unwrap_or_else(|| panic!("{field} is missing in {measured}"));
        assert!((found - expected).abs() <= tolerance, "{field} is {found}, not {expected}");
    };
    near("integrated_lufs", -23.0, 0.1);
    near("momentary_max_lufs", -23.0, 0.1);
    near("short_term_max_lufs", -23.0, 0.1);
    near("loudness_range_lu", 0.0, 0.1);
    near("true_peak_dbtp", -23.0, 0.1);
    near("sample_peak_dbfs", -23.0, 0.1);
}

#[test]
fn files_come_in_the_order_given_and_a_broken_one_stops_none() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seconds) in [("a.wav", 4.0), ("b.wav", 1.0), ("c.wav", 2.0)] {
        write_sine(&folder.path().join(name), 997.0, 0.5, seconds, 1);
    }
    std::fs::write(folder.path().join("text.wav"), "this is no audio").unwrap();
    let ran = run_in(folder.path(), &["analyze", "--json", "a.wav", "missing.wav", "b.wav", "text.wav", "c.wav"]);
    let document = ran.expect_code(2).json();
    let files: Vec<_> = document.as_array().unwrap().iter().map(|entry| entry["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["a.wav", "missing.wav", "b.wav", "text.wav", "c.wav"]);
    assert_eq!(document[0]["frames"], 192_000);
    assert_eq!(document[1]["error"]["code"], "missing_file");
    assert_eq!(document[2]["frames"], 48_000);
    assert_eq!(document[3]["error"]["code"], "not_audio");
    assert_eq!(document[4]["frames"], 96_000);
}

#[test]
fn people_get_a_table_on_stdout_and_errors_on_stderr() {
    let folder = tempfile::tempdir().unwrap();
    write_sine(&folder.path().join("tone.wav"), 997.0, 0.5, 3.0, 2);
    let ran = run_in(folder.path(), &["analyze", "tone.wav", "missing.wav"]).expect_code(2);
    assert!(ran.stdout.contains("tone.wav") && ran.stdout.contains("0:03.000"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("missing.wav"), "{}", ran.stdout);
    assert!(ran.stderr.contains("missing_file") && ran.stderr.contains("missing.wav"), "{}", ran.stderr);
}

#[test]
fn silence_has_no_level() {
    let folder = tempfile::tempdir().unwrap();
    write_sine(&folder.path().join("silence.wav"), 997.0, 0.0, 1.0, 2);
    let document = run_in(folder.path(), &["analyze", "--json", "silence.wav"]).expect_code(0).json();
    assert!(document[0]["integrated_lufs"].is_null() && document[0]["sample_peak_dbfs"].is_null(), "{document}");
}

/// What a file measures when levels alone are asked, and when everything is.
fn levels_and_everything(folder: &Path, files: &[&str]) -> (Value, Value) {
    let ask = |measure: &str| {
        let asked = [&["analyze", "--json", "--measure", measure][..], files].concat();
        run_in(folder, &asked).expect_code(0).json()
    };
    (ask("levels"), ask("everything"))
}

#[test]
fn levels_alone_are_those_of_everything_to_the_last_digit() {
    let folder = tempfile::tempdir().unwrap();
    for (name, hz, peak, seconds, channels) in [
        ("stereo.wav", 997.0, 0.5, 4.0, 2),
        ("mono.wav", 11_993.0, 0.99, 3.5, 1),
        ("surround.wav", 5_003.0, 0.7, 1.25, 6),
        ("silence.wav", 997.0, 0.0, 1.0, 2),
        ("short.wav", 997.0, 0.5, 0.01, 2),
    ] {
        write_sine(&folder.path().join(name), hz, peak, seconds, channels);
    }
    let audio = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/harbour_lights/audio");
    let mut files: Vec<String> =
        ["stereo.wav", "mono.wav", "surround.wav", "silence.wav", "short.wav"].map(String::from).into();
    for entry in std::fs::read_dir(audio).unwrap() {
        files.push(entry.unwrap().path().display().to_string());
    }
    assert!(files.len() > 8, "the example has audio: {files:?}");
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let (levels, everything) = levels_and_everything(folder.path(), &names);
    let (levels, mut everything) = (levels.as_array().unwrap().clone(), everything.as_array().unwrap().clone());
    for (levels, everything) in levels.iter().zip(&mut everything) {
        for field in ["digest", "quality", "verdicts"] {
            assert!(everything.as_object_mut().unwrap().remove(field).is_some(), "everything has its {field}");
        }
        assert_eq!(levels, everything);
    }
    assert_eq!((levels.len(), everything.len()), (files.len(), files.len()));
}

#[test]
fn json_has_everything_unless_levels_are_asked_and_a_profile_needs_everything() {
    let folder = tempfile::tempdir().unwrap();
    write_sine(&folder.path().join("tone.wav"), 997.0, 0.5, 3.0, 2);
    let plain = run_in(folder.path(), &["analyze", "--json", "tone.wav"]).expect_code(0).json();
    let (_, everything) = levels_and_everything(folder.path(), &["tone.wav"]);
    assert_eq!(plain, everything);
    for more in [["--profile", "cd"], ["--html", "page.html"]] {
        let ran = run_in(folder.path(), &[&["analyze", "tone.wav", "--measure", "levels"][..], &more].concat());
        assert!(ran.expect_code(2).stderr.contains("--measure"), "{more:?}");
    }
}

#[test]
fn a_file_that_is_cut_fails_alike_when_levels_alone_are_asked() {
    let folder = tempfile::tempdir().unwrap();
    write_sine(&folder.path().join("whole.wav"), 997.0, 0.5, 3.0, 2);
    let bytes = std::fs::read(folder.path().join("whole.wav")).unwrap();
    std::fs::write(folder.path().join("cut.wav"), &bytes[..bytes.len() / 2]).unwrap();
    let error = |measure: &str| {
        run_in(folder.path(), &["analyze", "--json", "--measure", measure, "cut.wav"]).expect_code(2).json()
    };
    assert_eq!(error("levels")[0]["error"]["code"], "truncated");
    assert_eq!(error("levels"), error("everything"));
}
