//! `mixdown render`: a farm of one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use mixdown_dsp::digest::Digest;
use support::{command, run_in, write_session, write_session_with_a_shared_bus};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    // The quality report and what its player plays.
    names.retain(|name| !["previews", "report.html"].contains(&name.as_str()));
    names.sort();
    names
}

#[test]
fn every_deliverable_lies_in_the_folder_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    let ran = run_in(folder.path(), &["render", "song.toml", "--out", "new/masters", "--json"]).expect_code(0);
    let out = folder.path().join("new/masters");
    assert_eq!(names(&out), ["instrumental.wav", "song.flac", "song.wav"]);
    let document = ran.json();
    let files = document.as_array().unwrap();
    assert_eq!(files.len(), 3);
    for file in files {
        let path = out.join(file["file"].as_str().unwrap());
        let digest = Digest::of_reader(std::fs::File::open(&path).unwrap()).unwrap().to_string();
        assert_eq!(file["digest"], digest.as_str());
        assert_eq!(file["size_bytes"], std::fs::metadata(&path).unwrap().len());
        assert_eq!(file["duration_seconds"], 2.0, "{file}");
        assert!(file["integrated_lufs"].is_f64() && file["true_peak_dbtp"].is_f64(), "{file}");
    }
}

#[test]
fn threads_blocks_and_cuts_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    let bytes = |flags: &[&str]| {
        run_in(folder.path(), &[&["render", "song.toml", "--out", "out"], flags].concat()).expect_code(0);
        names(&folder.path().join("out"))
            .iter()
            .map(|it| std::fs::read(folder.path().join("out").join(it)).unwrap())
            .collect::<Vec<_>>()
    };
    let first = bytes(&["--threads", "1"]);
    for flags in [
        &["--threads", "2"][..],
        &["--simd", "baseline"],
        &["--block-frames", "64"],
        &["--block-frames", "4096", "--granularity", "spread"],
    ] {
        assert!(bytes(flags) == first, "{flags:?} gives other bytes");
    }
}

#[test]
fn the_groups_of_a_mix_are_delivered_with_it_and_say_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    let path = folder.path().join("song.toml");
    let groups = "\n[[deliverables]]\neach = \"group\"\nmix = \"instrumental\"\nname = \"{mix} {group}\"\nformat = \"wav\"\n\
        depth = \"24\"\n";
    let session = std::fs::read_to_string(&path).unwrap() + groups;
    std::fs::write(&path, format!("ungrouped = \"by_track\"\n{session}")).unwrap();
    let of = |mix: &str| {
        let ran =
            run_in(folder.path(), &["render", "song.toml", "--out", "out", "--mix", mix, "--json"]).expect_code(0);
        let files = ran.json();
        let told =
            |field: &str| files.as_array().unwrap().iter().map(|file| file[field].to_string()).collect::<Vec<_>>();
        (told("file"), told("content"))
    };
    let (files, contents) = of("instrumental");
    assert_eq!(files, ["\"instrumental.wav\"", "\"instrumental Low.wav\""]);
    assert_eq!(contents[1], r#""group \"Low\" of instrumental""#);
    assert_eq!(of("main").0, ["\"song.wav\"", "\"song.flac\""]);
}

#[test]
fn what_check_notes_is_told_on_stderr_and_the_result_stays_one_document() {
    let folder = tempfile::tempdir().unwrap();
    write_session_with_a_shared_bus(folder.path());
    let ran = run_in(folder.path(), &["render", "song.toml", "--out", "out", "--json"]).expect_code(0);
    let notes: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("note: song.toml:")).collect();
    assert!(notes.len() == 1 && notes[0].contains("\"Glue\" is shared by the groups"), "{}", ran.stderr);
    assert!(ran.json().as_array().unwrap().iter().any(|file| file["file"] == "Two tones - Glue.wav"));
}

#[test]
fn only_the_mixes_named_are_delivered() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    run_in(folder.path(), &["render", "song.toml", "--out", "out", "--mix", "instrumental"]).expect_code(0);
    assert_eq!(names(&folder.path().join("out")), ["instrumental.wav"]);

    let ran = run_in(folder.path(), &["render", "song.toml", "--out", "other", "--mix", "dub"]).expect_code(2);
    assert!(ran.stderr.contains("unknown_mix") && ran.stderr.contains("\"instrumental\""), "{}", ran.stderr);
    assert!(!folder.path().join("other").exists(), "nothing is made for a mix that is not there");
}

#[test]
fn people_get_a_table_and_plain_lines_of_progress() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    let output = command()
        .current_dir(folder.path())
        .args(["render", "song.toml", "--out", "out"])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(stdout.contains("song.flac") && stdout.contains("0:02.000"), "{stdout}");
    assert!(stderr.lines().all(|line| line.starts_with("rendering: ") || line.starts_with("previews: ")), "{stderr}");
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}') && !stderr.contains('\r'));
}

#[test]
fn an_output_folder_that_is_a_file_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    std::fs::write(folder.path().join("out"), "").unwrap();
    let ran = run_in(folder.path(), &["render", "song.toml", "--out", "out"]).expect_code(2);
    assert!(ran.stderr.contains("not_a_folder"), "{}", ran.stderr);
}

#[test]
fn a_render_that_is_killed_leaves_no_file_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    // Long enough that much is left to do when it is killed.
    let path = folder.path().join("song.toml");
    let long = std::fs::read_to_string(&path).unwrap().replace("end = \"2s\"", "end = \"60s\"");
    std::fs::write(&path, long).unwrap();
    for tenths in [1, 6] {
        let mut render = command()
            .current_dir(folder.path())
            .args(["render", "song.toml", "--out", "out", "--threads", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(render.stderr.take().unwrap()).lines();
        lines
            .find(|line| line.as_ref().unwrap().ends_with(&format!(": {tenths}0 %")))
            .expect("it tells how far it is")
            .unwrap();
        render.kill().unwrap();
        render.wait().unwrap();
        let left = names(&folder.path().join("out"));
        assert!(left.iter().all(|name| name.starts_with(".mixdown-")), "{left:?}");
    }
}

#[test]
fn broken_media_is_told_at_its_place_and_nothing_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    let tone = folder.path().join("tone.wav");
    let mut bytes = std::fs::read(&tone).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&tone, bytes).unwrap();
    let ran = run_in(folder.path(), &["render", "song.toml", "--out", "out", "--json"]).expect_code(2);
    let document = ran.json();
    assert_eq!(document["error"]["exit_code"], 2);
    assert!(ran.stderr.contains("tone.wav"), "{}", ran.stderr);
    let out = folder.path().join("out");
    assert!(!out.exists() || names(&out).is_empty());
}
