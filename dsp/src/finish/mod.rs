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
pub mod report;
pub mod solve;

pub use deliver::deliver;
pub use report::Report;
pub use solve::{LimitedBy, Solution, solve};

/// How far the finish's limiter looks ahead, in ms: long enough that the gain moves under a bass note without bending it.
const LOOKAHEAD_MS: f64 = 6.0;

/// Time constant of the limiter's fast release in ms.
const RELEASE_MS: f64 = 60.0;

/// Frames that are read at once.
const BLOCK_FRAMES: usize = 4096;
