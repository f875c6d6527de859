//! Limiter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::moving_lanes;
use crate::kernels::limiter::{self, LimiterKernel};
use crate::node::{Block, Node, ParameterLane, Parameters, Prepare};
use crate::units::{frames_from_ms, gain_from_db};

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
    continuous! {
        drive_db: 0.0 to 40.0,
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
        let mut parameters = self.clone();
        let moving = moving_lanes(&mut parameters, lanes);
        Box::new(LimiterNode {
            drive: gain_from_db(parameters.drive_db),
            lane: moving.into_iter().next(),
            kernel: LimiterKernel::new(
                prepare.sample_rate_hz,
                prepare.channels,
                gain_from_db(self.ceiling_dbtp),
                frames_from_ms(self.lookahead_ms, prepare.sample_rate_hz),
                self.release_ms,
            ),
        })
    }
}

/// Frames whose drive is computed together.
const RUN_FRAMES: usize = 64;

struct LimiterNode {
    drive: f64,
    /// In dB, if the drive moves.
    lane: Option<ParameterLane>,
    kernel: LimiterKernel,
}

impl Node for LimiterNode {
    fn process(&mut self, block: &mut Block<'_>) {
        let mut gains = [self.drive; RUN_FRAMES];
        for start in (0..block.audio.frames()).step_by(RUN_FRAMES) {
            let frames = RUN_FRAMES.min(block.audio.frames() - start);
            if let Some(ParameterLane { lane, .. }) = &self.lane {
                lane.fill(block.frame + start as i64, &mut gains[..frames]);
                gains[..frames].iter_mut().for_each(|gain| *gain = gain_from_db(*gain));
            }
            for channel in block.audio.iter_mut() {
                for (sample, gain) in channel[start..start + frames].iter_mut().zip(&gains) {
                    *sample = (gain * f64::from(*sample)) as f32;
                }
            }
        }
        self.kernel.process(block.audio);
    }

    fn reset(&mut self) {
        self.kernel.reset();
    }

    fn is_at_rest(&self) -> bool {
        self.kernel.is_at_rest()
    }
}
