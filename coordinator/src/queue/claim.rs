//! Hands tasks to workers.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Error, begin, events};

/// Session documents in one answer take at most this, so that it fits a message; one task is handed out however large.
const MAX_DOCUMENT_BYTES: i64 = 12 * 1024 * 1024;

/// One task, leased.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Assignment {
    /// Whose it is.
    pub project_id: String,
    /// The task.
    pub task_id: Uuid,
    /// The fence of every later write.
    pub attempt: i32,
    /// The job that planned it.
    pub job_id: Uuid,
    /// The session document as JSON.
    pub document: String,
    /// What to do, as JSON.
    pub spec: String,
    /// Where masters are delivered.
    pub deliver_to: String,
    /// Whether a master may replace other bytes there.
    pub replace: bool,
    /// Keys of the artifacts that it reads.
    pub input_keys: Vec<String>,
    /// Their digests, in the same order.
    pub input_digests: Vec<String>,
    /// For people.
    pub display_name: String,
}

/// What came of asking for tasks.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// These tasks; none when none is ready.
    Assigned(Vec<Assignment>),
    /// The worker is to take no more.
    Drain,
    /// The worker has not registered.
    UnknownWorker,
}

/// Leases up to `max_tasks` tasks to a worker: fair between projects by weight, then by priority, then by age; only
/// tasks whose revisions the worker has, and never more than its slots. The same `request_id` gives the same attempts
/// again, as far as they still run.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    pool: &PgPool,
    worker_id: Uuid,
    max_tasks: i32,
    request_id: Uuid,
    lease: Duration,
) -> Result<Claim, Error> {
    // Outside the lock, so that waiting workers that find nothing do not hold up those that work.
    let worker: Option<(String, i64, bool, bool)> =
        sqlx::query_as(include_str!("worker_asking.sql")).bind(worker_id).bind(request_id).fetch_optional(pool).await?;
    let Some((state, free_slots, answered, anything)) = worker else { return Ok(Claim::UnknownWorker) };
    if answered {
        return Ok(Claim::Assigned(assignments(&mut *pool.acquire().await?, worker_id, request_id).await?));
    }
    if state != "active" {
        return Ok(Claim::Drain);
    }
    if free_slots <= 0 || !anything {
        return Ok(Claim::Assigned(Vec::new()));
    }

    let mut transaction = begin(pool).await?;
    let claimed: Vec<(String, Uuid, String)> = sqlx::query_as(include_str!("claim.sql"))
        .bind(worker_id)
        .bind(max_tasks)
        .bind(request_id)
        .bind(lease.as_secs_f64())
        .bind(MAX_DOCUMENT_BYTES)
        .fetch_all(&mut *transaction)
        .await?;
    for (project_id, task_id, message) in claimed {
        events::record_tasks(&mut transaction, &project_id, &[(task_id, message)]).await?;
    }
    let assigned = assignments(&mut transaction, worker_id, request_id).await?;
    transaction.commit().await?;
    Ok(Claim::Assigned(assigned))
}

async fn assignments(
    connection: &mut PgConnection,
    worker_id: Uuid,
    request_id: Uuid,
) -> Result<Vec<Assignment>, Error> {
    Ok(sqlx::query_as(include_str!("assignments.sql")).bind(worker_id).bind(request_id).fetch_all(connection).await?)
}
