use std::collections::BTreeSet;
use std::time::Duration;

use mixdown_coordinator::queue::claim::{Claim, claim};
use mixdown_coordinator::queue::heartbeat::{Heartbeat, Progress, heartbeat};
use mixdown_coordinator::queue::settle::Settled;
use mixdown_coordinator::queue::workers::{Order, Ordered};
use mixdown_dsp::plan::Plan;
use uuid::Uuid;

use crate::support::farm::LEASE;
use crate::support::{Farm, independent, planned, submission, two_stems_one_mix};

#[tokio::test]
async fn a_job_runs_from_its_stems_to_its_master() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(4).await;
    let first = farm.claim(worker, 10).await;
    assert_eq!(first.iter().map(|task| task.display_name.as_str()).collect::<Vec<_>>(), ["vox", "bass"]);
    assert_eq!(farm.succeed(worker, &first[0]).await, Settled::Accepted);
    assert!(farm.claim(worker, 10).await.is_empty());
    assert_eq!(farm.succeed(worker, &first[1]).await, Settled::Accepted);
    let master = farm.claim_one(worker).await;
    assert_eq!(master.input_keys.len(), 2);
    assert_eq!(farm.state(job_id).await, "active");
    assert_eq!(farm.succeed(worker, &master).await, Settled::Accepted);
    assert_eq!(farm.state(job_id).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_claimers_get_each_task_exactly_once() {
    let farm = Farm::new().await;
    let names: Vec<String> = (0..40).map(|number| format!("stem {number}")).collect();
    let plan = Plan { tasks: names.iter().map(|name| planned(name, &[], &[])).collect(), cached: Vec::new() };
    farm.submit(&submission("default"), plan).await;
    let mut claimers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let worker = farm.worker(100).await;
        let pool = farm.pool.clone();
        claimers.spawn(async move {
            let mut got = Vec::new();
            loop {
                match claim(&pool, worker, 3, Uuid::new_v4(), LEASE).await.unwrap() {
                    Claim::Assigned(assigned) if assigned.is_empty() => return got,
                    Claim::Assigned(assigned) => got.extend(assigned.into_iter().map(|task| task.task_id)),
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    let got: Vec<Uuid> = claimers.join_all().await.into_iter().flatten().collect();
    assert_eq!(got.len(), 40);
    assert_eq!(got.iter().collect::<BTreeSet<_>>().len(), 40);
    let attempts: i64 = sqlx::query_scalar("select count(*) from attempt").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(attempts, 40);
}

#[tokio::test]
async fn a_repeated_lease_call_hands_out_the_same_attempts() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(4).await;
    let request_id = Uuid::new_v4();
    let first = claim(&farm.pool, worker, 1, request_id, LEASE).await.unwrap();
    let again = claim(&farm.pool, worker, 1, request_id, LEASE).await.unwrap();
    assert_eq!(first, again);
    let running: i64 = sqlx::query_scalar("select count(*) from lease").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(running, 1);
}

#[tokio::test]
async fn a_worker_gets_no_more_tasks_than_it_has_slots() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    assert_eq!(farm.claim(worker, 10).await.len(), 1);
    assert!(farm.claim(worker, 10).await.is_empty());
}

#[tokio::test]
async fn a_worker_without_a_tasks_revisions_does_not_get_it() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let old = Uuid::new_v4();
    farm.register(old, 4, &[("gain", 2), ("eq", 1)]).await;
    assert!(farm.claim(old, 4).await.is_empty());
    farm.register(old, 4, &[("gain", 1), ("eq", 1)]).await;
    assert_eq!(farm.claim(old, 4).await.len(), 2);
}

#[tokio::test]
async fn projects_share_the_farm_by_weight_before_priority() {
    let farm = Farm::new().await;
    sqlx::query("insert into project (project_id, weight) values ('a', 1), ('b', 2)")
        .execute(&farm.pool)
        .await
        .unwrap();
    let many = || Plan {
        tasks: (0..12).map(|number| planned(&format!("stem {number}"), &[], &[])).collect(),
        cached: Vec::new(),
    };
    let mut urgent = submission("a");
    urgent.priority = mixdown_coordinator::state::Priority::Urgent;
    farm.submit(&urgent, many()).await;
    farm.submit(&submission("b"), many()).await;
    let worker = farm.worker(9).await;
    for task in [4, 5] {
        assert_eq!(farm.claim(worker, task).await.len() as i32, task);
    }
    let running: Vec<(String, i64)> =
        sqlx::query_as("select project_id, count(*) from task where state = 'running' group by 1 order by 1")
            .fetch_all(&farm.pool)
            .await
            .unwrap();
    assert_eq!(running, [("a".to_owned(), 3), ("b".to_owned(), 6)]);
}

#[tokio::test]
async fn urgent_tasks_come_first_then_old_ones() {
    let farm = Farm::new().await;
    let mut ids = Vec::new();
    for priority in ["bulk", "normal", "normal", "urgent"] {
        let mut job = submission("default");
        job.priority = match priority {
            "bulk" => mixdown_coordinator::state::Priority::Bulk,
            "urgent" => mixdown_coordinator::state::Priority::Urgent,
            _ => mixdown_coordinator::state::Priority::Normal,
        };
        let name = job.job_id.to_string();
        ids.push(farm.submit(&job, Plan { tasks: vec![planned(&name, &[], &[])], cached: Vec::new() }).await);
    }
    let worker = farm.worker(9).await;
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(farm.claim_one(worker).await.job_id);
    }
    assert_eq!(order, [ids[3], ids[1], ids[2], ids[0]]);
}

#[tokio::test]
async fn an_old_bulk_task_moves_to_the_front() {
    let farm = Farm::new().await;
    let mut bulk = submission("default");
    bulk.priority = mixdown_coordinator::state::Priority::Bulk;
    let waiting = farm.submit(&bulk, Plan { tasks: vec![planned("old", &[], &[])], cached: Vec::new() }).await;
    sqlx::query("update task set ready_time = now() - interval '31 minutes'").execute(&farm.pool).await.unwrap();
    let mut urgent = submission("default");
    urgent.priority = mixdown_coordinator::state::Priority::Urgent;
    farm.submit(&urgent, Plan { tasks: vec![planned("new", &[], &[])], cached: Vec::new() }).await;
    let worker = farm.worker(1).await;
    assert_eq!(farm.claim_one(worker).await.job_id, waiting);
}

#[tokio::test]
async fn documents_of_several_tasks_fit_one_message() {
    let farm = Farm::new().await;
    for _ in 0..3 {
        let mut job = submission("default");
        job.document.push_str(&" ".repeat(7 << 20));
        let name = job.job_id.to_string();
        farm.submit(&job, Plan { tasks: vec![planned(&name, &[], &[])], cached: Vec::new() }).await;
    }
    let worker = farm.worker(9).await;
    assert_eq!(farm.claim(worker, 9).await.len(), 1);
    assert_eq!(farm.claim(worker, 9).await.len(), 1);
}

#[tokio::test]
async fn a_draining_worker_gets_nothing_and_is_told() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(4).await;
    let held = farm.claim_one(worker).await;
    let Ordered::Done(drained) = farm.order(&worker.to_string(), Order::Drain).await else { panic!("it is known") };
    assert_eq!((drained.state.as_str(), drained.running), ("draining", 1));
    let claimed = claim(&farm.pool, worker, 1, Uuid::new_v4(), LEASE).await.unwrap();
    assert_eq!(claimed, Claim::Drain);
    let lease = Progress { task_id: held.task_id, attempt: held.attempt, progress: 0.5 };
    let heard = heartbeat(&farm.pool, worker, &[lease], LEASE).await.unwrap();
    assert_eq!(heard, Heartbeat::Heard { stop: Vec::new(), drain: true, quarantine_reason: None });
    assert_eq!(farm.succeed(worker, &held).await, Settled::Accepted);
}

