//! `mixdown jobs report`: the page of a job that a farm finished, with and without a player, from what the farm keeps alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "support/browser.rs"]
mod browser;
#[path = "support/farm.rs"]
mod farm;

use std::path::Path;

use farm::{Farm, JOB_ID, Script, ended};
use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::{Deliverable, JobState};
use serde_json::Value;
use support::{run_in, write_sine};

/// A farm that holds what a render of the session of many versions made, and the reports of its files.
fn farm_of(folder: &Path) -> (Farm, Vec<Value>) {
    browser::write_versions(folder);
    let ran = run_in(folder, &["render", "song.toml", "--out", "made", "--report", "none", "--json"]).expect_code(0);
    let reports = ran.json().as_array().unwrap().clone();
    let mut script = Script { job: ended(JobState::Succeeded, &[]), ..Script::default() };
    for report in &reports {
        let file_name = report["file"].as_str().unwrap().to_owned();
        let bytes = std::fs::read(folder.join("made").join(&file_name)).unwrap();
        let digest = Digest::of(&bytes).to_string();
        script.job.deliverables.push(Deliverable {
            file_name,
            digest: digest.clone(),
            size_bytes: bytes.len() as i64,
            report_json: report.to_string(),
        });
        script.blobs.insert(digest, bytes);
    }
    std::fs::remove_dir_all(folder.join("made")).unwrap();
    (Farm::start(script), reports)
}

#[test]
fn with_previews_a_browser_plays_every_version_of_the_job_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (farm, reports) = farm_of(folder.path());
    std::fs::create_dir(folder.path().join("out")).unwrap();
    let arguments = ["jobs", "report", JOB_ID, "--html", "out/report.html", "--previews", "--coordinator", &farm.url];
    run_in(folder.path(), &arguments).expect_code(0);
    let names = |folder: &Path| {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&folder.path().join("out")), ["previews", "report.html"], "nothing else is left");
    let previews = names(&folder.path().join("out/previews"));
    // What sounds the same shares one; a lossy file sounds like itself alone.
    for own in ["it's <u>loud.wav.flac", "stream.opus.flac", "download.ogg.flac", "trimmed.wav.flac"] {
        assert!(previews.contains(&own.to_owned()), "{own} is missing in {previews:?}");
    }
    println!("{}", browser::look(&folder.path().join("out/report.html"), &reports));
}

#[test]
fn without_previews_the_page_has_no_player_and_it_is_said_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let (farm, _) = farm_of(folder.path());
    write_sine(&folder.path().join("reference.wav"), 200.0, 0.25, 4.0, 2);
    let arguments =
        ["jobs", "report", JOB_ID, "--html", "report.html", "--reference", "reference.wav", "--coordinator", &farm.url];
    let ran = run_in(folder.path(), &arguments).expect_code(0);
    assert!(ran.stderr.contains("--previews"), "{}", ran.stderr);
    assert_eq!(ran.stdout.trim(), "report.html");
    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(!html.contains("<audio") && !html.contains("id=\"player\"") && !folder.path().join("previews").exists());
    assert_eq!(html.matches("reference.wav at the same loudness").count(), 11);
    assert!(farm.seen().download_offsets.is_empty(), "nothing is fetched for a page alone");
}

#[test]
fn a_job_without_finished_files_has_no_report() {
    let folder = tempfile::tempdir().unwrap();
    let farm = Farm::start(Script { job: ended(JobState::Failed, &[]), ..Script::default() });
    let ran = run_in(folder.path(), &["jobs", "report", JOB_ID, "--html", "report.html", "--coordinator", &farm.url]);
    assert!(ran.expect_code(2).stderr.contains("nothing_to_report"));
    assert!(!folder.path().join("report.html").exists());
}
