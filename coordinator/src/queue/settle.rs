//! Ends attempts, as their workers say.

use sqlx::PgPool;
use uuid::Uuid;

use super::artifacts::{self, Made};
use super::attempts::{self, Running};
use super::{Error, ending, events, lock};
use crate::blobs::Store;
use crate::state::{Failure, FailureKind};
use crate::wakeup;

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// Who had it.
    pub worker_id: Uuid,
    /// The task.
    pub task_id: Uuid,
    /// The attempt.
    pub attempt: i32,
    /// The call.
    pub request_id: Uuid,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Everything was made and stored.
    Success(Success),
    /// It failed.
    Failure(Failure),
}

/// What an attempt made and cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Success {
    /// What it made.
    pub artifacts: Vec<Made>,
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// Bytes read from the store.
    pub fetched_bytes: i64,
    /// Bytes written to it.
    pub stored_bytes: i64,
    /// Seconds of audio made per second of wall time.
    pub realtime_factor: f64,
}

/// Whether a settlement counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It did, now or when it was made first.
    Accepted,
    /// The attempt no longer held its task: nothing was changed.
    LeaseLost,
}

/// Ends an attempt. A success that names artifacts which are not in the store, or leaves out one that the task is to
/// make, ends it as a failure.
///
/// # Errors
/// When the database or the store fails.
pub async fn settle(pool: &PgPool, store: &Store, settlement: &Settlement) -> Result<Settled, SettleError> {
    let mut transaction = pool.begin().await.map_err(Error::from)?;
    let project_id = match find(&mut transaction, settlement).await? {
        Found::Open { project_id } => project_id,
        Found::Ended(settled) => return Ok(settled),
    };
    // The store is asked before the queue is locked, but after the blobs' rows are.
    let mut missing = None;
    if let Outcome::Success(success) = &settlement.outcome {
        artifacts::record_blobs(&mut transaction, &project_id, &success.artifacts).await?;
        missing = store.first_missing(&project_id, success.artifacts.iter().map(|made| made.digest.as_str())).await?;
    }
    lock(&mut transaction).await?;
    let Some(running) =
        attempts::find_running(&mut transaction, settlement.worker_id, settlement.task_id, settlement.attempt).await?
    else {
        return Ok(too_late(&mut transaction, settlement).await?);
    };
    match &settlement.outcome {
        Outcome::Failure(failure) => {
            attempts::fail(&mut transaction, &running, failure, Some(settlement.request_id)).await?;
        }
        Outcome::Success(success) => match fault(&mut transaction, &running, success, missing).await? {
            None => succeed(&mut transaction, &running, success, settlement.request_id).await?,
            Some(failure) => {
                // The blobs that were recorded above are not there: take the rows back.
                transaction.rollback().await.map_err(Error::from)?;
                return refuse(pool, settlement, &failure).await.map_err(SettleError::from);
            }
        },
    }
    transaction.commit().await.map_err(Error::from)?;
    Ok(Settled::Accepted)
}

/// What is known of the attempt that a settlement names.
enum Found {
    /// It has not ended.
    Open { project_id: String },
    /// It has ended, or was never given to this worker; this is the answer.
    Ended(Settled),
}

async fn find(transaction: &mut sqlx::PgConnection, settlement: &Settlement) -> Result<Found, Error> {
    let known: Option<(String, Option<Uuid>, bool)> = sqlx::query_as(include_str!("find_attempt.sql"))
        .bind(settlement.worker_id)
        .bind(settlement.task_id)
        .bind(settlement.attempt)
        .fetch_optional(transaction)
        .await?;
    Ok(match known {
        None => Found::Ended(Settled::LeaseLost),
        Some((project_id, _, false)) => Found::Open { project_id },
        Some((_, settled_by, true)) if settled_by == Some(settlement.request_id) => Found::Ended(Settled::Accepted),
        Some((_, _, true)) => Found::Ended(Settled::LeaseLost),
    })
}

