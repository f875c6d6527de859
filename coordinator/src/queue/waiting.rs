//! Why a task waits, for people. Pure.

use std::collections::BTreeMap;

/// A worker that takes tasks.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Supporter {
    pub name: String,
    pub revisions: sqlx::types::Json<BTreeMap<String, u32>>,
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
    ForWorker { revisions: &'a BTreeMap<String, u32>, tasks_ahead: i64 },
}

/// The reason in one line; empty when there is none.
pub(crate) fn reason(waits: Waits<'_>, workers: &[Supporter]) -> String {
    match waits {
        Waits::No => String::new(),
        Waits::ForTasks([]) => "waiting for other tasks".into(),
        Waits::ForTasks([one]) => format!("waiting for {one}"),
        Waits::ForTasks([first, rest @ ..]) => format!("waiting for {first} and {} more", rest.len()),
        Waits::ForTime { seconds, last_failure: "" } => format!("trying again in {:.0} s", seconds.ceil()),
        Waits::ForTime { seconds, last_failure } => {
            format!("trying again in {:.0} s after: {last_failure}", seconds.ceil())
        }
        Waits::ForWorker { .. } if workers.is_empty() => "no worker is connected".into(),
        Waits::ForWorker { revisions, tasks_ahead } => match unsupported(revisions, workers) {
            Some((name, revision)) => format!("no worker supports {name} revision {revision}"),
            None if tasks_ahead == 0 => "next for a worker that becomes free".into(),
            None if tasks_ahead == 1 => "behind 1 task".into(),
            None => format!("behind {tasks_ahead} tasks"),
        },
    }
}

/// What keeps every worker from a task: a revision that none has, or else the first that some lack.
fn unsupported<'a>(needed: &'a BTreeMap<String, u32>, workers: &[Supporter]) -> Option<(&'a str, u32)> {
    let lacks = |worker: &Supporter, name: &String, revision: &u32| worker.revisions.0.get(name) != Some(revision);
    let able = |worker: &Supporter| needed.iter().all(|(name, revision)| !lacks(worker, name, revision));
    if workers.iter().any(able) {
        return None;
    }
    let mut culprits =
        needed.iter().filter(|(name, revision)| workers.iter().any(|worker| lacks(worker, name, revision)));
    let by_all = culprits.clone().find(|(name, revision)| workers.iter().all(|worker| lacks(worker, name, revision)));
    by_all.or_else(|| culprits.next()).map(|(name, revision)| (name.as_str(), *revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(revisions: &[(&str, u32)]) -> Supporter {
        Supporter { name: "w".into(), revisions: sqlx::types::Json(map(revisions)) }
    }

    fn map(revisions: &[(&str, u32)]) -> BTreeMap<String, u32> {
        revisions.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect()
    }

    #[test]
    fn a_task_says_what_it_waits_for() {
        let needs = map(&[("compressor", 2), ("eq", 1)]);
        let for_worker = |tasks_ahead| Waits::ForWorker { revisions: &needs, tasks_ahead };
        let able = worker(&[("compressor", 2), ("eq", 1), ("reverb", 7)]);
        let old = worker(&[("compressor", 1), ("eq", 1)]);
        let cases = [
            (reason(Waits::ForTasks(&["stem \"Vox\"".into()]), &[]), "waiting for stem \"Vox\""),
            (reason(Waits::ForTasks(&["a".into(), "b".into(), "c".into()]), &[]), "waiting for a and 2 more"),
            (reason(for_worker(3), &[]), "no worker is connected"),
            (reason(for_worker(3), std::slice::from_ref(&old)), "no worker supports compressor revision 2"),
            (reason(for_worker(3), &[old, able.clone()]), "behind 3 tasks"),
            (reason(for_worker(0), &[able]), "next for a worker that becomes free"),
            (
                reason(Waits::ForTime { seconds: 1.2, last_failure: "the store failed" }, &[]),
                "trying again in 2 s after: the store failed",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(said, expected);
        }
    }
}
