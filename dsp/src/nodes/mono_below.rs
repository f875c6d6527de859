//! Mono below a frequency.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{Moving, Run, Runs, finite, moving_lanes, set_lanes};
use crate::kernels::crossover::{Corner, Crossover, Slope};
use crate::kernels::lanes::Lanes;
use crate::node::{Block, CONTROL_FRAMES, DECIDES_ORDER, LN_120_DB, Node, ParameterLane, Parameters, Prepare};

/// Removes the side below a frequency; the middle keeps its level and goes through the phase that the side gets.
///
/// The "elliptical equaliser" of disc cutting (Neumann EE 70: a first-order high-pass in the side) with a steeper filter.
/// What is left of the side and the middle are the upper band and the sum of a Linkwitz–Riley crossover, which share one
/// phase: nothing above the corner moves in the stereo picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MonoBelow {
    /// The frequency in Hz at which the side is 6 dB down, 20 to 1000.
    #[schemars(range(min = 20.0, max = 1000.0))]
    pub frequency_hz: f64,
    /// How fast the side falls below it, in dB per octave: 12, 24 or 48.
    pub slope_db_per_octave: u32,
}

impl Default for MonoBelow {
    fn default() -> Self {
        Self { frequency_hz: 120.0, slope_db_per_octave: 24 }
    }
}

impl Parameters for MonoBelow {
    continuous! {
        frequency_hz: 20.0 to 1000.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        super::slope_fault("slope_db_per_octave", self.slope_db_per_octave).into_iter().collect()
    }

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[("slope_db_per_octave", DECIDES_ORDER)]
    }

    linear!();

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        let seconds = self.slope().fall_s([self.frequency_hz].into_iter(), LN_120_DB);
        (seconds * f64::from(sample_rate_hz)).ceil() as u64
    }
}

impl MonoBelow {
    fn slope(&self) -> Slope {
        Slope::of(self.slope_db_per_octave).unwrap_or(Slope::Db24)
    }

    fn corner(&self, sample_rate_hz: f64) -> Corner {
        Corner::new(self.slope(), self.frequency_hz, sample_rate_hz)
    }

    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut parameters = self.clone();
        let lanes = moving_lanes(&mut parameters, lanes);
        let sample_rate_hz = f64::from(prepare.sample_rate_hz);
        Box::new(MonoBelowNode {
            crossover: Crossover::new(parameters.slope(), 2),
            corner: Moving::still(parameters.corner(sample_rate_hz)),
            parameters,
            sample_rate_hz,
            lanes,
        })
    }
}

/// Frames processed together; a multiple of [`CONTROL_FRAMES`].
const RUN_FRAMES: usize = 64;

struct MonoBelowNode {
    parameters: MonoBelow,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    corner: Moving<Corner>,
    /// Of middle and side.
    crossover: Crossover<2>,
}

impl MonoBelowNode {
    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        if run.frame.rem_euclid(RUN_FRAMES as i64) == 0 {
            self.crossover.tidy();
        }
        let (left, right) = block.audio.stereo_mut();
        let (left, right) = (&mut left[run.range()], &mut right[run.range()]);
        let mut bands = [[Lanes::ZERO; RUN_FRAMES]; 2];
        for ((frame, left), right) in bands[1].iter_mut().zip(left.iter()).zip(right.iter()) {
            let (left, right) = (f64::from(finite(*left)), f64::from(finite(*right)));
            *frame = Lanes([(left + right) * 0.5, (left - right) * 0.5]);
        }
        if self.lanes.is_empty() {
            let corner = self.corner.at(run.frame);
            self.crossover.split(|_, _| corner, &mut bands, run.frames);
        } else {
            let Self { parameters, lanes, sample_rate_hz, corner, .. } = self;
            corner.seek(run.frame, |frame| {
                set_lanes(parameters, lanes, frame);
                parameters.corner(*sample_rate_hz)
            });
            self.crossover.split(|_, index| corner.at(run.frame + index as i64), &mut bands, run.frames);
        }
        let [low, high] = &bands;
        for (((left, right), low), high) in left.iter_mut().zip(right).zip(low).zip(high) {
            let (middle, side) = (low.0[0] + high.0[0], high.0[1]);
            *left = finite((middle + side) as f32);
            *right = finite((middle - side) as f32);
        }
    }
}

impl Node for MonoBelowNode {
    fn process(&mut self, block: &mut Block<'_>) {
        let frames = block.audio.frames();
        if block.audio.channel_count() == 1 {
            // There is no side.
            block.audio.iter_mut().flatten().for_each(|sample| *sample = finite(*sample));
        } else if self.lanes.is_empty() {
            Runs::<RUN_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
        } else {
            Runs::<CONTROL_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
        }
    }

    fn reset(&mut self) {
        self.crossover.reset();
    }

    fn is_at_rest(&self) -> bool {
        self.crossover.is_at_rest()
    }
}
