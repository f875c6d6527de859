//! Jobs, tasks and deliverables as clients see them. Reads only, without the queue's lock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::placement::{AGEING_MICROS, Demand, Offer};
use super::waiting::{self, Obstacles, Waits};
use super::{Error, supply};
use crate::state::{FailureKind, JobState, TaskState};

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct JobRow {
    /// Its id.
    pub job_id: Uuid,
    /// For people.
    pub display_name: String,
    /// Where it stands.
    pub state: JobState,
    /// 0 urgent, 1 normal, 2 bulk.
    pub priority: i16,
    /// When it was queued, in microseconds since 1970.
    pub create_micros: i64,
    /// When it ended.
    pub end_micros: Option<i64>,
    /// Why it failed.
    pub failure_kind: Option<FailureKind>,
    /// Why it failed, for people.
    pub failure_message: Option<String>,
    /// Share of its work that is done, 0 to 1.
    pub progress: f64,
    /// Digest of its document.
    pub session_digest: String,
    /// Where its masters go.
    pub deliver_to: String,
    /// The sequence of its newest event.
    pub last_sequence: i64,
    /// Tasks that wait, for tasks or a worker.
    pub waiting: i64,
    /// Tasks that run.
    pub running: i64,
    /// Tasks that succeeded.
    pub succeeded: i64,
    /// Tasks that failed.
    pub failed: i64,
    /// Tasks that were cancelled.
    pub cancelled: i64,
    /// Tasks whose artifacts were stored before.
    pub cached: i64,
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct TaskRow {
    /// Its id.
    pub task_id: Uuid,
    /// `decode`, `stem`, `mix`, `master`, `fused`.
    pub kind: String,
    /// For people.
    pub display_name: String,
    /// Where it stands.
    pub state: TaskState,
    /// Its newest attempt; 0 before the first.
    pub attempt: i32,
    /// Who had that.
    pub worker_name: String,
    /// Whether there was nothing to do.
    pub cached: bool,
    /// Wall time of the attempt that succeeded.
    pub seconds: f64,
    /// Seconds of audio made per second.
    pub realtime_factor: f64,
    /// Why it failed.
    pub failure_kind: Option<FailureKind>,
    /// Why it failed, for people.
    pub failure_message: Option<String>,
    /// Share that is done, 0 to 1.
    pub progress: f64,
    /// Why it waits; empty unless it does.
    #[sqlx(skip)]
    pub waiting_reason: String,
    #[sqlx(flatten)]
    demand: DemandRow,
    obstacles: Vec<String>,
    more_urgent: i64,
    as_urgent: i64,
    seconds_to_wait: f64,
    last_failure: Option<String>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Serialize, Deserialize)]
