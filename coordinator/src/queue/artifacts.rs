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

/// Says that blobs are stored. The rows stay locked until the transaction ends, so that none is dropped meanwhile:
/// whoever then looks into the store sees what will be there after the commit.
pub(crate) async fn record_blobs(transaction: &mut PgConnection, project_id: &str, made: &[Made]) -> Result<(), Error> {
    // In one order everywhere: two transactions that store the same blobs wait for each other instead of deadlocking.
    let blobs: BTreeMap<&str, i64> =
        made.iter().map(|artifact| (artifact.digest.as_str(), artifact.size_bytes)).collect();
    let (digests, sizes): (Vec<&str>, Vec<i64>) = blobs.into_iter().unzip();
    sqlx::query(include_str!("record_blobs.sql"))
        .bind(project_id)
        .bind(digests)
        .bind(sizes)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Says that a task made these artifacts. An artifact that was there already stays as it is: same key, same audio.
pub(crate) async fn record(
    transaction: &mut PgConnection,
    project_id: &str,
    task_id: Uuid,
    made: &[Made],
) -> Result<(), Error> {
    sqlx::query(include_str!("record_artifacts.sql"))
        .bind(project_id)
        .bind(task_id)
        .bind(made.iter().map(|artifact| artifact.key.as_str()).collect::<Vec<_>>())
        .bind(made.iter().map(|artifact| artifact.digest.as_str()).collect::<Vec<_>>())
        .bind(made.iter().map(|artifact| artifact.size_bytes).collect::<Vec<_>>())
        .bind(made.iter().map(|artifact| artifact.report_json.as_str()).collect::<Vec<_>>())
        .execute(transaction)
        .await?;
    Ok(())
}
