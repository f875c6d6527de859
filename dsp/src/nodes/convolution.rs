//! Convolution: parameters and node. What the file becomes on its way into the node is in [`response`].

mod response;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range_fault;
use crate::control::{Interpolate, Moving, Run, Runs, between, finite, lane_of, moving_lanes, set_lanes};
use crate::kernels::convolver::{Convolver, Response};
use crate::kernels::moving_tap::MovingDelay;
use crate::node::{Block, CONTROL_FRAMES, Node, ParameterLane, Parameters, Prepare};
use crate::units::{frames_from_ms, gain_from_db};
pub use response::{Impulse, MAX_RESPONSE_SECONDS, RESPONSE_CHANNELS};

/// Convolution with the impulse response of a room, a plate, a loudspeaker: an audio file beside the session. On a bus, `mix` is 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Convolution {
    /// The impulse response, relative to the session file: mono, stereo or true stereo (4 channels: left to left, left to
    /// right, right to left, right to right), at most 30 s at any rate.
    pub file: String,
    /// Time before the response in ms, 0 to 500. While it moves, the convolved sound bends in pitch as on tape.
    #[schemars(range(min = 0.0, max = 500.0))]
    pub predelay_ms: f64,
    /// What is left out at the start of the response, in ms, 0 to 1000. Cannot be automated.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub start_ms: f64,
    /// After so many seconds the response ends, faded out over its last tenth; 0 leaves it whole, at most 30. Cannot be automated.
    #[schemars(range(min = 0.0, max = 30.0))]
    pub length_s: f64,
    /// Scales the response so that white noise comes out as loud as it went in.
    pub normalize: bool,
    /// Gain of the convolved signal in dB, −60 to +24.
    #[schemars(range(min = -60.0, max = 24.0))]
    pub gain_db: f64,
    /// Stereo width of the convolved signal, 0 (mono) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub width: f64,
    /// Share of the convolved signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
    /// What is known of the file, or of what it became: from validation and before a render, never from a document.
    #[serde(skip)]
    pub impulse: Impulse,
}

impl Default for Convolution {
    fn default() -> Self {
        Self {
            file: String::new(),
            predelay_ms: 0.0,
            start_ms: 0.0,
            length_s: 0.0,
            normalize: true,
            gain_db: 0.0,
            width: 1.0,
            mix: 1.0,
            impulse: Impulse::UNIT,
        }
    }
}

impl Parameters for Convolution {
    continuous! {
        predelay_ms: 0.0 to 500.0,
        gain_db: -60.0 to 24.0,
        width: 0.0 to 1.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        [range_fault("start_ms", self.start_ms, 0.0, 1000.0), range_fault("length_s", self.length_s, 0.0, 30.0)]
            .into_iter()
            .flatten()
            .collect()
    }

    linear!();

    fn channels_out(&self, channels: usize) -> usize {
        channels.max(self.impulse.channels.min(2))
    }

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("start_ms", "it cuts the response, which is transformed once before the render"),
            ("length_s", "it cuts the response, which is transformed once before the render"),
        ]
    }

    /// One part of the response, see [`Self::part_frames`].
    fn latency_frames(&self, sample_rate_hz: u32) -> usize {
        self.part_frames(sample_rate_hz)
    }

    /// Pre-delay and response.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        (frames_from_ms(self.predelay_ms, sample_rate_hz) + self.response_frames(sample_rate_hz)) as u64
    }
}

impl Convolution {
    /// Frames of the response.
    #[must_use]
    pub fn response_frames(&self, sample_rate_hz: u32) -> usize {
        let start = frames_from_ms(self.start_ms, sample_rate_hz);
        let whole = self.impulse.frames.saturating_sub(start).max(1);
        let length = frames_from_ms(1000.0 * self.length_s, sample_rate_hz);
        if length > 0 { whole.min(length) } else { whole }
    }

    /// Frames of a part: about a sixteenth of the response, which is about the fastest. Decides the bits, so it changes
    /// with the revision alone.
    #[must_use]
    pub fn part_frames(&self, sample_rate_hz: u32) -> usize {
        (self.response_frames(sample_rate_hz) / 16).next_power_of_two().clamp(256, 32_768)
    }

    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut convolution = self.clone();
        let moving = moving_lanes(&mut convolution, lanes);
        let response = self.impulse.response(self, prepare.channels, prepare.sample_rate_hz);
        match prepare.channels {
            1 => Box::new(ConvolutionNode::<1>::new(convolution, response, prepare.sample_rate_hz, moving)),
            2 => Box::new(ConvolutionNode::<2>::new(convolution, response, prepare.sample_rate_hz, moving)),
            channels => panic!("a convolution has one or two channels, not {channels}"),
        }
    }
}

