//! Tasks that end their workers, workers that fail their tasks: which of the two is set aside, and how it shows.

use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::settle::Settled;
use mixdown_coordinator::queue::submit::{Requirements, Submission};
use mixdown_coordinator::queue::workers::{Order, Ordered, WorkerRow, list, order};
use mixdown_coordinator::queue::{retry_job, view};
use mixdown_coordinator::state::{Failure, FailureKind};
use mixdown_dsp::plan::Plan;
use uuid::Uuid;

use crate::support::{Farm, planned, submission};

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, message: "it broke".into() }
}

async fn submit_one_task(farm: &Farm) -> Uuid {
    // Of a project of its own: jobs of one project would share the task.
    let project_id = format!("label-{}", &Uuid::new_v4().to_string()[..8]);
    sqlx::query("insert into project (project_id) values ($1)").bind(&project_id).execute(&farm.pool).await.unwrap();
    farm.submit(&submission(&project_id), Plan { tasks: vec![planned("vox", &[], &[])], cached: Vec::new() }).await
}

/// Submits a job of one task and fails it on this worker.
async fn fail_a_job(farm: &Farm, worker: Uuid, kind: FailureKind) {
    submit_one_task(farm).await;
    let held = farm.claim_one(worker).await;
    assert_eq!(farm.fail(worker, &held, failure(kind)).await, Settled::Accepted);
    // What is tried again would be handed out before the next job's task.
    sqlx::query("update task set not_before = now() + interval '1 hour' where state = 'ready'")
        .execute(&farm.pool)
        .await
        .unwrap();
}

async fn seen(farm: &Farm, worker: Uuid) -> WorkerRow {
    let rows = list(&farm.pool, None, 100, 600.0).await.unwrap();
    rows.into_iter().find(|row| row.worker_id == worker).unwrap()
}

#[tokio::test]
async fn a_worker_that_fails_tasks_of_three_jobs_gets_none_until_it_is_released() {
    let farm = Farm::new().await;
    let worker = farm.worker(1).await;
    for _ in 0..3 {
        assert_eq!(seen(&farm, worker).await.state, "active");
        fail_a_job(&farm, worker, FailureKind::Resource).await;
    }
    let row = seen(&farm, worker).await;
    assert_eq!(row.state, "quarantined");
    let reason = row.quarantine_reason.unwrap();
    assert_eq!(reason, "it failed tasks of 3 jobs; the last failure: it broke");
    submit_one_task(&farm).await;
    assert!(farm.claim(worker, 1).await.is_empty(), "a quarantined worker is given nothing");
    // Starting it again is no remedy.
    farm.register(worker, 1, &[("gain", 1)]).await;
    assert!(farm.claim(worker, 1).await.is_empty(), "nor after a restart");
    let Ordered::Done(released) = farm.order(&worker.to_string(), Order::Release).await else { panic!("it is known") };
    assert_eq!((released.state.as_str(), released.quarantine_reason), ("active", None));
    let held = farm.claim_one(worker).await;
    // What it failed before is forgiven: one more failure does not set it aside again.
    farm.fail(worker, &held, failure(FailureKind::Resource)).await;
    assert_eq!(seen(&farm, worker).await.state, "active");
}

#[tokio::test]
async fn what_is_no_workers_doing_quarantines_nobody() {
    let kinds = [FailureKind::BadSession, FailureKind::BadMedia, FailureKind::Storage, FailureKind::OutOfMemory];
    for kind in kinds {
        let farm = Farm::new().await;
        let worker = farm.worker(1).await;
        for _ in 0..4 {
            fail_a_job(&farm, worker, kind).await;
        }
        assert_eq!(seen(&farm, worker).await.state, "active", "{kind:?}");
    }
}

