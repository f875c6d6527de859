//! `mixdown submit` and `mixdown jobs` against a coordinator that does what the test says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "support/farm.rs"]
mod farm;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;

use farm::{Farm, JOB_ID, Script, ended, event};
use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::{Failure, FailureKind, JobState, Priority};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Ran, command, run, run_in, write_session, write_session_with_a_shared_bus};
use tonic::Status;

fn submit(folder: &Path, farm: &Farm, flags: &[&str]) -> Ran {
    run_in(folder, &[&["submit", "song.toml", "--coordinator", &farm.url], flags].concat())
}

fn session() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_session(folder.path());
    folder
}

#[test]
fn only_what_the_farm_lacks_is_uploaded_and_then_the_session_is_queued() {
    let folder = session();
    let low = std::fs::read(folder.path().join("low.wav")).unwrap();
    let tone = std::fs::read(folder.path().join("tone.wav")).unwrap();
    let (low_digest, tone_digest) = (Digest::of(&low).to_string(), Digest::of(&tone).to_string());
    let farm = Farm::start(Script { blobs: [(low_digest, low)].into(), ..Script::default() });
    let ran = submit(folder.path(), &farm, &["--priority", "urgent", "--token", "secret"]).expect_code(0);
    assert_eq!(ran.stdout.trim(), JOB_ID);
    assert!(ran.stderr.contains(&format!("mixdown jobs watch {JOB_ID}")), "{}", ran.stderr);
    assert!(ran.stderr.contains("compressor sounds different"), "{}", ran.stderr);

    let seen = farm.seen();
    assert_eq!(seen.upload_offsets, [(tone_digest.clone(), 0)]);
    assert_eq!(seen.blobs[&tone_digest], tone);
    assert!(seen.tokens.iter().all(|token| token == "Bearer secret") && !seen.tokens.is_empty());
    let [submitted] = seen.submits.as_slice() else { panic!("one submit, not {}", seen.submits.len()) };
    assert_eq!(submitted.priority(), Priority::Urgent);
    let document: serde_json::Value = serde_json::from_str(&submitted.session_json).unwrap();
    assert_eq!(document["assets"]["tone.wav"]["digest"], tone_digest.as_str());
}

#[test]
fn what_check_notes_is_told_on_stderr() {
    let folder = tempfile::tempdir().unwrap();
    write_session_with_a_shared_bus(folder.path());
    let ran = submit(folder.path(), &Farm::start(Script::default()), &[]).expect_code(0);
    assert_eq!(ran.stdout.trim(), JOB_ID);
    assert!(ran.stderr.contains("note: song.toml:") && ran.stderr.contains("\"Glue\" is shared"), "{}", ran.stderr);
}

#[test]
fn an_upload_that_breaks_off_goes_on_where_it_stopped() {
    let folder = session();
    let farm = Farm::start(Script { break_uploads_after: vec![1], ..Script::default() });
    submit(folder.path(), &farm, &[]).expect_code(0);
    let seen = farm.seen();
    let (first, at) = &seen.upload_offsets[0];
    assert_eq!(*at, 0);
    let (again, at) = &seen.upload_offsets[1];
    assert_eq!(again, first);
    assert!(*at > 0, "it began again at {at}");
    assert_eq!(seen.blobs.len(), 2);
}

#[test]
fn a_submit_whose_answer_is_lost_is_repeated_under_the_same_id() {
    let folder = session();
    let farm = Farm::start(Script { submit_failures: vec![Status::unavailable("going down")], ..Script::default() });
    submit(folder.path(), &farm, &[]).expect_code(0);
    let seen = farm.seen();
    assert_eq!(seen.submits.len(), 2);
    assert_eq!(seen.submits[0], seen.submits[1]);
    assert!(!seen.submits[0].request_id.is_empty());
}

#[test]
fn waiting_goes_on_from_the_last_event_after_a_broken_connection_and_fetches_the_masters() {
    let folder = session();
    let wav: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let farm = Farm::start(Script {
        watches: vec![vec![event(1, "one"), event(2, "two")], vec![event(3, "three")]],
        job: ended(JobState::Succeeded, &[("song.wav", &wav)]),
        blobs: [(Digest::of(&wav).to_string(), wav.clone())].into(),
        break_downloads_after: vec![5000],
        ..Script::default()
    });
    let ran = submit(folder.path(), &farm, &["--wait", "--out", "masters", "--json"]).expect_code(0);
    assert_eq!(farm.seen().cursors, [0, 2]);
    assert_eq!(farm.seen().download_offsets, [0, 5000]);
    for message in ["one", "two", "three"] {
        assert_eq!(ran.stderr.lines().filter(|line| *line == message).count(), 1, "{}", ran.stderr);
    }
    assert_eq!(std::fs::read(folder.path().join("masters/song.wav")).unwrap(), wav);
    let document = ran.json();
    assert_eq!(document["job"]["state"], "succeeded");
    assert_eq!(document["deliverables"][0]["duration_seconds"], 2.0);
    assert_eq!(document["tasks"][0]["worker"], "studio-2");
    assert_eq!(document["revision_changes"][0]["to_revision"], 2);

    // The bytes lie there already: nothing is fetched again.
    let ran = run_in(folder.path(), &["jobs", "watch", JOB_ID, "--out", "masters", "--coordinator", &farm.url]);
    let ran = ran.expect_code(0);
    assert_eq!(farm.seen().download_offsets.len(), 2);
    for part in ["song.wav", "WAV 24-bit", "everything", "rendered", "40.00"] {
        assert!(ran.stdout.contains(part), "{part} is missing in\n{}", ran.stdout);
    }
}

