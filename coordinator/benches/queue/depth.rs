//! A claim before few tasks and before a million.

use std::time::Duration;

use mixdown_coordinator::queue::claim::{Claim, claim};
use mixdown_coordinator::queue::workers::{Registration, register};
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use crate::jobs;

pub const CLAIMS: usize = 40;
const TASKS: i32 = 20;
/// Claims of one worker, each of which leaves it with more that runs.
const WORKER_CLAIMS: usize = 40;

/// Medians in milliseconds: before 2,000 tasks, before 1,000,000.
pub async fn claim_milliseconds(pool: &PgPool) -> (f64, f64) {
    let job_id = jobs::queue(pool, 2000).await;
    jobs::analyze(pool).await;
    let shallow = median(pool, CLAIMS).await;
    // As submitting them would, but in seconds: foreign keys hold, and the front stands before them already.
    let mut connection = pool.acquire().await.unwrap();
    for statement in [
        "set session_replication_role = replica",
        "insert into task
             (project_id, job_id, task_id, kind, display_name, spec, cached, state, priority, cost, memory_bytes,
              revisions, demand_id, ready_time)
         select
             task.project_id, task.job_id, gen_random_uuid(), kind, display_name, spec, cached, 'ready', priority, cost,
             memory_bytes, revisions, demand_id, now()
         from (select * from task limit 1) as task
         cross join generate_series(1, 1000000)",
        "set session_replication_role = origin",
        "vacuum analyze task",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
    drop(connection);
    let ready: i64 = sqlx::query_scalar("select count(*) from task where job_id = $1 and state = 'ready'")
        .bind(job_id)
        .fetch_one(pool)
        .await
        .unwrap();
    assert!(ready >= 1_000_000);
    (shallow, median(pool, CLAIMS).await)
}

/// The median time of so many claims of 20 in milliseconds, by a worker of its own.
pub async fn median(pool: &PgPool, claims: usize) -> f64 {
    let mut worker_id = Uuid::nil();
    let mut times = Vec::new();
    for number in 0..claims {
        if number % WORKER_CLAIMS == 0 {
            worker_id = worker(pool).await;
        }
        let begun = Instant::now();
        let claimed = claim(pool, worker_id, TASKS, Uuid::new_v4(), Duration::from_secs(600)).await.unwrap();
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        assert!(matches!(claimed, Claim::Assigned(tasks) if tasks.len() == 20));
    }
    times.sort_by(f64::total_cmp);
    times[claims / 2]
}

/// A worker with room for the tasks of `WORKER_CLAIMS` claims.
async fn worker(pool: &PgPool) -> Uuid {
    let worker_id = Uuid::new_v4();
    let registration = Registration {
        worker_id,
        name: "worker".into(),
        slots: 1024,
        revisions: [("gain".to_owned(), 1)].into_iter().collect(),
        version: "bench".into(),
        request_id: Uuid::new_v4(),
        memory_bytes: None,
        labels: Vec::new(),
        life: 0,
    };
    register(pool, &registration).await.unwrap();
    worker_id
}
