//! `mixdown analyze`: the fields that programs read, and files that cannot be measured.

mod support;

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
