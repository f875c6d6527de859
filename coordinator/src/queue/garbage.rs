//! What may be dropped: artifacts by size and age, then the blobs that nothing refers to.
//!
//! A blob is marked as going in a transaction of its own; from then on nobody is told that it is there. Its row goes in a second
//! one, which ends after its bytes are deleted: whoever stores the same blob meanwhile waits for the row, and then finds that
//! the bytes are gone. A coordinator that is stopped on the way leaves a marked row to the next collection.

use std::time::Duration;

use sqlx::{PgPool, Postgres, Transaction};

use super::{Error, begin};

/// Blobs deleted in one transaction: few, for others may wait for their rows.
const BLOBS_AT_ONCE: i64 = 20;

/// What to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Bytes of artifacts that can be made again, at most; `None` for any number.
    pub artifact_bytes: Option<u64>,
    /// Artifacts and input files that were not used for this long go; `None` keeps them.
    pub older_than: Option<Duration>,
    /// Whether masters go by age too.
    pub masters: bool,
}

/// A number of things and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow, serde::Serialize, serde::Deserialize)]
pub struct Amount {
    /// How many.
    pub count: i64,
    /// Their bytes.
    pub bytes: i64,
}

impl Amount {
    /// Adds one thing.
    pub fn add(&mut self, bytes: i64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

impl Bounds {
    fn seconds(&self) -> Option<f64> {
        self.older_than.map(|age| age.as_secs_f64())
    }

    async fn forget(&self, transaction: &mut Transaction<'static, Postgres>) -> Result<Amount, Error> {
        let (count, bytes) = sqlx::query_as(include_str!("drop_artifacts.sql"))
            .bind(self.artifact_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)))
            .bind(self.seconds())
            .bind(self.masters)
            .fetch_one(&mut **transaction)
            .await?;
        Ok(Amount { count, bytes })
    }
}

/// Forgets artifacts beyond the bounds; what unfinished tasks read and active jobs deliver never goes. Their blobs become
/// unreferenced; [`next_going`] finds them.
///
/// # Errors
/// When the database fails.
pub async fn drop_artifacts(pool: &PgPool, bounds: &Bounds) -> Result<Amount, Error> {
    if let (Some(bytes), None) = (bounds.artifact_bytes, bounds.older_than) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let exceeded: bool =
            sqlx::query_scalar(include_str!("artifacts_exceed.sql")).bind(bytes).fetch_one(pool).await?;
        if !exceeded {
            return Ok(Amount::default());
        }
    }
    let mut transaction = begin(pool).await?;
    let dropped = bounds.forget(&mut transaction).await?;
    transaction.commit().await?;
    Ok(dropped)
}

/// What would go: artifacts, then blobs. Changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn would_drop(pool: &PgPool, bounds: &Bounds) -> Result<(Amount, Amount), Error> {
    let mut transaction = begin(pool).await?;
    let artifacts = bounds.forget(&mut transaction).await?;
    let (count, bytes) = sqlx::query_as(include_str!("count_unreferenced_blobs.sql"))
        .bind(bounds.seconds())
        .fetch_one(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    Ok((artifacts, Amount { count, bytes }))
}

/// Blobs that are going, their rows held: delete their bytes, then [`forget`](Self::forget) them. Dropped without that, they
/// stay marked.
#[derive(Debug)]
pub struct Going {
    /// Whose, which and how large: project, digest, bytes.
    pub blobs: Vec<(String, String, i64)>,
    transaction: Transaction<'static, Postgres>,
}

impl Going {
    /// Forgets the first so many, whose bytes are deleted. The one after them, if there is one, the store did not delete: it
    /// is tried again after all others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(mut self, deleted: usize) -> Result<(), Error> {
        let (gone, left) = self.blobs.split_at(deleted.min(self.blobs.len()));
        let (projects, digests): (Vec<&str>, Vec<&str>) =
            gone.iter().map(|(project_id, digest, _)| (project_id.as_str(), digest.as_str())).unzip();
        sqlx::query(include_str!("forget_gone_blobs.sql"))
            .bind(projects)
            .bind(digests)
            .execute(&mut *self.transaction)
            .await?;
        if let Some((project_id, digest, _)) = left.first() {
            sqlx::query(include_str!("put_off_going_blob.sql"))
                .bind(project_id)
                .bind(digest)
                .execute(&mut *self.transaction)
                .await?;
        }
        Ok(self.transaction.commit().await?)
    }
}

/// Marks a few blobs that nothing refers to; gives how many.
///
/// # Errors
/// When the database fails.
pub async fn mark(pool: &PgPool, bounds: &Bounds) -> Result<u64, Error> {
    let marked = sqlx::query(include_str!("mark_unreferenced_blobs.sql"))
        .bind(bounds.seconds())
        .bind(BLOBS_AT_ONCE)
        .execute(pool)
        .await?;
    Ok(marked.rows_affected())
}

/// Finds blobs to delete, those that a collection left on the way among them; `None` when there are no more but those that
/// another collection is about.
///
/// # Errors
/// When the database fails.
pub async fn next_going(pool: &PgPool, bounds: &Bounds) -> Result<Option<Going>, Error> {
    loop {
        let marked = mark(pool, bounds).await?;
        let mut transaction = pool.begin().await?;
        let blobs: Vec<(String, String, i64)> = sqlx::query_as(include_str!("lock_going_blobs.sql"))
            .bind(BLOBS_AT_ONCE)
            .fetch_all(&mut *transaction)
            .await?;
        if !blobs.is_empty() {
            return Ok(Some(Going { blobs, transaction }));
        }
        if marked == 0 {
            return Ok(None);
        }
        // Another collection has taken what was marked here.
    }
}

/// Which of the objects that lie in the store no row knows, by their place in the list of project and digest.
///
/// # Errors
/// When the database fails.
pub async fn unknown(pool: &PgPool, objects: &[(String, String)]) -> Result<Vec<usize>, Error> {
    let (projects, digests): (Vec<&str>, Vec<&str>) =
        objects.iter().map(|(project_id, digest)| (project_id.as_str(), digest.as_str())).unzip();
    let places: Vec<i32> =
        sqlx::query_scalar(include_str!("unknown_blobs.sql")).bind(projects).bind(digests).fetch_all(pool).await?;
    Ok(places.into_iter().filter_map(|place| usize::try_from(place).ok()).collect())
}

/// The place of an orphan, held: nobody records the same blob until it is dropped.
#[derive(Debug)]
pub struct Orphan {
    _transaction: Transaction<'static, Postgres>,
}

/// Holds the place of an object that no row knows, for its deletion; `None` when a row knows it by now, or its project is
/// not known: then it is not ours to delete.
///
/// # Errors
/// When the database fails.
pub async fn hold_orphan(pool: &PgPool, project_id: &str, digest: &str) -> Result<Option<Orphan>, Error> {
    let mut transaction = pool.begin().await?;
    let held: Option<String> = sqlx::query_scalar(include_str!("claim_orphan.sql"))
        .bind(project_id)
        .bind(digest)
        .fetch_optional(&mut *transaction)
        .await?;
    // Rolled back when dropped: the row was never meant to stay.
    Ok(held.map(|_| Orphan { _transaction: transaction }))
}
