//! Holds the rows to the rules while the chaos lasts.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::support::audit::{self, Snapshot};

const EVERY: Duration = Duration::from_secs(1);

/// What was looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// Snapshots that were held to the rules.
    pub snapshots: usize,
    /// Those among them in which attempts ran.
    pub amid_work: usize,
    /// Times that there was no database to look at.
    pub blind: usize,
}

impl Watch {
    /// Takes a snapshot each second until it is over or one breaks a rule; gives what is wrong.
    pub async fn keep(pool: PgPool, over: CancellationToken) -> (Self, Vec<String>) {
        let mut watch = Self::default();
        let mut turns = tokio::time::interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while over.run_until_cancelled(turns.tick()).await.is_some() {
            match audit::snapshot(&pool).await {
                Ok(Snapshot { running, wrong }) => {
                    watch.snapshots += 1;
                    watch.amid_work += usize::from(running > 0);
                    if !wrong.is_empty() {
                        return (watch, wrong);
                    }
                }
                Err(error) if is_away(&error) => watch.blind += 1,
                Err(error) => return (watch, vec![format!("the rows cannot be read: {error}")]),
            }
        }
        (watch, Vec::new())
    }
}

/// Whether PostgreSQL was not there, was starting, or went away meanwhile.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // Connection exceptions and an operator's intervention.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}
