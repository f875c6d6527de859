//! How attempts end: with their lease gone, accounted for, and the task on its way.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, ending, events, workers};
use crate::retry::{self, Decision, Tally};
use crate::state::{Failure, FailureKind};
use crate::wakeup;

/// A running attempt, locked by the transaction that is about to end it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Running {
    pub project_id: String,
    pub task_id: Uuid,
    pub attempt: i32,
    pub job_id: Uuid,
    pub display_name: String,
    pub worker_id: Uuid,
    pub worker_name: String,
}

/// Finds an attempt if it still holds its task.
pub(crate) async fn find_running(
    transaction: &mut PgConnection,
    worker_id: Uuid,
    task_id: Uuid,
    attempt: i32,
) -> Result<Option<Running>, Error> {
    let found = find_all_running(transaction, &[(worker_id, task_id, attempt)]).await?;
    Ok(found.into_iter().next().map(|(_, running)| running))
}

/// Finds those attempts (worker, task, number) that still hold their tasks, each with its place among those asked for.
pub(crate) async fn find_all_running(
    transaction: &mut PgConnection,
    attempts: &[(Uuid, Uuid, i32)],
) -> Result<Vec<(usize, Running)>, Error> {
    #[derive(sqlx::FromRow)]
    struct Found {
        place: i64,
        #[sqlx(flatten)]
        running: Running,
    }
    let found: Vec<Found> = sqlx::query_as(include_str!("find_running_attempts.sql"))
        .bind(attempts.iter().map(|(worker_id, _, _)| *worker_id).collect::<Vec<_>>())
        .bind(attempts.iter().map(|(_, task_id, _)| *task_id).collect::<Vec<_>>())
        .bind(attempts.iter().map(|(_, _, attempt)| *attempt).collect::<Vec<_>>())
        .fetch_all(transaction)
        .await?;
    Ok(found.into_iter().map(|row| (usize::try_from(row.place).unwrap_or(usize::MAX), row.running)).collect())
}

/// Gives a task back unused: nothing counts as a failure.
pub(crate) async fn relinquish(transaction: &mut PgConnection, running: &Running) -> Result<(), Error> {
    end(transaction, running, "relinquished", None, None).await?;
    again(transaction, running, 0.0, format!("{} was given back by {}", running.display_name, running.worker_name))
        .await
}

/// Ends an attempt that failed, and tries again or stops the jobs that wait for it.
pub(crate) async fn fail(
    transaction: &mut PgConnection,
    running: &Running,
    failure: &Failure,
    settle_request_id: Option<Uuid>,
) -> Result<(), Error> {
    let outcome = if failure.kind == FailureKind::WorkerLost { "worker_lost" } else { "failed" };
    end(transaction, running, outcome, Some(failure), settle_request_id).await?;
    if retry::speaks_against_worker(failure.kind) {
        workers::quarantine_if_at_fault(transaction, running, failure).await?;
    }
    let tally = count(transaction, running, failure.kind).await?;
    let what = format!("{} failed on {}: {}", running.display_name, running.worker_name, failure.message);
    match retry::decide(failure.kind, &tally, running.task_id, running.attempt) {
        Decision::Again { delay } => {
            again(transaction, running, delay.as_secs_f64(), format!("{what}; trying again")).await
        }
        Decision::AgainWithMemory { memory_bytes } => {
            reserve(transaction, running, memory_bytes).await?;
            let more =
                format!("{what}; trying again with {} MiB instead of {}", mib(memory_bytes), mib(tally.memory_bytes));
            again(transaction, running, 0.0, more).await
        }
        Decision::Stop => {
            let mut failure = failure.clone();
            if failure.kind == FailureKind::WorkerLost && tally.is_poison() {
                failure.message = format!(
                    "it is held to be what ends its workers: {} were lost under it; the last: {}",
                    tally.lost_workers.join(", "),
                    failure.message
                );
            }
            stop(transaction, running, &failure, what).await
        }
    }
}

fn mib(bytes: i64) -> i64 {
    bytes / (1024 * 1024)
}

/// Reserves this much memory for a task from its next attempt on.
async fn reserve(transaction: &mut PgConnection, running: &Running, memory_bytes: i64) -> Result<(), Error> {
    sqlx::query(include_str!("raise_memory.sql"))
        .bind(&running.project_id)
        .bind(running.task_id)
        .bind(memory_bytes)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Counts the failure on the task's row: the task's own, the store's and losses of workers apart.
async fn count(transaction: &mut PgConnection, running: &Running, kind: FailureKind) -> Result<Tally, Error> {
    Ok(sqlx::query_as(include_str!("count_failure.sql"))
        .bind(&running.project_id)
        .bind(running.task_id)
        .bind(kind)
        .bind(retry::WORKERS_COUNT_FOR.as_secs_f64())
        .fetch_one(transaction)
        .await?)
}

async fn again(
    transaction: &mut PgConnection,
    running: &Running,
    delay_seconds: f64,
    message: String,
) -> Result<(), Error> {
    sqlx::query(include_str!("make_ready_again.sql"))
        .bind(&running.project_id)
        .bind(running.task_id)
        .bind(delay_seconds)
        .execute(&mut *transaction)
        .await?;
    events::record_tasks(transaction, &running.project_id, &[(running.task_id, message)]).await?;
    wakeup::notify_task(transaction).await
}

async fn stop(
    transaction: &mut PgConnection,
    running: &Running,
    failure: &Failure,
    message: String,
) -> Result<(), Error> {
    sqlx::query(include_str!("fail_task.sql"))
        .bind(&running.project_id)
        .bind(running.task_id)
        .bind(failure.kind)
        .bind(&failure.message)
        .execute(&mut *transaction)
        .await?;
    events::record_tasks(transaction, &running.project_id, &[(running.task_id, message)]).await?;
    let jobs = ending::jobs_waiting_for(transaction, &running.project_id, &[running.task_id]).await?;
    let failure = Failure { kind: failure.kind, message: format!("{}: {}", running.display_name, failure.message) };
    ending::stop_jobs(transaction, &running.project_id, &jobs, Some(&failure)).await
}

/// Accounts for the end of an attempt and takes its lease away.
pub(crate) async fn end(
    transaction: &mut PgConnection,
    running: &Running,
    outcome: &str,
    failure: Option<&Failure>,
    settle_request_id: Option<Uuid>,
) -> Result<(), Error> {
    sqlx::query(include_str!("end_attempt.sql"))
        .bind(&running.project_id)
        .bind(running.task_id)
        .bind(running.attempt)
        .bind(outcome)
        .bind(failure.map(|failure| failure.kind))
        .bind(failure.map(|failure| failure.message.as_str()))
        .bind(settle_request_id)
        .execute(transaction)
        .await?;
    Ok(())
}