#[tokio::test]
async fn tasks_that_fail_on_another_worker_too_speak_against_neither() {
    let farm = Farm::new().await;
    let (one, other) = (farm.worker(1).await, farm.worker(1).await);
    for _ in 0..4 {
        submit_one_task(&farm).await;
        for worker in [one, other] {
            let held = farm.claim_one(worker).await;
            farm.fail(worker, &held, failure(FailureKind::Internal)).await;
            farm.let_delays_pass().await;
        }
    }
    for worker in [one, other] {
        assert_eq!(seen(&farm, worker).await.state, "active");
    }
}

#[tokio::test]
async fn three_failures_of_one_job_quarantine_nobody() {
    let farm = Farm::new().await;
    let worker = farm.worker(1).await;
    let tasks = (0..4).map(|number| planned(&format!("stem {number}"), &[], &[])).collect();
    farm.submit(&submission("default"), Plan { tasks, cached: Vec::new() }).await;
    for _ in 0..4 {
        let held = farm.claim_one(worker).await;
        farm.fail(worker, &held, failure(FailureKind::Resource)).await;
    }
    assert_eq!(seen(&farm, worker).await.state, "active");
}

#[tokio::test]
async fn an_order_that_is_repeated_is_answered_and_not_given_twice() {
    let farm = Farm::new().await;
    let worker = farm.worker(1).await;
    let call = Request::new(Uuid::new_v4(), "DrainWorker", &[worker.as_bytes()]);
    let give = async |call: &Request| order(&farm.pool, &worker.to_string(), Order::Drain, call, 600.0).await.unwrap();
    let Ordered::Done(first) = give(&call).await else { panic!("it is known") };
    assert_eq!(first.state, "draining");
    // It left, came back, and the call arrives once more.
    farm.register(worker, 1, &[("gain", 1)]).await;
    let Ordered::Done(again) = give(&call).await else { panic!("it is known") };
    assert_eq!((again.worker_id, again.state.as_str()), (worker, "active"));
    let reused = Request { content_hash: [7; 32], ..call };
    assert_eq!(give(&reused).await, Ordered::RequestReused);
}

#[tokio::test]
async fn a_task_that_ends_three_workers_stops_and_shows_its_history() {
    let farm = Farm::new().await;
    let job_id = submit_one_task(&farm).await;
    let mut victims = Vec::new();
    for _ in 0..3 {
        let victim = farm.worker(1).await;
        farm.claim_one(victim).await;
        farm.let_leases_run_out().await;
        farm.let_delays_pass().await;
        victims.push(seen(&farm, victim).await.name);
    }
    let project_id: String = sqlx::query_scalar("select project_id from job").fetch_one(&farm.pool).await.unwrap();
    let history = view::attempts(&farm.pool, &project_id, job_id).await.unwrap();
    assert_eq!(
        history.iter().map(|attempt| &attempt.worker_name).collect::<Vec<_>>(),
        victims.iter().collect::<Vec<_>>()
    );
    for attempt in &history {
        assert_eq!(attempt.outcome.as_deref(), Some("worker_lost"));
        let expected = format!("{} was not heard of while its lease lasted", attempt.worker_name);
        assert_eq!(attempt.failure_message.as_deref(), Some(expected.as_str()));
        assert!(attempt.end_micros.unwrap() >= attempt.start_micros);
    }
    let job = view::job(&farm.pool, &project_id, job_id).await.unwrap().unwrap();
    let message = job.failure_message.unwrap();
    for victim in &victims {
        assert!(message.contains(victim.as_str()), "{message}");
    }
    // A retry begins to count anew.
    let call = Request::new(Uuid::new_v4(), "RetryJob", &[]);
    retry_job::retry_job(&farm.pool, &project_id, job_id, &call).await.unwrap();
    farm.claim_one(farm.worker(1).await).await;
    farm.let_leases_run_out().await;
    assert_eq!(farm.state(job_id).await, "active");
}

