//! Limiter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernels::limiter;
use crate::node::{Node, ParameterLane, ParameterSpec, Parameters, Prepare};
use crate::units::frames_from_ms;

/// A streaming true-peak limiter: one pass, look-ahead, channels linked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limiter {
    /// The level that no true peak passes, in dBTP, −30 to 0.
    #[schemars(range(min = -30.0, max = 0.0))]
    pub ceiling_dbtp: f64,
    /// Gain before the limiter in dB, 0 to 40.
    #[schemars(range(min = 0.0, max = 40.0))]
    pub drive_db: f64,
    /// Look-ahead in ms, 0.5 to 20; becomes latency. Cannot be automated.
    #[schemars(range(min = 0.5, max = 20.0))]
    pub lookahead_ms: f64,
    /// Time constant of the fast release in ms, 5 to 2000.
    #[schemars(range(min = 5.0, max = 2000.0))]
    pub release_ms: f64,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { ceiling_dbtp: -1.0, drive_db: 0.0, lookahead_ms: 5.0, release_ms: 50.0 }
    }
}

impl Parameters for Limiter {
    fn specs(&self) -> Vec<ParameterSpec> {
        vec![ParameterSpec { name: "drive_db".to_owned(), min: 0.0, max: 40.0 }]
    }

    fn get(&self, index: usize) -> f64 {
        debug_assert_eq!(index, 0, "a limiter automates its drive alone");
        self.drive_db
    }

    fn set(&mut self, index: usize, value: f64) {
        debug_assert_eq!(index, 0, "a limiter automates its drive alone");
        self.drive_db = value;
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        let fixed = [
            ("ceiling_dbtp", self.ceiling_dbtp, -30.0, 0.0, "dBTP"),
            ("lookahead_ms", self.lookahead_ms, 0.5, 20.0, "ms"),
            ("release_ms", self.release_ms, 5.0, 2000.0, "ms"),
        ];
        fixed
            .into_iter()
            .filter(|(_, value, min, max, _)| !(min..=max).contains(&value))
            .map(|(field, value, min, max, unit)| {
                (field.to_owned(), format!("{value} {unit} is out of range: expected {min} to {max} {unit}"))
            })
            .collect()
    }

    fn latency_frames(&self, sample_rate_hz: u32) -> usize {
        limiter::latency_frames(frames_from_ms(self.lookahead_ms, sample_rate_hz))
    }

    fn tail_frames(&self, _: u32) -> u64 {
        0
    }
}

impl Limiter {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let _ = (prepare, lanes);
        unimplemented!("nodes agent")
    }
}
