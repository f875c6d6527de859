//! Why a task waits, for people. Pure.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::placement::{Demand, Offer};

/// Most tasks ahead that are counted.
const MOST_COUNTED: i64 = 1000;

/// A worker that was heard of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Worker {
    pub name: String,
    pub offer: Offer,
    /// It takes no more tasks.
    pub draining: bool,
    /// It is given none.
    pub quarantined: bool,
    /// The task that it is kept free for.
    pub kept_for: Option<Uuid>,
}

/// What tasks wait for, seen from one project.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Obstacles {
    pub workers: Vec<Worker>,
    /// Tasks that hold each named limit, and how many may.
    pub limits: BTreeMap<String, (i64, i64)>,
    /// Tasks of the project that run.
    pub running: i64,
    /// How many may.
    pub running_limit: Option<i64>,
    /// Slots that they take.
    pub slots: i64,
    /// Another project has a task ready and fewer slots in use for its weight.
    pub other_goes_first: bool,
}

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Waits<'a> {
    /// It does not wait.
    No,
    /// For other tasks, by name.
    ForTasks(&'a [String]),
    /// For its next attempt.
    ForTime { seconds: f64, last_failure: &'a str },
    /// For a worker.
    ForWorker {
        task_id: Uuid,
        demand: &'a Demand,
        /// Tasks of the project that stand before it, in more urgent classes and in its own.
        more_urgent: i64,
        as_urgent: i64,
    },
}

/// The reason in one line; empty when there is none.
pub(crate) fn reason(waits: Waits<'_>, obstacles: &Obstacles) -> String {
    match waits {
        Waits::No => String::new(),
        Waits::ForTasks([]) => "waiting for other tasks".into(),
        Waits::ForTasks([one]) => format!("waiting for {one}"),
        Waits::ForTasks([first, rest @ ..]) => format!("waiting for {first} and {} more", rest.len()),
        Waits::ForTime { seconds, last_failure: "" } => format!("trying again in {:.0} s", seconds.ceil()),
        Waits::ForTime { seconds, last_failure } => {
            format!("trying again in {:.0} s after: {last_failure}", seconds.ceil())
        }
        Waits::ForWorker { task_id, demand, more_urgent, as_urgent } => no_worker_for(demand, &obstacles.workers)
            .or_else(|| at_a_limit(demand, obstacles))
            .or_else(|| kept_free(task_id, &obstacles.workers))
            .or_else(|| behind(more_urgent, as_urgent))
            .or_else(|| has_its_share(obstacles))
            .unwrap_or_else(|| "next for a worker that becomes free".into()),
    }
}

/// What keeps every worker from a task, whatever they run.
fn no_worker_for(demand: &Demand, workers: &[Worker]) -> Option<String> {
    if workers.is_empty() {
        return Some("no worker is connected".into());
    }
    let able: Vec<&Worker> = workers.iter().filter(|worker| worker.offer.meets(demand)).collect();
    if able.iter().any(|worker| !worker.draining && !worker.quarantined) {
        return None;
    }
    if !able.is_empty() {
        let standing = match (able.iter().all(|worker| worker.draining), able.iter().any(|worker| worker.draining)) {
            (true, _) => "draining",
            (false, false) => "quarantined",
            (false, true) => "quarantined or draining",
        };
        return Some(format!("the only able workers are {standing}"));
    }
    let Demand { slots, memory_bytes, labels, revisions, .. } = demand;
    let none = |lacks: &dyn Fn(&Offer) -> bool| workers.iter().all(|worker| lacks(&worker.offer));
    let other_revision = |offer: &Offer, (name, revision): (&String, &u32)| offer.revisions.get(name) != Some(revision);
    if let Some((name, revision)) = revisions.iter().find(|needed| none(&|offer| other_revision(offer, *needed))) {
        return Some(format!("no worker supports {name} revision {revision}"));
    }
    if let Some(label) = labels.iter().find(|label| none(&|offer| !offer.labels.contains(label))) {
        return Some(format!("no worker has label {label}"));
    }
    if none(&|offer| offer.slots < *slots) {
        return Some(format!("no worker has {slots} slots"));
    }
    let memory = format!("{:.1} GiB of memory", *memory_bytes as f64 / f64::from(1 << 30));
    if none(&|offer| offer.memory_bytes.is_some_and(|bytes| bytes < *memory_bytes)) {
        return Some(format!("no worker has {memory}"));
    }
    // Each is somewhere, but not together: the first that some lack stands for the revisions.
    let mut needs = Vec::new();
    let lacking = |needed: &(&String, &u32)| workers.iter().any(|worker| other_revision(&worker.offer, *needed));
    needs.extend(revisions.iter().find(lacking).map(|(name, revision)| format!("{name} revision {revision}")));
    needs.extend(labels.iter().map(|label| format!("label {label}")));
    if *slots > 1 {
        needs.push(format!("{slots} slots"));
    }
    if workers.iter().any(|worker| worker.offer.memory_bytes.is_some_and(|bytes| bytes < *memory_bytes)) {
        needs.push(memory);
    }
    Some(match needs.as_slice() {
        [one] => format!("no worker supports {one}"),
        several => format!("no worker has all of {}", several.join(", ")),
    })
}

fn at_a_limit(demand: &Demand, obstacles: &Obstacles) -> Option<String> {
    if let Some(limit) = obstacles.running_limit
        && obstacles.running >= limit
    {
        return Some(format!("project at its limit {}/{limit}", obstacles.running));
    }
    demand.limits.iter().find_map(|name| match obstacles.limits.get(name) {
        None => Some(format!("limit {name} is not set")),
        Some((held, count)) if held >= count => Some(format!("limit {name} is in use {held}/{count}")),
        Some(_) => None,
    })
}

fn kept_free(task_id: Uuid, workers: &[Worker]) -> Option<String> {
    let worker = workers.iter().find(|worker| worker.kept_for == Some(task_id))?;
    Some(format!("{} is kept free for it", worker.name))
}

fn has_its_share(obstacles: &Obstacles) -> Option<String> {
    let slots = obstacles.slots;
    let noun = if slots == 1 { "slot" } else { "slots" };
    obstacles.other_goes_first.then(|| format!("project has its share, {slots} {noun} in use"))
}

fn behind(more_urgent: i64, as_urgent: i64) -> Option<String> {
    let count = |tasks: i64| match tasks {
        1 => "1".to_owned(),
        tasks if tasks > MOST_COUNTED => format!("more than {MOST_COUNTED}"),
        tasks => tasks.to_string(),
    };
    let tasks = |tasks: i64| if tasks == 1 { "task" } else { "tasks" };
    match (more_urgent, as_urgent) {
        (0, 0) => None,
        (0, others) => Some(format!("behind {} {}", count(others), tasks(others))),
        (urgent, 0) => Some(format!("behind {} urgent {}", count(urgent), tasks(urgent))),
        (urgent, others) => {
            Some(format!("behind {} urgent {} and {} more", count(urgent), tasks(urgent), count(others)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(revisions: &[(&str, u32)]) -> BTreeMap<String, u32> {
        revisions.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect()
    }

    fn worker(revisions: &[(&str, u32)], labels: &[&str], slots: i32, gib: i64) -> Worker {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let offer = Offer { slots, memory_bytes: Some(gib << 30), labels, revisions: map(revisions) };
        Worker { name: "studio-2".into(), offer, draining: false, quarantined: false, kept_for: None }
    }

    fn demand(labels: &[&str], limits: &[&str], slots: i32, gib: i64) -> Demand {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Demand {
            slots,
            whole_worker: false,
            memory_bytes: gib << 30,
            labels: owned(labels),
            limits: owned(limits),
            revisions: map(&[("compressor", 2), ("eq", 1)]),
        }
    }

    const NEW: [(&str, u32); 3] = [("compressor", 2), ("eq", 1), ("reverb", 7)];
    const OLD: [(&str, u32); 2] = [("compressor", 1), ("eq", 1)];

    #[test]
    fn a_task_says_which_tasks_or_times_it_waits_for() {
        let cases = [
            (Waits::No, ""),
            (Waits::ForTasks(&["stem \"Vox\"".into()]), "waiting for stem \"Vox\""),
            (Waits::ForTasks(&["a".into(), "b".into(), "c".into()]), "waiting for a and 2 more"),
            (
                Waits::ForTime { seconds: 1.2, last_failure: "the store failed" },
                "trying again in 2 s after: the store failed",
            ),
        ];
        for (waits, expected) in cases {
            assert_eq!(reason(waits, &Obstacles::default()), expected);
        }
    }

    #[test]
    fn a_task_says_what_no_worker_has() {
        let cases: [(Demand, Vec<Worker>, &str); 7] = [
            (demand(&[], &[], 1, 1), vec![], "no worker is connected"),
            (demand(&[], &[], 1, 1), vec![worker(&OLD, &[], 1, 4)], "no worker supports compressor revision 2"),
            (demand(&["gpu"], &[], 1, 1), vec![worker(&NEW, &["fast"], 1, 4)], "no worker has label gpu"),
            (demand(&[], &[], 8, 1), vec![worker(&NEW, &[], 4, 4)], "no worker has 8 slots"),
            (demand(&[], &[], 1, 64), vec![worker(&NEW, &[], 4, 4)], "no worker has 64.0 GiB of memory"),
            (
                demand(&["gpu"], &[], 4, 1),
                vec![worker(&NEW, &["gpu"], 1, 4), worker(&NEW, &[], 4, 4)],
                "no worker has all of label gpu, 4 slots",
            ),
            (
                demand(&[], &[], 1, 8),
                vec![worker(&OLD, &[], 1, 16), worker(&NEW, &[], 1, 4)],
                "no worker has all of compressor revision 2, 8.0 GiB of memory",
            ),
        ];
        for (demand, workers, expected) in cases {
            let waits = Waits::ForWorker { task_id: Uuid::nil(), demand: &demand, more_urgent: 3, as_urgent: 3 };
            assert_eq!(reason(waits, &Obstacles { workers, ..Obstacles::default() }), expected);
        }
    }

    #[test]
    fn a_task_says_that_those_who_could_run_it_are_set_aside() {
        let able = worker(&NEW, &["gpu"], 1, 4);
        let quarantined = Worker { quarantined: true, ..able.clone() };
        let draining = Worker { draining: true, ..able.clone() };
        let other = worker(&NEW, &[], 1, 4);
        let cases = [
            (vec![quarantined.clone(), other.clone()], "the only able workers are quarantined"),
            (vec![draining.clone()], "the only able workers are draining"),
            (vec![draining, quarantined.clone()], "the only able workers are quarantined or draining"),
            (vec![quarantined, able], "behind 3 tasks"),
        ];
        let demand = demand(&["gpu"], &[], 1, 1);
        for (workers, expected) in cases {
            let waits = Waits::ForWorker { task_id: Uuid::nil(), demand: &demand, more_urgent: 0, as_urgent: 3 };
            assert_eq!(reason(waits, &Obstacles { workers, ..Obstacles::default() }), expected);
        }
    }

    #[test]
    fn a_task_says_at_which_limit_it_stands_and_behind_what() {
        let plugin = demand(&[], &["plugin-x"], 1, 1);
        let plain = demand(&[], &[], 1, 1);
        let waits =
            |demand, more_urgent, as_urgent| Waits::ForWorker { task_id: Uuid::nil(), demand, more_urgent, as_urgent };
        let free = Obstacles { workers: vec![worker(&NEW, &[], 4, 16)], ..Obstacles::default() };
        let full = Obstacles { running: 8, running_limit: Some(8), ..free.clone() };
        let held = Obstacles { limits: BTreeMap::from([("plugin-x".to_owned(), (4, 4))]), ..free.clone() };
        let shared = Obstacles { slots: 5, other_goes_first: true, ..free.clone() };
        let mut kept = free.clone();
        kept.workers[0].kept_for = Some(Uuid::nil());
        let cases = [
            (waits(&plain, 0, 0), &free, "next for a worker that becomes free"),
            (waits(&plain, 0, 0), &shared, "project has its share, 5 slots in use"),
            (waits(&plain, 0, 1), &free, "behind 1 task"),
            (waits(&plain, 0, 1001), &free, "behind more than 1000 tasks"),
            (waits(&plain, 12, 0), &free, "behind 12 urgent tasks"),
            (waits(&plain, 1, 3), &free, "behind 1 urgent task and 3 more"),
            (waits(&plain, 12, 3), &full, "project at its limit 8/8"),
            (waits(&plugin, 12, 3), &held, "limit plugin-x is in use 4/4"),
            (waits(&plugin, 12, 3), &free, "limit plugin-x is not set"),
            (waits(&plain, 12, 3), &kept, "studio-2 is kept free for it"),
        ];
        for (waits, obstacles, expected) in cases {
            assert_eq!(reason(waits, obstacles), expected);
        }
    }
}
