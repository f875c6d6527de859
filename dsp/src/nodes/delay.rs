//! Delay.

use core::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range_fault;
use crate::control::{Interpolate, Moving, Run, Runs, TIDY_FRAMES, between, finite, lane_of, moving_lanes, set_lanes};
use crate::kernels::delay_line::DelayLine;
use crate::kernels::lanes::Lanes;
use crate::kernels::moving_tap::{REACH, Tap};
use crate::kernels::one_pole::{self, OnePole};
use crate::math;
use crate::node::{Block, CONTROL_FRAMES, LN_120_DB, Node, ParameterLane, Parameters, Prepare};
use crate::units::frames_from_ms;

/// A delay with feedback, filters in the loop and ping-pong. On a bus, `mix` is 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Delay {
    /// Delay in ms, 1 to 5000. While it moves, echoes bend in pitch as on tape.
    #[schemars(range(min = 1.0, max = 5000.0))]
    pub time_ms: f64,
    /// Delay in beats of the session's tempo, in place of `time_ms`: 1/64 to 64, as long as it makes 1 to 5000 ms. Cannot be automated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.015625, max = 64.0))]
    pub time_beats: Option<f64>,
    /// Share of the output fed back, 0 to 0.95.
    #[schemars(range(min = 0.0, max = 0.95))]
    pub feedback: f64,
    /// Corner of the low cut in the loop in Hz, 10 to 2000. Off where it stands at 10.
    #[schemars(range(min = 10.0, max = 2000.0))]
    pub low_cut_hz: f64,
    /// Corner of the high cut in the loop in Hz, 500 to 20000. Off where it stands at 20000.
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
        Self {
            time_ms: 375.0,
            time_beats: None,
            feedback: 0.3,
            low_cut_hz: 100.0,
            high_cut_hz: 6000.0,
            ping_pong: false,
            mix: 1.0,
        }
    }
}

impl Parameters for Delay {
    continuous! {
        time_ms: 1.0 to 5000.0,
        feedback: 0.0 to 0.95,
        low_cut_hz: 10.0 to 2000.0,
        high_cut_hz: 500.0 to 20000.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        self.time_beats.and_then(|beats| range_fault("time_beats", beats, 0.015_625, 64.0)).into_iter().collect()
    }

    linear!();

    fn channels_out(&self, channels: usize) -> usize {
        if self.ping_pong { 2 } else { channels }
    }

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[("time_beats", "it follows the tempo of the session; automate `time_ms`")]
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
        let mut delay = self.clone();
        let moving = moving_lanes(&mut delay, lanes);
        let sample_rate_hz = f64::from(prepare.sample_rate_hz);
        match self.channels_out(prepare.channels) {
            1 => Box::new(DelayNode::<1>::new(delay, sample_rate_hz, prepare, moving)),
            2 => Box::new(DelayNode::<2>::new(delay, sample_rate_hz, prepare, moving)),
            channels => panic!("a delay has one or two channels, not {channels}"),
        }
    }
}

/// A line, then both cuts, then out and back into the line: the cuts shape every echo, the first one once.
struct DelayNode<const C: usize> {
    delay: Delay,
    channels_in: usize,
    settings: Moving<Settings>,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    line: DelayLine<[f32; C]>,
    /// Whether the time moves: the line is as long as the longest then, and read between its frames.
    moves: bool,
    has_high_cut: bool,
    has_low_cut: bool,
    high_cut: OnePole<C>,
    low_cut: OnePole<C>,
    /// Frames of exact silence in a row that went into the line, up to its length.
    quiet_frames: usize,
}

/// The parameters as the loop uses them; interpolated as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    frames: f64,
    feedback: f64,
    high_cut: f64,
    low_cut: f64,
    mix: f64,
}

impl Settings {
    fn of(delay: &Delay, sample_rate_hz: f64) -> Self {
        Self {
            frames: delay.time_ms * 0.001 * sample_rate_hz,
            feedback: delay.feedback,
            high_cut: one_pole::coefficient(delay.high_cut_hz, sample_rate_hz),
            low_cut: one_pole::coefficient(delay.low_cut_hz, sample_rate_hz),
            mix: delay.mix,
        }
    }
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            frames: between(self.frames, to.frames, t),
            feedback: between(self.feedback, to.feedback, t),
            high_cut: between(self.high_cut, to.high_cut, t),
            low_cut: between(self.low_cut, to.low_cut, t),
            mix: between(self.mix, to.mix, t),
        }
    }
}

