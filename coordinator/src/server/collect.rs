//! Collects garbage: artifacts beyond their bounds, blobs that nothing refers to, objects in the store that no row knows.

use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use sqlx::PgPool;

use crate::blobs::{self, Object, Store};
use crate::queue::garbage::{self, Amount, Bounds};
use crate::unavailable::Unavailable;
use crate::unfinished;

/// An object that no row knows is left alone for this long, unless told otherwise: somebody may be about to record it. By
/// the store's and this machine's clocks, which may differ by hours.
pub(crate) const ORPHAN_GRACE: Duration = Duration::from_secs(24 * 3600);

/// What went, or would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Collected {
    /// Artifacts that were forgotten.
    pub artifacts: Amount,
    /// Blobs that nothing referred to.
    pub blobs: Amount,
    /// Objects that no row knew, and files that were never finished.
    pub orphans: Amount,
}

/// Collects everything.
pub(crate) async fn collect(
    pool: &PgPool,
    store: &Store,
    bounds: &Bounds,
    orphan_grace: Duration,
    dry_run: bool,
) -> Result<Collected, Unavailable> {
    let mut collected = Collected::default();
    if dry_run {
        (collected.artifacts, collected.blobs) = garbage::would_drop(pool, bounds).await?;
    } else {
        (collected.artifacts, collected.blobs) = known(pool, store, bounds).await?;
    }
    collected.orphans = orphans(pool, store, orphan_grace, dry_run).await?;
    Ok(collected)
}

/// Forgets artifacts beyond the bounds, then deletes the blobs that nothing refers to.
pub(crate) async fn known(pool: &PgPool, store: &Store, bounds: &Bounds) -> Result<(Amount, Amount), Unavailable> {
    let artifacts = garbage::drop_artifacts(pool, bounds).await?;
    if artifacts.count > 0 {
        tracing::info!(dropped = artifacts.count, bytes = artifacts.bytes, "dropped the least recently used artifacts");
    }
    let mut blobs = Amount::default();
    while let Some(going) = garbage::next_going(pool, bounds).await? {
        let (mut deleted, mut failed) = (0, None);
        for (project_id, digest, bytes) in &going.blobs {
            if let Err(error) = delete(store, project_id, digest).await {
                failed = Some(error);
                break;
            }
            deleted += 1;
            blobs.add(*bytes);
        }
        going.forget(deleted).await?;
        if let Some(error) = failed {
            // A store that is away is not asked for every blob.
            return Err(error.into());
        }
    }
    Ok((artifacts, blobs))
}

async fn delete(store: &Store, project_id: &str, digest: &str) -> Result<(), blobs::Error> {
    store.delete(&store.blob(project_id, digest)?).await
}

/// Deletes what lies in the store and no row knows: uploads that were never settled, what a deletion left behind.
async fn orphans(pool: &PgPool, store: &Store, grace: Duration, dry_run: bool) -> Result<Amount, Unavailable> {
    /// Objects compared with the rows at once.
    const COMPARED_AT_ONCE: usize = 1000;
    let Some(old) = SystemTime::now().checked_sub(grace) else { return Ok(Amount::default()) };
    let mut amount = match store.folder().map(ToOwned::to_owned) {
        None => Amount::default(),
        Some(folder) => tokio::task::spawn_blocking(move || unfinished::drop_before(&folder, old, dry_run))
            .await
            .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
            .map_err(|source| blobs::Error::File {
                what: "clear away files that were never finished".into(),
                source,
            })?,
    };
    let mut listed = store.blobs_before(old).chunks(COMPARED_AT_ONCE);
    while let Some(objects) = listed.next().await {
        let objects: Vec<Object> = objects.into_iter().collect::<Result<_, _>>()?;
        let names: Vec<(String, String)> =
            objects.iter().map(|object| (object.project_id.clone(), object.digest.clone())).collect();
        for place in garbage::unknown(pool, &names).await? {
            let Object { project_id, digest, bytes } = &objects[place];
            if dry_run {
                amount.add(*bytes);
                continue;
            }
            let Some(_held) = garbage::hold_orphan(pool, project_id, digest).await? else { continue };
            // It may have been stored once more since it was listed.
            if store.is_older(project_id, digest, old).await? {
                delete(store, project_id, digest).await?;
                amount.add(*bytes);
            }
        }
    }
    Ok(amount)
}
