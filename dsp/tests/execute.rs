//! Tasks of a plan: whatever the cut, the same bytes, in the order of the spec's lists.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/farm.rs"]
mod farm;
#[path = "graph/production.rs"]
mod production;
#[path = "graph/studio.rs"]
#[allow(dead_code, reason = "the graph's tests use the rest")]
mod studio;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use mixdown_dsp::execute::{ExecuteError, Options, execute};
use mixdown_dsp::media::probe;
use mixdown_dsp::plan::{Granularity, KeepStems, Keys, PlannedTask, TaskSpec, plan};
use mixdown_dsp::progress::{Monitor, Unwatched};
use mixdown_dsp::session::ValidSession;
use serde_json::json;

use crate::farm::{Farm, OPTIONS, run};
use crate::production::production;
use crate::studio::Studio;

fn session() -> (Studio, ValidSession) {
    let (studio, mut document) = production();
    let deliver = |name: &str, mix: &str, format: &str, depth: &str| json!({ "name": name, "mix": mix, "format": format, "depth": depth });
    document["loudness"] = json!({ "integrated_lufs": -16.0 });
    document["mixes"].as_array_mut().unwrap().push(json!({ "name": "own", "mute": ["Bass"], "loudness": "own" }));
    document["deliverables"] = json!([
        deliver("main", "main", "wav", "24"),
        deliver("main-flac", "main", "flac", "24"),
        deliver("own", "own", "wav", "16"),
        deliver("plain", "plain", "wav", "32f"),
        deliver("first", "first alone", "wav", "24"),
        { "name": "vox", "print": "Vox", "format": "wav", "depth": "32f" },
    ]);
    let session = studio.session(document);
    (studio, session)
}

#[test]
fn fused_and_spread_tasks_make_the_same_bytes() {
    let (studio, session) = session();
    let (fused, fused_masters) = run(&studio, &session, Granularity::Fused, OPTIONS);
    let (spread, spread_masters) =
        run(&studio, &session, Granularity::Spread, Options { threads: 1, block_frames: 333 });
    assert_eq!(fused_masters.len(), 6);
    assert_eq!(fused_masters, spread_masters);
    for (key, digest) in &fused {
        assert_eq!(spread.get(key), Some(digest), "artifact {key}");
    }
}

#[test]
fn a_lossy_asset_is_decoded_once_and_sounds_alike_fused_and_spread() {
    let mut studio = Studio::new();
    let path = studio.folder.path().join("noise.mp3");
    let made = std::process::Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "anoisesrc=seed=3:amplitude=0.3:sample_rate=44100:duration=1.3",
            "-y",
        ])
        .arg(&path)
        .status()
        .expect("`make test` installs ffmpeg");
    assert!(made.success());
    let is = probe(&path).unwrap();
    assert!(is.lossy);
    studio.learn("noise.mp3", &is);
    let clips = json!([{ "file": "noise.mp3" }, { "file": "noise.mp3", "at": 30_000, "offset": 777 }]);
    let session = studio.session(json!({ "tracks": [{ "name": "T", "clips": clips }] }));
    sounds_alike(&studio, &session);
    // The same file as the response of a bus, and nowhere else.
    studio.asset("click.wav", &[vec![0.5; 10]]);
    let room = json!([{ "name": "Room", "inserts": [{ "convolution": { "file": "noise.mp3" } }] }]);
    let clips = json!([{ "file": "click.wav" }]);
    let track = json!({ "name": "T", "clips": clips, "output": "Room" });
    sounds_alike(&studio, &studio.session(json!({ "tracks": [track], "buses": room })));
}

/// Fused and spread, with the one lossy asset decoded on the way.
fn sounds_alike(studio: &Studio, session: &ValidSession) {
    let (fused, masters) = run(studio, session, Granularity::Fused, OPTIONS);
    let (spread, spread_masters) = run(studio, session, Granularity::Spread, OPTIONS);
    let keys = Keys::of(session);
    let decoded = keys.decoded.iter().flatten().next().unwrap();
    assert!(fused.contains_key(decoded));
    assert_eq!(masters, spread_masters);
    assert_eq!(fused, spread);
}

