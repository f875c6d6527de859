//! Reverb.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node::{Node, ParameterLane, ParameterSpec, Parameters, Prepare};

/// An algorithmic reverb: diffusers into a feedback delay network. Mono in gives stereo out. On a bus, `mix` is 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reverb {
    /// Time in which the sound falls by 60 dB (RT60), in seconds, 0.1 to 20. Cannot be automated.
    #[schemars(range(min = 0.1, max = 20.0))]
    pub decay_s: f64,
    /// Time before the first reflection in ms, 0 to 500. Cannot be automated.
    #[schemars(range(min = 0.0, max = 500.0))]
    pub predelay_ms: f64,
    /// Size of the room, 0 (small) to 1 (large): scales the delay lines. Cannot be automated.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub size: f64,
    /// Corner in Hz above which the reverb is darker, 500 to 20000.
    #[schemars(range(min = 500.0, max = 20000.0))]
    pub high_cut_hz: f64,
    /// Corner in Hz below which the reverb is thinner, 10 to 2000.
    #[schemars(range(min = 10.0, max = 2000.0))]
    pub low_cut_hz: f64,
    /// Stereo width of the reverb, 0 (mono) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub width: f64,
    /// Share of the reverberated signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
}

impl Default for Reverb {
    fn default() -> Self {
        Self {
            decay_s: 1.8,
            predelay_ms: 20.0,
            size: 0.5,
            high_cut_hz: 8000.0,
            low_cut_hz: 120.0,
            width: 1.0,
            mix: 1.0,
        }
    }
}

impl Parameters for Reverb {
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

impl Reverb {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let _ = (prepare, lanes);
        unimplemented!("nodes agent")
    }
}
