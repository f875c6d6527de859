//! Polarity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Matrix, Weights, build};
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// Turns the waveform of one side or of both upside down: y = −x.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Polarity {
    /// Which channels are turned. Mono is turned whatever this says.
    pub channels: Channels,
}

/// Channels of a stereo signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Left and right.
    #[default]
    Both,
    /// Left.
    Left,
    /// Right.
    Right,
}

impl Parameters for Polarity {
    continuous! {}

    linear!();
    instant!();
}

impl Weights for Polarity {
    fn matrix(&self, channels_in: usize) -> Matrix {
        match self.channels {
            Channels::Left if channels_in == 2 => Matrix::diagonal(-1.0, 1.0),
            Channels::Right if channels_in == 2 => Matrix::diagonal(1.0, -1.0),
            _ => Matrix::diagonal(-1.0, -1.0),
        }
    }
}

impl Polarity {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        build(self, prepare, lanes)
    }
}
