//! A database, a store, hand-made plans, and coordinators that listen.

pub mod farm;
mod plans;
pub mod running;

pub use farm::Farm;
pub use plans::{independent, key, planned, submission, two_stems_one_mix};
