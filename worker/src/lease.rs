//! The leases a worker holds: one heartbeat carries the progress of all and brings back those to be stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mixdown_proto::v1::{HeartbeatRequest, HeartbeatResponse, LeaseProgress, LeaseRef};
use tokio::sync::Notify;
use tokio::time::Instant;
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
    count: Arc<AtomicU64>,
    /// Told of every lease taken.
    taken: Arc<Notify>,
}

/// What a task takes of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Slots, at least 1.
    pub slots: usize,
    /// Bytes.
    pub memory_bytes: u64,
}

#[derive(Debug)]
struct Held {
    /// Counts leases: the order in which they were taken.
    number: u64,
    share: Share,
    stop: CancellationToken,
    watch: Arc<Watch>,
}

impl Leases {
    /// Takes a lease; `None` when it is held already: an answer that came twice.
    #[must_use]
    pub fn take(&self, id: LeaseId, share: Share) -> Option<Lease> {
        let mut held = self.lock();
        if held.contains_key(&id) {
            return None;
        }
        let stop = CancellationToken::new();
        let watch = Arc::new(Watch::new(stop.clone()));
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        held.insert(id.clone(), Held { number, share, stop: stop.clone(), watch: Arc::clone(&watch) });
        self.taken.notify_one();
        Some(Lease { id, stop, watch, leases: self.clone() })
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// What all that are held take together.
    #[must_use]
    pub fn share(&self) -> Share {
        let held = self.lock();
        Share {
            slots: held.values().map(|lease| lease.share.slots).sum(),
            memory_bytes: held.values().map(|lease| lease.share.memory_bytes).fold(0, u64::saturating_add),
        }
    }

    /// Resolves once a lease was taken that it has not told of.
    async fn taken(&self) {
        self.taken.notified().await;
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

/// How long a beat waits for its answer, beyond what it lets its coordinator hold it back.
const BEAT_PATIENCE: Duration = Duration::from_secs(2);
/// Beats are at least this far apart, unless they are to be closer.
const SPACING: Duration = Duration::from_secs(1);
/// As long as coordinators let a call wait.
const LONGEST_WAIT_SECONDS: f64 = 60.0;

/// Heartbeats for ever; cancels `drain` when the coordinator asks for it.
///
/// The coordinator holds the answer to a beat back until there is something to tell, or the next beat is due: so a
/// cancelled task is stopped at once. A beat that is not answered in time is given up: the next one says the same, and
/// more recently; so is one that does not name a lease taken since. A worker that cannot reach its coordinator goes on
/// rendering: only the coordinator knows whether a lease is lost, and the fence keeps a stale worker from settling.
pub async fn heartbeat(link: Link, worker_id: String, leases: Leases, every: Duration, drain: CancellationToken) {
    let spacing = SPACING.min(every);
    let mut sent = Instant::now();
    let mut set_aside = String::new();
    loop {
        tokio::select! {
            () = leases.taken() => {}
            () = tokio::time::sleep_until(sent + every) => {}
        }
        tokio::time::sleep_until(sent + spacing).await;
        sent = Instant::now();
        let request = HeartbeatRequest {
            worker_id: worker_id.clone(),
            leases: leases.progress(),
            wait_seconds: every.as_secs_f64().min(LONGEST_WAIT_SECONDS),
        };
        let patience = BEAT_PATIENCE.max(every) + every;
        let beat =
            link.call_once(patience, request, |mut client, request| async move { client.heartbeat(request).await });
        let taken_since = async {
            tokio::time::sleep_until(sent + spacing).await;
            leases.taken().await;
        };
        tokio::select! {
            answer = beat => match answer {
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
            },
            // For the next turn to find.
            () = taken_since => leases.taken.notify_one(),
        }
    }
}
