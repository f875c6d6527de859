//! Looks at blobs that somebody found damaged, and has them made anew.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;

use crate::blobs::{self, Soundness, Store};
use crate::planning;
use crate::queue::damage::{self, Forgotten};
use crate::unavailable::Unavailable;

/// The pauses between looks at a blob that is found damaged: together longer than a gateway or a network that spoils what
/// passes goes unnoticed, and shorter than the attempts of a task that the store fails take, so that a task is withdrawn
/// before it stops.
const LOOK_AGAIN_AFTER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// What mends; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Mender {
    pool: PgPool,
    store: Store,
    /// Blobs that are being looked at, by project and digest: a stem that is read by a hundred tasks is read once for all.
    // A plain mutex: nothing is awaited while it is held.
    under_way: Arc<Mutex<BTreeSet<(String, String)>>>,
}

impl Mender {
    pub(crate) fn new(pool: PgPool, store: Store) -> Self {
        Self { pool, store, under_way: Arc::default() }
    }

    /// Looks at blobs, whoever is still there to hear of it.
    pub(crate) fn begin(&self, project_id: String, digests: Vec<String>) {
        for digest in digests {
            let (mender, project_id) = (self.clone(), project_id.clone());
            tokio::spawn(async move { mender.look_at(&project_id, &digest).await });
        }
    }

    /// Looks at a blob of which somebody says that the store has damaged or lost it; if it stays so, has it forgotten and what
    /// live jobs need of it planned anew. What cannot be looked at now is left as it is: whoever needs it will say so again.
    pub(crate) async fn look_at(&self, project_id: &str, digest: &str) {
        let blob = (project_id.to_owned(), digest.to_owned());
        let looking = || self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if !looking().insert(blob.clone()) {
            return;
        }
        match self.mend(project_id, digest).await {
            Ok(None) => tracing::info!(digest, "the store has this blob whole; whoever found it damaged was misled"),
            Ok(Some(Forgotten { artifacts, replanned, failed })) => tracing::error!(
                project.id = project_id,
                digest,
                artifacts = artifacts.len(),
                "the store has damaged a blob: {} jobs make it again, {} need it uploaded again",
                replanned.len(),
                failed.len()
            ),
            Err(error) => tracing::warn!(error = %crate::rpc::describe(&error), digest, "cannot look at a blob now"),
        }
        looking().remove(&blob);
    }

    async fn mend(&self, project_id: &str, digest: &str) -> Result<Option<Forgotten>, Unavailable> {
        if !stays_damaged(|| self.store.look_at(project_id, digest)).await? {
            return Ok(None);
        }
        let planner = |document: &str, present: &dyn Fn(&mixdown_dsp::plan::Key) -> bool| {
            tokio::task::block_in_place(|| planning::replan(document, present))
        };
        Ok(Some(damage::forget(&self.pool, project_id, digest, &planner).await?))
    }
}

/// Whether every look finds damage: what one look finds sound is.
async fn stays_damaged<F: Future<Output = Result<Soundness, blobs::Error>>>(
    look: impl Fn() -> F,
) -> Result<bool, blobs::Error> {
    for pause in LOOK_AGAIN_AFTER {
        if look().await? == Soundness::Sound {
            return Ok(false);
        }
        tokio::time::sleep(pause).await;
    }
    Ok(look().await? == Soundness::Damaged)
}

#[cfg(test)]
mod tests {
    use mixdown_dsp::digest::Digest;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;
    use crate::retry::{self, Decision, Tally};
    use crate::state::FailureKind;

    /// Whether a blob is condemned whose store gives wrong bytes for so long.
    async fn condemned_when_wrong_for(fault: Duration) -> bool {
        let objects = Arc::new(InMemory::new());
        let store = Store::over(objects.clone());
        let digest = Digest::of(b"right").to_string();
        let place = store.blob("default", &digest).unwrap();
        objects.put(&place, "wrong".into()).await.unwrap();
        let mend = async {
            tokio::time::sleep(fault).await;
            objects.put(&place, "right".into()).await.unwrap();
        };
        let (damaged, ()) = tokio::join!(stays_damaged(|| store.look_at("default", &digest)), mend);
        damaged.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_gives_wrong_bytes_for_a_while_costs_no_blob() {
        for seconds in [0, 1, 3, 10, 14] {
            assert!(!condemned_when_wrong_for(Duration::from_secs(seconds)).await, "after {seconds} s");
        }
        assert!(condemned_when_wrong_for(Duration::from_secs(60)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_condemns_nothing() {
        let looks = std::cell::Cell::new(0);
        let look = || async {
            looks.set(looks.get() + 1);
            let source = object_store::Error::Generic { store: "test", source: "it is away".into() };
            if looks.get() < 3 {
                Ok(Soundness::Damaged)
            } else {
                Err(blobs::Error::Store { what: "look".into(), source })
            }
        };
        let began = Instant::now();
        assert!(stays_damaged(look).await.is_err());
        assert_eq!((looks.get(), began.elapsed()), (3, Duration::from_secs(3)));
    }

    #[test]
    fn tasks_are_tried_for_longer_than_a_blob_is_looked_at() {
        let looks: Duration = LOOK_AGAIN_AFTER.iter().sum();
        for task in 0..100 {
            let delays = (1..).map_while(|failures| {
                let tally = Tally { storage_failures: failures, ..Tally::default() };
                match retry::decide(FailureKind::Storage, &tally, Uuid::from_u128(task), failures) {
                    Decision::Again { delay } => Some(delay),
                    _ => None,
                }
            });
            assert!(delays.sum::<Duration>() > looks * 3 / 2, "task {task}");
        }
    }
}
