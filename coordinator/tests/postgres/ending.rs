use mixdown_coordinator::queue::cancel::{Changed, cancel};
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::retry_job::retry_job;
use mixdown_coordinator::queue::settle::Settled;
use mixdown_coordinator::queue::submit::{Submitted, submit};
use mixdown_coordinator::state::{Failure, FailureKind, JobState, Priority};
use mixdown_dsp::plan::Plan;
use uuid::Uuid;

use crate::support::{Farm, key, planned, submission, two_stems_one_mix};

fn request() -> Request {
    Request::new(Uuid::new_v4(), "test", &[])
}

/// A second job that waits for everything of the first.
async fn join(farm: &Farm) -> Uuid {
    let mut second = submission("default");
    second.priority = Priority::Bulk;
    let cached = |_: &dyn Fn(&mixdown_dsp::plan::Key) -> bool| Plan {
        tasks: Vec::new(),
        cached: vec![(key("master"), "master".into())],
    };
    match submit(&farm.pool, &second, cached).await.unwrap() {
        Submitted::Queued { job_id, .. } => job_id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cancelling_one_of_two_jobs_keeps_the_tasks_that_the_other_waits_for() {
    let farm = Farm::new().await;
    let mut plan = two_stems_one_mix();
    plan.tasks.push(planned("only the first wants this", &[], &[]));
    let first = farm.submit(&submission("default"), plan).await;
    let second = join(&farm).await;
    let worker = farm.worker(1).await;
    let running = farm.claim_one(worker).await;
    assert_eq!(cancel(&farm.pool, "default", first, &request()).await.unwrap(), Changed::Done);
    let states: Vec<String> = farm.tasks(first).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["running", "ready", "blocked", "cancelled"]);
    assert_eq!(farm.succeed(worker, &running).await, Settled::Accepted);
    farm.run_all(worker).await;
    assert_eq!(farm.state(first).await, "cancelled");
    let states: Vec<String> = farm.tasks(second).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["succeeded"; 3]);
}

#[tokio::test]
async fn cancelling_the_last_waiter_cancels_the_tasks() {
    let farm = Farm::new().await;
    let first = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let second = join(&farm).await;
    for job_id in [first, second] {
        assert_eq!(cancel(&farm.pool, "default", job_id, &request()).await.unwrap(), Changed::Done);
    }
    let states: Vec<String> = farm.tasks(second).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["cancelled"; 3]);
}

#[tokio::test]
async fn a_task_that_fails_for_good_fails_every_job_that_waits_for_it() {
    let farm = Farm::new().await;
    let first = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let second = join(&farm).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    farm.fail(worker, &held, Failure { kind: FailureKind::BadMedia, message: "truncated".into() }).await;
    for job_id in [first, second] {
        assert_eq!(farm.state(job_id).await, "failed");
    }
    let message: String =
        sqlx::query_scalar("select distinct failure_message from job").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(message, "vox: truncated");
}

#[tokio::test]
async fn ended_jobs_cannot_be_cancelled_and_unknown_ones_are_not_found() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    farm.run_all(worker).await;
    let changed = cancel(&farm.pool, "default", job_id, &request()).await.unwrap();
    assert_eq!(changed, Changed::NotPossible(JobState::Succeeded));
    let changed = retry_job(&farm.pool, "default", job_id, &request()).await.unwrap();
    assert_eq!(changed, Changed::NotPossible(JobState::Succeeded));
    assert_eq!(cancel(&farm.pool, "other", job_id, &request()).await.unwrap(), Changed::NoSuchJob);
}

#[tokio::test]
async fn a_repeated_cancel_does_not_cancel_the_retried_job() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let cancelling = request();
    assert_eq!(cancel(&farm.pool, "default", job_id, &cancelling).await.unwrap(), Changed::Done);
    assert_eq!(retry_job(&farm.pool, "default", job_id, &request()).await.unwrap(), Changed::Done);
    assert_eq!(cancel(&farm.pool, "default", job_id, &cancelling).await.unwrap(), Changed::Done);
    assert_eq!(farm.state(job_id).await, "active");
}

#[tokio::test]
async fn a_retried_job_runs_what_failed_and_keeps_what_succeeded() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let vox = farm.claim_one(worker).await;
    farm.succeed(worker, &vox).await;
    let bass = farm.claim_one(worker).await;
    farm.fail(worker, &bass, Failure { kind: FailureKind::BadMedia, message: "truncated".into() }).await;
    assert_eq!(retry_job(&farm.pool, "default", job_id, &request()).await.unwrap(), Changed::Done);
    let states: Vec<String> = farm.tasks(job_id).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["succeeded", "ready", "blocked"]);
    assert_eq!(farm.run_all(worker).await, 2);
    assert_eq!(farm.state(job_id).await, "succeeded");
    assert_eq!(farm.outcomes(bass.task_id).await, ["failed", "succeeded"]);
}

#[tokio::test]
async fn a_retried_job_makes_artifacts_again_that_were_dropped_meanwhile() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let vox = farm.claim_one(worker).await;
    farm.succeed(worker, &vox).await;
    cancel(&farm.pool, "default", job_id, &request()).await.unwrap();
    sqlx::query("delete from artifact").execute(&farm.pool).await.unwrap();
    assert_eq!(retry_job(&farm.pool, "default", job_id, &request()).await.unwrap(), Changed::Done);
    let states: Vec<String> = farm.tasks(job_id).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["ready", "ready", "blocked"]);
    assert_eq!(farm.run_all(worker).await, 3);
    assert_eq!(farm.state(job_id).await, "succeeded");
}

#[tokio::test]
async fn a_job_that_read_cached_artifacts_which_are_gone_must_be_submitted_again() {
    let farm = Farm::new().await;
    let worker = farm.worker(1).await;
    let stem = Plan { tasks: vec![planned("vox", &[], &[])], cached: Vec::new() };
    let mut first = submission("default");
    first.deliverables.clear();
    farm.submit(&first, stem).await;
    farm.run_all(worker).await;
    let mix = Plan { tasks: vec![planned("master", &["vox"], &[])], cached: vec![(key("vox"), "vox".into())] };
    let job_id = farm.submit(&submission("default"), mix).await;
    cancel(&farm.pool, "default", job_id, &request()).await.unwrap();
    sqlx::query("delete from artifact").execute(&farm.pool).await.unwrap();
    assert_eq!(retry_job(&farm.pool, "default", job_id, &request()).await.unwrap(), Changed::ArtifactsDropped);
}
