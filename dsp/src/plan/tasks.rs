//! Cuts a session into tasks.

use std::collections::{BTreeMap, BTreeSet};

use super::describe::describe;
use super::keys::{Key, Keys};
use super::missing::Missing;
use super::spec::TaskSpec;
use crate::session::ValidSession;

/// How a session is cut. The audio is the same whatever the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Granularity {
    /// By the cost model.
    #[default]
    Auto,
    /// One task for everything.
    Fused,
    /// A task per stem, mix and master.
    Spread,
}

/// Whether stems and mixes that a task renders on the way are stored for later recalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepStems {
    /// When storing one is cheaper than rendering it again.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTask {
    /// What the worker is told.
    pub spec: TaskSpec,
    /// For people: `stem "Vox"`.
    pub display_name: String,
    /// Artifacts that it makes, in the order of the spec's lists.
    pub makes: Vec<Key>,
    /// Artifacts that it reads.
    pub needs: Vec<Key>,
    /// Indices into [`Plan::tasks`] of the tasks that make what it needs.
    pub after: Vec<usize>,
    /// Estimated work in nanoseconds of one core; shares of progress follow it.
    pub cost: u64,
    /// Estimated memory in bytes.
    pub memory_bytes: u64,
    /// Revisions that the worker must have, by name of node or stage.
    pub revisions: BTreeMap<String, u32>,
}

/// The tasks that make what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// In an order in which each task comes after those it needs.
    pub tasks: Vec<PlannedTask>,
    /// Artifacts that were present and are used as they are, with their name for people; shown as cached tasks.
    pub cached: Vec<(Key, String)>,
}

/// A session that takes longer than this on one core is spread over workers by [`Granularity::Auto`].
const SPREAD_FROM_NS: u64 = 30_000_000_000;

/// Stems are put together until a task costs at least this, so that leasing and moving it stays small beside it.
const STEM_TASK_NS: u64 = 3_000_000_000;

/// Plans a session: walks back from the deliverables and stops at the first artifact that is present.
///
/// `present` says whether an artifact is stored already (or is being made by another job of the project).
#[must_use]
pub fn plan(
    session: &ValidSession,
    keys: &Keys,
    present: &dyn Fn(&Key) -> bool,
    granularity: Granularity,
    keep_stems: KeepStems,
) -> Plan {
    let missing = Missing::walk(session, keys, present);
    let spread = match granularity {
        Granularity::Fused => false,
        Granularity::Spread => true,
        Granularity::Auto => missing.cost(session) > SPREAD_FROM_NS,
    };
    let specs = if !spread {
        missing.fused(session, keep_stems)
    } else if granularity == Granularity::Spread {
        missing.spread(session, 0)
    } else {
        missing.spread(session, STEM_TASK_NS)
    };
    let mut tasks: Vec<PlannedTask> = specs.into_iter().map(|spec| describe(session, keys, spec)).collect();
    let maker: BTreeMap<Key, usize> =
        tasks.iter().enumerate().flat_map(|(index, task)| task.makes.iter().map(move |key| (*key, index))).collect();
    for task in &mut tasks {
        let after: BTreeSet<usize> = task.needs.iter().filter_map(|key| maker.get(key).copied()).collect();
        task.after = after.into_iter().collect();
    }
    Plan { tasks, cached: missing.cached.into_iter().collect() }
}
