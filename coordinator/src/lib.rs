//! The coordinator: queues sessions as jobs, cuts them into tasks and hands those to workers. The only crate that knows
//! SQL. Nothing in memory matters: any number of coordinators run side by side on one database.
//!
//! ```text
//! server                     one coordinator: listens, keeps house, shuts down
//! rpc                        the wire: jobs, blobs, workers; auth; errors as gRPC codes
//! queue                      one transaction per operation
//! tokens  projects  limits   who may call · shares and bounds of projects · named limits
//! blobs                      the object store
//! state  retry               pure: where things stand, whether a task is tried again
//! database  wakeup           connection and schema · hints over NOTIFY
//! private_postgres           a PostgreSQL of our own, for farms that have none
//! ```

#![forbid(unsafe_code)]

pub mod blobs;
pub mod database;
pub mod limits;
pub mod planning;
pub mod private_postgres;
pub mod projects;
pub mod queue;
pub mod retry;
mod rpc;
pub mod server;
pub mod state;
pub mod tokens;
pub mod unavailable;
mod unfinished;
pub mod wakeup;
