//! Queues a job: whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use mixdown_dsp::plan::{Key, Plan, TaskKind};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::request::{self, Known, Request};
use super::rows::{Owner, Rows};
use super::{Error, artifacts, ending, events, lock};
use crate::state::Priority;
use crate::wakeup;

/// A job to queue.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Whose it is.
    pub project_id: String,
    /// The call.
    pub request: Request,
    /// The job's id, should it be new.
    pub job_id: Uuid,
    /// The session document as JSON.
    pub document: String,
    /// The document's digest.
    pub session_digest: String,
    /// For people.
    pub display_name: String,
    /// Its place among the project's jobs.
    pub priority: Priority,
    /// Prefix below the project's, where masters are delivered by name.
    pub deliver_to: String,
    /// Whether a master may replace other bytes there.
    pub replace: bool,
    /// Revisions of the nodes and stages that the session uses.
    pub revisions: BTreeMap<String, u32>,
    /// Digests of the input files.
    pub assets: BTreeSet<String>,
    /// Every artifact that the session can need, with the kind of task that makes it.
    pub artifacts: BTreeMap<Key, TaskKind>,
    /// Files asked for, in the session's order: name and artifact.
    pub deliverables: Vec<(String, Key)>,
    /// What each of its tasks asks of a worker.
    pub requirements: Requirements,
}

/// What each task of a job asks of a worker, beside memory and revisions, which follow from the session.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Requirements {
    /// Slots that a task takes, 1 to 1024.
    pub slots: i32,
    /// A task takes all slots of its worker.
    pub whole_worker: bool,
    /// Memory that a task needs at least, should that be more than follows from the session.
    pub memory_bytes: i64,
    /// Labels that the worker has; sorted, each once.
    pub labels: Vec<String>,
    /// Named limits, of each of which a task holds one; sorted, each once.
    pub limits: Vec<String>,
}

impl Default for Requirements {
    fn default() -> Self {
        Self { slots: 1, whole_worker: false, memory_bytes: 0, labels: Vec::new(), limits: Vec::new() }
    }
}

/// A node or stage that sounds different from the last job of the same session.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RevisionChange {
    /// Its name.
    pub name: String,
    /// The last job's.
    pub from_revision: u32,
    /// This job's.
    pub to_revision: u32,
}

/// What came of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The job is queued, by this call or by an earlier one with the same request id.
    Queued {
        /// The job.
        job_id: Uuid,
        /// What sounds different from the last time.
        revision_changes: Vec<RevisionChange>,
    },
    /// Input files that were not uploaded, by digest. Nothing was queued.
    MissingAssets(Vec<String>),
    /// The request id was used for another call. Nothing was queued.
    RequestReused,
    /// Limits that nobody has set, by name. Nothing was queued.
    UnknownLimits(Vec<String>),
}

/// Queues a job. `plan` is called with a predicate for the artifacts that are stored or being made by another job of
/// the project: those are not made again; a task that needs one in the making waits for the other job's task.
///
/// # Errors
/// When the database fails.
pub async fn submit(
    pool: &PgPool,
    submission: &Submission,
    plan: impl FnOnce(&dyn Fn(&Key) -> bool) -> Plan,
) -> Result<Submitted, Error> {
    let project_id = submission.project_id.as_str();
    let mut transaction = pool.begin().await?;
    insert_session(&mut transaction, submission).await?;
    // Before the queue is locked: whoever is dropping one of these blobs at this moment is waited for.
    let missing = missing_assets(&mut transaction, submission).await?;
    lock(&mut transaction).await?;
    match request::find(&mut transaction, project_id, &submission.request).await? {
        Known::New => {}
        Known::Reused => return Ok(Submitted::RequestReused),
        Known::Answered { job_id, answer } => {
            let revision_changes = serde_json::from_value(answer).map_err(|_| Error::Corrupt {
                what: format!("the answer to request {}", submission.request.request_id),
            })?;
            return Ok(Submitted::Queued { job_id, revision_changes });
        }
    }
    if !missing.is_empty() {
        return Ok(Submitted::MissingAssets(missing));
    }
    let unknown = unknown_limits(&mut transaction, submission).await?;
    if !unknown.is_empty() {
        return Ok(Submitted::UnknownLimits(unknown));
    }
    let keys: Vec<String> = submission.artifacts.keys().map(Key::to_string).collect();
    let stored = artifacts::touch(&mut transaction, project_id, &keys).await?;
    let in_making = artifacts::in_making(&mut transaction, project_id, &keys).await?;
    let plan = plan(&|key| {
        let key = key.to_string();
        stored.contains(&key) || in_making.contains_key(&key)
    });
    let revision_changes = changes_since_last_job(&mut transaction, submission).await?;

    insert_job(&mut transaction, submission).await?;
    let owner = Owner {
        project_id,
        job_id: submission.job_id,
        priority: submission.priority as i16,
        artifacts: &submission.artifacts,
        requirements: &submission.requirements,
    };
    let rows = Rows::of(&owner, &plan, &stored, &in_making);
    rows.insert(&mut transaction, &owner).await?;
    rows.link(&mut transaction, &owner).await?;
    let told = [(submission.job_id, format!("queued with {}", events::counted(plan.tasks.len() + plan.cached.len())))];
    events::record_jobs(&mut transaction, project_id, &told).await?;
    let cached: Vec<_> = rows
        .tasks
        .iter()
        .filter(|task| task.spec.is_none())
        .map(|task| (task.task_id, format!("{} is cached", task.display_name)))
        .collect();
    events::record_tasks(&mut transaction, project_id, &cached).await?;
    ending::finish_jobs(&mut transaction, project_id, &[submission.job_id]).await?;

    let answer = serde_json::to_value(&revision_changes).map_err(|_| Error::Corrupt { what: "the answer".into() })?;
    request::remember(&mut transaction, project_id, &submission.request, submission.job_id, &answer).await?;
    wakeup::notify_task(&mut transaction).await?;
    transaction.commit().await?;
    Ok(Submitted::Queued { job_id: submission.job_id, revision_changes })
}

