//! The farm's workers: they come, leave, are told to drain.

use std::collections::BTreeMap;

use sqlx::PgPool;
use uuid::Uuid;

use super::attempts::{self, Running};
use super::{Error, begin};
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
}

/// Makes a worker known, or known again. Attempts that an earlier life of it left open end as lost with their worker.
///
/// # Errors
/// When the database fails.
pub async fn register(pool: &PgPool, registration: &Registration) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    sqlx::query(include_str!("register_worker.sql"))
        .bind(registration.worker_id)
        .bind(&registration.name)
        .bind(registration.slots)
        .bind(serde_json::json!(registration.revisions))
        .bind(&registration.version)
        .execute(&mut *transaction)
        .await?;
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
    Ok(())
}

/// Gives leases back: the tasks become ready again and nothing counts as a failure. Leases that are lost are passed
/// over. With `leaving`, the worker is gone afterwards.
///
/// # Errors
/// When the database fails.
pub async fn relinquish(pool: &PgPool, worker_id: Uuid, leases: &[(Uuid, i32)], leaving: bool) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    for (task_id, attempt) in leases {
        if let Some(running) = attempts::find_running(&mut transaction, worker_id, *task_id, *attempt).await? {
            attempts::relinquish(&mut transaction, &running).await?;
        }
    }
    if leaving {
        let left: Vec<Running> = sqlx::query_as(include_str!("running_attempts_of_worker.sql"))
            .bind(worker_id)
            .fetch_all(&mut *transaction)
            .await?;
        for running in &left {
            attempts::relinquish(&mut transaction, running).await?;
        }
        sqlx::query(include_str!("leave_worker.sql")).bind(worker_id).execute(&mut *transaction).await?;
    }
    wakeup::notify_task(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// A worker as it stands.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct WorkerRow {
    /// Its id.
    pub worker_id: Uuid,
    /// For people.
    pub name: String,
    /// `active`, `draining`, `gone` or `lost`.
    pub state: String,
    /// Tasks it runs at once.
    pub slots: i32,
    /// Tasks it runs now.
    pub running: i64,
    /// When it was last heard of, in microseconds since 1970.
    pub heartbeat_micros: i64,
    /// Program version.
    pub version: String,
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

/// Tells a worker, by id or by name, to take no more tasks. None if there is none; of several with a name, those that
/// are heard of drain, and the first is given.
///
/// # Errors
/// When the database fails.
pub async fn drain(pool: &PgPool, worker: &str, lost_after_seconds: f64) -> Result<Option<WorkerRow>, Error> {
    let drained: Option<(String, Uuid)> =
        sqlx::query_as(include_str!("drain_worker.sql")).bind(worker).fetch_optional(pool).await?;
    let Some((_, worker_id)) = drained else { return Ok(None) };
    let rows = list(pool, None, i64::MAX, lost_after_seconds).await?;
    Ok(rows.into_iter().find(|row| row.worker_id == worker_id))
}
