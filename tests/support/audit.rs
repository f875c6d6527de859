//! Derives the truth again from the database's rows and the store's bytes, whatever the farm went through. Any test of
//! a farm may end with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use sqlx::PgPool;

use super::farm::Store;

/// What must never be found: each query gives the ids of what breaks the rule.
const RULES: [(&str, &str); 14] = [
    ("a job has not ended", "select job_id::text from job where state = 'active'"),
    (
        "a job did not end exactly once",
        "select job_id::text from event where task_id is null and job_state <> 'active'
            and not exists (
                select from event as again
                where again.job_id = event.job_id and again.task_id is null and again.message like 'to be run again:%')
         group by job_id having count(*) <> 1",
    ),
    (
        "a succeeded job lacks a task or a delivery",
        "select job.job_id::text from job
         where job.state = 'succeeded' and (
            exists (
                select from job_task join task using (project_id, task_id)
                where job_task.job_id = job.job_id and task.state <> 'succeeded')
            or exists (select from deliverable where deliverable.job_id = job.job_id and not delivered))",
    ),
    (
        "a succeeded task has not exactly one accepted attempt, its newest",
        "select task.task_id::text from task
         where task.state = 'succeeded' and not task.cached
            and array(
                select attempt from attempt where attempt.task_id = task.task_id and outcome = 'succeeded'
            ) <> array[task.attempt]",
    ),
    (
        "an accepted attempt has no succeeded task",
        "select task.task_id::text from task join attempt using (project_id, task_id)
         where attempt.outcome = 'succeeded' and task.state <> 'succeeded'
            and not exists (select from event where event.job_id = task.job_id and message like 'to be run again:%')",
    ),
    (
        "the attempts of a task are not numbered from 1 to its newest",
        "select task.task_id::text from task left join attempt using (project_id, task_id)
         group by task.project_id, task.task_id
         having count(attempt.attempt) <> task.attempt or coalesce(max(attempt.attempt), 0) <> task.attempt",
    ),
    (
        "a running attempt has no lease",
        "select task.task_id::text from task left join lease using (project_id, task_id, attempt)
         where task.state = 'running' and lease.task_id is null",
    ),
    (
        "a lease has no running attempt",
        "select lease.task_id::text from lease join task using (project_id, task_id)
         where task.state <> 'running' or task.attempt <> lease.attempt",
    ),
    (
        "an attempt is open whose task does not run",
        "select task.task_id::text from attempt join task using (project_id, task_id)
         where attempt.end_time is null and (task.state <> 'running' or task.attempt <> attempt.attempt)",
    ),
    (
        "a task counts more failures or losses than its attempts tell",
        "select task.task_id::text from task left join attempt using (project_id, task_id)
         group by task.project_id, task.task_id
         having task.failures > count(*) filter (where outcome = 'failed')
            or task.losses > count(*) filter (where outcome = 'worker_lost')",
    ),
    (
        "the events of a job have gaps",
        "select job.job_id::text from job left join event using (project_id, job_id)
         group by job.project_id, job.job_id
         having job.last_sequence <> count(event.sequence) or job.last_sequence <> coalesce(max(event.sequence), 0)",
    ),
    (
        "a worker ran more attempts at once than it has slots",
        "select begun.worker_id::text from attempt as begun
         join worker on worker.worker_id = begun.worker_id
         join attempt as beside on beside.worker_id = begun.worker_id
            and beside.start_time <= begun.start_time
            and (beside.end_time is null or beside.end_time > begun.start_time)
         group by begun.task_id, begun.attempt, begun.worker_id, worker.slots
         having count(*) > worker.slots",
    ),
    (
        "an attempt began before the one before it had ended",
        "select later.task_id::text from attempt as later
         join attempt as earlier on earlier.task_id = later.task_id and earlier.attempt = later.attempt - 1
         where earlier.end_time is null or earlier.end_time > later.start_time",
    ),
    (
        "an artifact has no blob of its size",
        "select artifact_key from artifact left join blob using (project_id, digest)
         where blob.digest is null or blob.size_bytes <> artifact.size_bytes",
    ),
];

