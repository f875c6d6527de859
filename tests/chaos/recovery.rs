//! How long attempts that were lost with their worker took to run again, and whether a fault accounts for each.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::PgPool;
use uuid::Uuid;

use crate::farm::LEASE;

/// A fault that has passed.
#[derive(Debug, Clone)]
pub struct Passed {
    pub kind: String,
    pub begun: SystemTime,
    pub ended: SystemTime,
    /// The worker that may have lost what it held, by name.
    pub worker: Option<String>,
    /// From its beginning on that worker was not heard: from then on its leases run out.
    pub silences: bool,
    /// It kept the whole farm from handing tasks out: a coordinator's or the database's.
    pub upstream: bool,
}

impl Passed {
    /// Whether it lasted at some time between.
    pub fn overlaps(&self, from: SystemTime, to: SystemTime) -> bool {
        self.begun < to && self.ended > from
    }
}

/// A lease may be taken away so much later than it ran out.
const EXPIRY_PATIENCE: Duration = Duration::from_secs(2);

/// A claim under way for a call whose caller is gone may take so long to end.
const IN_FLIGHT: Duration = LEASE;

/// From a fault to the task running again, for an attempt that was lost with its worker.
#[derive(Debug, PartialEq, PartialOrd)]
pub struct Recovery {
    pub took: Duration,
    /// The kind of fault.
    pub after: String,
}

/// How lost attempts ran again; times ascend.
#[derive(Debug, Default)]
pub struct Recoveries {
    /// From the fault that silenced the worker, with nothing else in the way.
    pub alone: Vec<Recovery>,
    /// From the first of the faults, where another held up coordinators or the database, or the first did not silence the
    /// worker for certain.
    pub disturbed: Vec<Recovery>,
    /// Of those, from the end of the last of these faults.
    pub since_last: Vec<Recovery>,
    /// Attempts that nobody heard of: given in answer to a call whose caller was lost or given up while it was under way.
    pub unheard: usize,
    /// Attempts that were lost though no fault accounts for it.
    pub unexplained: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Lost {
    worker: String,
    task_id: Uuid,
    attempt: i32,
    start: f64,
    end: f64,
    /// Nothing where the task did not run again, or only when its client asked for more.
    again: Option<f64>,
}

impl Recoveries {
    /// Finds each lost attempt's fault and successor.
    pub async fn find(pool: &PgPool, faults: &[Passed]) -> Self {
        let lost: Vec<Lost> = sqlx::query_as(
            "select
                worker.name as worker, lost.task_id, lost.attempt,
                extract(epoch from lost.start_time)::double precision as start,
                extract(epoch from lost.end_time)::double precision as \"end\",
                extract(epoch from next.start_time)::double precision as again
             from attempt as lost
             join worker using (worker_id)
             join task using (project_id, task_id)
             left join attempt as next
                on next.project_id = lost.project_id and next.task_id = lost.task_id and next.attempt = lost.attempt + 1
                and not exists (
                    select from event
                    where event.task_id = lost.task_id and event.message = task.display_name || ' is run again'
                        and event.create_time between lost.end_time and next.start_time)
             where lost.outcome = 'worker_lost'",
        )
        .fetch_all(pool)
        .await
        .expect("the attempts are read");
        let mut recoveries = Self::default();
        lost.iter().for_each(|lost| recoveries.add(lost, faults));
        for times in [&mut recoveries.alone, &mut recoveries.disturbed, &mut recoveries.since_last] {
            times.sort_by_key(|recovery| recovery.took);
        }
        recoveries
    }

    fn add(&mut self, lost: &Lost, faults: &[Passed]) {
        let at = |seconds: f64| UNIX_EPOCH + Duration::from_secs_f64(seconds);
        let (start, end) = (at(lost.start), at(lost.end));
        let of_worker = |fault: &&Passed| fault.worker.as_ref() == Some(&lost.worker);
        let first = |from: SystemTime, to: SystemTime| {
            let near = || faults.iter().filter(move |fault| fault.overlaps(from, to));
            let own = near().filter(of_worker).min_by_key(|fault| fault.begun);
            own.or_else(|| near().filter(|fault| fault.upstream).min_by_key(|fault| fault.begun))
        };
        // What keeps a worker from being heard begins before its lease runs out.
        let heard = start.max(end - LEASE - EXPIRY_PATIENCE);
        let cause = match (first(heard, end), first(start - IN_FLIGHT, start)) {
            (Some(cause), _) => cause,
            (None, Some(before)) => {
                self.unheard += 1;
                before
            }
            (None, None) => {
                let Lost { worker, task_id, attempt, .. } = lost;
                let what = format!("attempt {attempt} of task {task_id} was lost with {worker}, without a fault");
                return self.unexplained.push(what);
            }
        };
        let Some(again) = lost.again.map(at) else { return };
        let since = |time: SystemTime| Recovery {
            took: again.duration_since(time).unwrap_or_default(),
            after: cause.kind.clone(),
        };
        let begun = cause.begun.max(start);
        let upstream = || faults.iter().filter(|fault| fault.upstream && fault.overlaps(begun, again));
        if cause.silences && upstream().next().is_none() {
            return self.alone.push(since(begun));
        }
        self.disturbed.push(since(begun));
        let own = faults.iter().filter(of_worker).filter(|fault| fault.overlaps(heard, end));
        let last = own.chain(upstream()).map(|fault| fault.ended).max();
        self.since_last.push(since(last.map_or(begun, |last| last.max(begun))));
    }
}
