//! Takes away leases that ran out, and what the queue leaves behind it.

use sqlx::PgPool;

use super::attempts::{self, Running};
use super::{Error, begin};
use crate::state::{Failure, FailureKind};

/// Takes away every lease that ran out by the database's clock; gives how many. Their tasks are tried again, or stop.
///
/// # Errors
/// When the database fails.
pub async fn expire(pool: &PgPool) -> Result<usize, Error> {
    let any: bool = sqlx::query_scalar(include_str!("any_expired_lease.sql")).fetch_one(pool).await?;
    if !any {
        return Ok(0);
    }
    let mut transaction = begin(pool).await?;
    let expired: Vec<Running> = sqlx::query_as(include_str!("expired_leases.sql")).fetch_all(&mut *transaction).await?;
    for running in &expired {
        let message = format!("{} was not heard of while its lease lasted", running.worker_name);
        tracing::warn!(task.id = %running.task_id, attempt.number = running.attempt, "{message}");
        let failure = Failure { kind: FailureKind::WorkerLost, message };
        attempts::fail(&mut transaction, running, &failure, None).await?;
    }
    transaction.commit().await?;
    Ok(expired.len())
}

/// Clears away what the queue leaves behind it: fronts at which nothing has been ready for long, and counts that others
/// have followed.
///
/// # Errors
/// When the database fails.
pub async fn tidy(pool: &PgPool) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    sqlx::query(include_str!("tidy_fronts.sql")).execute(&mut *transaction).await?;
    sqlx::query(include_str!("tidy_usage.sql")).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}
