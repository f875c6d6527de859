//! Whether a task or a delivery is tried again, when, and with how much memory; whether a failure speaks against the worker
//! that had the task. The only place that decides these; pure.

use std::time::Duration;

use uuid::Uuid;

use crate::state::FailureKind;

/// Attempts that the store failed after which a task stops.
const MAX_STORAGE_FAILURES: i32 = 8;
/// Times that the store failed to put a master under its name after which its job fails: for a quarter of an hour.
const MAX_DELIVERY_FAILURES: i32 = 30;
/// Failures of the task itself after which it stops, by kind.
const MAX_RESOURCE_FAILURES: i32 = 3;
const MAX_INTERNAL_FAILURES: i32 = 2;
/// Times that a task gets a larger reservation because a worker ran out of memory.
const MAX_MEMORY_RAISES: i32 = 1;
/// How much larger it then is.
const MEMORY_FACTOR: i64 = 2;
/// Workers lost under a task after which it stops. Generous: most losses are not the task's doing.
const MAX_LOSSES: i32 = 10;
/// Different workers lost under a task after which it is held to be the killer.
const MAX_KILLED_WORKERS: usize = 3;

/// Different jobs of which a worker failed a task after which it is held to be at fault.
pub(crate) const MAX_JOBS_FAILED: i64 = 3;
/// How far back its failures count.
pub(crate) const FAILURES_COUNT_FOR: Duration = Duration::from_secs(3600);

/// A larger reservation is measured by the workers that were heard of within this time: one that misses a few heartbeats
/// still counts, one that is lost does not.
pub(crate) const WORKERS_COUNT_FOR: Duration = Duration::from_secs(30);

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// What a task has been through, the failure in question included.
#[derive(Debug, Clone, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct Tally {
    /// Attempts that failed by the task's own doing, or the worker's.
    pub failures: i32,
    /// Attempts that the store failed.
    pub storage_failures: i32,
    /// Attempts whose worker was lost.
    pub losses: i32,
    /// Names of the different workers among those lost.
    pub lost_workers: Vec<String>,
    /// Times that its reservation was raised.
    pub memory_raises: i32,
    /// What is reserved for it.
    pub memory_bytes: i64,
    /// What the largest worker that may have the task has, in steps of a reservation; `None` where one does not say.
    pub largest_worker_bytes: Option<i64>,
}

impl Tally {
    /// Whether the task is held to be what kills its workers.
    #[must_use]
    pub fn is_poison(&self) -> bool {
        self.lost_workers.len() >= MAX_KILLED_WORKERS
    }
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt, not before this delay has passed.
    Again {
        /// Counted from now, by the database's clock.
        delay: Duration,
    },
    /// Another attempt at once, with this much memory reserved.
    AgainWithMemory {
        /// More than before.
        memory_bytes: i64,
    },
    /// The task has failed for good.
    Stop,
}

/// Decides what follows attempt `attempt` of a task, which failed with `kind`.
#[must_use]
pub fn decide(kind: FailureKind, tally: &Tally, task_id: Uuid, attempt: i32) -> Decision {
    let (count, limit) = match kind {
        // The same session and the same bytes fail the same way everywhere.
        FailureKind::BadSession | FailureKind::BadMedia => return Decision::Stop,
        FailureKind::OutOfMemory => return with_more_memory(tally),
        FailureKind::Storage => (tally.storage_failures, MAX_STORAGE_FAILURES),
        FailureKind::Resource => (tally.failures, MAX_RESOURCE_FAILURES),
        FailureKind::Internal => (tally.failures, MAX_INTERNAL_FAILURES),
        FailureKind::WorkerLost if tally.is_poison() => return Decision::Stop,
        FailureKind::WorkerLost => (tally.losses, MAX_LOSSES),
    };
    if count >= limit {
        return Decision::Stop;
    }
    Decision::Again { delay: backoff(kind, count).mul_f64(jitter(task_id, attempt)) }
}

/// Decides when a master is put under its name again which the store failed this often; `None` if never.
#[must_use]
pub fn decide_delivery(failures: i32, job_id: Uuid) -> Option<Duration> {
    let delay = backoff(FailureKind::Storage, failures).mul_f64(jitter(job_id, failures));
    (failures < MAX_DELIVERY_FAILURES).then_some(delay)
}

/// Whether a failure may be the worker's doing. A session or a file that is broken is not; nor is a store that fails, or one
/// outage would set the whole farm aside; nor a reservation that was too small; nor the loss of a worker, which a power cut
/// or a network brings upon many at once.
#[must_use]
pub fn speaks_against_worker(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Resource | FailureKind::Internal => true,
        FailureKind::BadSession
        | FailureKind::BadMedia
        | FailureKind::OutOfMemory
        | FailureKind::Storage
        | FailureKind::WorkerLost => false,
    }
}

/// Once more with a larger reservation, as far as any worker could grant it: a larger one would wait for ever.
fn with_more_memory(tally: &Tally) -> Decision {
    let wanted = tally.memory_bytes.saturating_mul(MEMORY_FACTOR);
    let memory_bytes = tally.largest_worker_bytes.map_or(wanted, |largest| wanted.min(largest));
    if tally.memory_raises >= MAX_MEMORY_RAISES || memory_bytes <= tally.memory_bytes {
        return Decision::Stop;
    }
    Decision::AgainWithMemory { memory_bytes }
}

