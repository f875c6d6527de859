//! What happened to a job, recorded in the transaction in which it happened.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Error;
use crate::state::{JobState, TaskState};
use crate::wakeup;

/// Records what has just happened to tasks of a project; see [`record_everywhere`].
pub(crate) async fn record_tasks(
    transaction: &mut PgConnection,
    project_id: &str,
    happened: &[(Uuid, String)],
) -> Result<(), Error> {
    record(transaction, include_str!("record_task_events.sql"), &within(project_id, happened)).await
}

/// Records what has just happened to tasks, each named with its project, for every active job that waits for them, and
/// wakes their watchers. Call it before a job's state changes: a job's last event is its end.
pub(crate) async fn record_everywhere(
    transaction: &mut PgConnection,
    happened: &[(String, Uuid, String)],
) -> Result<(), Error> {
    let happened: Vec<Happened<'_>> =
        happened.iter().map(|(project_id, id, message)| (project_id.as_str(), *id, message.as_str())).collect();
    record(transaction, include_str!("record_task_events.sql"), &happened).await
}

/// Records something that concerns jobs of a project as a whole, and wakes their watchers.
pub(crate) async fn record_jobs(
    transaction: &mut PgConnection,
    project_id: &str,
    happened: &[(Uuid, String)],
) -> Result<(), Error> {
    record(transaction, include_str!("record_job_events.sql"), &within(project_id, happened)).await
}

/// Project, task or job, what to tell.
type Happened<'a> = (&'a str, Uuid, &'a str);

fn within<'a>(project_id: &'a str, happened: &'a [(Uuid, String)]) -> Vec<Happened<'a>> {
    happened.iter().map(|(id, message)| (project_id, *id, message.as_str())).collect()
}

/// Runs a statement that records what happened, each to the task or job of its id, and gives the jobs to wake.
async fn record(
    transaction: &mut PgConnection,
    statement: &'static str,
    happened: &[Happened<'_>],
) -> Result<(), Error> {
    if happened.is_empty() {
        return Ok(());
    }
    let projects: Vec<&str> = happened.iter().map(|(project_id, _, _)| *project_id).collect();
    let ids: Vec<Uuid> = happened.iter().map(|(_, id, _)| *id).collect();
    let messages: Vec<&str> = happened.iter().map(|(_, _, message)| *message).collect();
    let jobs: Vec<Uuid> =
        sqlx::query_scalar(statement).bind(projects).bind(ids).bind(messages).fetch_all(&mut *transaction).await?;
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