/// What the store holds beside what the rows say.
#[derive(Debug, Default)]
pub struct Holdings {
    /// Blobs whose rows and bytes agree.
    pub blobs: usize,
    /// Blobs without a row: stored by attempts that never counted.
    pub orphans: usize,
    /// Delivered masters whose bytes are those of the artifact.
    pub masters: usize,
}

/// Everything that the rows get wrong, in words; empty when all is well.
pub async fn rows(pool: &PgPool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (rule, query) in RULES {
        let found: Vec<String> =
            sqlx::query_scalar(query).fetch_all(pool).await.unwrap_or_else(|error| panic!("{rule}: {error}"));
        wrong.extend(found.into_iter().map(|id| format!("{rule}: {id}")));
    }
    wrong
}

/// Reads every blob and every delivered master and holds them against the rows; adds what is wrong.
pub async fn store(pool: &PgPool, store: &Store, wrong: &mut Vec<String>) -> Holdings {
    let objects = store.open();
    let mut holdings = Holdings::default();
    let known: Vec<(String, String)> =
        sqlx::query_as("select project_id, digest from blob").fetch_all(pool).await.expect("the blobs are listed");
    let mut places = BTreeSet::new();
    for (project, digest) in &known {
        let place = mixdown_proto::layout::blob(project, digest);
        match digest_of(&*objects, &place).await {
            Some(found) if found == *digest => holdings.blobs += 1,
            Some(found) => wrong.push(format!("blob {digest} holds the bytes of {found}")),
            None => wrong.push(format!("blob {digest} is not in the store")),
        }
        places.insert(place);
    }
    let stored: Vec<_> = objects.list(None).try_collect().await.expect("the store is listed");
    let is_orphan = |place: &str| place.contains("/blobs/") && !places.contains(place);
    holdings.orphans = stored.iter().filter(|object| is_orphan(object.location.as_ref())).count();
    let delivered: Vec<(String, String, String, String)> = sqlx::query_as(
        "select project_id, deliver_to, file_name, digest
         from deliverable join job using (project_id, job_id) join artifact using (project_id, artifact_key)
         where delivered",
    )
    .fetch_all(pool)
    .await
    .expect("the masters are listed");
    for (project, deliver_to, file_name, digest) in delivered {
        let place = mixdown_proto::layout::delivery(&project, &deliver_to, &file_name);
        match digest_of(&*objects, &place).await {
            Some(found) if found == digest => holdings.masters += 1,
            Some(found) => wrong.push(format!("{place} holds the bytes of {found}, not of {digest}")),
            None => wrong.push(format!("{place} is not in the store")),
        }
    }
    holdings
}

async fn digest_of(objects: &dyn ObjectStore, place: &str) -> Option<String> {
    let path = Path::parse(place).expect("places are paths");
    let mut bytes = match objects.get(&path).await {
        Ok(found) => found.into_stream(),
        Err(object_store::Error::NotFound { .. }) => return None,
        Err(error) => panic!("{place}: {error}"),
    };
    let mut hasher = blake3::Hasher::new();
    while let Some(part) = bytes.next().await {
        hasher.update(&part.expect("the object is read"));
    }
    Some(hasher.finalize().to_hex().to_string())
}

impl Store {
    /// The store as the farm sees it.
    pub fn open(&self) -> Arc<dyn ObjectStore> {
        let Some(bucket) = self.url.strip_prefix("s3://") else {
            let folder = object_store::local::LocalFileSystem::new_with_prefix(&self.url);
            return Arc::new(folder.expect("the store's folder is there"));
        };
        // As in the program: a second installation means that one is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = object_store::aws::AmazonS3Builder::new().with_url(&self.url);
        for (name, value) in &self.environment {
            let key = name.to_ascii_lowercase().parse().expect("a variable of object_store");
            builder = builder.with_config(key, value);
        }
        let prefix = bucket.split_once('/').map_or("", |(_, prefix)| prefix).to_owned();
        let objects = builder.build().expect("the bucket is opened");
        Arc::new(object_store::prefix::PrefixStore::new(objects, prefix))
    }
}
