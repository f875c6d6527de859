//! Saturator.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shaping::{self, Settings, Shape, Shaping, ShapingNode};
use crate::kernels::shaper::{Tanh, Tube};
use crate::node::{DECIDES_LATENCY, Node, ParameterLane, Parameters, Prepare};
use crate::units::gain_from_db;

/// Bends the waveform by a curve of slope 1 at 0, oversampled: harmonics without aliases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Saturator {
    /// What the curve is like.
    pub curve: SaturatorCurve,
    /// Gain into the curve in dB, −24 to +48; the curve gives way about 0 dBFS.
    #[schemars(range(min = -24.0, max = 48.0))]
    pub drive_db: f64,
    /// Working point on the curve, −1 to 1 (full scale): off 0 it makes even harmonics.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub bias: f64,
    /// Gain after the curve in dB, −48 to +24.
    #[schemars(range(min = -48.0, max = 24.0))]
    pub output_db: f64,
    /// Share of the saturated signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
    /// By how much the rate is raised around the curve: 4, 8 or 16. Decides the latency; cannot be automated.
    pub oversampling: u32,
}

/// The curves of a [`struct@Saturator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SaturatorCurve {
    /// tanh(x).
    #[default]
    Tanh,
    /// x/√(1 + x²): gives way early, arrives late.
    Tape,
    /// tanh about a working point off its middle: uneven, with even harmonics at any level.
    Tube,
    /// x − 4·x³/27, at 1 from 1.5 on: the third harmonic alone, then a clip.
    Cubic,
}

impl Default for Saturator {
    fn default() -> Self {
        Self { curve: SaturatorCurve::Tanh, drive_db: 6.0, bias: 0.0, output_db: 0.0, mix: 1.0, oversampling: 8 }
    }
}

impl Parameters for Saturator {
    continuous! {
        drive_db: -24.0 to 48.0,
        bias: -1.0 to 1.0,
        output_db: -48.0 to 24.0,
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
        let even = self.curve != SaturatorCurve::Tube && self.bias == 0.0;
        shaping::tail_frames(self.oversampling, even, sample_rate_hz)
    }
}

impl Shaping for Saturator {
    fn shape(&self) -> Shape {
        match self.curve {
            SaturatorCurve::Tanh => Shape::Tanh(Tanh::new()),
            SaturatorCurve::Tape => Shape::Tape,
            SaturatorCurve::Tube => Shape::Tube(Tube::new()),
            SaturatorCurve::Cubic => Shape::Cubic,
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            input: gain_from_db(self.drive_db),
            bias: self.bias,
            corner: 1.0,
            output: gain_from_db(self.output_db),
            mix: self.mix,
        }
    }

    fn oversampling(&self) -> u32 {
        self.oversampling
    }
}

impl Saturator {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        Box::new(ShapingNode::new(self, prepare, lanes))
    }
}
