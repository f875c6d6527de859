//! Wakes those who wait: a hint, sent with PostgreSQL's NOTIFY by the transaction that changed something, so that it
//! arrives after its commit and at every coordinator. Whoever waits must also poll: a hint may be lost.

use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use tokio::sync::broadcast;
use uuid::Uuid;

const CHANNEL: &str = "mixdown";
const STOP: &str = "stop";
/// Hints kept for a slow receiver; one that falls further behind is told so and simply looks again.
const BACKLOG: usize = 1024;
const FIRST_RECONNECT_DELAY: Duration = Duration::from_millis(200);
const LONGEST_RECONNECT_DELAY: Duration = Duration::from_secs(10);

/// What may be worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// A task became ready.
    Task,
    /// Attempts that run are to stop.
    Stop,
    /// Something happened to this job.
    Job(Uuid),
}

/// Hands the hints of all coordinators to the waiting calls of this one.
#[derive(Debug, Clone)]
pub struct Wakeups {
    hints: broadcast::Sender<Hint>,
}

impl Default for Wakeups {
    fn default() -> Self {
        Self { hints: broadcast::Sender::new(BACKLOG) }
    }
}

impl Wakeups {
    /// Begins to listen. Subscribe before looking at the database, so that what happens in between is not missed.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription { hints: self.hints.subscribe() }
    }

    /// Passes hints on until dropped; connects again when the connection breaks.
    pub async fn run(&self, pool: &PgPool) {
        let mut delay = FIRST_RECONNECT_DELAY;
        loop {
            match self.listen(pool, &mut delay).await {
                Ok(never) => match never {},
                Err(error) => {
                    tracing::warn!(error = %error, "lost the connection that brings wakeups; polling goes on")
                }
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LONGEST_RECONNECT_DELAY);
        }
    }

    async fn listen(&self, pool: &PgPool, delay: &mut Duration) -> Result<std::convert::Infallible, sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            let notification = listener.recv().await?;
            *delay = FIRST_RECONNECT_DELAY;
            let hint = match notification.payload().parse() {
                Ok(job_id) => Hint::Job(job_id),
                Err(_) if notification.payload() == STOP => Hint::Stop,
                Err(_) => Hint::Task,
            };
            // No receiver is no fault: nobody waits.
            let _ = self.hints.send(hint);
        }
    }
}

/// The hints of one waiting call.
#[derive(Debug)]
pub struct Subscription {
    hints: broadcast::Receiver<Hint>,
}

impl Subscription {
    /// Waits for a hint that `concerns` the caller, or until `poll_after` has passed.
    pub async fn wait(&mut self, poll_after: Duration, concerns: impl Fn(Hint) -> bool) {
        let wanted = async {
            loop {
                match self.hints.recv().await {
                    Ok(hint) if concerns(hint) => return,
                    Ok(_) => {}
                    // Fell behind: one of those missed may have been ours.
                    Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
                }
            }
        };
        let _ = tokio::time::timeout(poll_after, wanted).await;
    }

    /// Takes the hints that are there already, and says whether one of them `concerns` the caller.
    pub fn take_all(&mut self, concerns: impl Fn(Hint) -> bool) -> bool {
        let mut any = false;
        loop {
            match self.hints.try_recv() {
                Ok(hint) => any |= concerns(hint),
                Err(broadcast::error::TryRecvError::Lagged(_)) => any = true,
                Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => return any,
            }
        }
    }
}

/// Hints, after commit, that a task is ready.
pub(crate) async fn notify_task(transaction: &mut PgConnection) -> Result<(), crate::queue::Error> {
    sqlx::query("select pg_notify($1, 'task')").bind(CHANNEL).execute(transaction).await?;
    Ok(())
}

/// Hints, after commit, that attempts which run are to stop.
pub(crate) async fn notify_stop(transaction: &mut PgConnection) -> Result<(), crate::queue::Error> {
    sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(STOP).execute(transaction).await?;
    Ok(())
}

/// Hints, after commit, that something happened to these jobs.
pub(crate) async fn notify_jobs(transaction: &mut PgConnection, jobs: &[Uuid]) -> Result<(), crate::queue::Error> {
    sqlx::query("select pg_notify($1, job_id::text) from unnest($2::uuid[]) as changed (job_id)")
        .bind(CHANNEL)
        .bind(jobs)
        .execute(transaction)
        .await?;
    Ok(())
}
