//! Disks that are full or read-only, of each part of the farm: the job goes on once there is room, or is told; nothing is lost.

mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mixdown_coordinator::private_postgres::{Options, PrivatePostgres};
use serde_json::json;
use support::command::render;
use support::farm::{Farm, Under};
use support::fixture::Fixture;
use support::{assert_same_files, files, wait_until};

const SPREAD: [&str; 4] = ["--granularity", "spread", "--keep-stems", "always"];

/// A worker that a script starts, given its folder and then its command, in a mount namespace that is gone with it: it must
/// say that it cannot write, take nothing more, and leave the job to another.
async fn leaves_its_job_to_another(script: &str) {
    let fixture = Fixture::new(3.0);
    let session = fixture.write();
    let mut farm = Farm::start(0).await;
    let out = tempfile::tempdir().expect("a temporary folder");
    render(&session, &out.path().join("fresh"), &[]);
    let cache = farm.cache_of(0);
    let unshare = if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" };
    let before =
        ["unshare", unshare, "sh", "-c", script, "sh", cache.to_str().expect("its path is text")].map(str::to_owned);
    farm.start_worker_under(Under { before: before.to_vec(), environment: Vec::new() }, &[]);
    let job = farm.queue(&session, &["--granularity", "fused"]);
    wait_until("it says that it cannot write", Duration::from_secs(60), || {
        farm.log().contains("taking no tasks until")
    });
    farm.start_worker(&[]);
    let folder = out.path().join("farm");
    farm.finish(&job, &folder).await;
    assert_same_files(&files(&folder), &files(&out.path().join("fresh")), "rendered by another");
    let failed = farm.count("select count(*) from attempt where failure_kind = 'resource'").await;
    assert!((1..=2).contains(&failed), "{failed} attempts failed: it spun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_a_full_disk_says_so_and_takes_nothing_while_others_end_the_job() {
    // A disk of one megabyte.
    leaves_its_job_to_another("mkdir -p \"$1\" && mount -t tmpfs -o size=1m tmpfs \"$1\" && shift && exec \"$@\"")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_disk_becomes_read_only_says_so_and_takes_nothing_while_others_end_the_job() {
    // The system makes a failing disk read-only under whoever uses it: here once the worker has made its folders.
    leaves_its_job_to_another(
        "(while [ ! -d \"$1/work\" ]; do sleep 0.02; done; mount -t tmpfs -o ro tmpfs \"$1/work\") & \
         shift; exec \"$@\"",
    )
    .await;
}

/// Set where a test has a mount namespace of its own.
const ALONE: &str = "MIXDOWN_TEST_MOUNTS";

/// Whether this test, of this name, may mount: it runs once more, in a mount namespace of its own that ends with it. Only
/// root may, for PostgreSQL is to run in it as another user than root; without root nothing is run.
fn may_mount(name: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    if nix::unistd::geteuid().is_root() {
        let own = std::env::current_exe().expect("this test has a path");
        let mut again = Command::new("unshare");
        again.arg("-m").arg(own).args(["--exact", name, "--nocapture"]).env(ALONE, "yes");
        assert!(again.status().expect("unshare is there").success(), "{name} failed in its namespace");
    }
    false
}

/// Mounts a disk of this size on a folder, or changes the one that is there.
fn mount(folder: &Path, options: &str) {
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).status();
    assert!(mounted.expect("mount is there").success(), "{options} on {}", folder.display());
}

/// Makes room, or takes all of it away.
fn remount(folder: &Path, options: &str) {
    mount(folder, &format!("remount,{options}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_for_uploads_is_told_and_submitting_again_goes_on() {
    if !may_mount("a_full_disk_for_uploads_is_told_and_submitting_again_goes_on") {
        return;
    }
    let out = tempfile::tempdir().expect("a temporary folder");
    let mut farm = Farm::start(1).await;
    farm.kill_coordinator();
    // Smaller than the largest of the files.
    mount(&farm.scratch(), "size=1m");
    farm.start_coordinator();
    for (number, (least, most, told)) in
        [("size=1m", "size=64m", "is full"), ("ro", "rw", "is read-only")].into_iter().enumerate()
    {
        // Files of another length: none is there yet.
        let fixture = Fixture::new(5.0 + number as f64);
        let session = fixture.write();
        let calm = out.path().join(format!("calm {number}"));
        render(&session, &calm, &[]);
        if number > 0 {
            remount(&farm.scratch(), least);
        }
        let refused = farm.run(["submit", session.to_str().expect("its path is text"), "--json"]);
        assert_ne!(refused.code, 0);
        let refused = format!("{}{}", refused.stdout, refused.stderr);
        assert!(refused.contains("scratch_full") && refused.contains(told), "{refused}");
        remount(&farm.scratch(), most);
        let folder = out.path().join(format!("farm {number}"));
        farm.submit(&session, &folder, &[]);
        assert_same_files(&files(&folder), &files(&calm), told);
    }
    farm.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_is_told_to_clients_and_jobs_go_on_once_there_is_room() {
    if !may_mount("a_full_store_is_told_to_clients_and_jobs_go_on_once_there_is_room") {
        return;
    }
    let mut farm = Farm::start(0).await;
    if !farm.store().is_folder() {
        // A bucket's disks are not ours.
        return;
    }
    let out = tempfile::tempdir().expect("a temporary folder");
    let store = Path::new(&farm.store().url).to_owned();
    farm.kill_coordinator();
    mount(&store, "size=256m");
    farm.start_coordinator();
    farm.start_worker(&["--block-frames", "16"]);
    let mut fixture = Fixture::new(2.0);
    for (number, told) in ["is full", "is read-only"].into_iter().enumerate() {
        fixture.document["tracks"][1]["fader_db"] = json!(-3.0 - number as f64);
        let session = fixture.write();
        let calm = out.path().join(format!("calm {number}"));
        render(&session, &calm, &[]);
        let job = farm.queue(&session, &SPREAD);
        farm.wait_until_a_task_runs(&job);
        // The files are there, and what a task makes of them has no room.
        if number == 0 {
            fill(&store)
        } else {
            remount(&store, "ro")
        }
        let failures = || farm.log().matches("failed; trying again").count();
        let before = failures();
        wait_until("the worker cannot store", Duration::from_secs(60), || failures() > before);
        let another = Fixture::new(2.5 + number as f64);
        let elsewhere = another.write();
        let refused = farm.run(["submit", elsewhere.to_str().expect("its path is text"), "--json"]);
        assert_ne!(refused.code, 0);
        let refused = format!("{}{}", refused.stdout, refused.stderr);
        assert!(refused.contains("store_full") && refused.contains(told), "{refused}");
        if number == 0 {
            make_room(&store)
        } else {
            remount(&store, "rw")
        }
        let folder = out.path().join(format!("farm {number}"));
        farm.finish(&job, &folder).await;
        assert_same_files(&files(&folder), &files(&calm), told);
        farm.submit(&elsewhere, &out.path().join(format!("elsewhere {number}")), &[]);
    }
    assert_eq!(farm.count("select count(*) from worker where quarantine_reason is not null").await, 0);
    farm.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_postgresql_is_told_to_clients_and_jobs_go_on_once_there_is_room() {
    if !may_mount("a_full_disk_of_postgresql_is_told_to_clients_and_jobs_go_on_once_there_is_room") {
        return;
    }
    let disk = tempfile::tempdir().expect("a temporary folder");
    mount(disk.path(), "size=200m,mode=755");
    let postgres = PrivatePostgres::start(&Options::new(disk.path().join("postgres"))).await;
    let postgres = postgres.expect("PostgreSQL starts; `make test` installs it");
    let mut fixture = Fixture::new(4.0);
    let out = tempfile::tempdir().expect("a temporary folder");
    let session = fixture.write();
    render(&session, &out.path().join("calm"), &[]);
    let mut farm = Farm::start_on_database(postgres.url()).await;
    farm.start_worker(&["--block-frames", "1"]);
    let job = farm.queue(&session, &["--granularity", "spread"]);
    farm.wait_until_a_task_runs(&job);
    fill(disk.path());
    // Pages that are there already take a few rows.
    let mut refused = String::new();
    for number in 0..200 {
        fixture.document["tracks"][1]["fader_db"] = json!(-3.0 - f64::from(number) / 100.0);
        let ran = farm.run(["submit", fixture.write().to_str().expect("its path is text"), "--json"]);
        if ran.code != 0 {
            refused = format!("{}{}", ran.stdout, ran.stderr);
            break;
        }
    }
    assert!(refused.contains("database_full") && refused.contains("the disk of the database is full"), "{refused}");
    make_room(disk.path());
    farm.start_worker(&[]);
    farm.finish(&job, &out.path().join("farm")).await;
    assert_same_files(&files(&out.path().join("farm")), &files(&out.path().join("calm")), "with room again");
    farm.submit(&fixture.write(), &out.path().join("again"), &[]);
    for queued in farm.texts("select job_id::text from job where state = 'active'").await {
        farm.run(["jobs", "cancel", &queued]).succeeded();
    }
    farm.audit().await;
    drop(farm);
    postgres.stop().await.expect("PostgreSQL stops");
}

const BALLAST: &str = "ballast";

/// Fills a disk to its last byte.
fn fill(folder: &Path) {
    let mut ballast = std::fs::File::create(folder.join(BALLAST)).expect("a file is created");
    for size in [1 << 16, 1 << 12, 1] {
        while ballast.write_all(&vec![0; size]).is_ok() {}
    }
}

fn make_room(folder: &Path) {
    std::fs::remove_file(folder.join(BALLAST)).expect("the ballast goes");
}
