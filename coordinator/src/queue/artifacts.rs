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

/// Says that blobs of projects are stored. The rows stay locked until the transaction ends, so that none is dropped
/// meanwhile: whoever then looks into the store sees what will be there after the commit.
pub(crate) async fn record_blobs(transaction: &mut PgConnection, made: &[(&str, &Made)]) -> Result<(), Error> {
    // In one order everywhere: two transactions that store the same blobs wait for each other instead of deadlocking.
    let blobs: BTreeMap<(&str, &str), i64> =
        made.iter().map(|(project_id, made)| ((*project_id, made.digest.as_str()), made.size_bytes)).collect();
    let (named, sizes): (Vec<(&str, &str)>, Vec<i64>) = blobs.into_iter().unzip();
    let (projects, digests): (Vec<&str>, Vec<&str>) = named.into_iter().unzip();
    sqlx::query(include_str!("record_blobs.sql")).bind(projects).bind(digests).bind(sizes).execute(transaction).await?;
    Ok(())
}

/// Says which tasks made artifacts, each named with its project. An artifact that was there already stays as it is: same
/// key, same audio.
pub(crate) async fn record(transaction: &mut PgConnection, made: &[(&str, Uuid, &Made)]) -> Result<(), Error> {
    // Two tasks of one batch may have made the same.
    let rows: BTreeMap<(&str, &str), (Uuid, &Made)> =
        made.iter().map(|(project_id, task_id, made)| ((*project_id, made.key.as_str()), (*task_id, *made))).collect();
    let made = || rows.values().map(|(_, made)| *made);
    sqlx::query(include_str!("record_artifacts.sql"))
        .bind(rows.keys().map(|(project_id, _)| *project_id).collect::<Vec<_>>())
        .bind(rows.values().map(|(task_id, _)| *task_id).collect::<Vec<_>>())
        .bind(made().map(|made| made.key.as_str()).collect::<Vec<_>>())
        .bind(made().map(|made| made.digest.as_str()).collect::<Vec<_>>())
        .bind(made().map(|made| made.size_bytes).collect::<Vec<_>>())
        .bind(made().map(|made| made.report_json.as_str()).collect::<Vec<_>>())
        .execute(transaction)
        .await?;
    Ok(())
}
