//! Compressor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range_fault;
use crate::node::{Node, ParameterLane, Parameters, Prepare};
use crate::units::frames_from_ms;

/// A feed-forward compressor with soft knee, look-ahead, side-chain and mix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Compressor {
    /// Level above which gain falls, in dBFS, −80 to 0.
    #[schemars(range(min = -80.0, max = 0.0))]
    pub threshold_db: f64,
    /// Input dB per output dB above the threshold, 1 to 100.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub ratio: f64,
    /// Width of the soft knee in dB, 0 to 40.
    #[schemars(range(min = 0.0, max = 40.0))]
    pub knee_db: f64,
    /// Time constant (63.2 %) of falling gain in ms, 0.01 to 500.
    #[schemars(range(min = 0.01, max = 500.0))]
    pub attack_ms: f64,
    /// Time constant (63.2 %) of recovering gain in ms, 1 to 5000.
    #[schemars(range(min = 1.0, max = 5000.0))]
    pub release_ms: f64,
    /// Gain after compression in dB, −40 to +40.
    #[schemars(range(min = -40.0, max = 40.0))]
    pub makeup_db: f64,
    /// Share of the compressed signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
    /// How far the detector looks ahead in ms, 0 to 20; becomes latency. Cannot be automated.
    #[schemars(range(min = 0.0, max = 20.0))]
    pub lookahead_ms: f64,
    /// What the detector reads.
    pub detection: Detection,
    /// Window of RMS detection in ms, 1 to 500. Cannot be automated.
    #[schemars(range(min = 1.0, max = 500.0))]
    pub rms_ms: f64,
}

/// What a detector reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detection {
    /// The sample's magnitude.
    #[default]
    Peak,
    /// The root mean square over a window.
    Rms,
}

impl Default for Compressor {
    fn default() -> Self {
        Self {
            threshold_db: -18.0,
            ratio: 2.0,
            knee_db: 6.0,
            attack_ms: 10.0,
            release_ms: 120.0,
            makeup_db: 0.0,
            mix: 1.0,
            lookahead_ms: 0.0,
            detection: Detection::Peak,
            rms_ms: 10.0,
        }
    }
}

impl Parameters for Compressor {
    continuous! {
        threshold_db: -80.0 to 0.0,
        ratio: 1.0 to 100.0,
        knee_db: 0.0 to 40.0,
        attack_ms: 0.01 to 500.0,
        release_ms: 1.0 to 5000.0,
        makeup_db: -40.0 to 40.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        let lookahead = range_fault("lookahead_ms", self.lookahead_ms, 0.0, 20.0);
        lookahead.into_iter().chain(range_fault("rms_ms", self.rms_ms, 1.0, 500.0)).collect()
    }

    fn accepts_sidechain(&self) -> bool {
        true
    }

    fn latency_frames(&self, sample_rate_hz: u32) -> usize {
        frames_from_ms(self.lookahead_ms, sample_rate_hz)
    }

    fn tail_frames(&self, _: u32) -> u64 {
        0
    }
}

impl Compressor {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let _ = (prepare, lanes);
        unimplemented!("nodes agent")
    }
}
