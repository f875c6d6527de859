//! Delay.

use core::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range_fault;
use crate::math;
use crate::node::{LN_120_DB, Node, ParameterLane, Parameters, Prepare};
use crate::units::frames_from_ms;

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
    continuous! {
        feedback: 0.0 to 0.95,
        low_cut_hz: 10.0 to 2000.0,
        high_cut_hz: 500.0 to 20000.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        range_fault("time_ms", self.time_ms, 1.0, 5000.0).into_iter().collect()
    }

    fn channels_out(&self, channels: usize) -> usize {
        if self.ping_pong { 2 } else { channels }
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    /// Echoes until the feedback has fallen by 120 dB, then the ringing of the low cut.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        let time = frames_from_ms(self.time_ms, sample_rate_hz) as f64;
        let echoes = if self.feedback > 0.0 { 1.0 + (LN_120_DB / -math::ln(self.feedback)).ceil() } else { 1.0 };
        let ringing = 2.0 * LN_120_DB * f64::from(sample_rate_hz) / (TAU * self.low_cut_hz);
        (echoes * time + ringing).ceil() as u64
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
