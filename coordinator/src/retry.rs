//! Whether a task is tried again, and when. The only place that decides it; pure.

use std::time::Duration;

use crate::state::FailureKind;

/// Failures of the task itself after which it stops, by kind.
const MAX_STORAGE_FAILURES: i32 = 8;
const MAX_RESOURCE_FAILURES: i32 = 3;
const MAX_INTERNAL_FAILURES: i32 = 2;
/// Workers lost under a task after which it stops. Generous: most losses are not the task's doing.
const MAX_LOSSES: i32 = 10;
/// Different workers lost under a task after which it is held to be the killer.
const MAX_KILLED_WORKERS: i64 = 3;

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// What a task has been through, the failure in question included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Attempts that failed.
    pub failures: i32,
    /// Attempts whose worker was lost.
    pub losses: i32,
    /// Different workers among those lost.
    pub killed_workers: i64,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt, not before this delay has passed.
    Again {
        /// Counted from now, by the database's clock.
        delay: Duration,
    },
    /// The task has failed for good.
    Stop,
}

/// Decides what follows an attempt that failed with `kind`.
#[must_use]
pub fn decide(kind: FailureKind, tally: Tally) -> Decision {
    let (count, limit) = match kind {
        // The same session and the same bytes fail the same way everywhere.
        FailureKind::BadSession | FailureKind::BadMedia => return Decision::Stop,
        FailureKind::Storage => (tally.failures, MAX_STORAGE_FAILURES),
        FailureKind::Resource => (tally.failures, MAX_RESOURCE_FAILURES),
        FailureKind::Internal => (tally.failures, MAX_INTERNAL_FAILURES),
        FailureKind::WorkerLost if tally.killed_workers >= MAX_KILLED_WORKERS => return Decision::Stop,
        FailureKind::WorkerLost => (tally.losses, MAX_LOSSES),
    };
    if count >= limit { Decision::Stop } else { Decision::Again { delay: backoff(kind, count) } }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(failures: i32) -> Tally {
        Tally { failures, ..Tally::default() }
    }

    #[test]
    fn what_repeats_is_never_tried_again() {
        for kind in [FailureKind::BadSession, FailureKind::BadMedia] {
            assert_eq!(decide(kind, failed(1)), Decision::Stop);
        }
    }

    #[test]
    fn storage_is_tried_again_with_doubling_delays_and_stops() {
        let delays: Vec<_> = (1..=8).map(|count| decide(FailureKind::Storage, failed(count))).collect();
        let millis = [500, 1000, 2000, 4000, 8000, 16000, 32000];
        for (decision, millis) in delays.iter().zip(millis) {
            assert_eq!(*decision, Decision::Again { delay: Duration::from_millis(millis) });
        }
        assert_eq!(delays[7], Decision::Stop);
    }

    #[test]
    fn lost_workers_do_not_count_as_failures_and_failures_not_as_losses() {
        let tally = Tally { failures: 7, losses: 1, killed_workers: 1 };
        assert_eq!(decide(FailureKind::WorkerLost, tally), Decision::Again { delay: Duration::ZERO });
        let tally = Tally { failures: 1, losses: 9, killed_workers: 1 };
        assert_eq!(decide(FailureKind::Internal, tally), Decision::Again { delay: FIRST_DELAY });
    }

    #[test]
    fn a_task_that_kills_three_different_workers_stops() {
        let tally = |losses, killed_workers| Tally { failures: 0, losses, killed_workers };
        assert!(matches!(decide(FailureKind::WorkerLost, tally(2, 2)), Decision::Again { .. }));
        assert_eq!(decide(FailureKind::WorkerLost, tally(3, 3)), Decision::Stop);
        assert!(matches!(decide(FailureKind::WorkerLost, tally(9, 1)), Decision::Again { .. }));
        assert_eq!(decide(FailureKind::WorkerLost, tally(10, 1)), Decision::Stop);
    }
}
