//! Cuts a session into tasks.

use super::keys::{Key, Keys};
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

/// Whether stems that a task renders on the way are stored for later recalls.
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
    /// Estimated work, in frames × node cost; shares of progress follow it.
    pub cost: u64,
    /// Estimated memory in bytes.
    pub memory_bytes: u64,
    /// Revisions that the worker must have, by name of node or stage.
    pub revisions: std::collections::BTreeMap<String, u32>,
}

/// The tasks that make what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// In an order in which each task comes after those it needs.
    pub tasks: Vec<PlannedTask>,
    /// Artifacts that were present and are used as they are, with their name for people; shown as cached tasks.
    pub cached: Vec<(Key, String)>,
}

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
    let _ = (session, keys, present, granularity, keep_stems);
    unimplemented!("plan agent")
}
