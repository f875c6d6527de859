//! The finish: what turns a spooled mix or stem into a delivered file.
//!
//! In this order: direct current, rate conversion, trim and fades, gain, limiter, dither, encoding; and on what was written,
//! verification by several true-peak readers. Where a reader sees an over, the ceiling is lowered around it and the file is made again; what is
//! left after [`deliver::MAX_ROUNDS`] is taken off the whole file. The gain is solved once, at the render rate, on the
//! reference mix ([`solve()`]) and used for every file.

mod chain;
pub mod deliver;
mod delivered;
mod edges;
mod feed;
mod headroom;
mod hearing;
mod lossy;
mod mastering;
mod numbers;
pub mod report;
pub mod solve;

pub use deliver::deliver;
pub use headroom::MAX_ENCODINGS;
pub use hearing::Hearing;
pub use report::Report;
pub use solve::{LimitedBy, Solution, solve};

/// How far the finish's limiter looks ahead, in ms: how slowly the gain moves before a peak.
const LOOKAHEAD_MS: f64 = 4.0;

/// The release of the finish's limiter in ms: back from −6 dB in half of it after a lone peak.
const RELEASE_MS: f64 = 50.0;

/// Frames that are read at once.
const BLOCK_FRAMES: usize = 4096;
