//! The render graph over whole sessions: clips, strips, buses, side-chains, latency, and the same bits however it is cut.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod channels;
mod clips;
mod cuts;
mod groups;
mod latency;
#[path = "../support/long.rs"]
mod long;
mod nulls;
mod production;
mod random;
mod rooms;
mod sidechains;
mod strips;
mod studio;