#[test]
fn a_master_that_comes_damaged_is_not_kept() {
    let folder = session();
    let job = ended(JobState::Succeeded, &[("song.wav", b"the right bytes")]);
    let digest = job.deliverables[0].digest.clone();
    let farm = Farm::start(Script { job, blobs: [(digest, b"the wrong bytes".to_vec())].into(), ..Script::default() });
    let ran = submit(folder.path(), &farm, &["--wait", "--out", "masters", "--json"]).expect_code(1);
    assert_eq!(ran.json()["error"]["code"], "digest_mismatch");
    assert_eq!(std::fs::read_dir(folder.path().join("masters")).unwrap().count(), 0);
}

#[test]
fn how_a_job_ended_is_the_exit_code() {
    let folder = session();
    let cases = [
        (JobState::Failed, FailureKind::Internal, 1, "internal"),
        (JobState::Failed, FailureKind::BadMedia, 2, "bad_media"),
        (JobState::Failed, FailureKind::BadSession, 2, "bad_session"),
        (JobState::Cancelled, FailureKind::Unspecified, 3, "cancelled"),
    ];
    for (state, kind, exit_code, code) in cases {
        let mut job = ended(state, &[]);
        if let Some(job) = &mut job.job {
            job.failure = Some(Failure { kind: kind.into(), message: "stem \"Vox\" fell over".to_owned() });
        }
        let farm = Farm::start(Script { job, ..Script::default() });
        let ran = submit(folder.path(), &farm, &["--wait", "--json"]).expect_code(exit_code);
        assert_eq!(ran.json()["error"]["code"], code);
        assert!(ran.stderr.contains(code), "{}", ran.stderr);
    }
}

#[test]
fn a_wait_that_takes_too_long_ends_with_three_and_the_job_goes_on() {
    let folder = session();
    let job = ended(JobState::Succeeded, &[]);
    let farm = Farm::start(Script { job, watch_stays_open: true, ..Script::default() });
    let ran = submit(folder.path(), &farm, &["--wait", "--timeout", "200ms"]).expect_code(3);
    assert!(ran.stderr.contains("timed_out") && ran.stderr.contains("jobs watch"), "{}", ran.stderr);
    assert!(farm.seen().cancelled.is_empty());
}

#[test]
fn ctrl_c_while_waiting_detaches_and_the_job_goes_on() {
    let folder = session();
    let farm = Farm::start(Script {
        job: ended(JobState::Succeeded, &[]),
        watches: vec![vec![event(1, "begun")]],
        watch_stays_open: true,
        ..Script::default()
    });
    let mut child = command()
        .current_dir(folder.path())
        .args(["submit", "song.toml", "--wait", "--coordinator", &farm.url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while line.trim() != "begun" {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it waited");
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains(&format!("mixdown jobs watch {JOB_ID}")), "{rest}");
    assert!(farm.seen().cancelled.is_empty());
}

#[test]
fn a_caller_that_may_not_gets_four() {
    let folder = session();
    for (status, code) in [
        (Status::permission_denied("workers may not submit"), "permission_denied"),
        (Status::unauthenticated("no token"), "unauthenticated"),
    ] {
        let farm = Farm::start(Script { refuse: Some(status), ..Script::default() });
        let ran = submit(folder.path(), &farm, &["--json"]).expect_code(4);
        assert_eq!(ran.json()["error"]["code"], code);
        let ran = run(&["jobs", "list", "--coordinator", &farm.url]).expect_code(4);
        assert!(ran.stderr.contains("mixdown tokens create"), "{}", ran.stderr);
    }
}

#[test]
fn jobs_are_listed_over_pages_shown_cancelled_and_retried() {
    let farm = Farm::start(Script { job: ended(JobState::Succeeded, &[("song.wav", b"bytes")]), ..Script::default() });
    let jobs = |arguments: &[&str]| run(&[&["jobs"], arguments, &["--coordinator", &farm.url]].concat());
    let document = jobs(&["list", "--json"]).expect_code(0).json();
    let ids: Vec<_> = document.as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["job-0", "job-1", "job-2"]);
    assert!(jobs(&["list"]).expect_code(0).stdout.contains("song 2"));
    let shown = jobs(&["show", JOB_ID, "--json"]).expect_code(0).json();
    assert_eq!(shown["deliverables"][0]["file"], "song.wav");
    assert_eq!(shown["tasks"][0]["kind"], "fused");
    assert_eq!(jobs(&["show", "other", "--json"]).expect_code(2).json()["error"]["code"], "not_found");
    assert_eq!(jobs(&["cancel", JOB_ID, "--json"]).expect_code(0).json()["job"]["state"], "cancelled");
    assert_eq!(farm.seen().cancelled, [JOB_ID]);
    assert_eq!(jobs(&["retry", JOB_ID, "--json"]).expect_code(0).json()["job"]["state"], "active");
}
