//! Artifacts that are stored: used again, recorded, dropped when they take too much room.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Error, begin};

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

/// Forgets the least recently used artifacts until those that can be made again take at most `artifact_bytes` over all
/// projects; gives how many. Masters, and what unfinished tasks read, are never forgotten. Their blobs become
/// unreferenced; [`next_unreferenced_blob`] finds them.
///
/// # Errors
/// When the database fails.
pub async fn drop_least_recently_used(pool: &PgPool, artifact_bytes: i64) -> Result<u64, Error> {
    let mut transaction = begin(pool).await?;
    let dropped =
        sqlx::query(include_str!("drop_artifacts.sql")).bind(artifact_bytes).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(dropped.rows_affected())
}

/// A blob that nothing refers to, its row deleted in a transaction that is still open: delete the bytes, then commit.
#[derive(Debug)]
pub struct UnreferencedBlob {
    /// Whose it was.
    pub project_id: String,
    /// Its digest.
    pub digest: String,
    transaction: sqlx::Transaction<'static, sqlx::Postgres>,
}

impl UnreferencedBlob {
    /// Confirms that the bytes are deleted.
    ///
    /// # Errors
    /// When the database fails; the row is then still there, and the blob is found again.
    pub async fn forget(self) -> Result<(), Error> {
        Ok(self.transaction.commit().await?)
    }
}

/// Finds a blob that nothing refers to. Until it is forgotten, whoever records the same blob waits for its row, and then
/// finds that the bytes are gone.
///
/// # Errors
/// When the database fails.
pub async fn next_unreferenced_blob(pool: &PgPool) -> Result<Option<UnreferencedBlob>, Error> {
    let mut transaction = pool.begin().await?;
    let row: Option<(String, String)> =
        sqlx::query_as(include_str!("delete_unreferenced_blob.sql")).fetch_optional(&mut *transaction).await?;
    Ok(row.map(|(project_id, digest)| UnreferencedBlob { project_id, digest, transaction }))
}
