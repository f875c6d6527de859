//! Kernels: slices in, slices out; no parameters, no graph.

pub mod dither;
pub mod k_weighting;
pub mod limiter;
pub mod prototype;
pub mod resampler;
pub mod true_peak;
