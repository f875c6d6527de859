//! Runs again what failed.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::cancel::{Changed, job_state};
use super::request::{self, Known, Request};
use super::{Error, begin, ending, events};
use crate::state::JobState;
use crate::wakeup;

/// Runs the failed and cancelled tasks of a failed or cancelled job again, and those that made artifacts which they
/// read and which were dropped since. Everything else stays. Counts of failures and lost workers begin anew; attempts
/// go on counting.
///
/// # Errors
/// When the database fails.
pub async fn retry_job(pool: &PgPool, project_id: &str, job_id: Uuid, request: &Request) -> Result<Changed, Error> {
    let mut transaction = begin(pool).await?;
    match request::find(&mut transaction, project_id, request).await? {
        Known::New => {}
        Known::Answered { .. } => return Ok(Changed::Done),
        Known::Reused => return Ok(Changed::RequestReused),
    }
    match job_state(&mut transaction, project_id, job_id).await? {
        None => return Ok(Changed::NoSuchJob),
        Some(JobState::Failed | JobState::Cancelled) => {}
        Some(other) => return Ok(Changed::NotPossible(other)),
    }
    let unmakeable: bool = sqlx::query_scalar(include_str!("retry_lacks_artifacts.sql"))
        .bind(project_id)
        .bind(job_id)
        .fetch_one(&mut *transaction)
        .await?;
    if unmakeable {
        return Ok(Changed::ArtifactsDropped);
    }
    let again: Vec<(Uuid, String)> = sqlx::query_as(include_str!("retry_tasks.sql"))
        .bind(project_id)
        .bind(job_id)
        .fetch_all(&mut *transaction)
        .await?;
    sqlx::query(include_str!("reopen_job.sql")).bind(project_id).bind(job_id).execute(&mut *transaction).await?;
    count_work(&mut transaction, project_id, job_id, &again).await?;
    let told = [(job_id, format!("to be run again: {}", events::counted(again.len())))];
    events::record_jobs(&mut transaction, project_id, &told).await?;
    let told: Vec<_> = again.into_iter().map(|(task, name)| (task, format!("{name} is run again"))).collect();
    events::record_tasks(&mut transaction, project_id, &told).await?;
    ending::finish_jobs(&mut transaction, project_id, &[job_id]).await?;
    request::remember(&mut transaction, project_id, request, job_id, &serde_json::Value::Null).await?;
    wakeup::notify_task(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Changed::Done)
}

/// Counts the work of the job and of all others that wait for what is run again: some of it may have been done.
async fn count_work(
    transaction: &mut PgConnection,
    project_id: &str,
    job_id: Uuid,
    again: &[(Uuid, String)],
) -> Result<(), Error> {
    let tasks: Vec<Uuid> = again.iter().map(|(task_id, _)| *task_id).collect();
    let mut jobs = ending::jobs_waiting_for(transaction, project_id, &tasks).await?;
    if !jobs.contains(&job_id) {
        jobs.push(job_id);
    }
    ending::count_work(transaction, project_id, &jobs).await
}
