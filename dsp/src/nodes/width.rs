//! Stereo width.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Matrix, Weights, build};
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// Width of the stereo image: M = (L + R)/2 stays, S = (L − R)/2 is multiplied by `width`. Mono has no width and passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Width {
    /// Factor of the side signal: 0 (both sides carry M), 1 (unchanged) to 2 (the side 6.02 dB louder).
    #[schemars(range(min = 0.0, max = 2.0))]
    pub width: f64,
}

impl Default for Width {
    fn default() -> Self {
        Self { width: 1.0 }
    }
}

impl Parameters for Width {
    continuous! {
        width: 0.0 to 2.0,
    }

    linear!();
    instant!();
}

impl Weights for Width {
    /// L' = M + wS and R' = M − wS, in L and R.
    fn matrix(&self, channels_in: usize) -> Matrix {
        if channels_in == 1 {
            return Matrix::IDENTITY;
        }
        let (own, other) = ((1.0 + self.width) * 0.5, (1.0 - self.width) * 0.5);
        Matrix([[own, other], [other, own]])
    }
}

impl Width {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        build(self, prepare, lanes)
    }
}
