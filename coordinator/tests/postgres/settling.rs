use mixdown_coordinator::queue::cancel::cancel;
use mixdown_coordinator::queue::heartbeat::{Heartbeat, Progress, heartbeat};
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::settle::{Outcome, Settled, Success};
use mixdown_coordinator::queue::{view, workers};
use mixdown_coordinator::state::{Failure, FailureKind};
use uuid::Uuid;

use crate::support::farm::LEASE;
use crate::support::{Farm, key, submission, two_stems_one_mix};

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, message: "it broke".into() }
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_cannot_settle() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let (stale, fresh) = (farm.worker(1).await, farm.worker(1).await);
    let lost = farm.claim_one(stale).await;
    farm.let_leases_run_out().await;
    let taken = farm.claim_one(fresh).await;
    assert_eq!((taken.task_id, taken.attempt), (lost.task_id, lost.attempt + 1));

    assert_eq!(farm.succeed(stale, &lost).await, Settled::LeaseLost);
    assert_eq!(farm.fail(stale, &lost, failure(FailureKind::BadSession)).await, Settled::LeaseLost);
    let lease = Progress { task_id: lost.task_id, attempt: lost.attempt, progress: 0.9 };
    let heard = heartbeat(&farm.pool, stale, &[lease], LEASE).await.unwrap();
    assert_eq!(
        heard,
        Heartbeat::Heard { stop: vec![(lost.task_id, lost.attempt)], drain: false, quarantine_reason: None }
    );
    assert!(farm.stored().await.is_empty());

    assert_eq!(farm.succeed(fresh, &taken).await, Settled::Accepted);
    assert_eq!(farm.outcomes(lost.task_id).await, ["worker_lost", "succeeded"]);
}

#[tokio::test]
async fn a_worker_cannot_settle_another_ones_attempt() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let (holder, other) = (farm.worker(1).await, farm.worker(1).await);
    let held = farm.claim_one(holder).await;
    assert_eq!(farm.succeed(other, &held).await, Settled::LeaseLost);
    assert_eq!(farm.succeed(holder, &held).await, Settled::Accepted);
}

#[tokio::test]
async fn a_repeated_settlement_gets_the_same_answer_and_another_one_does_not() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    let artifacts = farm.make("default", held.task_id).await;
    let outcome = Outcome::Success(Success { artifacts, ..Success::default() });
    let request_id = Uuid::new_v4();
    for _ in 0..2 {
        assert_eq!(farm.settle(worker, &held, request_id, outcome.clone()).await, Settled::Accepted);
    }
    assert_eq!(farm.settle(worker, &held, Uuid::new_v4(), outcome).await, Settled::LeaseLost);
}

#[tokio::test]
async fn two_copies_of_a_settlement_at_once_are_both_told_that_it_counts() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    for _ in 0..3 {
        let held = farm.claim_one(worker).await;
        let artifacts = farm.make("default", held.task_id).await;
        let outcome = Outcome::Success(Success { artifacts, ..Success::default() });
        let request_id = Uuid::new_v4();
        let copies = [(); 4].map(|()| farm.settle(worker, &held, request_id, outcome.clone()));
        assert_eq!(futures::future::join_all(copies).await, [Settled::Accepted; 4]);
    }
}

#[tokio::test]
async fn a_heartbeat_keeps_a_lease_alive_and_carries_progress() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    sqlx::query("update lease set expire_time = now() - interval '1 second'").execute(&farm.pool).await.unwrap();
    let lease = |progress| [Progress { task_id: held.task_id, attempt: held.attempt, progress }];
    for progress in [0.5, 0.2] {
        heartbeat(&farm.pool, worker, &lease(progress), LEASE).await.unwrap();
    }
    assert_eq!(mixdown_coordinator::queue::expire::expire(&farm.pool).await.unwrap(), 0);
    let job = view::job(&farm.pool, "default", job_id).await.unwrap().unwrap();
    // One task of three that cost the same is half done; progress never goes back.
    assert!((job.progress - 0.5 / 3.0).abs() < 1e-6, "{}", job.progress);
}

#[tokio::test]
async fn lost_workers_count_apart_and_a_killer_stops_after_three_of_them() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let mut task_id = None;
    for _ in 0..3 {
        let victim = farm.worker(1).await;
        let held = farm.claim_one(victim).await;
        assert!(task_id.is_none_or(|task_id| task_id == held.task_id));
        task_id = Some(held.task_id);
        farm.let_leases_run_out().await;
        farm.let_delays_pass().await;
    }
    assert_eq!(farm.outcomes(task_id.unwrap()).await, ["worker_lost"; 3]);
    let job = view::job(&farm.pool, "default", job_id).await.unwrap().unwrap();
    assert_eq!(job.failure_kind, Some(FailureKind::WorkerLost));
    let (failures, losses): (i32, i32) = sqlx::query_as("select failures, losses from task where task_id = $1")
        .bind(task_id)
        .fetch_one(&farm.pool)
        .await
        .unwrap();
    assert_eq!((failures, losses), (0, 3));
}

