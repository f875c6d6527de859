//! What an admin does with workers: drain them, see why one is set aside, release it.

mod support;

use serde_json::Value;
use support::command::render;
use support::farm::Farm;
use support::fixture::Fixture;
use support::{assert_same_files, files};

/// A worker as `workers list --json` shows it.
fn listed(farm: &Farm, name: &str) -> Value {
    let workers = farm.run(["workers", "list", "--json"]).succeeded().json();
    let found = workers.as_array().expect("a list").iter().find(|worker| worker["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name} in {workers}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_ends_its_task_leaves_with_exit_code_0_and_the_others_do_the_rest() {
    let fixture = Fixture::new(6.0);
    let out = tempfile::tempdir().expect("a temporary folder");
    render(&fixture.write(), &out.path().join("calm"), &[]);
    let mut farm = Farm::start(0).await;
    farm.start_worker(&["--block-frames", "1"]);
    let job = farm.queue(&fixture.write(), &["--granularity", "spread"]);
    farm.wait_until_a_task_runs(&job);
    let told = farm.run(["workers", "drain", "worker-0", "--json"]).succeeded().json();
    assert_eq!(told["worker"]["state"], "draining");
    assert_eq!(farm.workers[0].wait(), 0);
    assert_eq!(listed(&farm, "worker-0")["state"], "gone");
    assert_eq!(farm.texts("select distinct outcome from attempt").await, ["succeeded"], "what it held it ended");
    assert!(farm.count("select count(*) from task where state <> 'succeeded'").await > 0, "and took no more");
    farm.start_worker(&[]);
    farm.finish(&job, &out.path().join("farm")).await;
    assert_same_files(&files(&out.path().join("farm")), &files(&out.path().join("calm")), "after the drain");
    farm.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_worker_is_shown_with_its_reason_and_works_again_once_released() {
    let mut fixture = Fixture::new(2.0);
    let out = tempfile::tempdir().expect("a temporary folder");
    let farm = Farm::start(1).await;
    // A worker that has rendered is known.
    farm.submit(&fixture.write(), &out.path().join("before"), &[]);
    fixture.document["master"]["inserts"][0]["compressor"]["threshold_db"] = (-15.0).into();
    // As three failed jobs would have it.
    farm.execute("update worker set quarantine_reason = 'its disk is full', quarantine_time = now()").await;
    let job = farm.queue(&fixture.write(), &[]);
    let shown = listed(&farm, "worker-0");
    assert_eq!((&shown["state"], &shown["quarantine"]["reason"]), (&"quarantined".into(), &"its disk is full".into()));
    let table = farm.run(["workers", "list"]).succeeded().stdout;
    assert!(table.contains("worker-0 is quarantined since ") && table.contains(": its disk is full"), "{table}");
    let waiting = farm.run(["jobs", "show", &job]).succeeded().stdout;
    assert!(waiting.contains("the only able workers are quarantined"), "{waiting}");

    let told = farm.run(["workers", "release", "worker-0", "--json"]).succeeded().json();
    assert_eq!(told["worker"]["state"], "active");
    farm.finish(&job, out.path()).await;
    let unknown = farm.run(["workers", "release", "no such worker"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(unknown.stderr.contains("mixdown workers list"), "{}", unknown.stderr);
}
