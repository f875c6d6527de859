//! The farm's workers: they come, leave, are told to drain.

use std::collections::BTreeMap;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::attempts::{self, Running};
use super::request::Request;
use super::{Error, begin};
use crate::retry;
use crate::state::{Failure, FailureKind};
use crate::wakeup;

/// A worker that makes itself known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Kept by the worker over restarts.
    pub worker_id: Uuid,
    /// For people.
    pub name: String,
    /// Tasks it runs at once, 1 to 1024.
    pub slots: i32,
    /// What it can render.
    pub revisions: BTreeMap<String, u32>,
    /// Program version.
    pub version: String,
    /// The call.
    pub request_id: Uuid,
    /// Memory for its tasks together; `None` if it did not say.
    pub memory_bytes: Option<i64>,
    /// Sorted, each once.
    pub labels: Vec<String>,
    /// Counted up by the worker with each registration; 0 if it does not count.
    pub life: i64,
}

/// Makes a worker known, or known again. Attempts that an earlier life of it left open end as lost with their worker. A
/// repetition of the same call changes nothing, nor does a call of an earlier life, which came late. Gives the newest life
/// that is known.
///
/// # Errors
/// When the database fails.
pub async fn register(pool: &PgPool, registration: &Registration) -> Result<i64, Error> {
    let mut transaction = begin(pool).await?;
    let (registered, life): (bool, i64) = sqlx::query_as(include_str!("register_worker.sql"))
        .bind(registration.worker_id)
        .bind(&registration.name)
        .bind(registration.slots)
        .bind(serde_json::json!(registration.revisions))
        .bind(&registration.version)
        .bind(registration.request_id)
        .bind(registration.memory_bytes)
        .bind(&registration.labels)
        .bind(registration.life)
        .fetch_one(&mut *transaction)
        .await?;
    if !registered {
        // The answer was lost, and the worker may hold attempts by now; or it is another life that holds them.
        return Ok(life);
    }
    let left_open: Vec<Running> = sqlx::query_as(include_str!("running_attempts_of_worker.sql"))
        .bind(registration.worker_id)
        .fetch_all(&mut *transaction)
        .await?;
    for running in &left_open {
        let message = format!("{} was restarted", running.worker_name);
        let failure = Failure { kind: FailureKind::WorkerLost, message };
        attempts::fail(&mut transaction, running, &failure, None).await?;
    }
    transaction.commit().await?;
    Ok(life)
}

