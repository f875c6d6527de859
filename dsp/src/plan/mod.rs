//! From session to tasks: keys, cuts, costs. Pure functions of the session, the revisions and the artifacts present.

pub(crate) mod cost;
mod describe;
mod group_recipe;
mod keys;
mod missing;
mod recipe;
mod spec;
mod tasks;

pub use cost::spec_cost;
pub use keys::{Key, Keys, STAGE_REVISIONS, revisions, solved_on};
pub use spec::{TaskKind, TaskSpec};
pub use tasks::{Granularity, KeepStems, Plan, PlannedTask, plan};
