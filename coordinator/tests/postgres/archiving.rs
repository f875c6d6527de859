//! Ended jobs leave the tables of work and are shown as before; a year of them costs a claim nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use mixdown_coordinator::queue::archive::{archive, find};
use mixdown_coordinator::queue::cancel::cancel;
use mixdown_coordinator::queue::claim::{Claim, claim};
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::submit::Submission;
use mixdown_coordinator::queue::{events, view};
use mixdown_coordinator::state::{Failure, FailureKind, JobState};
use mixdown_dsp::plan::Plan;
use mixdown_proto::v1;
use uuid::Uuid;

use crate::support::farm::LEASE;
use crate::support::{Farm, key, planned, submission, two_stems_one_mix};

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

async fn end_long_ago(farm: &Farm, job_id: Uuid) {
    sqlx::query("update job set end_time = end_time - interval '31 days' where job_id = $1")
        .bind(job_id)
        .execute(&farm.pool)
        .await
        .unwrap();
}

async fn rows(farm: &Farm) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from job) + (select count(*) from task) + (select count(*) from job_task)
            + (select count(*) from task_dependency) + (select count(*) from task_input)
            + (select count(*) from task_output) + (select count(*) from attempt) + (select count(*) from event)
            + (select count(*) from deliverable) + (select count(*) from request) + (select count(*) from session)",
    )
    .fetch_one(&farm.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_archived_job_is_shown_as_it_was() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    farm.fail(worker, &held, Failure { kind: FailureKind::Storage, message: "it broke".into() }).await;
    farm.let_delays_pass().await;
    farm.run_all(worker).await;
    let before = (
        view::job(&farm.pool, "default", job_id).await.unwrap().unwrap(),
        view::tasks(&farm.pool, "default", job_id, None, 600.0).await.unwrap(),
        view::deliverables(&farm.pool, "default", job_id).await.unwrap(),
        view::attempts(&farm.pool, "default", job_id).await.unwrap(),
        events::after(&farm.pool, "default", job_id, 0, 1000).await.unwrap(),
    );
    assert_eq!(archive(&farm.pool, MONTH).await.unwrap(), 0, "it has just ended");
    end_long_ago(&farm, job_id).await;
    assert_eq!(archive(&farm.pool, MONTH).await.unwrap(), 1);
    assert_eq!(rows(&farm).await, 0, "nothing of it is left in the tables of work");
    let archived = find(&farm.pool, "default", job_id).await.unwrap().unwrap();
    let end_micros = before.0.end_micros.map(|micros| micros - 31 * 24 * 3600 * 1_000_000);
    assert_eq!(archived.job, view::JobRow { end_micros, ..before.0 });
    assert_eq!(archived.deliverables, before.2);
    assert_eq!(archived.attempts, before.3);
    assert_eq!(archived.events, before.4);
    for (archived, task) in archived.tasks.iter().zip(&before.1) {
        assert_eq!(
            (archived.task_id, &archived.display_name, archived.state, archived.attempt, &archived.worker_name),
            (task.task_id, &task.display_name, task.state, task.attempt, &task.worker_name)
        );
    }
    assert_eq!(archived.tasks.len(), 3);
    assert_eq!(farm.stored().await.len(), 3, "its artifacts stay for jobs to come");
    assert!(find(&farm.pool, "other", job_id).await.unwrap().is_none(), "another project does not see it");
}

#[tokio::test]
async fn a_job_whose_tasks_another_one_is_linked_to_waits_for_that_one() {
    let farm = Farm::new().await;
    let first = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let second = Submission { deliver_to: "b".into(), ..submission("default") };
    let waits_for = Plan { tasks: Vec::new(), cached: vec![(key("master"), "master".into())] };
    let second = farm.submit(&second, waits_for).await;
    farm.run_all(farm.worker(1).await).await;
    end_long_ago(&farm, first).await;
    assert_eq!(archive(&farm.pool, MONTH).await.unwrap(), 0);
    cancel(&farm.pool, "default", second, &Request::new(Uuid::new_v4(), "CancelJob", &[])).await.unwrap();
    end_long_ago(&farm, second).await;
    while archive(&farm.pool, MONTH).await.unwrap() > 0 {}
    assert_eq!(rows(&farm).await, 0);
}

