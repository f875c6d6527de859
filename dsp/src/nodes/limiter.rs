//! Limiter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::automation::Lane;
use crate::control::{Moving, moving_lanes};
use crate::kernels::limiter::{self, LimiterKernel};
use crate::kernels::release::Speed;
use crate::node::{Block, DECIDES_LATENCY, Node, ParameterLane, Parameters, Prepare};
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
    /// Look-ahead in ms, 0.5 to 20: how slowly the gain moves before a peak. Becomes latency, and cannot be automated.
    #[schemars(range(min = 0.5, max = 20.0))]
    pub lookahead_ms: f64,
    /// Release in ms, 5 to 2000: the gain is back from −6 dB in half of it after a lone peak, later after dense ones.
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
        ceiling_dbtp: -30.0 to 0.0,
        drive_db: 0.0 to 40.0,
        release_ms: 5.0 to 2000.0,
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

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[("lookahead_ms", DECIDES_LATENCY)]
    }

    nonlinear!();

    fn latency_frames(&self, sample_rate_hz: u32) -> usize {
        limiter::latency_frames(sample_rate_hz, frames_from_ms(self.lookahead_ms, sample_rate_hz))
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
        let lane =
            |parameter: usize| moving.iter().find(|lane| lane.parameter == parameter).map(|lane| lane.lane.clone());
        let [ceiling_lane, drive_lane, release_lane] = [0, 1, 2].map(lane);
        let held_frames = if ceiling_lane.is_some() || release_lane.is_some() { prepare.max_block_frames } else { 0 };
        let speed = Speed::new(prepare.sample_rate_hz, parameters.release_ms);
        Box::new(LimiterNode {
            sample_rate_hz: prepare.sample_rate_hz,
            drive: gain_from_db(parameters.drive_db),
            drive_lane,
            ceiling: gain_from_db(parameters.ceiling_dbtp) as f32,
            ceiling_lane,
            release_lane,
            speed: Moving::still(speed),
            ceilings: vec![0.0; held_frames],
            speeds: vec![speed; held_frames],
            kernel: LimiterKernel::new(
                prepare.sample_rate_hz,
                prepare.channels,
                gain_from_db(parameters.ceiling_dbtp),
                frames_from_ms(self.lookahead_ms, prepare.sample_rate_hz),
                parameters.release_ms,
            ),
        })
    }
}

/// Frames whose settings are computed together.
const RUN_FRAMES: usize = 64;

struct LimiterNode {
    sample_rate_hz: u32,
    drive: f64,
    /// In dB, if the drive moves.
    drive_lane: Option<Lane>,
    ceiling: f32,
    /// In dBTP, if the ceiling moves.
    ceiling_lane: Option<Lane>,
    /// In ms, if the release moves.
    release_lane: Option<Lane>,
    speed: Moving<Speed>,
    /// Per frame of a block, where ceiling or release move.
    ceilings: Vec<f32>,
    speeds: Vec<Speed>,
    kernel: LimiterKernel,
}

impl LimiterNode {
    fn drive(&self, block: &mut Block<'_>) {
        let mut gains = [self.drive; RUN_FRAMES];
        for start in (0..block.audio.frames()).step_by(RUN_FRAMES) {
            let frames = RUN_FRAMES.min(block.audio.frames() - start);
            if let Some(lane) = &self.drive_lane {
                lane.fill(block.frame + start as i64, &mut gains[..frames]);
                gains[..frames].iter_mut().for_each(|gain| *gain = gain_from_db(*gain));
            }
            for channel in block.audio.iter_mut() {
                for (sample, gain) in channel[start..start + frames].iter_mut().zip(&gains) {
                    *sample = (gain * f64::from(*sample)) as f32;
                }
            }
        }
    }

    /// The ceiling follows the frames that come in, the release those that go out.
    fn settle(&mut self, frame: i64, frames: usize) {
        self.ceilings[..frames].fill(self.ceiling);
        if let Some(lane) = &self.ceiling_lane {
            let mut levels = [0.0; RUN_FRAMES];
            for (start, ceilings) in (frame..).step_by(RUN_FRAMES).zip(self.ceilings[..frames].chunks_mut(RUN_FRAMES)) {
                lane.fill(start, &mut levels[..ceilings.len()]);
                for (ceiling, level) in ceilings.iter_mut().zip(levels) {
                    *ceiling = gain_from_db(level) as f32;
                }
            }
        }
        let leaving = frame - self.kernel.latency_frames() as i64;
        for (frame, speed) in (leaving..).zip(&mut self.speeds[..frames]) {
            if let Some(lane) = &self.release_lane {
                self.speed.seek(frame, |frame| Speed::new(self.sample_rate_hz, lane.value_at(frame)));
            }
            *speed = self.speed.at(frame);
        }
    }
}

impl Node for LimiterNode {
    fn process(&mut self, block: &mut Block<'_>) {
        self.drive(block);
        let frames = block.audio.frames();
        if self.ceilings.is_empty() {
            self.kernel.process(block.audio);
        } else {
            self.settle(block.frame, frames);
            self.kernel.process_moving(block.audio, &self.ceilings[..frames], &self.speeds[..frames]);
        }
    }

    fn reset(&mut self) {
        self.kernel.reset();
    }

    fn is_at_rest(&self) -> bool {
        self.kernel.is_at_rest()
    }
}
