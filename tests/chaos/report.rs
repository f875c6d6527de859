//! What the chaos came to, as a table.

use std::collections::BTreeMap;

use mixdown_proto::v1::{Amount, CollectGarbageResponse};

use crate::beside::Beside;
use crate::clients::Told;
use crate::farm::LEASE;
use crate::faults::Fault;
use crate::recovery::{Passed, Recoveries, Recovery};
use crate::relay::Seen;
use crate::script::Extent;
use crate::support::audit::Holdings;
use crate::watch::Watch;

/// Everything that is told.
pub struct Report<'a> {
    pub seed: u64,
    pub network: &'a str,
    pub told: &'a Told,
    pub outcomes: BTreeMap<String, i64>,
    /// Those during which a job was active.
    pub faults: &'a [Passed],
    pub beside: &'a Beside,
    pub seen: &'a Seen,
    pub watch: Watch,
    pub recoveries: &'a Recoveries,
    pub holdings: &'a Holdings,
    /// In the end.
    pub collected: &'a CollectGarbageResponse,
    pub seconds: f64,
}

impl Report<'_> {
    pub fn text(&self) -> String {
        let Told { jobs, twice, cancelled, retried, uploads } = self.told;
        let mut text = format!("seed {} · {} · {:.0} s\n", self.seed, self.network, self.seconds);
        let mut line = |count: usize, what: &str| text += &format!("{count:>6}  {what}\n");
        line(jobs.len(), &format!("jobs, {twice} of them submitted twice at once"));
        line(cancelled.len(), "jobs cancelled and run again");
        line(retried.len(), "jobs that failed and were run again");
        line(*uploads, "times that input files were uploaded again, for the store had given them wrong");
        line(self.faults.len(), "faults while a job was active");
        for (kind, count) in kinds(self.faults) {
            line(count, &format!("    {kind}"));
        }
        let attempts: i64 = self.outcomes.values().sum();
        line(attempts as usize, "attempts");
        for (outcome, count) in &self.outcomes {
            line(*count as usize, &format!("    {outcome}"));
        }
        line(self.seen.doubled, "calls of a worker made at two coordinators and answered by both");
        line(self.seen.stale_successes, "successes that came after their lease, none of which counted");
        line(self.beside.settled_again, "settlements of attempts that had ended, none of which changed anything");
        let Beside { collections, collected, .. } = self.beside;
        line(*collections, &format!("collections of garbage meanwhile, which took {collected} blobs"));
        let Watch { snapshots, amid_work, blind } = self.watch;
        let seen = format!("snapshots held to the rules, {amid_work} of them amid work; {blind} times no database");
        line(snapshots, &seen);
        let Recoveries { alone, disturbed, since_last, unheard, .. } = self.recoveries;
        line(*unheard, "attempts lost that were given in answer to calls of workers that had gone");
        line(alone.len(), &format!("recoveries with nothing else in the way: {}", quantiles(alone)));
        line(disturbed.len(), &format!("recoveries amid other faults: {}", quantiles(disturbed)));
        line(since_last.len(), &format!("    from the end of the last of these: {}", quantiles(since_last)));
        let count = |amount: &Option<Amount>| amount.as_ref().map_or(0, |amount| amount.count as usize);
        line(count(&self.collected.blobs), "blobs collected in the end, which nothing needed any more");
        line(
            count(&self.collected.orphans),
            "blobs without a row collected in the end, of attempts that did not count",
        );
        let Holdings { blobs, masters, .. } = self.holdings;
        line(*masters, "masters, each the bytes of the calm run");
        line(*blobs, "blobs, each the bytes of its digest");
        text
    }

    /// Asserts that there was so much chaos, and that the farm recovered in time. The short run shares its processors with
    /// other tests: its times say nothing.
    pub fn is_of(&self, extent: &Extent) {
        let seed = extent.seed;
        let (faults, jobs) = (self.faults.len(), self.told.jobs.len());
        assert!(faults >= extent.faults, "seed {seed}: {faults} faults while a job was active, not {}", extent.faults);
        assert!(jobs >= extent.jobs, "seed {seed}: {jobs} jobs, not {}", extent.jobs);
        assert!(self.watch.amid_work * 2 > self.watch.snapshots, "seed {seed}: {:?}", self.watch);
        let Recoveries { alone, disturbed, since_last, unheard, .. } = self.recoveries;
        let recoveries = alone.len() + disturbed.len();
        assert!(self.seen.doubled >= faults, "seed {seed}: only {} calls were made twice", self.seen.doubled);
        if extent.faults < Fault::kinds().values().sum() {
            return;
        }
        let met = kinds(self.faults);
        let missing: Vec<_> = Fault::kinds().into_keys().filter(|kind| !met.contains_key(kind)).collect();
        assert!(missing.is_empty(), "seed {seed}: these faults did not happen: {missing:?}");
        let enough = recoveries * FAULTS_OF_A_RECOVERY >= faults;
        assert!(enough, "seed {seed}: only {recoveries} tasks were lost and ran again");
        assert!(*unheard <= 1 + recoveries / 5, "seed {seed}: {unheard} attempts were heard of by nobody");
        if !extent.is_long() {
            return;
        }
        assert!(alone.len() >= ENOUGH_ALONE, "seed {seed}: only {} recoveries that nothing disturbed", alone.len());
        assert!(self.seen.stale_successes > 0, "seed {seed}: no success came after its lease");
        assert!(self.beside.collected > 0, "seed {seed}: no garbage was collected");
        for times in [alone, since_last] {
            let longest = times.last();
            assert!(
                longest.is_none_or(|longest| longest.took < 2 * LEASE),
                "seed {seed}: a task ran again only after {longest:?}"
            );
        }
    }
}

/// At least one recovery comes of so many faults: a good third of them may cost a worker what it holds.
const FAULTS_OF_A_RECOVERY: usize = 10;
/// Recoveries that nothing else disturbed, at least, in a long run.
const ENOUGH_ALONE: usize = 5;

/// How many there were of each kind.
fn kinds(faults: &[Passed]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    faults.iter().for_each(|fault| *kinds.entry(fault.kind.clone()).or_default() += 1);
    kinds
}

fn quantiles(of: &[Recovery]) -> String {
    let Some(longest) = of.last() else { return "none".into() };
    let seconds = |share: usize| of[(of.len() * share / 100).min(of.len() - 1)].took.as_secs_f64();
    let (median, most) = (seconds(50), seconds(95));
    let Recovery { took, after } = longest;
    format!("median {median:.1} s, 95 % {most:.1} s, longest {:.1} s ({after}); lease {LEASE:?}", took.as_secs_f64())
}