#[derive(Default)]
struct Watch {
    advanced: AtomicU64,
    cancel_after: Option<u64>,
}

impl Monitor for Watch {
    fn advance(&self, cost: u64) {
        self.advanced.fetch_add(cost, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|cost| self.advanced.load(Ordering::Relaxed) >= cost)
    }
}

fn fused_task(session: &ValidSession, keys: &Keys) -> PlannedTask {
    plan(session, keys, &|_| false, Granularity::Fused, KeepStems::Always).tasks.remove(0)
}

fn farm(studio: &Studio) -> Farm<'_> {
    let work_dir = studio.folder.path().join("work");
    fs::create_dir(&work_dir).unwrap();
    Farm { studio, work_dir, artifacts: BTreeMap::new() }
}

#[test]
fn the_monitor_hears_of_the_whole_cost_of_a_task() {
    let (studio, session) = session();
    let keys = Keys::of(&session);
    let task = fused_task(&session, &keys);
    let watch = Watch::default();
    execute(&session, &keys, &task.spec, &farm(&studio), OPTIONS, &watch).unwrap();
    assert_eq!(watch.advanced.into_inner(), task.cost);
}

#[test]
fn a_cancelled_task_stops_and_leaves_no_file_that_looks_whole() {
    let (studio, session) = session();
    let keys = Keys::of(&session);
    let task = fused_task(&session, &keys);
    let farm = farm(&studio);
    let watch = Watch { cancel_after: Some(0), ..Watch::default() };
    let error = execute(&session, &keys, &task.spec, &farm, OPTIONS, &watch).unwrap_err();
    assert!(matches!(error, ExecuteError::Cancelled), "{error}");
    let left = fs::read_dir(&farm.work_dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // The stem of the track without clips has no frames: it is whole from the start.
    assert_eq!(left.filter(|name| !name.ends_with(".part")).collect::<Vec<_>>(), ["stem-4.pcm"]);
}

#[test]
fn an_asset_that_is_not_what_the_session_says_is_bad_media_and_named() {
    let (mut studio, document) = production();
    let session = studio.session(document);
    studio.asset("kick.wav", &[vec![0.0; 17]]);
    let keys = Keys::of(&session);
    let task = fused_task(&session, &keys);
    let error = execute(&session, &keys, &task.spec, &farm(&studio), OPTIONS, &Unwatched).unwrap_err();
    assert!(matches!(&error, ExecuteError::BadMedia(text) if text.contains("`kick.wav`")), "{error}");
}

#[test]
fn a_missing_asset_is_an_error_of_reading() {
    let (studio, document) = production();
    let session = studio.session(document);
    fs::remove_file(studio.folder.path().join("vox.wav")).unwrap();
    let keys = Keys::of(&session);
    let task = fused_task(&session, &keys);
    let error = execute(&session, &keys, &task.spec, &farm(&studio), OPTIONS, &Unwatched).unwrap_err();
    assert!(matches!(&error, ExecuteError::Io { what, .. } if what.contains("vox.wav")), "{error}");
}

#[test]
fn a_task_of_another_session_is_refused() {
    let (studio, document) = production();
    let session = studio.session(document);
    let keys = Keys::of(&session);
    for spec in [
        TaskSpec { render_stems: vec![99], ..TaskSpec::default() },
        TaskSpec { keep_mixes: vec![0], ..TaskSpec::default() },
        TaskSpec { decode: vec![0], ..TaskSpec::default() },
        TaskSpec { masters: vec![99], ..TaskSpec::default() },
    ] {
        let farm = Farm { studio: &studio, work_dir: studio.folder.path().to_owned(), artifacts: BTreeMap::new() };
        let error = execute(&session, &keys, &spec, &farm, OPTIONS, &Unwatched).unwrap_err();
        assert!(matches!(error, ExecuteError::BadSession(_)), "{error}");
    }
}