#[tokio::test]
async fn a_worker_that_never_registered_is_told_so() {
    let farm = Farm::new().await;
    let stranger = Uuid::new_v4();
    assert_eq!(claim(&farm.pool, stranger, 1, Uuid::new_v4(), LEASE).await.unwrap(), Claim::UnknownWorker);
    assert_eq!(heartbeat(&farm.pool, stranger, &[], LEASE).await.unwrap(), Heartbeat::UnknownWorker);
    assert_eq!(farm.order("nobody", Order::Drain).await, Ordered::NoSuchWorker);
}

#[tokio::test]
async fn a_coordinator_that_stands_still_with_the_queue_locked_holds_the_others_up_for_seconds_only() {
    let farm = Farm::new().await;
    let job = submission("default");
    farm.submit(&job, independent(&job, 1)).await;
    let worker = farm.worker(1).await;
    let mut stopped = farm.pool.begin().await.unwrap();
    sqlx::query(include_str!("../../src/queue/lock_queue.sql")).execute(&mut *stopped).await.unwrap();
    let claimed = tokio::time::timeout(Duration::from_secs(60), farm.claim_one(worker)).await;
    claimed.expect("the lock is taken from it");
    // It wakes, and finds that its transaction has ended.
    sqlx::query("select 1").execute(&mut *stopped).await.unwrap_err();
}
