//! Gain and polarity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{finite, moving_lanes};
use crate::node::{Block, Node, ParameterLane, Parameters, Prepare};
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

impl Parameters for Gain {
    continuous! {
        gain_db: -120.0 to 60.0,
    }

    linear!();
    instant!();
}

impl Gain {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let _ = prepare;
        let mut parameters = self.clone();
        let moving = moving_lanes(&mut parameters, lanes);
        let sign = if self.invert_polarity { -1.0 } else { 1.0 };
        Box::new(GainNode { sign, gain: sign * gain_from_db(parameters.gain_db), lane: moving.into_iter().next() })
    }
}

/// Frames whose gains are computed together.
const RUN_FRAMES: usize = 64;

struct GainNode {
    sign: f64,
    gain: f64,
    /// In dB, if the gain moves.
    lane: Option<ParameterLane>,
}

impl Node for GainNode {
    fn process(&mut self, block: &mut Block<'_>) {
        let Some(ParameterLane { lane, .. }) = &self.lane else {
            for sample in block.audio.iter_mut().flatten() {
                *sample = finite((self.gain * f64::from(*sample)) as f32);
            }
            return;
        };
        let mut gains = [0.0; RUN_FRAMES];
        for start in (0..block.audio.frames()).step_by(RUN_FRAMES) {
            let frames = RUN_FRAMES.min(block.audio.frames() - start);
            lane.fill(block.frame + start as i64, &mut gains[..frames]);
            for gain in &mut gains[..frames] {
                *gain = self.sign * gain_from_db(*gain);
            }
            for channel in block.audio.iter_mut() {
                for (sample, gain) in channel[start..start + frames].iter_mut().zip(&gains) {
                    *sample = finite((gain * f64::from(*sample)) as f32);
                }
            }
        }
    }

    fn reset(&mut self) {}

    fn is_at_rest(&self) -> bool {
        true
    }
}
