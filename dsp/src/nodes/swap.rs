//! Channel swap.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Matrix, Weights, build};
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// Swaps left and right. Mono passes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Swap {}

impl Parameters for Swap {
    continuous! {}

    linear!();
    instant!();
}

impl Weights for Swap {
    fn matrix(&self, channels_in: usize) -> Matrix {
        if channels_in == 1 { Matrix::IDENTITY } else { Matrix([[0.0, 1.0], [1.0, 0.0]]) }
    }
}

impl Swap {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        build(self, prepare, lanes)
    }
}
