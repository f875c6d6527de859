//! From a session document to what a job of it can need. Pure; planning takes milliseconds to a second.

use std::collections::BTreeMap;

use mixdown_dsp::plan::{self, Granularity, KeepStems, Key, Keys, Plan, TaskKind};
use mixdown_dsp::session::{self, ValidSession};

/// A job's plan, made again from its document.
#[derive(Debug, Clone)]
pub struct Replanned {
    /// What is to be done.
    pub plan: Plan,
    /// Every artifact that the session can need, with the kind of task that makes it.
    pub artifacts: BTreeMap<Key, TaskKind>,
}

/// How a document and the artifacts that are there become a plan; `None` when this program cannot read the document.
pub type Planner<'a> = &'a (dyn Fn(&str, &dyn Fn(&Key) -> bool) -> Option<Replanned> + Send + Sync);

/// Plans a document anew, cut as the cost model says: how work is cut changes no key.
#[must_use]
pub fn replan(document: &str, present: &dyn Fn(&Key) -> bool) -> Option<Replanned> {
    let session = session::from_json(document).ok()?;
    let keys = Keys::of(&session);
    let plan = plan::plan(&session, &keys, present, Granularity::Auto, KeepStems::Auto);
    Some(Replanned { plan, artifacts: artifacts(&keys) })
}

/// The revisions that a whole session uses, whatever of it is stored already.
pub(crate) fn revisions(session: &ValidSession, keys: &Keys) -> BTreeMap<String, u32> {
    let whole = plan::plan(session, keys, &|_| false, Granularity::Fused, KeepStems::Never);
    whole.tasks.into_iter().flat_map(|task| task.revisions).collect()
}

/// Every artifact of a session with the kind of task that makes it.
pub(crate) fn artifacts(keys: &Keys) -> BTreeMap<Key, TaskKind> {
    let with = |kind: TaskKind| move |key: &Key| (*key, kind);
    keys.decoded
        .iter()
        .flatten()
        .map(with(TaskKind::Decode))
        .chain(keys.stems.iter().map(with(TaskKind::Stem)))
        .chain(keys.mixes.iter().map(with(TaskKind::Mix)))
        .chain(keys.groups.iter().map(with(TaskKind::Mix)))
        .chain(keys.solutions.iter().flatten().map(with(TaskKind::Mix)))
        .chain(keys.masters.iter().map(with(TaskKind::Master)))
        .collect()
}
