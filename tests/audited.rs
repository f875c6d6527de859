//! The audit itself: of a farm that did well it tells nothing, also of one in the middle of its work; of rows and bytes made
//! wrong it tells what is wrong, and nothing else.

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mixdown_proto::layout;
use serde_json::json;
use support::audit::rules::{ALWAYS, AT_THE_END, Rule};
use support::farm::Farm;
use support::fixture::Fixture;
use support::store::blob;

/// Rendering single frames makes the tasks long enough to be hit in their middle.
const SLOWLY: [&str; 2] = ["--block-frames", "1"];
const PATIENCE: Duration = Duration::from_secs(60);

/// What is made wrong in a farm with one job that succeeded and one of which two tasks run, and the one rule that it breaks.
const WRONGS: [(&str, &str); 34] = [
    (
        "with ended as (
            update job set last_sequence = last_sequence + 1 where state = 'succeeded' returning *)
         insert into event (project_id, job_id, sequence, job_state, progress, message)
         select project_id, job_id, last_sequence, state, 1, 'every master is delivered' from ended",
        "a job did not end once for each time that it was run",
    ),
    ("update job set state = 'cancelled' where state = 'succeeded'", "a job is not as its newest event tells"),
    (
        "update job set undone_tasks = undone_tasks + 1 where state = 'active'",
        "a job's work is not what its tasks add up to",
    ),
    (
        "update job set done_cost = 0, work_cost = work_cost + 1 where state = 'succeeded'",
        "a job's work is not what its tasks add up to",
    ),
    ("update job set last_sequence = last_sequence + 1", "the events of a job have gaps"),
    ("delete from event where sequence = 2", "the events of a job have gaps"),
    ("update deliverable set delivered = false", "a succeeded job lacks a task or a delivery"),
    (
        "delete from job_task where task_id in (select task_id from lease);
         select count_work(project_id, array_agg(job_id)) from job group by project_id",
        "a task is unfinished for which no active job waits",
    ),
    (
        "update claim_front set front_time = front_time + interval '1 hour'",
        "a ready task stands before the front, where no claim looks",
    ),
    ("delete from claim_front", "a ready task stands before the front, where no claim looks"),
    (
        "update attempt set outcome = 'relinquished' where outcome = 'succeeded'",
        "a succeeded task has not exactly one accepted attempt, its newest",
    ),
    (
        "update attempt set outcome = 'succeeded', failure_kind = null, failure_message = null
         where outcome = 'worker_lost';
         update task set losses = 0",
        "a succeeded task has not exactly one accepted attempt, its newest",
    ),
    (
        "update attempt set outcome = 'succeeded', end_time = clock_timestamp() where end_time is null;
         delete from lease;
         update task set state = 'ready' where state = 'running'",
        "an accepted attempt has no succeeded task",
    ),
    (
        "update task set attempt = 1, worker_id = (select worker_id from worker limit 1) where state = 'blocked'",
        "the attempts of a task are not numbered from 1 to its newest",
    ),
    (
        "update attempt set end_time = end_time + interval '1 day' where outcome = 'worker_lost';
         update worker set slots = 9;
         update named_limit set count = 1000",
        "an attempt began before the one before it had ended",
    ),
    (
        "update task set failures = failures + 1 where attempt > 0",
        "a task's counts are not what its attempts add up to",
    ),
    ("update task set storage_failures = 1 where attempt > 0", "a task's counts are not what its attempts add up to"),
    ("update task set losses = 0", "a task's counts are not what its attempts add up to"),
    ("update task set memory_raises = 1 where attempt > 0", "a task's counts are not what its attempts add up to"),
    // What came before a retry is forgiven, not more.
    (
        "update attempt set outcome = 'failed', failure_kind = 'internal', failure_message = 'no'
         where outcome = 'cancelled';
         update event set message = 'forgotten' where message like '% is run again'",
        "a task's counts are not what its attempts add up to",
    ),
    ("delete from lease", "a running attempt has no lease"),
    (
        "update attempt set outcome = 'relinquished', end_time = clock_timestamp() where end_time is null;
         update task set state = 'ready' where state = 'running'",
        "a lease has no running attempt of its worker",
    ),
    (
        "update lease set worker_id = other.worker_id from lease as other where other.task_id <> lease.task_id",
        "a lease has no running attempt of its worker",
    ),
    (
        "delete from lease; update task set state = 'ready' where state = 'running'",
        "an attempt is open whose task does not run",
    ),
    ("update lease set memory_bytes = memory_bytes + 1", "a lease does not take what its task asks for"),
    ("update usage set counts = '{}'", "the counts of what runs are not what the leases add up to"),
    (
        r#"update usage set counts = counts || '{"tasks/default": 1}'"#,
        "the counts of what runs are not what the leases add up to",
    ),
    (
        r#"update usage set counts = counts || '{"slots/default": 3}'"#,
        "the counts of what runs are not what the leases add up to",
    ),
    (
        r#"update usage set counts = counts - 'limit/plugin-x'"#,
        "the counts of what runs are not what the leases add up to",
    ),
    (
        "update worker set memory_bytes = 1 where worker_id in (select worker_id from lease)",
        "the leases of a worker take more memory than it has",
    ),
    (
        "update attempt set start_time = start_time - interval '1 day' where attempt = 1;
         update named_limit set count = 1000",
        "a worker ran more at once than it has slots",
    ),
    ("update project set running_limit = 0", "a project ran more tasks at once than its limit"),
    ("update named_limit set count = 0", "more tasks held a named limit at once than there are of it"),
    ("update blob set size_bytes = size_bytes + 1", "an artifact has no blob of its size"),
];

