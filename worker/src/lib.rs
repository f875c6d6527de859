//! The worker: leases tasks from a coordinator, renders them and stores what it made.
//!
//! It holds no database connection and listens on nothing: it calls. A task's way through it is told in `task.rs`; read that
//! first.
//!
//! ```text
//! worker    register, lease, drain                     one loop
//!   task      fetch → render → upload → settle           one per slot
//!     cache     blobs on the local disk                    bounded, verified
//!     render    a dedicated thread, panics contained
//!     engine    what is rendered: the DSP, or a test's script
//!   lease     heartbeat: progress out, stop orders in    one loop for all leases
//! blobs     object storage        link    calls that go on for ever
//! backoff · config · cpu · failure · home · memory · threads
//! ```
//!
//! A process may run several workers, each with a cache folder of its own.

#![forbid(unsafe_code)]

mod admission;
pub mod backoff;
pub mod blobs;
pub mod cache;
pub mod config;
pub mod cpu;
pub mod engine;
pub mod failure;
pub mod home;
mod lease;
mod link;
pub mod memory;
pub mod render;
mod task;
pub mod threads;
pub mod worker;

pub use config::Config;
pub use worker::{Error, run, run_with};
