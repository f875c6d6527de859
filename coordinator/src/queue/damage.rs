//! Blobs that the store lost or spoilt: forgotten, and what live jobs needed of them planned anew.

use std::collections::BTreeSet;

use mixdown_dsp::plan::Key;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::rows::{Owner, Rows};
use super::submit::Requirements;
use super::{Error, artifacts, ending, events, lock};
use crate::planning::Planner;
use crate::state::{Failure, FailureKind};
use crate::wakeup;

/// What was forgotten, and what followed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Artifacts whose bytes it held.
    pub artifacts: Vec<String>,
    /// Jobs that have new tasks in place of those that would have read it.
    pub replanned: Vec<Uuid>,
    /// Jobs that failed: what they read came from a client, who must send it again.
    pub failed: Vec<Uuid>,
}

/// A job to plan anew.
#[derive(Debug, sqlx::FromRow)]
struct Stranded {
    job_id: Uuid,
    priority: i16,
    requirements: sqlx::types::Json<Requirements>,
    document: String,
    master_keys: Vec<String>,
}

/// Forgets a blob whose bytes are damaged or gone. Waiting tasks that would read an artifact of it are withdrawn, and the
/// active jobs that wait for them, or are yet to deliver it, get new tasks that make it again. If it was an input file, the
/// active jobs that need it fail and say so: only a client has its bytes.
///
/// The caller has looked at the bytes: that somebody says they are damaged is not enough.
///
/// # Errors
/// When the database fails.
pub async fn forget(pool: &PgPool, project_id: &str, digest: &str, planner: Planner<'_>) -> Result<Forgotten, Error> {
    let mut transaction = pool.begin().await?;
    // The row before the queue, as everybody who stores or needs it.
    sqlx::query(include_str!("lock_blob.sql")).bind(project_id).bind(digest).execute(&mut *transaction).await?;
    lock(&mut transaction).await?;
    let keys: Vec<String> = sqlx::query_scalar(include_str!("forget_artifacts.sql"))
        .bind(project_id)
        .bind(digest)
        .fetch_all(&mut *transaction)
        .await?;
    sqlx::query(include_str!("forget_blob.sql")).bind(project_id).bind(digest).execute(&mut *transaction).await?;
    let mut forgotten = Forgotten { artifacts: keys, ..Forgotten::default() };
    forgotten.failed = fail_jobs_without_input(&mut transaction, project_id, digest).await?;
    if !forgotten.artifacts.is_empty() {
        forgotten.replanned = plan_anew(&mut transaction, project_id, &forgotten.artifacts, planner).await?;
    }
    wakeup::notify_task(&mut transaction).await?;
    transaction.commit().await?;
    Ok(forgotten)
}

async fn fail_jobs_without_input(
    transaction: &mut PgConnection,
    project_id: &str,
    digest: &str,
) -> Result<Vec<Uuid>, Error> {
    let jobs: Vec<Uuid> = sqlx::query_scalar(include_str!("jobs_reading_asset.sql"))
        .bind(project_id)
        .bind(digest)
        .fetch_all(&mut *transaction)
        .await?;
    if !jobs.is_empty() {
        let message = format!(
            "input file {digest} is damaged in the store: submit the session again to upload it afresh, or upload it and \
             retry the job"
        );
        let failure = Failure { kind: FailureKind::Storage, message };
        ending::stop_jobs(transaction, project_id, &jobs, Some(&failure)).await?;
    }
    Ok(jobs)
}

/// Withdraws the waiting tasks that these artifacts are missing from, and plans the jobs concerned anew.
async fn plan_anew(
    transaction: &mut PgConnection,
    project_id: &str,
    keys: &[String],
    planner: Planner<'_>,
) -> Result<Vec<Uuid>, Error> {
    let reading: Vec<Uuid> = sqlx::query_scalar(include_str!("tasks_reading.sql"))
        .bind(project_id)
        .bind(keys)
        .fetch_all(&mut *transaction)
        .await?;
    let withdrawn = ending::cancel_tasks(transaction, project_id, &reading).await?;
    let told: Vec<_> = withdrawn
        .iter()
        .map(|(task, name)| (*task, format!("{name} is planned anew: the store has damaged what it reads")))
        .collect();
    events::record_tasks(transaction, project_id, &told).await?;
    let tasks: Vec<Uuid> = withdrawn.into_iter().map(|(task, _)| task).collect();
    let stranded: Vec<Stranded> = sqlx::query_as(include_str!("stranded_jobs.sql"))
        .bind(project_id)
        .bind(&tasks)
        .bind(keys)
        .fetch_all(&mut *transaction)
        .await?;
    // An ended job keeps them: they are part of what became of it.
    sqlx::query(include_str!("unlink_tasks.sql"))
        .bind(project_id)
        .bind(&tasks)
        .bind(stranded.iter().map(|job| job.job_id).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
    let concerned: Vec<Uuid> = stranded.iter().map(|job| job.job_id).collect();
    ending::count_work(transaction, project_id, &concerned).await?;
    let mut replanned = Vec::new();
    for job in &stranded {
        // The next job finds what this one is about to make in the making.
        if replan_job(transaction, project_id, job, planner).await? {
            replanned.push(job.job_id);
        }
    }
    Ok(replanned)
}

/// Adds to a job the tasks that make what it lacks; one that cannot be planned as it was fails instead.
async fn replan_job(
    transaction: &mut PgConnection,
    project_id: &str,
    job: &Stranded,
    planner: Planner<'_>,
) -> Result<bool, Error> {
    let artifacts_of = |present: &dyn Fn(&Key) -> bool| planner(&job.document, present);
    let Some(known) = artifacts_of(&|_| true).filter(|known| {
        let keys: BTreeSet<String> = known.artifacts.keys().map(Key::to_string).collect();
        job.master_keys.iter().all(|key| keys.contains(key))
    }) else {
        let message = "the store has damaged what the job reads, and this version would render another sound: submit the \
                       session again";
        let failure = Failure { kind: FailureKind::Storage, message: message.into() };
        ending::stop_jobs(transaction, project_id, &[job.job_id], Some(&failure)).await?;
        return Ok(false);
    };
    let keys: Vec<String> = known.artifacts.keys().map(Key::to_string).collect();
    let stored = artifacts::touch(transaction, project_id, &keys).await?;
    let in_making = artifacts::in_making(transaction, project_id, &keys).await?;
    let present = |key: &Key| {
        let key = key.to_string();
        stored.contains(&key) || in_making.contains_key(&key)
    };
    let Some(mut replanned) = artifacts_of(&present) else { return Ok(false) };
    // What is stored is linked to the job already, as cached or made.
    replanned.plan.cached.retain(|(key, _)| !stored.contains(&key.to_string()));
    let owner = Owner {
        project_id,
        job_id: job.job_id,
        priority: job.priority,
        artifacts: &replanned.artifacts,
        requirements: &job.requirements.0,
    };
    let rows = Rows::of(&owner, &replanned.plan, &stored, &in_making);
    rows.insert(transaction, &owner).await?;
    rows.link(transaction, &owner).await?;
    let message = format!("the store has damaged an artifact; added {}", events::counted(replanned.plan.tasks.len()));
    events::record_jobs(transaction, project_id, &[(job.job_id, message)]).await?;
    Ok(true)
}
