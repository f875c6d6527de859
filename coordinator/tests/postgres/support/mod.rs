//! A database, a store and hand-made plans.

pub mod farm;
mod plans;

pub use farm::Farm;
pub use plans::{key, planned, submission, two_stems_one_mix};