/// Doubles from half a second to a minute. The first loss of a worker costs no delay: the next worker is as good as any.
fn backoff(kind: FailureKind, count: i32) -> Duration {
    let doublings = match kind {
        FailureKind::WorkerLost => count - 2,
        _ => count - 1,
    };
    match u32::try_from(doublings) {
        Ok(doublings) => FIRST_DELAY.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_DELAY),
        Err(_) => Duration::ZERO,
    }
}

/// From 0.5 to 1, so that tasks which failed together do not come back together. Drawn from task and attempt, so that
/// whoever computes it gets the same.
fn jitter(task_id: Uuid, attempt: i32) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(task_id.as_bytes()).update(&attempt.to_le_bytes());
    let [first, second, ..] = *hasher.finalize().as_bytes();
    0.5 + f64::from(u16::from_le_bytes([first, second])) / f64::from(u16::MAX) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(failures: i32) -> Tally {
        Tally { failures, ..Tally::default() }
    }

    fn delay(decision: Decision) -> Duration {
        match decision {
            Decision::Again { delay } => delay,
            other => panic!("expected another attempt, got {other:?}"),
        }
    }

    #[test]
    fn what_repeats_is_never_tried_again() {
        for kind in [FailureKind::BadSession, FailureKind::BadMedia] {
            assert_eq!(decide(kind, &failed(1), Uuid::nil(), 1), Decision::Stop);
        }
    }

    #[test]
    fn storage_is_tried_again_with_doubling_delays_and_stops() {
        let task_id = Uuid::from_u128(7);
        let tally = |storage_failures| Tally { storage_failures, ..Tally::default() };
        for (count, millis) in (1..8).zip([500, 1000, 2000, 4000, 8000, 16000, 32000]) {
            let delay = delay(decide(FailureKind::Storage, &tally(count), task_id, count));
            let (least, most) = (Duration::from_millis(millis / 2), Duration::from_millis(millis));
            assert!((least..=most).contains(&delay), "{delay:?} after {count} failures");
        }
        assert_eq!(decide(FailureKind::Storage, &tally(8), task_id, 8), Decision::Stop);
    }

    #[test]
    fn tasks_that_failed_together_come_back_spread_over_half_the_delay() {
        let of = |number| delay(decide(FailureKind::Internal, &failed(1), Uuid::from_u128(number), 1));
        let delays: Vec<Duration> = (0..1000).map(of).collect();
        assert_eq!(of(3), delays[3], "the same task and attempt wait the same");
        // Uniform over 250 ms: each tenth of it holds about a hundred of a thousand, 60 to 140 by more than 4 sigma.
        for tenth in 0..10 {
            let from = Duration::from_millis(250 + 25 * tenth);
            let held = delays.iter().filter(|delay| (from..from + Duration::from_millis(25)).contains(*delay)).count();
            assert!((60..=140).contains(&held), "{held} delays from {from:?} on");
        }
    }

    #[test]
    fn workers_lost_the_store_and_the_task_itself_are_counted_apart() {
        let tally = Tally { failures: 7, storage_failures: 7, losses: 1, ..Tally::default() };
        let again = Decision::Again { delay: Duration::ZERO };
        assert_eq!(decide(FailureKind::WorkerLost, &tally, Uuid::nil(), 1), again);
        let tally = Tally { failures: 1, storage_failures: 7, losses: 9, ..Tally::default() };
        assert!(matches!(decide(FailureKind::Internal, &tally, Uuid::nil(), 1), Decision::Again { .. }));
        let tally = Tally { failures: 9, storage_failures: 1, losses: 9, ..Tally::default() };
        assert!(matches!(decide(FailureKind::Storage, &tally, Uuid::nil(), 1), Decision::Again { .. }));
    }

    #[test]
    fn a_task_that_kills_three_different_workers_stops() {
        let tally = |losses, workers: usize| Tally {
            losses,
            lost_workers: (0..workers).map(|worker| format!("worker {worker}")).collect(),
            ..Tally::default()
        };
        let decide = |tally: Tally| decide(FailureKind::WorkerLost, &tally, Uuid::nil(), 1);
        assert!(matches!(decide(tally(2, 2)), Decision::Again { .. }));
        assert_eq!(decide(tally(3, 3)), Decision::Stop);
        assert!(matches!(decide(tally(9, 1)), Decision::Again { .. }));
        assert_eq!(decide(tally(10, 1)), Decision::Stop);
    }

    #[test]
    fn a_lack_of_memory_is_tried_once_more_with_twice_as_much_or_what_the_largest_worker_has() {
        let tally = |memory_raises, largest_worker_bytes| Tally {
            memory_bytes: 1000,
            memory_raises,
            largest_worker_bytes,
            ..Tally::default()
        };
        let decide = |tally: Tally| decide(FailureKind::OutOfMemory, &tally, Uuid::nil(), 1);
        assert_eq!(decide(tally(0, None)), Decision::AgainWithMemory { memory_bytes: 2000 });
        assert_eq!(decide(tally(0, Some(9000))), Decision::AgainWithMemory { memory_bytes: 2000 });
        assert_eq!(decide(tally(0, Some(1500))), Decision::AgainWithMemory { memory_bytes: 1500 });
        assert_eq!(decide(tally(0, Some(1000))), Decision::Stop);
        assert_eq!(decide(tally(1, Some(9000))), Decision::Stop);
    }
}
