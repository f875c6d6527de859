//! Stores that damage what they hold, clocks that are off, a database that is killed: each costs time alone, or is told.

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use support::command::render;
use support::farm::{Farm, Under};
use support::fixture::Fixture;
use support::store::blob;
use support::{assert_same_files, files, wait_until};

const SPREAD: [&str; 4] = ["--granularity", "spread", "--keep-stems", "always"];

/// Makes a stored blob wrong in one of the ways in which stores do.
async fn damage(farm: &Farm, digest: &str, way: usize) {
    let place = blob(digest);
    let mut bytes = farm.store().read(&place).await.expect("the blob is there");
    match way % 3 {
        0 => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        1 => bytes.truncate(bytes.len() / 2),
        _ => return farm.store().remove(&place).await,
    }
    farm.store().write(&place, bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_stems_that_are_flipped_cut_off_and_lost_are_rendered_again() {
    let mut fixture = Fixture::new(2.0);
    let mut farm = Farm::start(1).await;
    let out = tempfile::tempdir().unwrap();
    farm.submit(&fixture.write(), &out.path().join("first"), &SPREAD);
    let stems = farm
        .texts(
            "select artifact.digest from artifact join task using (project_id, task_id) where task.kind = 'stem' \
             order by task.display_name",
        )
        .await;
    assert!(stems.len() >= 3, "{stems:?}");
    for (way, digest) in stems.iter().enumerate() {
        damage(&farm, digest, way).await;
    }
    // Another worker, whose cache holds nothing; a fader that moved, so that the mix is made again from the stems.
    farm.workers[0].signal(Signal::SIGTERM);
    farm.workers[0].wait();
    farm.start_worker(&[]);
    fixture.document["tracks"][1]["fader_db"] = json!(-5.0);
    let session = fixture.write();
    render(&session, &out.path().join("fresh"), &[]);
    farm.submit(&session, &out.path().join("second"), &SPREAD);
    assert_same_files(&files(&out.path().join("second")), &files(&out.path().join("fresh")), "after the damage");
    // A stem that no task read again may lie there still; what was found damaged is forgotten or replaced.
    let log = farm.log();
    let told = |digest: &&String| {
        log.lines().any(|line| line.contains("the store has damaged a blob") && line.contains(digest.as_str()))
    };
    let found: Vec<&String> = stems.iter().filter(told).collect();
    assert!(!found.is_empty(), "{log}");
    let known = farm.texts("select digest from artifact").await;
    for digest in found.into_iter().filter(|digest| known.contains(digest)) {
        let bytes = farm.store().read(&blob(digest)).await.expect("it is stored again");
        assert_eq!(mixdown_dsp::digest::Digest::of(&bytes).to_string(), *digest, "the bad copy is replaced");
    }
    assert_eq!(farm.count("select count(*) from worker where quarantine_reason is not null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_input_file_is_told_and_submitting_again_mends_it() {
    let fixture = Fixture::new(2.0);
    let session = fixture.write();
    let mut farm = Farm::start(0).await;
    let out = tempfile::tempdir().unwrap();
    render(&session, &out.path().join("fresh"), &[]);
    let job = farm.queue(&session, &[]);
    let input = farm.texts("select digest from blob where uploaded order by size_bytes desc limit 1").await.remove(0);
    damage(&farm, &input, 0).await;
    farm.start_worker(&[]);
    let watched = farm.run(["jobs", "watch", &job]);
    assert_ne!(watched.code, 0);
    assert!(watched.stderr.contains(&input), "{}", watched.stderr);
    assert!(watched.stderr.contains("submit the session again"), "{}", watched.stderr);
    farm.submit(&session, &out.path().join("again"), &[]);
    assert_same_files(&files(&out.path().join("again")), &files(&out.path().join("fresh")), "submitted again");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_whose_clocks_are_an_hour_off_lose_no_lease_or_say_that_their_store_refuses_them() {
    let fixture = Fixture::new(3.0);
    let session = fixture.write();
    let mut farm = Farm::start(0).await;
    let out = tempfile::tempdir().unwrap();
    render(&session, &out.path().join("fresh"), &[]);
    let library = fake_time();
    for offset in ["-1h", "+1h"] {
        let environment = vec![
            ("LD_PRELOAD", library.to_str().unwrap().to_owned()),
            ("FAKETIME", offset.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        farm.start_worker_under(Under { before: Vec::new(), environment }, &["--block-frames", "8"]);
    }
    if !farm.store().is_folder() {
        // S3 dates what it signs.
        for worker in &mut farm.workers {
            assert_eq!(worker.wait(), 1);
        }
        assert_eq!(farm.log().matches("set this machine's clock").count(), 2, "{}", farm.log());
        return;
    }
    farm.submit(&session, &out.path().join("farm"), &["--granularity", "spread"]);
    assert_same_files(&files(&out.path().join("farm")), &files(&out.path().join("fresh")), "with clocks an hour off");
    assert_eq!(farm.count("select count(*) from attempt where outcome <> 'succeeded'").await, 0);
    let off = farm.count("select count(*) from attempt where end_time - start_time > interval '10 minutes'").await;
    assert_eq!(off, 0, "every time is the database's");
    // That the clocks were off at all: a log line of an hour ago.
    let now = farm.texts("select to_char(now() at time zone 'utc' - interval '1 hour', 'YYYY-MM-DD\"T\"HH24')").await;
    assert!(farm.log().contains(&now[0]), "no line of the log is an hour old");
}

/// The library that lies about the time; `make test` installs it.
fn fake_time() -> PathBuf {
    let name = "libfaketime.so.1";
    let unpacked = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.cache/debian/usr/lib"));
    [Path::new("/usr/lib"), unpacked]
        .into_iter()
        .flat_map(|root| std::fs::read_dir(root).into_iter().flatten().flatten())
        .map(|folder| folder.path().join("faketime").join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("no {name}; `make test` installs it"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_is_killed_in_the_middle_of_a_job_costs_only_time() {
    let fixture = Fixture::new(3.0);
    let session = fixture.write();
    let mut farm = Farm::start(0).await;
    let out = tempfile::tempdir().unwrap();
    render(&session, &out.path().join("fresh"), &[]);
    farm.start_worker(&["--block-frames", "4"]);
    let job = farm.queue(&session, &["--granularity", "spread"]);
    // SIGQUIT is what `pg_ctl stop -m immediate` sends: no checkpoint, recovery at the start.
    for signal in [Signal::SIGKILL, Signal::SIGQUIT] {
        farm.wait_until_a_task_runs(&job);
        farm.kill_postgres(signal).await;
    }
    farm.start_worker(&[]);
    let folder = out.path().join("farm");
    farm.finish(&job, &folder).await;
    assert_same_files(&files(&folder), &files(&out.path().join("fresh")), "after the kills");
    assert_eq!(farm.count("select count(*) from attempt where outcome is null").await, 0);
    assert_eq!(farm.count("select count(*) from lease").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_ends_a_running_render_within_two_seconds() {
    let fixture = Fixture::new(8.0);
    let mut farm = Farm::start(0).await;
    farm.start_worker(&["--block-frames", "1"]);
    let job = farm.queue(&fixture.write(), &["--granularity", "fused"]);
    farm.wait_until_a_task_runs(&job);
    let work = farm.cache_of(0).join("work");
    let attempts = || std::fs::read_dir(&work).map_or(0, |folders| folders.count());
    assert_eq!(attempts(), 1, "it renders");
    farm.run(["jobs", "cancel", &job]).succeeded();
    // The folder of the attempt goes when its render has ended.
    let took = wait_until("the render ends", Duration::from_secs(2), || attempts() == 0);
    assert_eq!(farm.count("select count(*) from attempt where outcome = 'cancelled'").await, 1);
    assert!(took < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_through_another_coordinator_ends_a_render_within_two_seconds_though_every_hint_is_lost() {
    let fixture = Fixture::new(8.0);
    let mut farm = Farm::start(0).await;
    // NOTIFY reaches nobody: what would send it is hidden behind a function that only notes it.
    farm.execute("create table lost_hint (hint text)").await;
    farm.execute(
        "create function pg_notify(channel text, hint text) returns void language sql
         as 'insert into public.lost_hint values (hint)'",
    )
    .await;
    farm.execute("alter role current_user set search_path = public, pg_catalog").await;
    farm.kill_coordinator();
    farm.start_coordinator();
    // The worker's own has the heartbeat of every farm.
    let other = farm.start_coordinator_beside();
    farm.start_worker_at(&other, &["--block-frames", "1"]);
    let job = farm.queue(&fixture.write(), &["--granularity", "fused"]);
    farm.wait_until_a_task_runs(&job);
    let work = farm.cache_of(0).join("work");
    let attempts = || std::fs::read_dir(&work).map_or(0, |folders| folders.count());
    assert_eq!(attempts(), 1, "it renders");
    let begun = Instant::now();
    farm.run(["jobs", "cancel", &job]).succeeded();
    wait_until("the render ends", Duration::from_secs(2).saturating_sub(begun.elapsed()), || attempts() == 0);
    assert_eq!(farm.count("select count(*) from attempt where outcome = 'cancelled'").await, 1);
    assert!(farm.count("select count(*) from lost_hint where hint = 'stop'").await > 0, "the hint was sent, and lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_collected_by_the_command_and_a_recall_renders_it_again() {
    let fixture = Fixture::new(2.0);
    let session = fixture.write();
    let farm = Farm::start(1).await;
    let out = tempfile::tempdir().unwrap();
    farm.submit(&session, &out.path().join("first"), &SPREAD);
    // What a killed process leaves: a blob without a row, a delivery and a blob that were being written.
    let orphans = [blob(&"00".repeat(32)), "projects/default/partial/0192".to_owned()];
    for orphan in &orphans {
        farm.store().write(orphan, b"nobody knows me".to_vec()).await;
    }
    // A store dates its objects itself: only a folder can be made to tell of long ago, and to hold half a file.
    let old = if farm.store().is_folder() { 3 } else { 0 };
    if farm.store().is_folder() {
        let folder = Path::new(&farm.store().url);
        let half = folder.join(blob(&"01".repeat(32)) + "#1");
        std::fs::create_dir_all(half.parent().unwrap()).unwrap();
        std::fs::write(&half, "half").unwrap();
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
        for file in orphans.iter().map(|orphan| folder.join(orphan)).chain([half]) {
            std::fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
        }
    }
    farm.execute("update blob set pinned_until = now() - interval '1 hour'").await;
    let stored = farm.count("select count(*) from artifact where not master").await;
    let gc = ["gc", "--artifact-bytes", "0", "--json"];
    let told = farm.run(gc.iter().chain(&["--dry-run"])).succeeded().json();
    assert_eq!(told["dry_run"], true);
    assert!(farm.store().read(&orphans[0]).await.is_some(), "a dry run deletes nothing");
    let done = farm.run(gc).succeeded().json();
    assert_eq!(done["dry_run"], false);
    for what in ["artifacts", "blobs", "orphans"] {
        assert_eq!(done[what], told[what], "{what}");
    }
    assert_eq!(done["artifacts"]["count"], stored);
    assert_eq!(done["orphans"]["count"], old, "what is young may be of a running task");
    assert_eq!(farm.store().read(&orphans[0]).await.is_none(), old > 0);
    assert_eq!(farm.run(gc).succeeded().json()["orphans"]["count"], 0, "nothing is found twice");
    let again = farm.submit(&session, &out.path().join("second"), &["--deliver-to", "again"]);
    assert!(again["tasks"].as_array().unwrap().iter().all(|task| task["cached"] == true), "masters stay");
    assert_same_files(&files(&out.path().join("second")), &files(&out.path().join("first")), "after the collection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_given_another_folder_as_store_is_told_and_takes_no_task() {
    let mut farm = Farm::start(0).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().to_str().unwrap();
    farm.start_worker_on(other, &[]);
    assert_eq!(farm.workers[0].wait(), 2);
    assert!(farm.log().contains("is not the store of the coordinator"), "{}", farm.log());
}
