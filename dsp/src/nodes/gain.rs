//! Gain and polarity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node::{Block, Node, ParameterLane, ParameterSpec, Parameters, Prepare};
use crate::units::gain_from_db;

/// Gain and polarity: y = ±10^(gain/20)·x.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gain {
    /// Gain in dB, −120 to +60.
    #[schemars(range(min = -120.0, max = 60.0))]
    pub gain_db: f64,
    /// Turns the waveform upside down.
    pub invert_polarity: bool,
}