#[tokio::test]
async fn lists_and_watchers_find_archived_jobs_and_retry_says_that_it_is_too_late() {
    let farm = Farm::new().await;
    let mut jobs = Vec::new();
    for number in 0..5 {
        let job = Submission { deliver_to: format!("album/{number}"), ..submission("default") };
        let job_id = farm.submit(&job, two_stems_one_mix()).await;
        let worker = farm.worker(1).await;
        let held = farm.claim_one(worker).await;
        farm.fail(worker, &held, Failure { kind: FailureKind::BadMedia, message: "it broke".into() }).await;
        if number % 2 == 0 {
            end_long_ago(&farm, job_id).await;
        }
        jobs.push(job_id.to_string());
    }
    while archive(&farm.pool, MONTH).await.unwrap() > 0 {}
    let coordinator = farm.start().await;
    let mut client = coordinator.jobs().await;
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let ask = v1::ListJobsRequest { page_size: 2, page_token, state: v1::JobState::Failed.into() };
        let page = client.list_jobs(ask).await.unwrap().into_inner();
        listed.extend(page.jobs.into_iter().map(|job| job.job_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    jobs.reverse();
    assert_eq!(listed, jobs, "newest first, archived or not");
    let job_id = jobs.last().unwrap().clone();
    let shown = client.get_job(v1::GetJobRequest { job_id: job_id.clone() }).await.unwrap().into_inner();
    assert_eq!(shown.tasks[0].failure.as_ref().unwrap().message, "it broke");
    assert_eq!(shown.tasks[0].attempts.len(), 1);
    let watch = v1::WatchJobRequest { job_id: job_id.clone(), after_sequence: 0 };
    let mut events = client.watch_job(watch).await.unwrap().into_inner();
    let mut last = None;
    while let Some(event) = events.message().await.unwrap() {
        last = Some(event);
    }
    assert_eq!(last.unwrap().job_state(), v1::JobState::Failed);
    let retry = v1::RetryJobRequest { request_id: Uuid::new_v4().to_string(), job_id };
    let refused = client.retry_job(retry).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert!(refused.message().contains("submit the session again"), "{refused}");
    coordinator.stop().await;
    assert_eq!(view::jobs(&farm.pool, "default", Some(JobState::Failed), None, 10).await.unwrap().len(), 2);
}

/// Pages of each table and its indexes that ten claims read, from the database's own counters.
async fn pages_of_ten_claims(farm: &Farm, worker: Uuid) -> BTreeMap<String, i64> {
    // One connection, so that its counters are complete when it is told to give them.
    let pool = mixdown_coordinator::database::open(&farm.url, 1).await.unwrap();
    let read = async || -> Vec<(String, i64)> {
        sqlx::query("select pg_stat_force_next_flush()").execute(&pool).await.unwrap();
        sqlx::query_as(
            "select relname::text,
                heap_blks_read + heap_blks_hit + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0)
             from pg_statio_user_tables order by relname",
        )
        .fetch_all(&pool)
        .await
        .unwrap()
    };
    let claim_one = async || {
        let claimed = claim(&pool, worker, 1, Uuid::new_v4(), LEASE).await.unwrap();
        assert!(matches!(&claimed, Claim::Assigned(assigned) if assigned.len() == 1), "{claimed:?}");
    };
    // The first claims of a connection read more, until their plans are settled.
    for _ in 0..8 {
        claim_one().await;
    }
    let before: BTreeMap<String, i64> = read().await.into_iter().collect();
    for _ in 0..10 {
        claim_one().await;
    }
    let after = read().await;
    pool.close().await;
    let of = |(table, pages): (String, i64)| {
        let pages = pages - before.get(&table).copied().unwrap_or(0);
        (table, pages)
    };
    after.into_iter().map(of).filter(|(_, pages)| *pages > 0).collect()
}

/// What a studio's farm makes in a year, four jobs of five tasks a day, and nothing of it archived.
const HISTORY: [&str; 8] = [
    "insert into session (project_id, session_digest, document)
     values ('default', repeat('a', 64), repeat('x', 20000))",
    "insert into job (project_id, job_id, session_digest, display_name, priority, state, deliver_to, replace,
        revisions, create_time, end_time)
     select 'default', gen_random_uuid(), repeat('a', 64), 'old', 1, 'succeeded', 'old', false, '{}',
        now() - make_interval(hours => n * 6), now() - make_interval(hours => n * 6)
     from generate_series(1, 1460) as n",
    "insert into demand (project_id, slots, whole_worker, memory_bytes, labels, limits, revisions)
     values ('default', 1, false, memory_step(1000), '{}', '{}', '{\"gain\": 1}')",
    "insert into task (project_id, task_id, job_id, kind, display_name, spec, cached, state, priority, cost,
        memory_bytes, revisions, demand_id, attempt, worker_id, ready_time, create_time, end_time)
     select 'default', gen_random_uuid(), job_id, 'stem', 'old', '{}', false, 'succeeded', 1, 100, 1000,
        '{\"gain\": 1}', (select demand_id from demand limit 1), 1, (select worker_id from worker limit 1), create_time, create_time, end_time
     from job cross join generate_series(1, 5) where job.state = 'succeeded'",
    "insert into job_task (project_id, job_id, position, task_id)
     select project_id, job_id, row_number() over (partition by job_id order by task_id), task_id
     from task where state = 'succeeded'",
    "insert into attempt (project_id, task_id, attempt, worker_id, lease_request_id, start_time, end_time, outcome)
     select project_id, task_id, 1, worker_id, gen_random_uuid(), create_time, end_time, 'succeeded'
     from task where state = 'succeeded'",
    "insert into event (project_id, job_id, sequence, job_state, progress, message)
     select project_id, job_id, n, 'active', 0.5, 'old' from job cross join generate_series(1, 15) as n
     where job.state = 'succeeded'",
    "update job set last_sequence = 15 where state = 'succeeded'",
];

