//! Ends attempts, as their workers say.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::artifacts::{self, Made};
use super::attempts::{self, Running};
use super::events::{self, Happened};
use super::{Error, begin_by_keys, ending, lock};
use crate::blobs::Store;
use crate::state::{Failure, FailureKind};
use crate::unavailable::Unavailable;
use crate::wakeup;

/// Successes whose blobs are looked for in the store at once.
const LOOKS_AT_ONCE: usize = 64;

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// Who had it.
    pub worker_id: Uuid,
    /// The task.
    pub task_id: Uuid,
    /// The attempt.
    pub attempt: i32,
    /// The call.
    pub request_id: Uuid,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Everything was made and stored.
    Success(Success),
    /// It failed.
    Failure(Failure),
}

/// What an attempt made and cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Success {
    /// What it made.
    pub artifacts: Vec<Made>,
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// Bytes read from the store.
    pub fetched_bytes: i64,
    /// Bytes written to it.
    pub stored_bytes: i64,
    /// Seconds of audio made per second of wall time.
    pub realtime_factor: f64,
}

/// Whether a settlement counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It did, now or when it was made first.
    Accepted,
    /// The attempt no longer held its task: nothing was changed.
    LeaseLost,
}

/// Ends an attempt; see [`settle_all`].
///
/// # Errors
/// When the database or the store fails.
pub async fn settle(pool: &PgPool, store: &Store, settlement: &Settlement) -> Result<Settled, Unavailable> {
    let settled = settle_all(pool, store, &[settlement]).await?;
    Ok(settled.into_iter().next().unwrap_or(Settled::LeaseLost))
}

/// Ends attempts: those that succeeded together, in one transaction. A success that names artifacts which are not in the
/// store, or leaves out one that the task is to make, ends as a failure. Gives what came of each, in order.
///
/// # Errors
/// When the database or the store fails: then some may have been settled; repeating the call settles the rest.
pub async fn settle_all(
    pool: &PgPool,
    store: &Store,
    settlements: &[&Settlement],
) -> Result<Vec<Settled>, Unavailable> {
    let mut settled = vec![Settled::LeaseLost; settlements.len()];
    let mut successes: Vec<Told<'_>> = Vec::new();
    let mut repeated = Vec::new();
    for (place, project_id, settled_by, ended) in find_attempts(pool, settlements).await? {
        let settlement = settlements[place];
        match &settlement.outcome {
            _ if ended && settled_by == Some(settlement.request_id) => settled[place] = Settled::Accepted,
            _ if ended => {}
            Outcome::Failure(failure) => match refuse(pool, settlement, failure).await? {
                Settled::Accepted => settled[place] = Settled::Accepted,
                Settled::LeaseLost => repeated.push(place),
            },
            Outcome::Success(_) if successes.iter().any(|told| told.settlement.task_id == settlement.task_id) => {
                repeated.push(place);
            }
            Outcome::Success(success) => successes.push(Told { place, project_id, settlement, success }),
        }
    }
    // Once for all, and again without those that turn out to be no successes or to have lost their leases.
    while !successes.is_empty() {
        match succeed_together(pool, store, &successes).await? {
            Together::Done => {
                successes.drain(..).for_each(|told| settled[told.place] = Settled::Accepted);
            }
            Together::Faulty(faulty) => {
                for (place, failure) in &faulty {
                    settled[*place] = refuse(pool, settlements[*place], failure).await?;
                }
                successes.retain(|told| !faulty.iter().any(|(place, _)| *place == told.place));
            }
            Together::Lost(places) => {
                successes.retain(|told| !places.contains(&told.place));
                repeated.extend(places);
            }
            Together::Again => {}
        }
    }
    if !repeated.is_empty() {
        // Another copy of the same call may have ended the attempt meanwhile, in this batch or another.
        let again: Vec<&Settlement> = repeated.iter().map(|place| settlements[*place]).collect();
        for (index, _, settled_by, _) in find_attempts(pool, &again).await? {
            if settled_by == Some(again[index].request_id) {
                settled[repeated[index]] = Settled::Accepted;
            }
        }
    }
    Ok(settled)
}

