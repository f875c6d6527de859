//! The leases a worker holds: one heartbeat carries the progress of all and brings back those to be stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mixdown_proto::v1::{HeartbeatRequest, HeartbeatResponse, LeaseProgress, LeaseRef};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::link::Link;
use crate::render::Watch;

/// Names an attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseId {
    /// The task.
    pub task_id: String,
    /// The attempt: the fence.
    pub attempt: i32,
}

impl From<&LeaseId> for LeaseRef {
    fn from(id: &LeaseId) -> Self {
        Self { task_id: id.task_id.clone(), attempt: id.attempt }
    }
}

impl From<LeaseRef> for LeaseId {
    fn from(lease: LeaseRef) -> Self {
        Self { task_id: lease.task_id, attempt: lease.attempt }
    }
}

/// One lease, held until dropped.
#[derive(Debug)]
pub struct Lease {
    /// Which.
    pub id: LeaseId,
    /// Cancelled when the attempt is to stop; whatever it has made is then thrown away.
    pub stop: CancellationToken,
    /// How far its render is.
    pub watch: Arc<Watch>,
    leases: Leases,
}

impl Lease {
    /// Runs something until it is done or the lease is to stop.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        self.stop.run_until_cancelled(work).await.ok_or(Stopped)
    }
}

/// The attempt is no longer wanted: its lease is lost, or its task cancelled, or the worker leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl Drop for Lease {
    fn drop(&mut self) {
        // A render whose task was abandoned should not go on.
        self.stop.cancel();
        self.leases.lock().remove(&self.id);
    }
}

/// All leases held; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Leases {
    held: Arc<Mutex<BTreeMap<LeaseId, Held>>>,
    taken: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Held {
    /// Counts leases: the order in which they were taken.
    number: u64,
    stop: CancellationToken,
    watch: Arc<Watch>,
}

impl Leases {
    /// Takes a lease; `None` when it is held already: an answer that came twice.
    #[must_use]
    pub fn take(&self, id: LeaseId) -> Option<Lease> {
        let mut held = self.lock();
        if held.contains_key(&id) {
            return None;
        }
        let stop = CancellationToken::new();
        let watch = Arc::new(Watch::new(stop.clone()));
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        held.insert(id.clone(), Held { number, stop: stop.clone(), watch: Arc::clone(&watch) });
        Some(Lease { id, stop, watch, leases: self.clone() })
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Stops every attempt and tells which they were.
    pub fn stop_all(&self) -> Vec<LeaseRef> {
        let held = self.lock();
        held.values().for_each(|lease| lease.stop.cancel());
        held.keys().map(LeaseRef::from).collect()
    }

    /// Ends the attempt that began last because memory runs out, unless one is ending already; tells which.
    pub fn end_newest_for_memory(&self) -> Option<LeaseId> {
        let held = self.lock();
        if held.values().any(|lease| lease.watch.is_ending()) {
            return None;
        }
        let (id, newest) = held.iter().max_by_key(|(_, lease)| lease.number)?;
        newest.watch.end_for_memory();
        Some(id.clone())
    }

    fn stop(&self, id: &LeaseId) {
        // A lease that ended meanwhile is no longer here; the coordinator could not know.
        if let Some(lease) = self.lock().get(id) {
            tracing::info!(task.id = id.task_id, task.attempt = id.attempt, "told to stop");
            lease.stop.cancel();
        }
    }

    fn progress(&self) -> Vec<LeaseProgress> {
        let of = |(id, held): (&LeaseId, &Held)| LeaseProgress {
            task_id: id.task_id.clone(),
            attempt: id.attempt,
            progress: held.watch.progress(),
        };
        self.lock().iter().map(of).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a beat waits for its answer, unless beats are further apart than that.
const BEAT_PATIENCE: Duration = Duration::from_secs(2);

/// Heartbeats for ever; cancels `drain` when the coordinator asks for it.
///
/// A beat that is not answered in time is given up: the next one says the same, and more recently. A worker that cannot
/// reach its coordinator goes on rendering: only the coordinator knows whether a lease is lost, and the fence keeps a
/// stale worker from settling.
pub async fn heartbeat(link: Link, worker_id: String, leases: Leases, every: Duration, drain: CancellationToken) {
    let mut beats = tokio::time::interval_at(Instant::now() + every, every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut set_aside = String::new();
    loop {
        beats.tick().await;
        let request = HeartbeatRequest { worker_id: worker_id.clone(), leases: leases.progress() };
        let beat = link.call_once(BEAT_PATIENCE.max(every * 2), request, |mut client, request| async move {
            client.heartbeat(request).await
        });
        match beat.await {
            Ok(HeartbeatResponse { stop, drain: told_to_drain, quarantine_reason }) => {
                stop.into_iter().for_each(|lease| leases.stop(&lease.into()));
                if told_to_drain {
                    drain.cancel();
                }
                if quarantine_reason != set_aside {
                    match quarantine_reason.as_str() {
                        "" => tracing::info!("released from quarantine"),
                        reason => tracing::error!("quarantined: {reason}; `mixdown workers release` ends it"),
                    }
                    set_aside = quarantine_reason;
                }
            }
            Err(status) => tracing::warn!(code = ?status.code(), message = status.message(), "no heartbeat"),
        }
    }
}
