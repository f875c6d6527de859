//! Mid and side.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Matrix, Weights, build};
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// Turns left and right into mid (left channel) and side (right channel), or back. Mono is all mid and passes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MidSide {
    /// Which way.
    pub direction: Direction,
}

/// Which way between left and right, mid and side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// M = (L + R)/2, S = (L − R)/2.
    #[default]
    Encode,
    /// L = M + S, R = M − S.
    Decode,
}

impl Parameters for MidSide {
    continuous! {}

    linear!();
    instant!();
}

impl Weights for MidSide {
    fn matrix(&self, channels_in: usize) -> Matrix {
        match self.direction {
            _ if channels_in == 1 => Matrix::IDENTITY,
            Direction::Encode => Matrix([[0.5, 0.5], [0.5, -0.5]]),
            Direction::Decode => Matrix([[1.0, 1.0], [1.0, -1.0]]),
        }
    }
}

impl MidSide {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        build(self, prepare, lanes)
    }
}