pub struct AttemptRow {
    /// The task.
    pub task_id: Uuid,
    /// Its number.
    pub attempt: i32,
    /// Who had it.
    pub worker_name: String,
    /// When it was handed out, in microseconds since 1970.
    pub start_micros: i64,
    /// When it ended.
    pub end_micros: Option<i64>,
    /// How it ended; none while it runs.
    pub outcome: Option<String>,
    /// Why it failed, or how the worker was lost.
    pub failure_kind: Option<FailureKind>,
    /// The same for people.
    pub failure_message: Option<String>,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct DemandRow {
    slots: i32,
    whole_worker: bool,
    memory_bytes: i64,
    labels: Vec<String>,
    limits: Vec<String>,
    revisions: Json<BTreeMap<String, u32>>,
}

impl From<DemandRow> for Demand {
    fn from(row: DemandRow) -> Self {
        let DemandRow { slots, whole_worker, memory_bytes, labels, limits, revisions } = row;
        Self { slots, whole_worker, memory_bytes, labels, limits, revisions: revisions.0 }
    }
}

/// A deliverable as it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Deserialize)]
pub struct DeliverableRow {
    /// Its name.
    pub file_name: String,
    /// The digest of its bytes; empty until they are there.
    pub digest: String,
    /// Their number.
    pub size_bytes: i64,
    /// What was measured and decided, as JSON.
    pub report_json: String,
}

/// One job of a project.
///
/// # Errors
/// When the database fails.
pub async fn job(pool: &PgPool, project_id: &str, job_id: Uuid) -> Result<Option<JobRow>, Error> {
    Ok(sqlx::query_as(include_str!("view_job.sql")).bind(project_id).bind(job_id).fetch_optional(pool).await?)
}

/// At most `limit` jobs of a project in a state (or in any), newest first, after the one that ended the last page: its
/// time in microseconds and its id.
///
/// # Errors
/// When the database fails.
pub async fn jobs(
    pool: &PgPool,
    project_id: &str,
    state: Option<JobState>,
    after: Option<(i64, Uuid)>,
    limit: i64,
) -> Result<Vec<JobRow>, Error> {
    Ok(sqlx::query_as(include_str!("view_jobs.sql"))
        .bind(project_id)
        .bind(state)
        .bind(after.map(|(micros, _)| micros))
        .bind(after.map(|(_, job_id)| job_id))
        .bind(limit)
        .fetch_all(pool)
        .await?)
}

/// The tasks of a job in plan order, all or these. A worker not heard of for `lost_after_seconds` explains no waiting.
///
/// # Errors
/// When the database fails.
pub async fn tasks(
    pool: &PgPool,
    project_id: &str,
    job_id: Uuid,
    only: Option<&[Uuid]>,
    lost_after_seconds: f64,
) -> Result<Vec<TaskRow>, Error> {
    let mut tasks: Vec<TaskRow> = sqlx::query_as(include_str!("view_tasks.sql"))
        .bind(project_id)
        .bind(job_id)
        .bind(only)
        .bind(AGEING_MICROS as f64 / 1e6)
        .bind(lost_after_seconds)
        .fetch_all(pool)
        .await?;
    let obstacles = if tasks.iter().any(|task| task.state == TaskState::Ready) {
        obstacles(pool, project_id, lost_after_seconds).await?
    } else {
        Obstacles::default()
    };
    for task in &mut tasks {
        task.waiting_reason = task.waiting_reason(&obstacles);
    }
    Ok(tasks)
}

/// What ready tasks of a project may be waiting for.
async fn obstacles(pool: &PgPool, project_id: &str, lost_after_seconds: f64) -> Result<Obstacles, Error> {
    type Row = (String, i32, Option<i64>, Vec<String>, Json<BTreeMap<String, u32>>, bool, bool, Option<Uuid>);
    let workers: Vec<Row> =
        sqlx::query_as(include_str!("workers_heard_of.sql")).bind(lost_after_seconds).fetch_all(pool).await?;
    let running_limit: Option<Option<i32>> =
        sqlx::query_scalar(include_str!("project_limit.sql")).bind(project_id).fetch_optional(pool).await?;
    let other_goes_first: bool = sqlx::query_scalar(include_str!("other_project_goes_first.sql"))
        .bind(project_id)
        .bind(lost_after_seconds)
        .fetch_one(pool)
        .await?;
    let (_, counts, limits) = supply::counts(&mut *pool.acquire().await?).await?;
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    let worker =
        |(name, slots, memory_bytes, labels, revisions, draining, quarantined, kept_for): Row| waiting::Worker {
            name,
            offer: Offer { slots, memory_bytes, labels, revisions: revisions.0 },
            draining,
            quarantined,
            kept_for,
        };
    Ok(Obstacles {
        workers: workers.into_iter().map(worker).collect(),
        limits: limits
            .into_iter()
            .map(|(name, limit)| (name.clone(), (count(&format!("limit/{name}")), limit)))
            .collect(),
        running: count(&format!("tasks/{project_id}")),
        running_limit: running_limit.flatten().map(i64::from),
        slots: count(&format!("slots/{project_id}")),
        other_goes_first,
    })
}

impl TaskRow {
    fn waiting_reason(&self, obstacles: &Obstacles) -> String {
        let demand;
        let waits = match self.state {
            TaskState::Blocked => Waits::ForTasks(&self.obstacles),
            TaskState::Ready if self.seconds_to_wait > 0.0 => Waits::ForTime {
                seconds: self.seconds_to_wait,
                last_failure: self.last_failure.as_deref().unwrap_or_default(),
            },
            TaskState::Ready => {
                demand = Demand::from(self.demand.clone());
                let Self { task_id, more_urgent, as_urgent, .. } = *self;
                Waits::ForWorker { task_id, demand: &demand, more_urgent, as_urgent }
            }
            _ => Waits::No,
        };
        waiting::reason(waits, obstacles)
    }
}

/// The newest attempts of those tasks of a job of which one did not succeed, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn attempts(pool: &PgPool, project_id: &str, job_id: Uuid) -> Result<Vec<AttemptRow>, Error> {
    attempts_with(pool, project_id, job_id).await
}

/// [`attempts`], within a transaction too.
pub(crate) async fn attempts_with(
    database: impl PgExecutor<'_>,
    project_id: &str,
    job_id: Uuid,
) -> Result<Vec<AttemptRow>, Error> {
    Ok(sqlx::query_as(include_str!("view_attempts.sql")).bind(project_id).bind(job_id).fetch_all(database).await?)
}

/// Whose a task is.
///
/// # Errors
/// When the database fails.
pub async fn project_of_task(pool: &PgPool, task_id: Uuid) -> Result<Option<String>, Error> {
    Ok(sqlx::query_scalar(include_str!("project_of_task.sql")).bind(task_id).fetch_optional(pool).await?)
}

/// The deliverables of a job in the session's order.
///
/// # Errors
/// When the database fails.
pub async fn deliverables(pool: &PgPool, project_id: &str, job_id: Uuid) -> Result<Vec<DeliverableRow>, Error> {
    Ok(sqlx::query_as(include_str!("view_deliverables.sql")).bind(project_id).bind(job_id).fetch_all(pool).await?)
}