/// Gives leases back: the tasks become ready again and nothing counts as a failure. Leases that are lost are passed
/// over.
///
/// # Errors
/// When the database fails.
pub async fn relinquish(pool: &PgPool, worker_id: Uuid, leases: &[(Uuid, i32)]) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    give_back(&mut transaction, worker_id, leases).await?;
    wakeup::notify_task(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Gives leases back, and then whatever else the worker holds: it is gone afterwards. One that has registered again since
/// call `life` is not, and keeps what it holds; `None` is whichever call it registered by.
///
/// # Errors
/// When the database fails.
pub async fn leave(pool: &PgPool, worker_id: Uuid, leases: &[(Uuid, i32)], life: Option<Uuid>) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    give_back(&mut transaction, worker_id, leases).await?;
    let gone: Option<Uuid> = sqlx::query_scalar(include_str!("leave_worker.sql"))
        .bind(worker_id)
        .bind(life)
        .fetch_optional(&mut *transaction)
        .await?;
    if gone.is_some() {
        let left: Vec<Running> = sqlx::query_as(include_str!("running_attempts_of_worker.sql"))
            .bind(worker_id)
            .fetch_all(&mut *transaction)
            .await?;
        for running in &left {
            attempts::relinquish(&mut transaction, running).await?;
        }
    }
    wakeup::notify_task(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

async fn give_back(transaction: &mut PgConnection, worker_id: Uuid, leases: &[(Uuid, i32)]) -> Result<(), Error> {
    for (task_id, attempt) in leases {
        if let Some(running) = attempts::find_running(transaction, worker_id, *task_id, *attempt).await? {
            attempts::relinquish(transaction, &running).await?;
        }
    }
    Ok(())
}

/// A worker as it stands.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct WorkerRow {
    /// Its id.
    pub worker_id: Uuid,
    /// For people.
    pub name: String,
    /// `active`, `draining`, `quarantined`, `gone` or `lost`.
    pub state: String,
    /// Tasks it runs at once.
    pub slots: i32,
    /// Memory for its tasks together; `None` if it did not say.
    pub memory_bytes: Option<i64>,
    /// Sorted.
    pub labels: Vec<String>,
    /// Tasks it runs now.
    pub running: i64,
    /// Slots that they take.
    pub used_slots: i64,
    /// Memory reserved for them.
    pub used_memory_bytes: i64,
    /// When it was last heard of, in microseconds since 1970.
    pub heartbeat_micros: i64,
    /// Program version.
    pub version: String,
    /// Why it is given no tasks, if it is quarantined.
    pub quarantine_reason: Option<String>,
    /// Since when, in microseconds since 1970.
    pub quarantine_micros: Option<i64>,
}

/// At most `limit` workers by name, after the one that ended the last page. A worker not heard of for `lost_after_seconds`
/// is lost.
///
/// # Errors
/// When the database fails.
pub async fn list(
    pool: &PgPool,
    after: Option<&(String, Uuid)>,
    limit: i64,
    lost_after_seconds: f64,
) -> Result<Vec<WorkerRow>, Error> {
    Ok(sqlx::query_as(include_str!("list_workers.sql"))
        .bind(after.map(|(name, _)| name.as_str()))
        .bind(after.map(|(_, worker_id)| *worker_id))
        .bind(limit)
        .bind(lost_after_seconds)
        .fetch_all(pool)
        .await?)
}

/// What an admin orders a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// To take no more tasks, end what it holds and leave.
    Drain,
    /// To take tasks again: its quarantine is over.
    Release,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Ordered {
    /// It is given, by this call or before it.
    Done(Box<WorkerRow>),
    /// There is no such worker.
    NoSuchWorker,
    /// The request id was used for another call.
    RequestReused,
}

/// Gives workers, by id or by name, an order; of several with a name, the one heard of last is shown.
///
/// # Errors
/// When the database fails.
pub async fn order(
    pool: &PgPool,
    worker: &str,
    order: Order,
    request: &Request,
    lost_after_seconds: f64,
) -> Result<Ordered, Error> {
    let mut transaction = begin(pool).await?;
    let known: Option<(Vec<u8>, Uuid)> = sqlx::query_as(include_str!("find_worker_request.sql"))
        .bind(request.request_id)
        .fetch_optional(&mut *transaction)
        .await?;
    let worker_id = match known {
        Some((hash, _)) if hash != request.content_hash => return Ok(Ordered::RequestReused),
        Some((_, worker_id)) => worker_id,
        None => {
            let statement = match order {
                Order::Drain => include_str!("drain_worker.sql"),
                Order::Release => include_str!("release_worker.sql"),
            };
            let ordered: Option<Uuid> =
                sqlx::query_scalar(statement).bind(worker).fetch_optional(&mut *transaction).await?;
            let Some(worker_id) = ordered else { return Ok(Ordered::NoSuchWorker) };
            sqlx::query(include_str!("remember_worker_request.sql"))
                .bind(request.request_id)
                .bind(request.content_hash.as_slice())
                .bind(worker_id)
                .execute(&mut *transaction)
                .await?;
            // Those that wait for tasks look again.
            wakeup::notify_task(&mut transaction).await?;
            worker_id
        }
    };
    let row = sqlx::query_as(include_str!("find_worker.sql"))
        .bind(worker_id)
        .bind(lost_after_seconds)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Ordered::Done(Box::new(row)))
}

/// Sets a worker aside if this failure, which may be its doing, is one too many.
pub(crate) async fn quarantine_if_at_fault(
    transaction: &mut PgConnection,
    running: &Running,
    failure: &Failure,
) -> Result<(), Error> {
    let kinds: Vec<&str> = FailureKind::ALL
        .into_iter()
        .filter(|kind| retry::speaks_against_worker(*kind))
        .map(FailureKind::as_str)
        .collect();
    let set_aside: Option<(String, i64)> = sqlx::query_as(include_str!("quarantine_worker.sql"))
        .bind(running.worker_id)
        .bind(kinds)
        .bind(retry::MAX_JOBS_FAILED)
        .bind(retry::FAILURES_COUNT_FOR.as_secs_f64())
        .bind(&failure.message)
        .fetch_optional(transaction)
        .await?;
    if let Some((name, jobs)) = set_aside {
        tracing::warn!(worker.id = %running.worker_id, "worker {name} failed tasks of {jobs} jobs and is quarantined");
    }
    Ok(())
}
