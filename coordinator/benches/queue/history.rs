//! A claim on a farm that has just begun, and on one with a year behind it.

use sqlx::PgPool;

use crate::{depth, jobs};

/// A label's year: 100,000 jobs archived; of the last month, 10,000 ended jobs of ten tasks that are still in the tables of
/// work, with their attempts and events.
const YEAR: [&str; 7] = [
    "set session_replication_role = replica",
    "insert into archived_job
         (project_id, job_id, display_name, state, priority, session_digest, deliver_to, revisions, last_sequence, progress,
          create_time, end_time, tasks, deliverables, attempts, events)
     select
         job.project_id, gen_random_uuid(), 'old', 'succeeded', 1, job.session_digest, 'old', '{}', 15, 1,
         now() - make_interval(mins => 43200 + n * 5), now() - make_interval(mins => 43200 + n * 5),
         '[]', '[]', '[]', jsonb_build_array(repeat('x', 2000))
     from (select * from job limit 1) as job
     cross join generate_series(1, 100000) as n",
    "insert into job
         (project_id, job_id, session_digest, display_name, priority, state, deliver_to, replace, revisions, last_sequence,
          create_time, end_time)
     select
         project_id, gen_random_uuid(), session_digest, 'old', 1, 'succeeded', 'old', false, '{}', 15,
         now() - make_interval(mins => n * 4), now() - make_interval(mins => n * 4)
     from (select * from job limit 1) as job
     cross join generate_series(1, 10000) as n",
    "insert into task
         (project_id, job_id, task_id, kind, display_name, spec, cached, state, priority, cost, memory_bytes, revisions,
          demand_id, attempt, worker_id, ready_time, create_time, end_time)
     select
         task.project_id, job.job_id, gen_random_uuid(), task.kind, 'old', task.spec, false, 'succeeded', 1, task.cost,
         task.memory_bytes, task.revisions, task.demand_id, 1, (select worker_id from worker limit 1), job.create_time,
         job.create_time, job.end_time
     from (select * from task where not cached limit 1) as task
     cross join (select * from job where state = 'succeeded') as job
     cross join generate_series(1, 10)",
    "insert into attempt (project_id, task_id, attempt, worker_id, lease_request_id, start_time, end_time, outcome)
     select project_id, task_id, 1, worker_id, gen_random_uuid(), create_time, end_time, 'succeeded'
     from task where state = 'succeeded'",
    "insert into event (project_id, job_id, sequence, job_state, progress, message)
     select project_id, job_id, n, 'active', 0.5, 'old'
     from job cross join generate_series(1, 15) as n where state = 'succeeded'",
    "set session_replication_role = origin",
];

/// Medians in milliseconds: without history, with it.
pub async fn claim_milliseconds(pool: &PgPool) -> (f64, f64) {
    jobs::queue(pool, 4000).await;
    sqlx::query("vacuum analyze").execute(pool).await.unwrap();
    let without = depth::median(pool, depth::CLAIMS).await;
    let mut connection = pool.acquire().await.unwrap();
    for statement in YEAR {
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
    drop(connection);
    sqlx::query("vacuum analyze").execute(pool).await.unwrap();
    (without, depth::median(pool, depth::CLAIMS).await)
}
