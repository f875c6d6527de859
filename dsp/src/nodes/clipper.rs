//! Clipper.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shaping::{self, Settings, Shape, Shaping, ShapingNode};
use crate::node::{DECIDES_LATENCY, Node, ParameterLane, Parameters, Prepare};
use crate::units::gain_from_db;

/// Cuts peaks off at a ceiling, hard or over a soft knee, oversampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Clipper {
    /// Where the waveform is cut, in dBFS, −40 to 0. What is cut at the raised rate may pass it by 0.2 to 1.3 dB once
    /// it is back at the session's rate.
    #[schemars(range(min = -40.0, max = 0.0))]
    pub ceiling_db: f64,
    /// Gain into the clipper in dB, −24 to +40.
    #[schemars(range(min = -24.0, max = 40.0))]
    pub drive_db: f64,
    /// How far below the ceiling the curve begins to bend, in dB, 0 (hard) to 24.
    #[schemars(range(min = 0.0, max = 24.0))]
    pub knee_db: f64,
    /// Share of the clipped signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
    /// By how much the rate is raised around the clip: 4, 8 or 16. Decides the latency; cannot be automated.
    pub oversampling: u32,
}

impl Default for Clipper {
    fn default() -> Self {
        Self { ceiling_db: -1.0, drive_db: 0.0, knee_db: 0.0, mix: 1.0, oversampling: 8 }
    }
}

impl Parameters for Clipper {
    continuous! {
        ceiling_db: -40.0 to 0.0,
        drive_db: -24.0 to 40.0,
        knee_db: 0.0 to 24.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        shaping::faults(self.oversampling)
    }

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[("oversampling", DECIDES_LATENCY)]
    }

    nonlinear!();

    fn latency_frames(&self, _: u32) -> usize {
        shaping::latency_frames(self.oversampling)
    }

    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        shaping::tail_frames(self.oversampling, true, sample_rate_hz)
    }
}

impl Shaping for Clipper {
    fn shape(&self) -> Shape {
        Shape::Knee
    }

    fn settings(&self) -> Settings {
        // The curve arrives at 1.
        let ceiling = gain_from_db(self.ceiling_db);
        Settings {
            input: gain_from_db(self.drive_db) / ceiling,
            bias: 0.0,
            corner: gain_from_db(-self.knee_db),
            output: ceiling,
            mix: self.mix,
        }
    }

    fn oversampling(&self) -> u32 {
        self.oversampling
    }
}

impl Clipper {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        Box::new(ShapingNode::new(self, prepare, lanes))
    }
}
