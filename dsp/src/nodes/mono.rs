//! Mono.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Matrix, Weights, build};
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// Makes mono of stereo: the one processor that narrows. Mono passes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mono {
    /// What is kept.
    pub take: Take,
}

/// What becomes the one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// (L + R)/2: what both sides share keeps its level.
    #[default]
    Sum,
    /// The left side.
    Left,
    /// The right side.
    Right,
    /// (L − R)/2: what a mono listener does not hear.
    Side,
}

impl Parameters for Mono {
    continuous! {}

    linear!();
    instant!();

    fn channels_out(&self, _: usize) -> usize {
        1
    }
}

impl Weights for Mono {
    fn matrix(&self, channels_in: usize) -> Matrix {
        let row = match self.take {
            _ if channels_in == 1 => [1.0, 0.0],
            Take::Sum => [0.5, 0.5],
            Take::Left => [1.0, 0.0],
            Take::Right => [0.0, 1.0],
            Take::Side => [0.5, -0.5],
        };
        Matrix([row, row])
    }
}

impl Mono {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        build(self, prepare, lanes)
    }
}
