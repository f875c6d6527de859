//! The render graph: clips through inserts into stems, stems through strips and buses into mixes.
//!
//! ```text
//! clips ─▶ chain ─▶ stem ─┬─▶ strip ─▶ bus (chain) ─▶ strip ─┬─▶ master (chain, fader) ─▶ mix
//!         (inserts)       ├─▶ sends ──▶ ⋮                    │
//!                         └─▶ side-chains                    └─▶ buses, side-chains
//! ```
//!
//! What a group of tracks puts into a mix is made in the same way, of its own stems and with its own share of the buses: see
//! [`Wiring`].
//!
//! Everything runs on one clock, the *time* of the render. A signal *lags* it by the latency of all that it has come
//! through: at time t it holds session frame t − lag. Where signals meet (sums, side-chains), delay lines hold back the
//! earlier ones; where they leave (files), the lag is cut off. Automation follows the session frame.

mod chain;
mod clips;
mod delay_line;
mod error;
pub(crate) mod fade;
mod junction;
mod mixer;
mod parallel;
mod render;
mod responses;
mod spool;
mod stem;
mod strip;
mod view;
mod whole;
mod wiring;

pub use clips::expected;
pub use error::Error;
pub use mixer::stems_of_mix;
pub use parallel::in_parallel;
pub use render::{Listener, Request, StemRequest, render};
pub use responses::loaded_processor;
pub use whole::WholeFile;
pub use wiring::{Feed, Source, Way, WiredBus, Wiring};
