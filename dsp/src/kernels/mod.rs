//! Kernels: slices in, slices out; no parameters, no graph.

pub mod delay_line;
pub mod dither;
pub mod eq_design;
pub mod fdn;
pub mod gain_computer;
pub mod k_weighting;
pub mod lanes;
pub mod limiter;
pub mod one_pole;
pub mod prototype;
pub mod resampler;
pub mod svf;
pub mod true_peak;
pub mod window;
