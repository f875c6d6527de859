//! Ended jobs out of the way of work: moved to a table of their own, and shown from there.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::events::Event;
use super::view::{self, AttemptRow, DeliverableRow, JobRow};
use super::{Error, begin};
use crate::state::{FailureKind, JobState, TaskState};

/// Jobs moved in one transaction: claims wait for it.
const JOBS_AT_ONCE: i64 = 20;

/// Moves jobs that ended longer ago than this out of the tables of work; gives how many, of as many as one transaction
/// takes. Nothing of what clients see of them changes, but that they can no longer be retried.
///
/// # Errors
/// When the database fails.
pub async fn archive(pool: &PgPool, ended_before: Duration) -> Result<usize, Error> {
    // Without the queue's lock, and again with it: most of the time there is nothing to do.
    if old_jobs(&mut *pool.acquire().await?, ended_before).await?.is_empty() {
        return Ok(0);
    }
    let mut transaction = begin(pool).await?;
    let jobs = old_jobs(&mut transaction, ended_before).await?;
    for (project_id, job_id) in &jobs {
        move_job(&mut transaction, project_id, *job_id).await?;
    }
    transaction.commit().await?;
    Ok(jobs.len())
}

/// Removes workers that were not heard of for this long and of which nothing tells any more; gives how many.
///
/// # Errors
/// When the database fails.
pub async fn forget_workers(pool: &PgPool, unheard_for: Duration) -> Result<u64, Error> {
    let removed = sqlx::query(include_str!("remove_old_workers.sql")).bind(unheard_for.as_secs_f64()).execute(pool);
    Ok(removed.await?.rows_affected())
}

async fn old_jobs(connection: &mut PgConnection, ended_before: Duration) -> Result<Vec<(String, Uuid)>, Error> {
    Ok(sqlx::query_as(include_str!("jobs_to_archive.sql"))
        .bind(ended_before.as_secs_f64())
        .bind(JOBS_AT_ONCE)
        .fetch_all(connection)
        .await?)
}

async fn move_job(transaction: &mut PgConnection, project_id: &str, job_id: Uuid) -> Result<(), Error> {
    let attempts = view::attempts_with(&mut *transaction, project_id, job_id).await?;
    let session: Vec<String> =
        sqlx::query_scalar("select session_digest from job where project_id = $1 and job_id = $2")
            .bind(project_id)
            .bind(job_id)
            .fetch_all(&mut *transaction)
            .await?;
    sqlx::query(include_str!("archive_job.sql"))
        .bind(project_id)
        .bind(job_id)
        .bind(Json(&attempts))
        .execute(&mut *transaction)
        .await?;
    sqlx::query(include_str!("remove_job.sql")).bind(project_id).bind(job_id).execute(&mut *transaction).await?;
    sqlx::query(include_str!("remove_idle_sessions.sql")).bind(project_id).bind(session).execute(transaction).await?;
    Ok(())
}

/// A job as it was when it was archived.
#[derive(Debug, Clone, PartialEq)]
pub struct Archived {
    /// The job.
    pub job: JobRow,
    /// Its tasks in plan order.
    pub tasks: Vec<ArchivedTask>,
    /// Its deliverables in the session's order.
    pub deliverables: Vec<DeliverableRow>,
    /// What became of attempts, as [`view::attempts`] shows them.
    pub attempts: Vec<AttemptRow>,
    /// Everything that happened.
    pub events: Vec<Event>,
}

/// A task as it was when its job was archived.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ArchivedTask {
    /// Its id.
    pub task_id: Uuid,
    /// `decode`, `stem`, `mix`, `master`, `fused`.
    pub kind: String,
    /// For people.
    pub display_name: String,
    /// Where it stood.
    pub state: TaskState,
    /// Its newest attempt.
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
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    job_id: Uuid,
    display_name: String,
    state: JobState,
    priority: i16,
    session_digest: String,
    deliver_to: String,
    last_sequence: i64,
    failure_kind: Option<FailureKind>,
    failure_message: Option<String>,
    create_micros: i64,
    end_micros: i64,
    progress: f64,
    tasks: serde_json::Value,
    deliverables: serde_json::Value,
    attempts: serde_json::Value,
    events: serde_json::Value,
}

impl Row {
    fn read(self) -> Result<Archived, Error> {
        let job_id = self.job_id;
        let tasks: Vec<ArchivedTask> = read(self.tasks, job_id)?;
        let in_state = |state| tasks.iter().filter(|task| task.state == state).count() as i64;
        let job = JobRow {
            job_id,
            display_name: self.display_name,
            state: self.state,
            priority: self.priority,
            create_micros: self.create_micros,
            end_micros: Some(self.end_micros),
            failure_kind: self.failure_kind,
            failure_message: self.failure_message,
            progress: self.progress,
            session_digest: self.session_digest,
            deliver_to: self.deliver_to,
            last_sequence: self.last_sequence,
            waiting: 0,
            running: 0,
            succeeded: in_state(TaskState::Succeeded),
            failed: in_state(TaskState::Failed),
            cancelled: in_state(TaskState::Cancelled),
            cached: tasks.iter().filter(|task| task.cached).count() as i64,
        };
        Ok(Archived {
            job,
            deliverables: read(self.deliverables, job_id)?,
            attempts: read(self.attempts, job_id)?,
            events: read(self.events, job_id)?,
            tasks,
        })
    }
}

fn read<T: DeserializeOwned>(value: serde_json::Value, job_id: Uuid) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::Corrupt { what: format!("archived job {job_id} ({error})") })
}

/// One archived job of a project.
///
/// # Errors
/// When the database fails.
pub async fn find(pool: &PgPool, project_id: &str, job_id: Uuid) -> Result<Option<Archived>, Error> {
    let row: Option<Row> = sqlx::query_as(include_str!("view_archived_job.sql"))
        .bind(project_id)
        .bind(job_id)
        .fetch_optional(pool)
        .await?;
    row.map(Row::read).transpose()
}

/// At most `limit` archived jobs, as [`view::jobs`] gives those that are not.
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
    let rows: Vec<Row> = sqlx::query_as(include_str!("view_archived_jobs.sql"))
        .bind(project_id)
        .bind(state)
        .bind(after.map(|(micros, _)| micros))
        .bind(after.map(|(_, job_id)| job_id))
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(|row| row.read().map(|archived| archived.job)).collect()
}
