//! How jobs end, and what that means for their tasks. All of it under the queue's lock.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, events};
use crate::state::{Failure, JobState};
use crate::wakeup;

/// Ends those of these jobs of a project whose every task succeeded and whose every deliverable lies under its name.
pub(crate) async fn finish_jobs(transaction: &mut PgConnection, project_id: &str, jobs: &[Uuid]) -> Result<(), Error> {
    let jobs: Vec<_> = jobs.iter().map(|job_id| (project_id.to_owned(), *job_id)).collect();
    finish_jobs_everywhere(transaction, &jobs).await
}

/// As [`finish_jobs`], each job named with its project.
pub(crate) async fn finish_jobs_everywhere(
    transaction: &mut PgConnection,
    jobs: &[(String, Uuid)],
) -> Result<(), Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    let (projects, ids): (Vec<&str>, Vec<Uuid>) =
        jobs.iter().map(|(project_id, id)| (project_id.as_str(), *id)).unzip();
    let finished: Vec<(String, Uuid)> =
        sqlx::query_as(include_str!("finish_jobs.sql")).bind(projects).bind(ids).fetch_all(&mut *transaction).await?;
    for (project_id, job_id) in finished {
        events::record_jobs(transaction, &project_id, &[(job_id, "every master is delivered".to_owned())]).await?;
    }
    Ok(())
}

/// The active jobs of a project that wait for any of these tasks.
pub(crate) async fn jobs_waiting_for(
    transaction: &mut PgConnection,
    project_id: &str,
    tasks: &[Uuid],
) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar(include_str!("jobs_waiting_for_tasks.sql"))
        .bind(project_id)
        .bind(tasks)
        .fetch_all(transaction)
        .await?)
}

/// Counts anew what jobs of a project wait for: they were linked to tasks, or tasks that they are linked to were put back.
pub(crate) async fn count_work(transaction: &mut PgConnection, project_id: &str, jobs: &[Uuid]) -> Result<(), Error> {
    sqlx::query(include_str!("count_work.sql")).bind(project_id).bind(jobs).execute(transaction).await?;
    Ok(())
}

/// Cancels unfinished tasks of a project, running ones included; gives them with their names.
pub(crate) async fn cancel_tasks(
    transaction: &mut PgConnection,
    project_id: &str,
    tasks: &[Uuid],
) -> Result<Vec<(Uuid, String)>, Error> {
    Ok(sqlx::query_as(include_str!("cancel_tasks.sql")).bind(project_id).bind(tasks).fetch_all(transaction).await?)
}

/// Ends active jobs that did not succeed: cancels those of their tasks for which no other active job waits, running
/// ones included, then ends the jobs. A worker hears of it with its next heartbeat.
pub(crate) async fn stop_jobs(
    transaction: &mut PgConnection,
    project_id: &str,
    jobs: &[Uuid],
    failure: Option<&Failure>,
) -> Result<(), Error> {
    let unwanted: Vec<Uuid> = sqlx::query_scalar(include_str!("unwanted_tasks.sql"))
        .bind(project_id)
        .bind(jobs)
        .fetch_all(&mut *transaction)
        .await?;
    let cancelled = cancel_tasks(transaction, project_id, &unwanted).await?;
    let told: Vec<_> = cancelled.into_iter().map(|(task, name)| (task, format!("{name} is cancelled"))).collect();
    events::record_tasks(transaction, project_id, &told).await?;
    wakeup::notify_stop(transaction).await?;
    let state = if failure.is_some() { JobState::Failed } else { JobState::Cancelled };
    sqlx::query(include_str!("stop_jobs.sql"))
        .bind(project_id)
        .bind(jobs)
        .bind(state)
        .bind(failure.map(|failure| failure.kind))
        .bind(failure.map(|failure| failure.message.as_str()))
        .execute(&mut *transaction)
        .await?;
    let message = failure.map_or_else(|| "the job is cancelled".to_owned(), |failure| failure.message.clone());
    let told: Vec<_> = jobs.iter().map(|job| (*job, message.clone())).collect();
    events::record_jobs(transaction, project_id, &told).await
}