async fn insert_session(transaction: &mut PgConnection, submission: &Submission) -> Result<(), Error> {
    sqlx::query(include_str!("insert_session.sql"))
        .bind(&submission.project_id)
        .bind(&submission.session_digest)
        .bind(&submission.document)
        .execute(transaction)
        .await?;
    Ok(())
}

async fn missing_assets(transaction: &mut PgConnection, submission: &Submission) -> Result<Vec<String>, Error> {
    let digests: Vec<&str> = submission.assets.iter().map(String::as_str).collect();
    Ok(sqlx::query_scalar(include_str!("missing_blobs.sql"))
        .bind(&submission.project_id)
        .bind(digests)
        .fetch_all(transaction)
        .await?)
}

async fn unknown_limits(transaction: &mut PgConnection, submission: &Submission) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(include_str!("unknown_limits.sql"))
        .bind(&submission.requirements.limits)
        .fetch_all(transaction)
        .await?)
}

async fn changes_since_last_job(
    transaction: &mut PgConnection,
    submission: &Submission,
) -> Result<Vec<RevisionChange>, Error> {
    let last: Option<sqlx::types::Json<BTreeMap<String, u32>>> =
        sqlx::query_scalar(include_str!("revisions_of_last_job.sql"))
            .bind(&submission.project_id)
            .bind(&submission.session_digest)
            .fetch_optional(transaction)
            .await?;
    let Some(last) = last else { return Ok(Vec::new()) };
    let changed = submission.revisions.iter().filter_map(|(name, to_revision)| {
        let from_revision = *last.0.get(name)?;
        (from_revision != *to_revision).then(|| RevisionChange {
            name: name.clone(),
            from_revision,
            to_revision: *to_revision,
        })
    });
    Ok(changed.collect())
}

async fn insert_job(transaction: &mut PgConnection, submission: &Submission) -> Result<(), Error> {
    sqlx::query(include_str!("insert_job.sql"))
        .bind(&submission.project_id)
        .bind(submission.job_id)
        .bind(&submission.session_digest)
        .bind(&submission.display_name)
        .bind(submission.priority as i16)
        .bind(&submission.deliver_to)
        .bind(submission.replace)
        .bind(serde_json::json!(submission.revisions))
        .bind(sqlx::types::Json(&submission.requirements))
        .execute(&mut *transaction)
        .await?;
    let (names, keys): (Vec<&str>, Vec<String>) =
        submission.deliverables.iter().map(|(name, key)| (name.as_str(), key.to_string())).unzip();
    sqlx::query(include_str!("insert_deliverables.sql"))
        .bind(&submission.project_id)
        .bind(submission.job_id)
        .bind(names)
        .bind(keys)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(include_str!("insert_job_assets.sql"))
        .bind(&submission.project_id)
        .bind(submission.job_id)
        .bind(submission.assets.iter().map(String::as_str).collect::<Vec<_>>())
        .execute(transaction)
        .await?;
    Ok(())
}
