//! Kernels: slices in, slices out; no parameters, no graph.

pub mod ballistics;
pub mod box_stack;
pub mod convolver;
pub mod delay_line;
pub mod dither;
pub mod eq_design;
pub mod fdn;
pub mod fft;
pub mod gain_computer;
pub mod gate_ballistics;
pub mod interpolator;
pub mod k_weighting;
pub mod kaiser;
pub mod key_filter;
pub mod lanes;
pub mod level_detector;
pub mod limiter;
pub mod one_pole;
pub mod peak_detector;
pub mod prototype;
pub mod release;
pub mod resampler;
pub mod sliding_min;
pub mod svf;
pub mod true_peak;
pub mod window;