/// The answer when the attempt holds its task no more, under the queue's lock: another copy of this very call may have
/// ended it while this one waited for the lock.
async fn too_late(transaction: &mut sqlx::PgConnection, settlement: &Settlement) -> Result<Settled, Error> {
    Ok(match find(transaction, settlement).await? {
        Found::Ended(settled) => settled,
        Found::Open { .. } => Settled::LeaseLost,
    })
}

/// Why a settlement could not be made; it may be repeated.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The database failed.
    #[error(transparent)]
    Queue(#[from] Error),
    /// The store could not say whether the artifacts are there.
    #[error(transparent)]
    Store(#[from] crate::blobs::Error),
}

/// What is wrong with a success, if anything.
async fn fault(
    transaction: &mut sqlx::PgConnection,
    running: &Running,
    success: &Success,
    missing: Option<String>,
) -> Result<Option<Failure>, Error> {
    if let Some(digest) = missing {
        let message = format!("the worker settled with blob {digest}, which is not in the store");
        return Ok(Some(Failure { kind: FailureKind::Storage, message }));
    }
    let to_make: Vec<String> = sqlx::query_scalar(include_str!("task_outputs.sql"))
        .bind(&running.project_id)
        .bind(running.task_id)
        .fetch_all(transaction)
        .await?;
    let left_out = to_make.into_iter().find(|key| !success.artifacts.iter().any(|made| made.key == *key));
    Ok(left_out.map(|key| Failure {
        kind: FailureKind::Internal,
        message: format!("the worker settled without artifact {key}"),
    }))
}

async fn refuse(pool: &PgPool, settlement: &Settlement, failure: &Failure) -> Result<Settled, Error> {
    let mut transaction = super::begin(pool).await?;
    let running =
        attempts::find_running(&mut transaction, settlement.worker_id, settlement.task_id, settlement.attempt).await?;
    let Some(running) = running else { return too_late(&mut transaction, settlement).await };
    attempts::fail(&mut transaction, &running, failure, Some(settlement.request_id)).await?;
    transaction.commit().await?;
    Ok(Settled::Accepted)
}

async fn succeed(
    transaction: &mut sqlx::PgConnection,
    running: &Running,
    success: &Success,
    request_id: Uuid,
) -> Result<(), Error> {
    let project_id = &running.project_id;
    artifacts::record(transaction, project_id, running.task_id, &success.artifacts).await?;
    attempts::end(transaction, running, "succeeded", None, Some(request_id)).await?;
    sqlx::query(include_str!("succeed_task.sql"))
        .bind(project_id)
        .bind(running.task_id)
        .bind(running.attempt)
        .bind(success.cpu_seconds)
        .bind(success.fetched_bytes)
        .bind(success.stored_bytes)
        .bind(success.realtime_factor)
        .execute(&mut *transaction)
        .await?;
    let keys: Vec<&str> = success.artifacts.iter().map(|made| made.key.as_str()).collect();
    // The worker has put the masters of the job that planned the task under their names; other jobs' are copied.
    sqlx::query(include_str!("mark_delivered.sql"))
        .bind(project_id)
        .bind(running.job_id)
        .bind(keys)
        .execute(&mut *transaction)
        .await?;
    let unblocked: Vec<(Uuid, String)> = sqlx::query_as(include_str!("unblock_dependents.sql"))
        .bind(project_id)
        .bind(running.task_id)
        .fetch_all(&mut *transaction)
        .await?;
    let mut told = vec![(running.task_id, format!("{} is done", running.display_name))];
    told.extend(unblocked.iter().map(|(task, name)| (*task, format!("{name} is ready"))));
    events::record_tasks(transaction, project_id, &told).await?;
    if !unblocked.is_empty() {
        wakeup::notify_task(transaction).await?;
    }
    let jobs = ending::jobs_waiting_for(transaction, project_id, running.task_id).await?;
    ending::finish_jobs(transaction, project_id, &jobs).await
}
