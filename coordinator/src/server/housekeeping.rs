//! What a coordinator does beside answering calls. Every coordinator does all of it; doing it twice does no harm.

use std::future::Future;
use std::time::Duration;

use sqlx::PgPool;

use super::deliver;
use crate::blobs::Store;
use crate::queue::{Error, artifacts, expire};
use crate::rpc::Farm;

const EXPIRE_EVERY: Duration = Duration::from_millis(500);
const DELIVER_EVERY: Duration = Duration::from_secs(2);
const ADVANCE_EVERY: Duration = Duration::from_secs(30);
const DROP_EVERY: Duration = Duration::from_secs(30);

/// Keeps house for ever.
pub(super) async fn run(farm: &Farm, artifact_bytes: u64) {
    tokio::join!(
        farm.wakeups.run(&farm.pool),
        every(EXPIRE_EVERY, "take expired leases away", async || expire::expire(&farm.pool).await.map(drop)),
        every(ADVANCE_EVERY, "advance old tasks", async || expire::advance_old_tasks(&farm.pool).await.map(drop)),
        every(DROP_EVERY, "drop old artifacts", async || drop_artifacts(&farm.pool, &farm.store, artifact_bytes).await),
        every(DELIVER_EVERY, "deliver masters", async || {
            deliver::pending(&farm.pool, &farm.store, None).await;
            Ok(())
        }),
    );
}

/// Does something at intervals; a failure is logged, and the next turn tries again.
async fn every<F: Future<Output = Result<(), Error>>>(interval: Duration, what: &str, action: impl Fn() -> F) {
    let mut turns = tokio::time::interval(interval);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if let Err(error) = action().await {
            tracing::warn!(error = %crate::rpc::describe(&error), "cannot {what} now");
        }
    }
}

/// Forgets artifacts beyond the bound, then deletes the blobs that nothing refers to.
pub(crate) async fn drop_artifacts(pool: &PgPool, store: &Store, artifact_bytes: u64) -> Result<(), Error> {
    let bound = i64::try_from(artifact_bytes).unwrap_or(i64::MAX);
    let dropped = artifacts::drop_least_recently_used(pool, bound).await?;
    if dropped > 0 {
        tracing::info!(dropped, artifact_bytes, "dropped the least recently used artifacts");
    }
    while let Some(blob) = artifacts::next_unreferenced_blob(pool).await? {
        let deleted = match store.blob(&blob.project_id, &blob.digest) {
            Ok(place) => store.delete(&place).await,
            Err(error) => Err(error),
        };
        match deleted {
            Ok(()) => blob.forget().await?,
            Err(error) => {
                tracing::warn!(error = %crate::rpc::describe(&error), "an unreferenced blob stays for now");
                return Ok(());
            }
        }
    }
    Ok(())
}
