//! What the chaos came to, as a table.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::PgPool;

use crate::farm::LEASE;
use crate::support::audit::Holdings;

/// A fault that has passed.
#[derive(Debug, Clone)]
pub struct Passed {
    pub kind: String,
    pub begun: SystemTime,
    pub ended: SystemTime,
    /// The worker that may have lost what it held, by name.
    pub worker: Option<String>,
    /// It kept the whole farm from handing tasks out: a coordinator's or the database's.
    pub upstream: bool,
}

/// From the fault to the task running again, for attempts that were lost with their worker.
#[derive(Debug, Default)]
pub struct Recoveries {
    /// With nothing else in the way.
    pub alone: Vec<Duration>,
    /// While another fault held up coordinators or the database.
    pub disturbed: Vec<Duration>,
}

/// Finds each lost attempt's fault and successor.
pub async fn recoveries(pool: &PgPool, faults: &[Passed]) -> Recoveries {
    let lost: Vec<(String, f64, f64, f64)> = sqlx::query_as(
        "select worker.name, extract(epoch from lost.start_time)::double precision,
            extract(epoch from lost.end_time)::double precision, extract(epoch from next.start_time)::double precision
         from attempt as lost
         join worker using (worker_id)
         join attempt as next on next.task_id = lost.task_id and next.attempt = lost.attempt + 1
         join task on task.task_id = lost.task_id
         where lost.outcome = 'worker_lost'
            -- What stopped for good waited for its client to ask for more.
            and not exists (
                select from event
                where event.job_id = task.job_id and message like 'to be run again:%'
                    and event.create_time between lost.end_time and next.start_time)",
    )
    .fetch_all(pool)
    .await
    .expect("the attempts are read");
    let at = |seconds: f64| UNIX_EPOCH + Duration::from_secs_f64(seconds);
    let mut recoveries = Recoveries::default();
    for (worker, start, end, again) in lost {
        let of_worker = faults.iter().filter(|fault| fault.worker.as_deref() == Some(worker.as_str()));
        let strikes = of_worker.filter(|fault| fault.begun < at(end) && fault.ended > at(start));
        // A worker that could not be heard for another reason has no strike of its own.
        let Some(strike) = strikes.map(|fault| fault.begun.max(at(start))).min() else { continue };
        let took = at(again).duration_since(strike).unwrap_or_default();
        let disturbed = faults.iter().any(|fault| fault.upstream && fault.begun < at(again) && fault.ended > strike);
        if disturbed { recoveries.disturbed.push(took) } else { recoveries.alone.push(took) }
    }
    recoveries.alone.sort();
    recoveries.disturbed.sort();
    recoveries
}

/// Everything that is told.
pub struct Report<'a> {
    pub seed: u64,
    pub network: &'a str,
    pub jobs: usize,
    pub retried: usize,
    pub submitted_twice: usize,
    pub late_settlements: usize,
    pub outcomes: BTreeMap<String, i64>,
    pub faults: &'a [Passed],
    pub recoveries: &'a Recoveries,
    pub holdings: &'a Holdings,
    pub seconds: f64,
}

impl Report<'_> {
    pub fn text(&self) -> String {
        let mut text = format!(
            "seed {} · {} · {:.0} s\n{:>6}  jobs, {} of them submitted twice at once, {} run again by their client\n",
            self.seed, self.network, self.seconds, self.jobs, self.submitted_twice, self.retried
        );
        text += &format!("{:>6}  faults\n", self.faults.len());
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        self.faults.iter().for_each(|fault| *kinds.entry(&fault.kind).or_default() += 1);
        kinds.iter().for_each(|(kind, count)| text += &format!("{count:>14}  {kind}\n"));
        text +=
            &format!("{:>6}  settlements of attempts that had ended, none of which counted\n", self.late_settlements);
        text += &format!("{:>6}  attempts\n", self.outcomes.values().sum::<i64>());
        self.outcomes.iter().for_each(|(outcome, count)| text += &format!("{count:>14}  {outcome}\n"));
        for (what, of) in [("alone", &self.recoveries.alone), ("amid other faults", &self.recoveries.disturbed)] {
            let quantile = |share: usize| of.get((of.len() * share / 100).min(of.len().saturating_sub(1)));
            let seconds = |share| quantile(share).map_or(0.0, Duration::as_secs_f64);
            text += &format!(
                "{:>6}  recoveries {what}: median {:.1} s, 95 % {:.1} s, longest {:.1} s (lease {} s)\n",
                of.len(),
                seconds(50),
                seconds(95),
                seconds(100),
                LEASE.as_secs()
            );
        }
        let Holdings { blobs, orphans, masters } = self.holdings;
        text += &format!(
            "{masters:>6}  masters, each the bytes of the calm run\n{blobs:>6}  blobs, each the bytes of its digest\n"
        );
        text + &format!("{orphans:>6}  blobs without a row, of attempts that did not count\n")
    }
}
