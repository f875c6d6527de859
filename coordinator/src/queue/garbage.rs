//! What may be dropped: artifacts by size and age, then the blobs that nothing refers to.
//!
//! The row of a blob goes before its bytes, in a transaction that ends after them: whoever stores or needs the same blob
//! meanwhile waits for the row, and then finds that the bytes are gone.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
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
/// unreferenced; [`next_unreferenced`] finds them.
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

/// Blobs that nothing refers to, their rows deleted in a transaction that is still open: delete the bytes, then
/// [`forget`](Self::forget).
#[derive(Debug)]
pub struct Unreferenced {
    /// Whose, which and how large: project, digest, bytes.
    pub blobs: Vec<(String, String, i64)>,
    transaction: Transaction<'static, Postgres>,
}

impl Unreferenced {
    /// Forgets them, also where bytes could not be deleted: those are orphans then, which a later collection finds. A row
    /// that stayed would promise bytes that may be gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(self) -> Result<(), Error> {
        Ok(self.transaction.commit().await?)
    }
}

/// Finds blobs that nothing refers to; `None` when there are no more but those that another collection is about.
///
/// # Errors
/// When the database fails.
pub async fn next_unreferenced(pool: &PgPool, bounds: &Bounds) -> Result<Option<Unreferenced>, Error> {
    let mut transaction = pool.begin().await?;
    let blobs: Vec<(String, String, i64)> = sqlx::query_as(include_str!("delete_unreferenced_blobs.sql"))
        .bind(bounds.seconds())
        .bind(BLOBS_AT_ONCE)
        .fetch_all(&mut *transaction)
        .await?;
    Ok((!blobs.is_empty()).then_some(Unreferenced { blobs, transaction }))
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