#[tokio::test]
async fn a_lack_of_memory_raises_the_reservation_once() {
    let farm = Farm::new().await;
    let job_id = submit_one_task(&farm).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    farm.fail(worker, &held, failure(FailureKind::OutOfMemory)).await;
    let again = farm.claim_one(worker).await;
    assert_eq!(again.memory_bytes, 2 * held.memory_bytes);
    farm.fail(worker, &again, failure(FailureKind::OutOfMemory)).await;
    assert_eq!(farm.state(job_id).await, "failed");
}

#[tokio::test]
async fn no_more_memory_is_reserved_than_a_worker_with_the_tasks_labels_has() {
    const MIB: i64 = 1 << 20;
    let farm = Farm::new().await;
    let wants = Requirements { memory_bytes: 512 * MIB, labels: vec!["gpu".to_owned()], ..Requirements::default() };
    let submission = Submission { requirements: wants, ..submission("default") };
    let job_id = farm.submit(&submission, Plan { tasks: vec![planned("vox", &[], &[])], cached: Vec::new() }).await;
    // No step of a reservation is 700 MiB: 640 is the largest below it.
    let small = farm.worker_with(1, 700 * MIB, &["gpu"]).await;
    farm.worker_with(1, 64 * 1024 * MIB, &["fast"]).await;
    let held = farm.claim_one(small).await;
    assert_eq!(held.memory_bytes, 512 * MIB);
    farm.fail(small, &held, failure(FailureKind::OutOfMemory)).await;
    let again = farm.claim_one(small).await;
    assert_eq!(again.memory_bytes, 640 * MIB);
    farm.fail(small, &again, failure(FailureKind::OutOfMemory)).await;
    assert_eq!(farm.state(job_id).await, "failed");
}

#[tokio::test]
async fn a_reservation_is_not_raised_to_what_only_workers_have_that_take_no_tasks() {
    const GIB: i64 = 1 << 30;
    let farm = Farm::new().await;
    let wants = Requirements { memory_bytes: 3 * GIB, ..Requirements::default() };
    let submission = Submission { requirements: wants, ..submission("default") };
    farm.submit(&submission, Plan { tasks: vec![planned("vox", &[], &[])], cached: Vec::new() }).await;
    let small = farm.worker_with(1, 4 * GIB, &[]).await;
    // One that died, one that is quarantined, one that leaves, one that renders other sounds.
    farm.fall_silent(farm.worker_with(1, 64 * GIB, &[]).await).await;
    let quarantined = farm.worker_with(1, 64 * GIB, &[]).await;
    sqlx::query("update worker set quarantine_reason = 'it fails', quarantine_time = now() where worker_id = $1")
        .bind(quarantined)
        .execute(&farm.pool)
        .await
        .unwrap();
    let leaving = farm.worker_with(1, 64 * GIB, &[]).await;
    farm.order(&leaving.to_string(), Order::Drain).await;
    let other = farm.worker_with(1, 64 * GIB, &[]).await;
    sqlx::query("update worker set revisions = '{\"gain\": 2}' where worker_id = $1")
        .bind(other)
        .execute(&farm.pool)
        .await
        .unwrap();
    let held = farm.claim_one(small).await;
    farm.fail(small, &held, failure(FailureKind::OutOfMemory)).await;
    assert_eq!(farm.claim_one(small).await.memory_bytes, 4 * GIB, "what the one worker has that can run it");
}

#[tokio::test]
async fn what_the_store_fails_counts_apart_from_the_tasks_own_failures() {
    let farm = Farm::new().await;
    let job_id = submit_one_task(&farm).await;
    let worker = farm.worker(1).await;
    let kinds = [FailureKind::Storage, FailureKind::Storage, FailureKind::Storage, FailureKind::Internal];
    for kind in kinds {
        let held = farm.claim_one(worker).await;
        farm.fail(worker, &held, failure(kind)).await;
        farm.let_delays_pass().await;
    }
    assert_eq!(farm.state(job_id).await, "active", "one failure of its own leaves a second try");
    let counts: (i32, i32, i32) =
        sqlx::query_as("select failures, storage_failures, losses from task").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(counts, (1, 3, 0));
}
