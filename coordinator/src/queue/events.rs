//! What happened to a job, recorded in the transaction in which it happened.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Error;
use crate::state::{JobState, TaskState};
use crate::wakeup;

/// Something that has just happened to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    pub project_id: String,
    pub task_id: Uuid,
    /// For people.
    pub message: String,
    /// It was its success, which counts as work done.
    pub succeeded: bool,
}

impl Happened {
    /// Anything but success.
    pub fn to(project_id: &str, task_id: Uuid, message: String) -> Self {
        Self { project_id: project_id.to_owned(), task_id, message, succeeded: false }
    }
}

/// A job that an event was recorded for.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Concerned {
    pub project_id: String,
    pub job_id: Uuid,
    /// It waits for tasks.
    pub waits: bool,
}

/// Records what has just happened to tasks of a project, none of them success; see [`record_everywhere`].
pub(crate) async fn record_tasks(
    transaction: &mut PgConnection,
    project_id: &str,
    happened: &[(Uuid, String)],
) -> Result<(), Error> {
    let happened: Vec<_> =
        happened.iter().map(|(task_id, message)| Happened::to(project_id, *task_id, message.clone())).collect();
    record_everywhere(transaction, &happened).await?;
    Ok(())
}

/// Records what has just happened to tasks, for every active job that waits for them, counts the work done and wakes
/// watchers. Call it before a job's state changes: a job's last event is its end.
pub(crate) async fn record_everywhere(
    transaction: &mut PgConnection,
    happened: &[Happened],
) -> Result<Vec<Concerned>, Error> {
    if happened.is_empty() {
        return Ok(Vec::new());
    }
    let jobs: Vec<Concerned> = sqlx::query_as(include_str!("record_task_events.sql"))
        .bind(happened.iter().map(|happened| happened.project_id.as_str()).collect::<Vec<_>>())
        .bind(happened.iter().map(|happened| happened.task_id).collect::<Vec<_>>())
        .bind(happened.iter().map(|happened| happened.message.as_str()).collect::<Vec<_>>())
        .bind(happened.iter().map(|happened| happened.succeeded).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await?;
    wake(transaction, &jobs).await?;
    Ok(jobs)
}

/// Records something that concerns jobs of a project as a whole, and wakes their watchers.
pub(crate) async fn record_jobs(
    transaction: &mut PgConnection,
    project_id: &str,
    happened: &[(Uuid, String)],
) -> Result<(), Error> {
    if happened.is_empty() {
        return Ok(());
    }
    let jobs: Vec<Concerned> = sqlx::query_as(include_str!("record_job_events.sql"))
        .bind(happened.iter().map(|_| project_id).collect::<Vec<_>>())
        .bind(happened.iter().map(|(job_id, _)| *job_id).collect::<Vec<_>>())
        .bind(happened.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await?;
    wake(transaction, &jobs).await
}

async fn wake(transaction: &mut PgConnection, jobs: &[Concerned]) -> Result<(), Error> {
    let jobs: Vec<Uuid> = jobs.iter().map(|job| job.job_id).collect();
    wakeup::notify_jobs(transaction, &jobs).await
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, serde::Deserialize)]
pub struct Event {
    /// Rises by 1 from 1 within a job.
    pub sequence: i64,
    /// When it was recorded, in microseconds since 1970.
    pub create_micros: i64,
    /// The job after it.
    pub job_state: JobState,
    /// Share of the job's work done after it.
    pub progress: f64,
    /// The task it concerns.
    pub task_id: Option<Uuid>,
    /// That task after it.
    pub task_state: Option<TaskState>,
    /// The task's attempt then.
    pub attempt: Option<i32>,
    /// For people.
    pub message: String,
}

/// At most `limit` events of a job after a sequence, in order.
///
/// # Errors
/// When the database fails.
pub async fn after(
    pool: &PgPool,
    project_id: &str,
    job_id: Uuid,
    sequence: i64,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    Ok(sqlx::query_as(include_str!("events_after.sql"))
        .bind(project_id)
        .bind(job_id)
        .bind(sequence)
        .bind(limit)
        .fetch_all(pool)
        .await?)
}

/// A number of tasks, for people.
pub(super) fn counted(tasks: usize) -> String {
    if tasks == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") }
}
