//! The queue: who runs what, decided in PostgreSQL. Each operation is one short transaction; each statement stands in its
//! own file, whose first comment is its contract.
//!
//! ```text
//! client: submit · cancel · retry_job · view · events     worker: register · claim · heartbeat · settle · relinquish
//! background: expire · garbage · damage · archive               shared: ending (of jobs), attempts (their ends), events
//! ```
//!
//! Every write of a worker names its attempt; finding another attempt in its place is a value ([`settle::Settled`]), not
//! an error.

pub mod archive;
pub mod artifacts;
mod attempts;
pub mod cancel;
pub mod claim;
pub mod collecting;
pub mod damage;
pub mod deliveries;
mod ending;
pub mod events;
pub mod expire;
pub mod garbage;
pub mod heartbeat;
mod placement;
pub mod request;
pub mod retry_job;
mod rows;
pub mod settle;
pub mod submit;
mod supply;
pub mod view;
mod waiting;
pub mod workers;

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

/// The database failed. Expected outcomes are values of each operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, or refused a statement.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A row holds what this program cannot read.
    #[error("{what} in the database cannot be read")]
    Corrupt {
        /// The thing, with its id.
        what: String,
    },
}

/// Begins a transaction that may change the state of tasks and jobs: alone among all coordinators.
async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, Error> {
    let mut transaction = pool.begin().await?;
    lock(&mut transaction).await?;
    Ok(transaction)
}

/// Begins a transaction that finds rows by keys alone; see [`lock`] for what comes next.
async fn begin_by_keys(pool: &PgPool) -> Result<Transaction<'static, Postgres>, Error> {
    let mut transaction = pool.begin().await?;
    plan_by_keys(&mut transaction).await?;
    Ok(transaction)
}

async fn plan_by_keys(transaction: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(include_str!("plan_by_keys.sql")).execute(transaction).await?;
    Ok(())
}

/// Makes a transaction the only one that changes the state of tasks and jobs, until it ends.
async fn lock(transaction: &mut PgConnection) -> Result<(), Error> {
    plan_by_keys(transaction).await?;
    sqlx::query(include_str!("lock_queue.sql")).execute(transaction).await?;
    Ok(())
}
