//! Masters that lie in the store but not yet under the names that jobs asked for, and whose turn it is to write to a name.
//!
//! Two jobs may deliver to one name, and whoever writes may be stopped for any time between the look at these rows and the
//! write. So the order is that in which the jobs were asked for, a write is noted before it begins and after it ended, and
//! a name that was taken from somebody who had not ended is looked at again for a while ([`contested`]).

use std::time::Duration;

use mixdown_proto::layout;
use sqlx::PgPool;
use uuid::Uuid;

use super::{Error, begin, ending, events};
use crate::retry;
use crate::state::{Failure, FailureKind, JobState};

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
    /// The job's place in the order in which jobs were asked for.
    pub ordinal: i64,
    /// The blob.
    pub digest: String,
    /// Its size.
    pub size_bytes: i64,
    /// It was made since the job was submitted, by a worker that hashed it before it was stored.
    pub fresh: bool,
}

impl Delivery {
    /// The whole path in the store.
    #[must_use]
    pub fn path(&self) -> String {
        layout::delivery(&self.project_id, &self.deliver_to, &self.file_name)
    }
}

/// Whether a job may write under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Turn {
    /// It may.
    Taken,
    /// Another writes there: later perhaps.
    Wait,
    /// A job that was asked for later has its master there.
    Superseded,
}

/// A name that somebody whose turn has passed may still write to.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Contested {
    /// Whose it is.
    pub project_id: String,
    /// The whole path in the store.
    pub path: String,
    /// Of the job whose master is to lie there.
    pub ordinal: i64,
    /// That master.
    pub digest: String,
    /// Its size.
    pub size_bytes: i64,
}

/// Takes up to `limit` masters to copy, which nobody else then takes for the time `hold`.
///
/// # Errors
/// When the database fails.
pub async fn claim(pool: &PgPool, limit: usize, hold: Duration) -> Result<Vec<Delivery>, Error> {
    Ok(sqlx::query_as(include_str!("claim_deliveries.sql"))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(hold.as_secs_f64())
        .fetch_all(pool)
        .await?)
}

/// Lets nobody take a master for some time from now: because it is being copied, or cannot be at present.
///
/// # Errors
/// When the database fails.
pub async fn put_off(pool: &PgPool, delivery: &Delivery, time: Duration) -> Result<(), Error> {
    sqlx::query(include_str!("put_off_delivery.sql"))
        .bind(&delivery.project_id)
        .bind(delivery.job_id)
        .bind(delivery.position)
        .bind(time.as_secs_f64())
        .execute(pool)
        .await?;
    Ok(())
}

/// Counts that the store failed a delivery: it is tried again later, or its job fails.
///
/// # Errors
/// When the database fails.
pub async fn failed(pool: &PgPool, delivery: &Delivery, cause: &str) -> Result<(), Error> {
    let failures = sqlx::query_scalar(include_str!("count_delivery_failure.sql"))
        .bind(&delivery.project_id)
        .bind(delivery.job_id)
        .bind(delivery.position)
        .fetch_one(pool)
        .await?;
    match retry::decide_delivery(failures, delivery.job_id) {
        Some(delay) => put_off(pool, delivery, delay).await,
        None => {
            let message = format!("cannot put {} under its name: {cause}", delivery.file_name);
            refuse(pool, delivery, &Failure { kind: FailureKind::Storage, message }).await
        }
    }
}

/// Asks for the turn to write a master under its name. Ask again right before the write, and look at what lies there only
/// once it is given: whoever wrote there before has then ended, or will be found out.
///
/// # Errors
/// When the database fails.
pub async fn take_name(pool: &PgPool, delivery: &Delivery) -> Result<Turn, Error> {
    Ok(sqlx::query_scalar(include_str!("take_name.sql"))
        .bind(&delivery.project_id)
        .bind(delivery.path())
        .bind(delivery.job_id)
        .bind(delivery.ordinal)
        .bind(delivery.replace)
        .fetch_one(pool)
        .await?)
}

/// Gives the turn back; nothing was written.
///
/// # Errors
/// When the database fails.
pub async fn leave_name(pool: &PgPool, delivery: &Delivery) -> Result<(), Error> {
    sqlx::query(include_str!("leave_name.sql"))
        .bind(&delivery.project_id)
        .bind(delivery.path())
        .bind(delivery.job_id)
        .execute(pool)
        .await?;
    Ok(())
}

/// Notes that a master lies under its name; the job succeeds if it was the last.
///
/// # Errors
/// When the database fails.
pub async fn done(pool: &PgPool, delivery: &Delivery) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    sqlx::query(include_str!("write_name.sql"))
        .bind(&delivery.project_id)
        .bind(delivery.path())
        .bind(delivery.job_id)
        .bind(delivery.ordinal)
        .bind(&delivery.digest)
        .bind(delivery.size_bytes)
        .execute(&mut *transaction)
        .await?;
    end(transaction, delivery).await
}

/// Notes that a master need not be put under its name, because a later job's lies there.
///
/// # Errors
/// When the database fails.
pub async fn superseded(pool: &PgPool, delivery: &Delivery) -> Result<(), Error> {
    let mut transaction = begin(pool).await?;
    let message = format!("{} holds the master of a job that was asked for later", delivery.path());
    events::record_jobs(&mut transaction, &delivery.project_id, &[(delivery.job_id, message)]).await?;
    end(transaction, delivery).await
}

async fn end(mut transaction: sqlx::Transaction<'_, sqlx::Postgres>, delivery: &Delivery) -> Result<(), Error> {
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

/// The names that are to be looked at.
///
/// # Errors
/// When the database fails.
pub async fn contested(pool: &PgPool) -> Result<Vec<Contested>, Error> {
    Ok(sqlx::query_as(include_str!("contested_names.sql")).fetch_all(pool).await?)
}

/// Notes that a contested name was looked at, and whether its master had to be written again.
///
/// # Errors
/// When the database fails.
pub async fn looked_at(pool: &PgPool, name: &Contested, mended: bool) -> Result<(), Error> {
    sqlx::query(include_str!("looked_at_name.sql"))
        .bind(&name.project_id)
        .bind(&name.path)
        .bind(name.ordinal)
        .bind(mended)
        .execute(pool)
        .await?;
    Ok(())
}

/// Forgets names whose order nobody can disturb any more.
///
/// # Errors
/// When the database fails.
pub async fn tidy(pool: &PgPool) -> Result<(), Error> {
    sqlx::query(include_str!("tidy_names.sql")).execute(pool).await?;
    Ok(())
}
