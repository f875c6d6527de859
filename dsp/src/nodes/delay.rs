//! Delay.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node::{Node, ParameterLane, ParameterSpec, Parameters, Prepare};

/// A delay with feedback, filters in the loop and ping-pong. On a bus, `mix` is 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Delay {
    /// Delay in ms, 1 to 5000. Cannot be automated. `session` documents may give beats, which become ms.
    #[schemars(range(min = 1.0, max = 5000.0))]
    pub time_ms: f64,
    /// Share of the output fed back, 0 to 0.95.
    #[schemars(range(min = 0.0, max = 0.95))]
    pub feedback: f64,
    /// Corner of the low cut in the loop in Hz, 10 to 2000.
    #[schemars(range(min = 10.0, max = 2000.0))]
    pub low_cut_hz: f64,
    /// Corner of the high cut in the loop in Hz, 500 to 20000.
    #[schemars(range(min = 500.0, max = 20000.0))]
    pub high_cut_hz: f64,
    /// Echoes change sides: the input is summed to the left line, each echo crosses over.
    pub ping_pong: bool,
    /// Share of the delayed signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
}

impl Default for Delay {
    fn default() -> Self {
        Self { time_ms: 375.0, feedback: 0.3, low_cut_hz: 100.0, high_cut_hz: 6000.0, ping_pong: false, mix: 1.0 }
    }
}

impl Parameters for Delay {
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

impl Delay {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let _ = (prepare, lanes);
        unimplemented!("nodes agent")
    }
}
