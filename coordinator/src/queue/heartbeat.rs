//! Keeps leases alive.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use super::Error;

/// How far an attempt got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The task.
    pub task_id: Uuid,
    /// The attempt.
    pub attempt: i32,
    /// Share that is done, 0 to 1.
    pub progress: f32,
}

/// What the worker should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heartbeat {
    /// It was heard.
    Heard {
        /// Attempts of those named that hold their task no more: lost, cancelled or never known.
        stop: Vec<(Uuid, i32)>,
        /// It is to take no more tasks.
        drain: bool,
        /// Why it is given no tasks, if it is quarantined.
        quarantine_reason: Option<String>,
    },
    /// It has not registered.
    UnknownWorker,
}

/// Extends the leases of a worker from now on by the database's clock, in one statement.
///
/// # Errors
/// When the database fails.
pub async fn heartbeat(
    pool: &PgPool,
    worker_id: Uuid,
    leases: &[Progress],
    lease: Duration,
) -> Result<Heartbeat, Error> {
    let heard: Option<(String, Option<String>)> =
        sqlx::query_as(include_str!("hear_worker.sql")).bind(worker_id).fetch_optional(pool).await?;
    let Some((state, quarantine_reason)) = heard else { return Ok(Heartbeat::UnknownWorker) };
    let held: Vec<(Uuid, i32)> = if leases.is_empty() {
        Vec::new()
    } else {
        sqlx::query_as(include_str!("extend_leases.sql"))
            .bind(worker_id)
            .bind(leases.iter().map(|lease| lease.task_id).collect::<Vec<_>>())
            .bind(leases.iter().map(|lease| lease.attempt).collect::<Vec<_>>())
            .bind(leases.iter().map(|lease| lease.progress.clamp(0.0, 1.0)).collect::<Vec<_>>())
            .bind(lease.as_secs_f64())
            .fetch_all(pool)
            .await?
    };
    let named = leases.iter().map(|lease| (lease.task_id, lease.attempt));
    let stop = named.filter(|lease| !held.contains(lease)).collect();
    Ok(Heartbeat::Heard { stop, drain: state != "active", quarantine_reason })
}
