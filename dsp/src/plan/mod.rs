//! From session to tasks: keys, cuts, costs. Pure functions of the session, the revisions and the artifacts present.

mod keys;
mod spec;
mod tasks;

pub use keys::{Key, Keys, revisions};
pub use spec::{TaskKind, TaskSpec};
pub use tasks::{Granularity, KeepStems, Plan, PlannedTask, plan};