#[tokio::test]
async fn a_deterministic_failure_ends_the_job_at_once() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(4).await;
    let both = farm.claim(worker, 2).await;
    assert_eq!(farm.fail(worker, &both[0], failure(FailureKind::BadMedia)).await, Settled::Accepted);
    assert_eq!(farm.state(job_id).await, "failed");
    let states: Vec<String> = farm.tasks(job_id).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["failed", "cancelled", "cancelled"]);
    // The other running attempt is accounted for, and its worker hears of it.
    assert_eq!(farm.outcomes(both[1].task_id).await, ["cancelled"]);
    assert_eq!(farm.succeed(worker, &both[1]).await, Settled::LeaseLost);
}

#[tokio::test]
async fn a_storage_failure_is_tried_again_after_a_delay() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(4).await;
    let both = farm.claim(worker, 2).await;
    assert_eq!(farm.fail(worker, &both[0], failure(FailureKind::Storage)).await, Settled::Accepted);
    sqlx::query("update task set not_before = now() + interval '9 minutes' where state = 'ready'")
        .execute(&farm.pool)
        .await
        .unwrap();
    assert!(farm.claim(worker, 1).await.is_empty());
    let tasks = view::tasks(&farm.pool, "default", job_id, None, 60.0).await.unwrap();
    assert!(tasks[0].waiting_reason.ends_with("after: it broke"), "{}", tasks[0].waiting_reason);
    assert!(tasks[0].waiting_reason.starts_with("trying again in 5"), "{}", tasks[0].waiting_reason);
    farm.let_delays_pass().await;
    let again = farm.claim_one(worker).await;
    assert_eq!((again.task_id, again.attempt), (both[0].task_id, 2));
}

#[tokio::test]
async fn a_success_without_its_bytes_in_the_store_is_a_failure() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    let artifacts = farm.make("default", held.task_id).await;
    let place = farm.store.blob("default", &artifacts[0].digest).unwrap();
    farm.store.delete(&place).await.unwrap();
    let success = Success { artifacts, ..Success::default() };
    assert_eq!(farm.settle(worker, &held, Uuid::new_v4(), Outcome::Success(success)).await, Settled::Accepted);
    assert_eq!(farm.outcomes(held.task_id).await, ["failed"]);
    let blobs: i64 = sqlx::query_scalar("select count(*) from blob").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(blobs, 0);
}

#[tokio::test]
async fn a_success_that_leaves_out_an_artifact_is_a_failure() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    assert_eq!(
        farm.settle(worker, &held, Uuid::new_v4(), Outcome::Success(Success::default())).await,
        Settled::Accepted
    );
    let message: String =
        sqlx::query_scalar("select failure_message from attempt").fetch_one(&farm.pool).await.unwrap();
    assert!(message.contains(&key("vox").to_string()), "{message}");
}

#[tokio::test]
async fn a_relinquished_task_is_ready_at_once_and_nothing_counts() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(2).await;
    let both = farm.claim(worker, 2).await;
    workers::relinquish(&farm.pool, worker, &[(both[0].task_id, both[0].attempt)]).await.unwrap();
    let again = farm.claim_one(worker).await;
    assert_eq!((again.task_id, again.attempt), (both[0].task_id, 2));
    workers::leave(&farm.pool, worker, &[], None).await.unwrap();
    assert_eq!(farm.outcomes(again.task_id).await, ["relinquished", "relinquished"]);
    let counted: i64 = sqlx::query_scalar("select count(*) from task where failures + losses > 0")
        .fetch_one(&farm.pool)
        .await
        .unwrap();
    assert_eq!(counted, 0);
    let rows = workers::list(&farm.pool, None, 10, 30.0).await.unwrap();
    assert_eq!((rows[0].state.as_str(), rows[0].running), ("gone", 0));
}

#[tokio::test]
async fn a_worker_that_comes_back_loses_what_its_earlier_life_held() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    farm.register(worker, 1, &[("gain", 1)]).await;
    assert_eq!(farm.outcomes(held.task_id).await, ["worker_lost"]);
    let again = farm.claim_one(worker).await;
    assert_eq!(again.attempt, 2);
}

#[tokio::test]
async fn a_cancelled_attempt_is_stopped_by_its_next_heartbeat() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    cancel(&farm.pool, "default", job_id, &Request::new(Uuid::new_v4(), "CancelJob", &[])).await.unwrap();
    let lease = Progress { task_id: held.task_id, attempt: held.attempt, progress: 0.1 };
    let heard = heartbeat(&farm.pool, worker, &[lease], LEASE).await.unwrap();
    assert_eq!(heard, Heartbeat::Heard { stop: vec![(held.task_id, 1)], drain: false, quarantine_reason: None });
    assert_eq!(farm.outcomes(held.task_id).await, ["cancelled"]);
}
