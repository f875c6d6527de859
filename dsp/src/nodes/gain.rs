//! Gain and polarity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node::{Node, ParameterLane, ParameterSpec, Parameters, Prepare};

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

impl Parameters for Gain {
    fn specs(&self) -> Vec<ParameterSpec> {
        unimplemented!("nodes agent")
    }

    fn get(&self, index: usize) -> f64 {
        unimplemented!("nodes agent {index}")
    }

    fn set(&mut self, index: usize, value: f64) {
        unimplemented!("nodes agent {index} {value}")
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    fn tail_frames(&self, _: u32) -> u64 {
        0
    }
}

impl Gain {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let _ = (prepare, lanes);
        unimplemented!("nodes agent")
    }
}
