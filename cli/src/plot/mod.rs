//! Plots of processors: what sounds is measured, laid out as a figure, drawn as SVG.
//!
//! ```text
//! measure   runs a processor on impulses and tones
//! figure    which measurement shows a processor, with its axes
//! svg       a figure as SVG
//! ```

pub mod figure;
mod measure;
mod svg;

pub use svg::draw;
