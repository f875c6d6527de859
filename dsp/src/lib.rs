//! The sound engine of Mixdown: the session document, the plan, the render graph, kernels, nodes, meters and media.
//!
//! Pure and synchronous: no network, no clocks, no async. The same session, assets and revisions give the same bits on
//! every machine. Floors, each standing only on those below:
//!
//! ```text
//! execute                run one task of a plan
//! plan     finish        cuts, keys, tasks · the finish of a mix
//! graph                  compile, latency, render
//! session                document, validate, digest
//! nodes    loudness   quality   media
//! kernels                slices in, slices out
//! node · control · automation · buffer · relay · units · math · simd · digest
//! ```

pub mod automation;
pub mod buffer;
pub mod control;
pub mod digest;
pub mod execute;
pub mod finish;
pub mod graph;
pub mod kernels;
pub mod loudness;
pub mod math;
pub mod media;
pub mod node;
pub mod nodes;
pub mod plan;
pub mod progress;
pub mod quality;
pub mod relay;
pub mod session;
pub mod simd;
pub mod units;