impl<const C: usize> DelayNode<C> {
    fn new(delay: Delay, sample_rate_hz: f64, prepare: Prepare, lanes: Vec<ParameterLane>) -> Self {
        let moves = |name: &str| lane_of(&delay, &lanes, name);
        // Never shorter than a run, which is read before it is written.
        let length = match moves("time_ms") {
            None => frames_from_ms(delay.time_ms, prepare.sample_rate_hz).max(CONTROL_FRAMES),
            Some(lane) => frames_from_ms(lane.highest(), prepare.sample_rate_hz) + CONTROL_FRAMES + 2 * REACH,
        };
        Self {
            channels_in: prepare.channels,
            settings: Moving::still(Settings::of(&delay, sample_rate_hz)),
            sample_rate_hz,
            line: DelayLine::new(length, [0.0; C]),
            moves: moves("time_ms").is_some(),
            has_high_cut: moves("high_cut_hz").is_some() || delay.high_cut_hz < HIGHEST_CUT_HZ,
            has_low_cut: moves("low_cut_hz").is_some() || delay.low_cut_hz > LOWEST_CUT_HZ,
            high_cut: OnePole::ZERO,
            low_cut: OnePole::ZERO,
            quiet_frames: length,
            lanes,
            delay,
        }
    }

    /// What comes out of the line `frames` after it went in, for the frame at `index` of a run that is not in the line yet.
    #[inline]
    fn read(&self, frames: f64, index: usize) -> Lanes<C> {
        let frames = frames.max((CONTROL_FRAMES + REACH) as f64);
        Tap::at(frames - index as f64).read(&self.line)
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        if run.frame.rem_euclid(TIDY_FRAMES) == 0 {
            self.high_cut = self.high_cut.without_dust();
            self.low_cut = self.low_cut.without_dust();
        }
        if !self.lanes.is_empty() {
            let Self { delay, lanes, sample_rate_hz, .. } = self;
            self.settings.seek(run.frame, |frame| {
                set_lanes(delay, lanes, frame);
                Settings::of(delay, *sample_rate_hz)
            });
        }
        let mut oldest = [[0.0f64; C]; CONTROL_FRAMES];
        let mut newest = [[0.0f32; C]; CONTROL_FRAMES];
        if self.moves {
            for (index, value) in oldest.iter_mut().enumerate().take(run.frames) {
                *value = self.read(self.settings.at(run.frame + index as i64).frames, index).0;
            }
        } else {
            for (value, slot) in oldest.iter_mut().zip(self.line.oldest(run.frames).into_iter().flatten()) {
                *value = slot.map(f64::from);
            }
        }
        for index in 0..run.frames {
            let Settings { feedback, high_cut, low_cut, mix, .. } = self.settings.at(run.frame + index as i64);
            let mut echo = Lanes(oldest[index]);
            if self.has_high_cut {
                echo = self.high_cut.low_pass(high_cut, echo);
            }
            if self.has_low_cut {
                echo = echo - self.low_cut.low_pass(low_cut, echo);
            }
            let dry: Lanes<C> = Lanes(core::array::from_fn(|lane| {
                let from = lane.min(self.channels_in - 1);
                f64::from(finite(block.audio.channel(from)[run.start + index]))
            }));
            let into_line = if self.delay.ping_pong { ping_pong(dry, echo * feedback) } else { dry + echo * feedback };
            newest[index] = into_line.without_dust().0.map(|value| finite(value as f32));
            let out = dry * (1.0 - mix) + echo * mix;
            for lane in 0..C {
                block.audio.channel_mut(lane)[run.start + index] = finite(out.0[lane] as f32);
            }
        }
        for (value, slot) in newest.iter().zip(self.line.advance(run.frames).into_iter().flatten()) {
            *slot = *value;
        }
        let silent = newest[..run.frames].iter().rev().take_while(|frame| **frame == [0.0; C]).count();
        self.quiet_frames =
            if silent == run.frames { (self.quiet_frames + silent).min(self.line.length()) } else { silent };
    }
}

/// Where the cuts are off.
const LOWEST_CUT_HZ: f64 = 10.0;
const HIGHEST_CUT_HZ: f64 = 20_000.0;

/// The mean of the channels goes to the left line, what comes out of each line to the other one.
#[inline(always)]
fn ping_pong<const C: usize>(dry: Lanes<C>, echo: Lanes<C>) -> Lanes<C> {
    let mean = dry.0.iter().sum::<f64>() / C as f64;
    Lanes(core::array::from_fn(|lane| echo.0[C - 1 - lane] + if lane == 0 { mean } else { 0.0 }))
}

impl<const C: usize> Node for DelayNode<C> {
    fn process(&mut self, block: &mut Block<'_>) {
        for run in Runs::<CONTROL_FRAMES>::of(block.frame, block.audio.frames()) {
            self.process_run(block, run);
        }
    }

    fn reset(&mut self) {
        self.line.reset();
        self.high_cut = OnePole::ZERO;
        self.low_cut = OnePole::ZERO;
        self.quiet_frames = self.line.length();
    }

    fn is_at_rest(&self) -> bool {
        self.quiet_frames == self.line.length() && self.high_cut == OnePole::ZERO && self.low_cut == OnePole::ZERO
    }
}
