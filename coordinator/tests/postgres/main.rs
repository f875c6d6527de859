//! The coordinator on a real PostgreSQL: one private server for the whole binary, a fresh database for each test.

// Clippy exempts test functions, not the helpers beside them.
#![allow(clippy::unwrap_used)]

mod archiving;
mod artifacts;
mod claiming;
mod damage;
mod delivering;
mod ending;
mod events;
mod garbage;
mod model;
mod quarantine;
mod reasons;
mod repeating;
mod rpc;
mod scheduling;
mod security;
mod server;
mod settling;
mod simulation;
mod states;
mod submitting;
mod support;
mod uploads;
mod young;
