//! The DSP of Mixdown.
