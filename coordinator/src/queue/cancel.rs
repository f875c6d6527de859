//! Stops a job that its client no longer wants.

use sqlx::PgPool;
use uuid::Uuid;

use super::request::{self, Known, Request};
use super::{Error, begin, ending};
use crate::state::JobState;

/// What came of asking for a change of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is as asked, by this call or before it.
    Done,
    /// The project has no such job.
    NoSuchJob,
    /// The job's state does not allow it.
    NotPossible(JobState),
    /// It reads artifacts that were dropped since, and nothing in the job can make them again.
    ArtifactsDropped,
    /// The request id was used for another call.
    RequestReused,
}

/// Cancels a job: its waiting tasks at once, its running ones with their worker's next heartbeat. Tasks for which
/// another job waits go on. Cancelling a job that has ended as cancelled changes nothing; one that has ended otherwise
/// cannot be cancelled.
///
/// # Errors
/// When the database fails.
pub async fn cancel(pool: &PgPool, project_id: &str, job_id: Uuid, request: &Request) -> Result<Changed, Error> {
    let mut transaction = begin(pool).await?;
    match request::find(&mut transaction, project_id, request).await? {
        Known::New => {}
        Known::Answered { .. } => return Ok(Changed::Done),
        Known::Reused => return Ok(Changed::RequestReused),
    }
    let state = job_state(&mut transaction, project_id, job_id).await?;
    match state {
        None => return Ok(Changed::NoSuchJob),
        Some(JobState::Active) => ending::stop_jobs(&mut transaction, project_id, &[job_id], None).await?,
        Some(JobState::Cancelled) => {}
        Some(ended) => return Ok(Changed::NotPossible(ended)),
    }
    request::remember(&mut transaction, project_id, request, job_id, &serde_json::Value::Null).await?;
    transaction.commit().await?;
    Ok(Changed::Done)
}

/// A job's state, its row locked.
pub(crate) async fn job_state(
    transaction: &mut sqlx::PgConnection,
    project_id: &str,
    job_id: Uuid,
) -> Result<Option<JobState>, Error> {
    Ok(sqlx::query_scalar(include_str!("job_state.sql"))
        .bind(project_id)
        .bind(job_id)
        .fetch_optional(transaction)
        .await?)
}
