//! Processes die, the database restarts, a worker wakes too late: the job ends with the same bytes, and every attempt is
//! accounted for.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::command::{Ran, render};
use support::farm::Farm;
use support::fixture::Fixture;
use support::way::{Target, Way};
use support::{assert_same_files, files, wait_until};

/// Rendering single frames makes the tasks long enough to be hit in their middle.
const SLOWLY: [&str; 2] = ["--block-frames", "1"];

struct Scene {
    fixture: Fixture,
    out: tempfile::TempDir,
    expected: BTreeMap<String, Vec<u8>>,
}

impl Scene {
    fn new() -> Self {
        let fixture = Fixture::new(6.0);
        let out = tempfile::tempdir().expect("a temporary folder");
        let calm = out.path().join("calm");
        render(&fixture.write(), &calm, &[]);
        Self { expected: files(&calm), fixture, out }
    }

    async fn ends_well(&self, farm: &Farm, job: &str) {
        let folder = self.out.path().join("farm");
        farm.finish(job, &folder).await;
        assert_same_files(&files(&folder), &self.expected, "after the failure");
    }
}

/// Derives the truth again, whatever happened; how many attempts were lost.
async fn audit(farm: &Farm) -> i64 {
    farm.audit().await;
    farm.count("select count(*) from attempt where outcome = 'worker_lost'").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_of_a_task_costs_only_time() {
    let scene = Scene::new();
    let mut farm = Farm::start(0).await;
    farm.start_worker(&SLOWLY);
    let job = farm.queue(&scene.fixture.write(), &["--granularity", "fused"]);
    farm.wait_until_a_task_runs(&job);
    farm.workers.remove(0).kill();
    farm.start_worker(&[]);
    scene.ends_well(&farm, &job).await;
    assert_eq!(audit(&farm).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_killed_in_the_middle_of_a_job_costs_only_time() {
    let scene = Scene::new();
    let mut farm = Farm::start(0).await;
    farm.start_worker(&SLOWLY);
    let job = farm.queue(&scene.fixture.write(), &["--granularity", "spread"]);
    farm.wait_until_a_task_runs(&job);
    farm.kill_coordinator();
    farm.start_coordinator();
    farm.start_worker(&[]);
    scene.ends_well(&farm, &job).await;
    audit(&farm).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_postgresql_costs_only_time() {
    let scene = Scene::new();
    let mut farm = Farm::start(0).await;
    farm.start_worker(&SLOWLY);
    let job = farm.queue(&scene.fixture.write(), &["--granularity", "spread"]);
    farm.wait_until_a_task_runs(&job);
    farm.restart_postgres().await;
    farm.start_worker(&[]);
    scene.ends_well(&farm, &job).await;
    audit(&farm).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_is_asked_to_stop_in_the_middle_of_a_job_leaves_in_good_order_and_costs_only_time() {
    let scene = Scene::new();
    let mut farm = Farm::start(0).await;
    farm.start_worker(&SLOWLY);
    let job = farm.queue(&scene.fixture.write(), &["--granularity", "spread"]);
    farm.wait_until_a_task_runs(&job);
    let mut watch = farm.watch(&job);
    assert!(watch.line().is_some(), "a client follows the job meanwhile");
    assert_eq!(farm.stop_coordinator(), 0);
    assert!(farm.log().contains("the coordinator has stopped"), "{}", farm.log());
    farm.start_coordinator();
    farm.start_worker(&[]);
    scene.ends_well(&farm, &job).await;
    while watch.line().is_some() {}
    assert_eq!(watch.wait(), 0, "it follows the job to its end");
    audit(&farm).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_a_worker_settles_after_its_lease_is_sent_answered_and_counts_for_nothing() {
    let scene = Scene::new();
    let mut farm = Farm::start(0).await;
    // The way between the worker and its coordinator keeps everything until it is open again.
    let way = Way::open("127.0.0.1", Target::Tcp(farm.address()), 1).await;
    farm.start_worker_at(&way.address.to_string(), &SLOWLY);
    let job = farm.queue(&scene.fixture.write(), &["--granularity", "fused"]);
    farm.wait_until_a_task_runs(&job);
    way.change(|weather| weather.cut = true);
    wait_until("it has rendered and stored, and settles", Duration::from_secs(120), || farm.log().contains("rendered"));
    // Asleep while its lease runs out and another ends the job.
    farm.workers[0].signal(Signal::SIGSTOP);
    farm.start_worker(&[]);
    scene.ends_well(&farm, &job).await;
    farm.workers[0].signal(Signal::SIGCONT);
    let late = "a settlement came after its lease was lost; it does not count";
    assert!(!farm.log().contains(late), "{}", farm.log());
    way.change(|weather| weather.cut = false);
    wait_until("the coordinator hears the stale success", Duration::from_secs(60), || {
        farm.log()
            .lines()
            .any(|line| line.contains(late) && line.contains("attempt=1") && line.contains("success=true"))
    });
    farm.workers[0].signal(Signal::SIGTERM);
    assert_eq!(farm.workers[0].wait(), 0);
    assert_eq!(audit(&farm).await, 1);
    assert_eq!(farm.count("select count(*) from attempt where outcome = 'succeeded'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_stop_gives_its_task_back_and_nothing_counts_as_lost() {
    let scene = Scene::new();
    let mut farm = Farm::start(0).await;
    farm.start_worker(&["--block-frames", "1", "--drain-grace", "0s"]);
    let job = farm.queue(&scene.fixture.write(), &["--granularity", "fused"]);
    farm.wait_until_a_task_runs(&job);
    farm.workers[0].signal(Signal::SIGTERM);
    assert_eq!(farm.workers[0].wait(), 0);
    farm.start_worker(&[]);
    scene.ends_well(&farm, &job).await;
    assert_eq!(audit(&farm).await, 0);
    assert_eq!(farm.count("select count(*) from attempt where outcome = 'relinquished'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_reaches_a_running_task_and_retry_ends_the_job_with_the_same_bytes() {
    let scene = Scene::new();
    let mut farm = Farm::start(0).await;
    farm.start_worker(&SLOWLY);
    let job = farm.queue(&scene.fixture.write(), &["--granularity", "fused"]);
    farm.wait_until_a_task_runs(&job);
    farm.run(["jobs", "cancel", &job]).succeeded();
    let Ran { code, .. } = farm.run(["jobs", "watch", &job]);
    assert_eq!(code, 3, "a cancelled job says so by its exit code");
    farm.workers[0].signal(Signal::SIGTERM);
    farm.workers[0].wait();
    farm.start_worker(&[]);
    farm.run(["jobs", "retry", &job]).succeeded();
    scene.ends_well(&farm, &job).await;
    audit(&farm).await;
}
