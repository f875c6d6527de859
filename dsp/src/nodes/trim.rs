//! Trim.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Matrix, Weights, build};
use crate::node::{Node, ParameterLane, Parameters, Prepare};
use crate::units::gain_from_db;

/// Matches levels: of the whole against what came before, of one side against the other.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trim {
    /// Gain of all channels in dB, −24 to +24.
    #[schemars(range(min = -24.0, max = 24.0))]
    pub gain_db: f64,
    /// Gain of the left side in dB, on top; −24 to +24. Mono has no sides.
    #[schemars(range(min = -24.0, max = 24.0))]
    pub left_db: f64,
    /// Gain of the right side in dB, on top; −24 to +24. Mono has no sides.
    #[schemars(range(min = -24.0, max = 24.0))]
    pub right_db: f64,
}

impl Parameters for Trim {
    continuous! {
        gain_db: -24.0 to 24.0,
        left_db: -24.0 to 24.0,
        right_db: -24.0 to 24.0,
    }

    linear!();
    instant!();
}

impl Weights for Trim {
    fn matrix(&self, channels_in: usize) -> Matrix {
        let sides = if channels_in == 1 { [0.0; 2] } else { [self.left_db, self.right_db] };
        let [left, right] = sides.map(|side_db| gain_from_db(self.gain_db + side_db));
        Matrix::diagonal(left, right)
    }
}

impl Trim {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        build(self, prepare, lanes)
    }
}
