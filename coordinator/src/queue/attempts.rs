//! How attempts end: with their lease gone, accounted for, and the task on its way.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, ending, events};
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
    pub worker_name: String,
}

/// Finds an attempt if it still holds its task.
pub(crate) async fn find_running(
    transaction: &mut PgConnection,
    worker_id: Uuid,
    task_id: Uuid,
    attempt: i32,
) -> Result<Option<Running>, Error> {
    Ok(sqlx::query_as(include_str!("find_running_attempt.sql"))
        .bind(worker_id)
        .bind(task_id)
        .bind(attempt)
        .fetch_optional(transaction)
        .await?)
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
    if failure.kind == FailureKind::WorkerLost {
        end(transaction, running, "worker_lost", None, None).await?;
    } else {
        end(transaction, running, "failed", Some(failure), settle_request_id).await?;
    }
    let tally = count(transaction, running, failure.kind).await?;
    let what = format!("{} failed on {}: {}", running.display_name, running.worker_name, failure.message);
    match retry::decide(failure.kind, tally) {
        Decision::Again { delay } => {
            again(transaction, running, delay.as_secs_f64(), format!("{what}; trying again")).await
        }
        Decision::Stop => stop(transaction, running, failure, what).await,
    }
}

/// Counts the failure on the task's row, failures and losses apart.
async fn count(transaction: &mut PgConnection, running: &Running, kind: FailureKind) -> Result<Tally, Error> {
    let (failures, losses, killed_workers) = sqlx::query_as(include_str!("count_failure.sql"))
        .bind(&running.project_id)
        .bind(running.task_id)
        .bind(kind == FailureKind::WorkerLost)
        .fetch_one(transaction)
        .await?;
    Ok(Tally { failures, losses, killed_workers })
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
    let jobs = ending::jobs_waiting_for(transaction, &running.project_id, running.task_id).await?;
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