/// What the parameters mean between dry and wet; interpolated as it is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    predelay_frames: f64,
    gain: f64,
    width: f64,
    mix: f64,
}

impl Settings {
    fn of(convolution: &Convolution, sample_rate_hz: f64) -> Self {
        Self {
            predelay_frames: convolution.predelay_ms * 0.001 * sample_rate_hz,
            gain: gain_from_db(convolution.gain_db),
            width: convolution.width,
            mix: convolution.mix,
        }
    }
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            predelay_frames: between(self.predelay_frames, to.predelay_frames, t),
            gain: between(self.gain, to.gain, t),
            width: between(self.width, to.width, t),
            mix: between(self.mix, to.mix, t),
        }
    }
}

/// The response, then the pre-delay: so that neither the response nor the latency depends on it.
struct ConvolutionNode<const IN: usize> {
    convolution: Convolution,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    settings: Moving<Settings>,
    convolver: Convolver,
    predelay: MovingDelay<f64, 2>,
    /// Frames in a row in which nothing came out of the convolver, up to those that the pre-delay remembers.
    quiet_frames: usize,
    outputs: usize,
    latency: i64,
}

impl<const IN: usize> ConvolutionNode<IN> {
    fn new(convolution: Convolution, response: Arc<Response>, rate_hz: u32, lanes: Vec<ParameterLane>) -> Self {
        let sample_rate_hz = f64::from(rate_hz);
        let predelay = match lane_of(&convolution, &lanes, "predelay_ms") {
            None => MovingDelay::still(frames_from_ms(convolution.predelay_ms, rate_hz)),
            Some(lane) => MovingDelay::moving(frames_from_ms(lane.highest(), rate_hz)),
        };
        Self {
            settings: Moving::still(Settings::of(&convolution, sample_rate_hz)),
            sample_rate_hz,
            quiet_frames: predelay.memory_frames(),
            predelay,
            outputs: response.outputs(),
            latency: response.part_frames() as i64,
            convolver: Convolver::new(response),
            convolution,
            lanes,
        }
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        // What comes out now is the sound of one part ago, and so are the parameters.
        let frame = run.frame - self.latency;
        if !self.lanes.is_empty() {
            let Self { convolution, lanes, sample_rate_hz, .. } = self;
            self.settings.seek(frame, |frame| {
                set_lanes(convolution, lanes, frame);
                Settings::of(convolution, *sample_rate_hz)
            });
        }
        let phase = self.convolver.phase(run.frame);
        let mut input = [[0.0f64; CONTROL_FRAMES]; IN];
        for (channel, input) in input.iter_mut().enumerate() {
            let samples = &block.audio.channel(channel)[run.range()];
            input.iter_mut().zip(samples).for_each(|(to, sample)| *to = f64::from(finite(*sample)));
        }
        let dry = |output: usize, index: usize| self.convolver.delayed(output.min(IN - 1), phase)[index];
        let last = self.outputs - 1;
        let memory_frames = self.predelay.memory_frames();
        for index in 0..run.frames {
            let Settings { predelay_frames, gain, width, mix } = self.settings.at(frame + index as i64);
            let convolved = [0, last].map(|output| self.convolver.output(output, phase)[index]);
            let quiet = convolved == [0.0; 2];
            self.quiet_frames = if quiet { (self.quiet_frames + 1).min(memory_frames) } else { 0 };
            let wet = self.predelay.run(convolved, predelay_frames).0;
            if self.outputs == 1 {
                let out = dry(0, index) * (1.0 - mix) + wet[0] * gain * mix;
                block.audio.channel_mut(0)[run.start + index] = finite(out as f32);
                continue;
            }
            let (left, right) = (wet[0] * gain, wet[1] * gain);
            let (mid, side) = (0.5 * (left + right), 0.5 * width * (left - right));
            // At full width each side is its own: the way over middle and side would round.
            let sides = if width == 1.0 { [left, right] } else { [mid + side, mid - side] };
            for (output, wet) in sides.into_iter().enumerate() {
                let out = dry(output, index) * (1.0 - mix) + wet * mix;
                block.audio.channel_mut(output)[run.start + index] = finite(out as f32);
            }
        }
        self.convolver.push(phase, input.each_ref().map(|input| &input[..run.frames]));
    }
}

impl<const IN: usize> Node for ConvolutionNode<IN> {
    fn process(&mut self, block: &mut Block<'_>) {
        for run in Runs::<CONTROL_FRAMES>::of(block.frame, block.audio.frames()) {
            self.process_run(block, run);
        }
    }

    fn reset(&mut self) {
        self.convolver.reset();
        self.predelay.reset();
        self.quiet_frames = self.predelay.memory_frames();
    }

    fn is_at_rest(&self) -> bool {
        self.convolver.is_silent() && self.quiet_frames == self.predelay.memory_frames()
    }
}
