//! Looks at blobs that somebody found damaged, and has them made anew.

use sqlx::PgPool;

use crate::blobs::{Soundness, Store};
use crate::planning;
use crate::queue::damage::{self, Forgotten};
use crate::unavailable::Unavailable;

/// Looks at a blob of which somebody says that the store has damaged or lost it; if so, has it forgotten and what live jobs
/// need of it planned anew. What cannot be looked at now is left as it is: whoever needs it will say so again.
pub(crate) async fn look_at(pool: &PgPool, store: &Store, project_id: &str, digest: &str) {
    let done = async {
        match store.look_at(project_id, digest).await? {
            Soundness::Sound => Ok(None),
            Soundness::Damaged => {
                let planner = |document: &str, present: &dyn Fn(&mixdown_dsp::plan::Key) -> bool| {
                    tokio::task::block_in_place(|| planning::replan(document, present))
                };
                Ok::<_, Unavailable>(Some(damage::forget(pool, project_id, digest, &planner).await?))
            }
        }
    };
    match done.await {
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
}
