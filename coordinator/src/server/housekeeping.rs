//! What a coordinator does beside answering calls. Every coordinator does all of it; doing it twice does no harm.

use std::future::Future;
use std::time::Duration;

use super::{collect, deliver};
use crate::queue::garbage::Bounds;
use crate::queue::{Error, archive, deliveries, expire};
use crate::rpc::Farm;
use crate::unavailable::Unavailable;

const EXPIRE_EVERY: Duration = Duration::from_millis(500);
const MEND_EVERY: Duration = Duration::from_secs(30);
const TIDY_EVERY: Duration = Duration::from_secs(30);
const DROP_EVERY: Duration = Duration::from_secs(30);
const ARCHIVE_EVERY: Duration = Duration::from_secs(5);
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Keeps house for ever.
pub(super) async fn run(farm: &Farm, artifact_bytes: u64, archive_after: Duration) {
    tokio::join!(
        farm.wakeups.run(&farm.pool),
        every(EXPIRE_EVERY, "take expired leases away", async || expire::expire(&farm.pool).await.map(drop)),
        every(TIDY_EVERY, "tidy the queue", async || expire::tidy(&farm.pool).await),
        every(DROP_EVERY, "drop old artifacts", async || collect(farm, artifact_bytes).await),
        every(ARCHIVE_EVERY, "archive old jobs", async || archive::archive(&farm.pool, archive_after).await.map(drop)),
        every(FORGET_EVERY, "forget old workers", async || {
            archive::forget_workers(&farm.pool, archive_after).await.map(drop)
        }),
        every(MEND_EVERY, "look at contested names", async || deliver::mend_contested(&farm.pool, &farm.store).await),
        every(FORGET_EVERY, "forget old names", async || deliveries::tidy(&farm.pool).await),
        deliver::run(farm),
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

/// Drops artifacts beyond the bound. Orphans are for whoever asks: finding them takes a listing of the whole store.
async fn collect(farm: &Farm, artifact_bytes: u64) -> Result<(), Error> {
    let bounds = Bounds { artifact_bytes: Some(artifact_bytes), ..Bounds::default() };
    match collect::known(&farm.pool, &farm.store, &bounds).await {
        Ok(_) => Ok(()),
        Err(Unavailable::Queue(error)) => Err(error),
        Err(Unavailable::Store(error)) => {
            tracing::warn!(error = %crate::rpc::describe(&error), "an unreferenced blob stays for now");
            Ok(())
        }
    }
}
