//! Derives the truth again from the database's rows and the store's bytes, whatever the farm went through. Any test of
//! a farm may end with it.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use mixdown_proto::layout;
use object_store::{ObjectStore, ObjectStoreExt as _};
use sqlx::PgPool;

use super::store::{Store, path};

/// What must never be found: each query gives the ids of what breaks the rule.
const RULES: [(&str, &str); 16] = [
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
        "a project ran more tasks at once than its limit",
        "select begun.project_id from attempt as begun
         join project on project.project_id = begun.project_id
         join attempt as beside on beside.project_id = begun.project_id
            and beside.start_time <= begun.start_time
            and (beside.end_time is null or beside.end_time > begun.start_time)
         where project.running_limit is not null
         group by begun.task_id, begun.attempt, begun.project_id, project.running_limit
         having count(*) > project.running_limit",
    ),
    (
        "more tasks held a named limit at once than there are of it",
        "with holder as (
            select named_limit.name, named_limit.count, attempt.task_id, attempt.attempt,
                attempt.start_time, attempt.end_time
            from attempt
            join task using (project_id, task_id)
            join demand using (project_id, demand_id)
            join named_limit on named_limit.name = any (demand.limits))
         select begun.name from holder as begun
         join holder as beside on beside.name = begun.name
            and beside.start_time <= begun.start_time
            and (beside.end_time is null or beside.end_time > begun.start_time)
         group by begun.task_id, begun.attempt, begun.name, begun.count
         having count(*) > begun.count",
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
    /// Blobs without a row, and files begun that were never moved: of attempts that did not count. Garbage collection finds
    /// them by their place.
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
    let stored: Vec<_> = objects.list(None).try_collect().await.expect("the store is listed");
    // What is left of them in the end is nobody's.
    let mut places: BTreeSet<String> = stored.into_iter().map(|object| object.location.to_string()).collect();
    places.remove(layout::IDENTITY);
    for (project, digest) in &known {
        let place = layout::blob(project, digest);
        match digest_of(&*objects, &place).await {
            Some(found) if found == *digest => holdings.blobs += 1,
            Some(found) => wrong.push(format!("blob {digest} holds the bytes of {found}")),
            None => wrong.push(format!("blob {digest} is not in the store")),
        }
        places.remove(&place);
    }
    let delivered: Vec<(String, String, String, String)> = sqlx::query_as(
        "select project_id, deliver_to, file_name, digest
         from deliverable join job using (project_id, job_id) join artifact using (project_id, artifact_key)
         where delivered",
    )
    .fetch_all(pool)
    .await
    .expect("the masters are listed");
    for (project, deliver_to, file_name, digest) in delivered {
        let place = layout::delivery(&project, &deliver_to, &file_name);
        places.remove(&place);
        match digest_of(&*objects, &place).await {
            Some(found) if found == digest => holdings.masters += 1,
            Some(found) => wrong.push(format!("{place} holds the bytes of {found}, not of {digest}")),
            None => wrong.push(format!("{place} is not in the store")),
        }
    }
    for place in places {
        if is_collectable(&place) {
            holdings.orphans += 1;
        } else {
            wrong.push(format!("{place} is nobody's, and garbage collection does not find it"));
        }
    }
    holdings
}

/// Whether garbage collection knows by its place what an object without a row is: a blob, or a file begun.
fn is_collectable(place: &str) -> bool {
    let parts: Vec<&str> = place.split('/').collect();
    match parts[..] {
        ["projects", project, "blobs", _, digest] => {
            digest.len() == 64
                && digest.bytes().all(|digit| digit.is_ascii_hexdigit())
                && place == layout::blob(project, digest)
        }
        ["projects", _, "partial", _] => true,
        _ => false,
    }
}

async fn digest_of(objects: &dyn ObjectStore, place: &str) -> Option<String> {
    let mut bytes = match objects.get(&path(place)).await {
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
