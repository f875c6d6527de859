//! Reverb.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range_fault;
use crate::node::{Node, ParameterLane, Parameters, Prepare};

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
    continuous! {
        high_cut_hz: 500.0 to 20000.0,
        low_cut_hz: 10.0 to 2000.0,
        width: 0.0 to 1.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        [
            range_fault("decay_s", self.decay_s, 0.1, 20.0),
            range_fault("predelay_ms", self.predelay_ms, 0.0, 500.0),
            range_fault("size", self.size, 0.0, 1.0),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn channels_out(&self, _: usize) -> usize {
        2
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    /// Pre-delay, diffusion, and twice the time in which the sound falls by 60 dB.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        let seconds = self.predelay_ms * 0.001 + 0.25 + 2.0 * self.decay_s;
        (seconds * f64::from(sample_rate_hz)).ceil() as u64
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