async fn farm_with_work(history: bool) -> (Farm, Uuid) {
    let farm = Farm::new().await;
    let worker = farm.worker(1000).await;
    if history {
        for statement in HISTORY {
            sqlx::query(statement).execute(&farm.pool).await.unwrap();
        }
    }
    for number in 0..8 {
        let job = Submission { deliver_to: format!("a/{number}"), ..submission("default") };
        let tasks = (0..6).map(|task| planned(&format!("{number} {task}"), &[], &[])).collect();
        farm.submit(&job, Plan { tasks, cached: Vec::new() }).await;
    }
    sqlx::query("vacuum analyze").execute(&farm.pool).await.unwrap();
    (farm, worker)
}

#[tokio::test]
async fn a_year_of_history_does_not_slow_the_claim() {
    let (farm, worker) = farm_with_work(false).await;
    let without = pages_of_ten_claims(&farm, worker).await;
    let (farm, worker) = farm_with_work(true).await;
    let with = pages_of_ten_claims(&farm, worker).await;
    let sum = |pages: &BTreeMap<String, i64>| pages.values().sum::<i64>();
    // Small tables are read whole, which costs a page; of large ones an index of two or three levels is read. Reading the
    // history itself would cost hundreds of pages a claim.
    assert!(
        sum(&with) < 2 * sum(&without),
        "ten claims read {} pages with a year of history, {} without: {with:?} against {without:?}",
        sum(&with),
        sum(&without)
    );
}
