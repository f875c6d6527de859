//! Artifacts that are stored: used again, recorded.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;

/// An artifact that an attempt made and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its key.
    pub key: String,
    /// The digest of its bytes.
    pub digest: String,
    /// Their number.
    pub size_bytes: i64,
    /// For masters: what was measured and decided, as JSON; else empty.
    pub report_json: String,
}

/// Those of these artifacts that are stored; they count as used now.
pub(crate) async fn touch(
    transaction: &mut PgConnection,
    project_id: &str,
    keys: &[String],
) -> Result<BTreeSet<String>, Error> {
    let stored: Vec<String> = sqlx::query_scalar(include_str!("touch_artifacts.sql"))
        .bind(project_id)
        .bind(keys)
        .fetch_all(transaction)
        .await?;
    Ok(stored.into_iter().collect())
}

/// The unfinished task that makes each of these artifacts.
pub(crate) async fn in_making(
    transaction: &mut PgConnection,
    project_id: &str,
    keys: &[String],
) -> Result<BTreeMap<String, Uuid>, Error> {
    let rows: Vec<(String, Uuid)> =
        sqlx::query_as(include_str!("tasks_in_making.sql")).bind(project_id).bind(keys).fetch_all(transaction).await?;
    Ok(rows.into_iter().collect())
}

/// Says that the blobs of what tasks of projects made are stored. The rows stay locked until the transaction ends, so that
/// none is dropped meanwhile: whoever then looks into the store sees what will be there after the commit.
pub(crate) async fn record_blobs(transaction: &mut PgConnection, made: &[(&str, Uuid, &Made)]) -> Result<(), Error> {
    // In one order everywhere: two transactions that store the same blobs wait for each other instead of deadlocking.
    let blobs: BTreeMap<(&str, &str), i64> =
        made.iter().map(|(project_id, _, made)| ((*project_id, made.digest.as_str()), made.size_bytes)).collect();
    let (named, sizes): (Vec<(&str, &str)>, Vec<i64>) = blobs.into_iter().unzip();
    let (projects, digests): (Vec<&str>, Vec<&str>) = named.into_iter().unzip();
    sqlx::query(include_str!("record_blobs.sql")).bind(projects).bind(digests).bind(sizes).execute(transaction).await?;
    Ok(())
}

/// Says which tasks made artifacts, each named with its project. Gives those that were there already and stay as they are
/// (same key, same audio): without a lock, so that [`keep`] has to be called once the queue is locked.
pub(crate) async fn record<'a>(
    transaction: &mut PgConnection,
    made: &[(&'a str, Uuid, &'a Made)],
) -> Result<Vec<(&'a str, Uuid, &'a Made)>, Error> {
    // Two tasks of one batch may have made the same; and in one order everywhere, as blobs.
    let rows: BTreeMap<(&str, &str), (Uuid, &Made)> =
        made.iter().map(|(project_id, task_id, made)| ((*project_id, made.key.as_str()), (*task_id, *made))).collect();
    let each = || rows.values().map(|(_, made)| *made);
    let recorded: Vec<(String, String)> = sqlx::query_as(include_str!("record_artifacts.sql"))
        .bind(rows.keys().map(|(project_id, _)| *project_id).collect::<Vec<_>>())
        .bind(rows.values().map(|(task_id, _)| *task_id).collect::<Vec<_>>())
        .bind(each().map(|made| made.key.as_str()).collect::<Vec<_>>())
        .bind(each().map(|made| made.digest.as_str()).collect::<Vec<_>>())
        .bind(each().map(|made| made.size_bytes).collect::<Vec<_>>())
        .bind(each().map(|made| made.report_json.as_str()).collect::<Vec<_>>())
        .fetch_all(transaction)
        .await?;
    let recorded: BTreeSet<(&str, &str)> = recorded.iter().map(|(project, key)| (&**project, &**key)).collect();
    let known = |(project_id, _, made): &&(&str, Uuid, &Made)| !recorded.contains(&(*project_id, &*made.key));
    Ok(made.iter().filter(known).copied().collect())
}

/// Has artifacts that were there already count as used now; false if one of them was dropped since.
pub(crate) async fn keep(transaction: &mut PgConnection, known: &[(&str, Uuid, &Made)]) -> Result<bool, Error> {
    let mut keys_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (project_id, _, made) in known {
        keys_of.entry(project_id).or_default().insert(&made.key);
    }
    for (project_id, keys) in keys_of {
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        if touch(transaction, project_id, &keys).await?.len() < keys.len() {
            return Ok(false);
        }
    }
    Ok(true)
}
