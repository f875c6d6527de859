//! Masters that lie in the store already but not yet under the names a job asked for: cached ones, and those that
//! another job's task made.

use sqlx::PgPool;
use uuid::Uuid;

use super::{Error, begin, ending};
use crate::state::{Failure, JobState};

/// A master to copy.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    /// Whose it is.
    pub project_id: String,
    /// The job that waits for it.
    pub job_id: Uuid,
    /// Its place among the job's deliverables.
    pub position: i32,
    /// The name to copy it to.
    pub file_name: String,
    /// The prefix below the project's.
    pub deliver_to: String,
    /// Whether other bytes there may be replaced.
    pub replace: bool,
    /// The blob.
    pub digest: String,
    /// Its size.
    pub size_bytes: i64,
}

/// Masters to copy, those of one job or of all; at most 100.
///
/// # Errors
/// When the database fails.
pub async fn pending(pool: &PgPool, job_id: Option<Uuid>) -> Result<Vec<Delivery>, Error> {
    Ok(sqlx::query_as(include_str!("pending_deliveries.sql")).bind(job_id).fetch_all(pool).await?)
}

/// Notes that a master lies under its name; the job succeeds if it was the last.
///
/// # Errors
/// When the database fails.
pub async fn done(pool: &PgPool, delivery: &Delivery) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    sqlx::query(include_str!("deliver.sql"))
        .bind(&delivery.project_id)
        .bind(delivery.job_id)
        .bind(delivery.position)
        .execute(&mut *transaction)
        .await?;
    ending::finish_jobs(&mut transaction, &delivery.project_id, &[delivery.job_id]).await?;
    transaction.commit().await?;
    Ok(())
}

/// Fails the job of a master that cannot be delivered.
///
/// # Errors
/// When the database fails.
pub async fn refuse(pool: &PgPool, delivery: &Delivery, failure: &Failure) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    let state = super::cancel::job_state(&mut transaction, &delivery.project_id, delivery.job_id).await?;
    if state == Some(JobState::Active) {
        ending::stop_jobs(&mut transaction, &delivery.project_id, &[delivery.job_id], Some(failure)).await?;
    }
    transaction.commit().await?;
    Ok(())
}