/// A success, as it was told.
struct Told<'a> {
    /// Among all settlements.
    place: usize,
    project_id: String,
    settlement: &'a Settlement,
    success: &'a Success,
}

impl Told<'_> {
    /// What was made, with project and task.
    fn made(&self) -> impl Iterator<Item = (&str, Uuid, &Made)> {
        self.success.artifacts.iter().map(|made| (&*self.project_id, self.settlement.task_id, made))
    }
}

/// What came of successes that were to be settled together.
enum Together {
    /// All count.
    Done,
    /// These, by place, are failures; nothing was changed.
    Faulty(Vec<(usize, Failure)>),
    /// These, by place, no longer hold their tasks; nothing was changed.
    Lost(Vec<usize>),
    /// An artifact that was known was dropped meanwhile; nothing was changed.
    Again,
}

/// The attempts that their workers ever had: place, project, the call that settled it, whether it has ended.
async fn find_attempts(
    pool: &PgPool,
    settlements: &[&Settlement],
) -> Result<Vec<(usize, String, Option<Uuid>, bool)>, Error> {
    let mut transaction = begin_by_keys(pool).await?;
    let rows: Vec<(i64, String, Option<Uuid>, bool)> = sqlx::query_as(include_str!("find_attempts.sql"))
        .bind(settlements.iter().map(|settlement| settlement.worker_id).collect::<Vec<_>>())
        .bind(settlements.iter().map(|settlement| settlement.task_id).collect::<Vec<_>>())
        .bind(settlements.iter().map(|settlement| settlement.attempt).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await?;
    let place = |place: i64| usize::try_from(place).unwrap_or(usize::MAX);
    Ok(rows.into_iter().map(|(at, project_id, by, ended)| (place(at), project_id, by, ended)).collect())
}

async fn succeed_together(pool: &PgPool, store: &Store, successes: &[Told<'_>]) -> Result<Together, Unavailable> {
    let mut transaction = begin_by_keys(pool).await?;
    // Whatever can be is done before the queue is locked, so that others work meanwhile; the store is asked once the blobs'
    // rows are locked.
    let made: Vec<(&str, Uuid, &Made)> = successes.iter().flat_map(Told::made).collect();
    artifacts::record_blobs(&mut transaction, &made).await?;
    let mut faulty = missing_blobs(store, successes).await?;
    if faulty.is_empty() {
        faulty = left_out(&mut transaction, successes).await?;
    }
    if !faulty.is_empty() {
        return Ok(Together::Faulty(faulty));
    }
    let known = artifacts::record(&mut transaction, &made).await?;
    lock(&mut transaction).await?;
    let attempts: Vec<_> = successes
        .iter()
        .map(|Told { settlement, .. }| (settlement.worker_id, settlement.task_id, settlement.attempt))
        .collect();
    let running = attempts::find_all_running(&mut transaction, &attempts).await?;
    if running.len() < successes.len() {
        let found: BTreeSet<usize> = running.iter().map(|(index, _)| *index).collect();
        let lost = successes.iter().enumerate().filter(|(index, _)| !found.contains(index));
        return Ok(Together::Lost(lost.map(|(_, told)| told.place).collect()));
    }
    if !artifacts::keep(&mut transaction, &known).await? {
        return Ok(Together::Again);
    }
    let running: Vec<(&Told<'_>, Running)> =
        running.into_iter().map(|(index, running)| (&successes[index], running)).collect();
    succeed(&mut transaction, &running).await?;
    transaction.commit().await?;
    Ok(Together::Done)
}

/// Successes of which a blob is not in the store.
async fn missing_blobs(store: &Store, successes: &[Told<'_>]) -> Result<Vec<(usize, Failure)>, Unavailable> {
    let looks: Vec<_> = successes.iter().map(|told| missing_blob(store, told)).collect();
    let found: Vec<Option<_>> = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn missing_blob(store: &Store, told: &Told<'_>) -> Result<Option<(usize, Failure)>, Unavailable> {
    let digests: Vec<&str> = told.success.artifacts.iter().map(|made| made.digest.as_str()).collect();
    let missing = store.first_missing(&told.project_id, digests.into_iter()).await?;
    Ok(missing.map(|digest| {
        let message = format!("the worker settled with blob {digest}, which is not in the store");
        (told.place, Failure { kind: FailureKind::Storage, message })
    }))
}

/// Successes without an artifact that their task is to make.
async fn left_out(transaction: &mut PgConnection, successes: &[Told<'_>]) -> Result<Vec<(usize, Failure)>, Error> {
    let to_make: Vec<(Uuid, String)> = sqlx::query_as(include_str!("task_outputs.sql"))
        .bind(successes.iter().map(|told| told.project_id.as_str()).collect::<Vec<_>>())
        .bind(successes.iter().map(|told| told.settlement.task_id).collect::<Vec<_>>())
        .fetch_all(transaction)
        .await?;
    let mut keys: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for (task_id, key) in to_make {
        keys.entry(task_id).or_default().push(key);
    }
    let fault = |told: &Told<'_>| {
        let made: BTreeSet<&str> = told.success.artifacts.iter().map(|made| made.key.as_str()).collect();
        let key = keys.remove(&told.settlement.task_id)?.into_iter().find(|key| !made.contains(key.as_str()))?;
        let message = format!("the worker settled without artifact {key}");
        Some((told.place, Failure { kind: FailureKind::Internal, message }))
    };
    Ok(successes.iter().filter_map(fault).collect())
}

/// Ends one attempt as a failure.
async fn refuse(pool: &PgPool, settlement: &Settlement, failure: &Failure) -> Result<Settled, Error> {
    let mut transaction = super::begin(pool).await?;
    let running =
        attempts::find_running(&mut transaction, settlement.worker_id, settlement.task_id, settlement.attempt).await?;
    let Some(running) = running else { return Ok(Settled::LeaseLost) };
    attempts::fail(&mut transaction, &running, failure, Some(settlement.request_id)).await?;
    transaction.commit().await?;
    Ok(Settled::Accepted)
}

async fn succeed(transaction: &mut PgConnection, running: &[(&Told<'_>, Running)]) -> Result<(), Error> {
    let projects: Vec<&str> = running.iter().map(|(_, running)| running.project_id.as_str()).collect();
    let tasks: Vec<Uuid> = running.iter().map(|(_, running)| running.task_id).collect();
    let successes: Vec<&Success> = running.iter().map(|(told, _)| told.success).collect();
    sqlx::query(include_str!("succeed_tasks.sql"))
        .bind(&projects)
        .bind(&tasks)
        .bind(running.iter().map(|(_, running)| running.attempt).collect::<Vec<_>>())
        .bind(running.iter().map(|(told, _)| told.settlement.request_id).collect::<Vec<_>>())
        .bind(successes.iter().map(|success| success.cpu_seconds).collect::<Vec<_>>())
        .bind(successes.iter().map(|success| success.fetched_bytes).collect::<Vec<_>>())
        .bind(successes.iter().map(|success| success.stored_bytes).collect::<Vec<_>>())
        .bind(successes.iter().map(|success| success.realtime_factor).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
    let unblocked: Vec<(String, Uuid, String)> = sqlx::query_as(include_str!("unblock_dependents.sql"))
        .bind(&projects)
        .bind(&tasks)
        .fetch_all(&mut *transaction)
        .await?;
    let done = |running: &Running| Happened {
        project_id: running.project_id.clone(),
        task_id: running.task_id,
        message: format!("{} is done", running.display_name),
        succeeded: true,
    };
    let mut told: Vec<Happened> = running.iter().map(|(_, running)| done(running)).collect();
    let any_unblocked = !unblocked.is_empty();
    let ready = |(project_id, task_id, name): (String, Uuid, String)| Happened {
        project_id,
        task_id,
        message: format!("{name} is ready"),
        succeeded: false,
    };
    told.extend(unblocked.into_iter().map(ready));
    let jobs = events::record_everywhere(transaction, &told).await?;
    if any_unblocked {
        wakeup::notify_task(transaction).await?;
    }
    let whole: Vec<_> = jobs.into_iter().filter(|job| !job.waits).map(|job| (job.project_id, job.job_id)).collect();
    ending::finish_jobs_everywhere(transaction, &whole).await
}