#[test]
fn every_rule_of_the_audit_is_broken_once() {
    let names = |rules: &[Rule]| rules.iter().map(|(rule, _)| *rule).collect::<BTreeSet<_>>();
    let broken: BTreeSet<&str> = WRONGS.into_iter().map(|(_, rule)| rule).collect();
    assert_eq!(broken, names(&ALWAYS));
    assert_eq!(names(&AT_THE_END), BTreeSet::from(["a job has not ended"]), "the test below breaks this one");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_of_a_good_farm_tells_nothing_and_of_a_bad_one_what_is_wrong_and_nothing_else() {
    let mut farm = Farm::start(0).await;
    farm.execute("insert into named_limit values ('plugin-x', 2)").await;
    let out = tempfile::tempdir().unwrap();
    let cut = ["--granularity", "spread", "--keep-stems", "always", "--limit", "plugin-x"];
    let mut fixture = Fixture::new(6.0);

    // Of one task an attempt is cancelled, one is lost with its worker, and one succeeds.
    farm.start_worker(&SLOWLY);
    let job = farm.queue(&fixture.write(), &cut);
    farm.wait_until_a_task_runs(&job);
    farm.run(["jobs", "cancel", &job]).succeeded();
    farm.run(["jobs", "retry", &job]).succeeded();
    until(&farm, "select count(*) from lease where attempt = 2").await;
    farm.workers.remove(0).kill();
    farm.start_worker(&[]);
    farm.start_worker(&[]);
    farm.finish(&job, &out.path().join("first")).await;
    assert_eq!(farm.found_wrong().await, Vec::<String>::new());

    // And another job stands still in the middle of two.
    farm.workers.drain(..).for_each(|worker| worker.kill());
    for track in 0..4 {
        fixture.document["tracks"][track]["clips"][0]["gain_db"] = json!(-1.0);
    }
    let job = farm.queue(&fixture.write(), &cut);
    farm.start_worker(&SLOWLY);
    farm.start_worker(&SLOWLY);
    until(&farm, "select count(*) / 2 from lease").await;
    farm.kill_coordinator();
    assert_eq!(farm.broken_by("select 1", &ALWAYS).await, Vec::<String>::new());
    let told = farm.broken_by("select 1", &AT_THE_END).await;
    assert!(told.len() == 1 && told[0].starts_with(&format!("a job has not ended: {job}")), "{told:#?}");
    for (wrong, rule) in WRONGS {
        let told = farm.broken_by(wrong, &ALWAYS).await;
        assert!(!told.is_empty(), "{wrong} is not told as: {rule}");
        assert!(told.iter().all(|told| told.starts_with(rule)), "{wrong} should break alone: {rule}\n{told:#?}");
    }

    farm.workers.drain(..).for_each(|worker| worker.kill());
    farm.start_coordinator();
    farm.start_worker(&[]);
    farm.finish(&job, &out.path().join("second")).await;
    assert_eq!(farm.found_wrong().await, Vec::<String>::new());
    wrong_bytes_are_told(&farm).await;
}

/// Makes every kind of wrong in the store, one after the other.
async fn wrong_bytes_are_told(farm: &Farm) {
    let digest = farm.texts("select digest from artifact where not master limit 1").await.remove(0);
    let delivered =
        "select deliver_to || '|' || file_name from deliverable join job using (project_id, job_id) limit 1";
    let delivered = farm.texts(delivered).await.remove(0);
    let (deliver_to, file_name) = delivered.split_once('|').expect("two columns");
    let nobodys = "projects/default/blobs/00/notes.txt".to_owned();
    let places = [blob(&digest), layout::delivery("default", deliver_to, file_name), nobodys.clone()];
    let mut begun = 0;
    for place in places {
        let right = farm.store().read(&place).await;
        farm.store().write(&place, b"other bytes".to_vec()).await;
        let of_it = |told: &str| told.contains(&digest) || told.contains(&place);
        let told = farm.found_wrong().await;
        assert!(told.len() == 1 && of_it(&told[0]), "{place}: {told:?}");
        farm.store().remove(&place).await;
        let told = farm.found_wrong().await;
        assert_eq!(told.len(), usize::from(right.is_some()), "{place}: {told:?}");
        assert!(told.iter().all(|told| of_it(told) && told.ends_with("is not in the store")), "{place}: {told:?}");
        if let Some(right) = right {
            farm.store().write(&place, right).await;
            begun += 1;
        }
    }
    assert_eq!(begun, 2, "a blob and a master were there");
    assert_eq!(farm.found_wrong().await, Vec::<String>::new());
}

/// Waits until this counts something.
async fn until(farm: &Farm, counted: &'static str) {
    let deadline = Instant::now() + PATIENCE;
    while farm.count(counted).await == 0 {
        assert!(Instant::now() < deadline, "{counted}\n{}", farm.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
