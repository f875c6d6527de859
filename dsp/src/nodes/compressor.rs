//! Compressor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range_fault;
use crate::buffer::Buffer;
use crate::control::{Interpolate, Moving, Run, Runs, between, finite, moving_lanes, set_lanes, trailing_silence};
use crate::kernels::delay_line::DelayLine;
use crate::kernels::gain_computer::{GainComputer, LOG2_PER_DB};
use crate::kernels::window::{Greatest, Sum, Window};
use crate::math;
use crate::node::{Block, CONTROL_FRAMES, Node, ParameterLane, Parameters, Prepare};
use crate::units::frames_from_ms;

/// A feed-forward compressor with soft knee, look-ahead, side-chain and mix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Compressor {
    /// Level above which gain falls, in dBFS, −80 to 0.
    #[schemars(range(min = -80.0, max = 0.0))]
    pub threshold_db: f64,
    /// Input dB per output dB above the threshold, 1 to 100.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub ratio: f64,
    /// Width of the soft knee in dB, 0 to 40.
    #[schemars(range(min = 0.0, max = 40.0))]
    pub knee_db: f64,
    /// Time constant (63.2 %) of falling gain in ms, 0.01 to 500.
    #[schemars(range(min = 0.01, max = 500.0))]
    pub attack_ms: f64,
    /// Time constant (63.2 %) of recovering gain in ms, 1 to 5000.
    #[schemars(range(min = 1.0, max = 5000.0))]
    pub release_ms: f64,
    /// Gain after compression in dB, −40 to +40.
    #[schemars(range(min = -40.0, max = 40.0))]
    pub makeup_db: f64,
    /// Share of the compressed signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
    /// How far the detector looks ahead in ms, 0 to 20; becomes latency. Cannot be automated.
    #[schemars(range(min = 0.0, max = 20.0))]
    pub lookahead_ms: f64,
    /// What the detector reads.
    pub detection: Detection,
    /// Window of RMS detection in ms, 1 to 500. Cannot be automated.
    #[schemars(range(min = 1.0, max = 500.0))]
    pub rms_ms: f64,
}

/// What a detector reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detection {
    /// The sample's magnitude.
    #[default]
    Peak,
    /// The root mean square over a window.
    Rms,
}

impl Default for Compressor {
    fn default() -> Self {
        Self {
            threshold_db: -18.0,
            ratio: 2.0,
            knee_db: 6.0,
            attack_ms: 10.0,
            release_ms: 120.0,
            makeup_db: 0.0,
            mix: 1.0,
            lookahead_ms: 0.0,
            detection: Detection::Peak,
            rms_ms: 10.0,
        }
    }
}

impl Parameters for Compressor {
    continuous! {
        threshold_db: -80.0 to 0.0,
        ratio: 1.0 to 100.0,
        knee_db: 0.0 to 40.0,
        attack_ms: 0.01 to 500.0,
        release_ms: 1.0 to 5000.0,
        makeup_db: -40.0 to 40.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        let lookahead = range_fault("lookahead_ms", self.lookahead_ms, 0.0, 20.0);
        lookahead.into_iter().chain(range_fault("rms_ms", self.rms_ms, 1.0, 500.0)).collect()
    }

    fn accepts_sidechain(&self) -> bool {
        true
    }

    fn latency_frames(&self, sample_rate_hz: u32) -> usize {
        frames_from_ms(self.lookahead_ms, sample_rate_hz)
    }

    fn tail_frames(&self, _: u32) -> u64 {
        0
    }
}

impl Compressor {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut compressor = self.clone();
        let moving = moving_lanes(&mut compressor, lanes);
        match prepare.channels {
            1 => Box::new(CompressorNode::<1>::new(compressor, prepare.sample_rate_hz, moving)),
            2 => Box::new(CompressorNode::<2>::new(compressor, prepare.sample_rate_hz, moving)),
            channels => panic!("a compressor has one or two channels, not {channels}"),
        }
    }
}

/// Frames processed together; a multiple of [`CONTROL_FRAMES`].
const RUN_FRAMES: usize = 64;

/// What detectors take for silence: −600 dBFS.
const SILENCE: f64 = 1e-30;

/// A reduction that has recovered to this (1e-9 dB) has recovered.
const RECOVERED: f64 = 1e-9 * LOG2_PER_DB;

/// Detector → curve → held over the look-ahead → smoothed → gain, in one pass per stage over a run of frames.
///
/// The smoother comes after the curve and is the smooth branching one of Giannoulis, Massberg and Reiss (JAES 60(6),
/// 2012): one pole that goes by the attack time while the reduction grows and by the release time while it shrinks.
/// Unlike the decoupled one it does not lengthen the release by the attack.
struct CompressorNode<const C: usize> {
    compressor: Compressor,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    settings: Moving<Settings>,
    /// Mean squares, one window per channel of the key; empty for peak detection.
    squares: Vec<Window<Sum>>,
    rms_frames: usize,
    hold: Window<Greatest>,
    lookahead: [DelayLine<f32>; C],
    /// In binary logarithms.
    reduction: f64,
    /// Silent frames in a row, up to what the windows and the delay remember.
    quiet_frames: usize,
    keyed: bool,
}

/// The parameters as the loops use them; interpolated as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    curve: GainComputer,
    /// Share of the distance that the reduction goes in one frame.
    attack: f64,
    release: f64,
    /// In binary logarithms.
    makeup: f64,
    mix: f64,
}

impl Settings {
    fn of(compressor: &Compressor, sample_rate_hz: f64) -> Self {
        let share = |ms: f64| 1.0 - math::exp(-1000.0 / (ms * sample_rate_hz));
        Self {
            curve: GainComputer::new(compressor.threshold_db, compressor.ratio, compressor.knee_db),
            attack: share(compressor.attack_ms),
            release: share(compressor.release_ms),
            makeup: compressor.makeup_db * LOG2_PER_DB,
            mix: compressor.mix,
        }
    }
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            curve: self.curve.interpolated(&to.curve, t),
            attack: between(self.attack, to.attack, t),
            release: between(self.release, to.release, t),
            makeup: between(self.makeup, to.makeup, t),
            mix: between(self.mix, to.mix, t),
        }
    }
}

impl<const C: usize> CompressorNode<C> {
    fn new(compressor: Compressor, sample_rate_hz: u32, lanes: Vec<ParameterLane>) -> Self {
        let lookahead = compressor.latency_frames(sample_rate_hz);
        let rms_frames = match compressor.detection {
            Detection::Peak => 0,
            Detection::Rms => frames_from_ms(compressor.rms_ms, sample_rate_hz).max(1),
        };
        let settings = Settings::of(&compressor, f64::from(sample_rate_hz));
        Self {
            compressor,
            sample_rate_hz: f64::from(sample_rate_hz),
            lanes,
            settings: Moving::still(settings),
            // A key may be stereo beside a mono input.
            squares: (0..if rms_frames > 0 { 2 } else { 0 }).map(|_| Window::new(rms_frames)).collect(),
            rms_frames,
            hold: Window::new(lookahead + 1),
            lookahead: core::array::from_fn(|_| DelayLine::new(lookahead, 0.0)),
            reduction: 0.0,
            quiet_frames: 0,
            keyed: false,
        }
    }

    fn memory_frames(&self) -> usize {
        self.rms_frames + 2 * self.lookahead[0].length() + 1
    }

    /// Writes the levels of `key`, linked over its channels, linear. Silent frames read [`SILENCE`].
    fn detect(&mut self, key: &Buffer, run: Run, levels: &mut [f64]) {
        levels.fill(0.0);
        let mut squares = [0.0; RUN_FRAMES];
        for (index, channel) in key.iter().enumerate() {
            let samples = &channel[run.range()];
            if let Some(window) = self.squares.get_mut(index) {
                let squares = &mut squares[..samples.len()];
                for (square, sample) in squares.iter_mut().zip(samples) {
                    let sample = f64::from(finite(*sample));
                    *square = sample * sample;
                }
                window.run(run.frame, squares);
                levels.iter_mut().zip(squares).for_each(|(level, square)| *level = larger(*level, *square));
            } else {
                for (level, sample) in levels.iter_mut().zip(samples) {
                    *level = larger(*level, f64::from(finite(*sample).abs()));
                }
            }
        }
        if self.rms_frames > 0 {
            let share = 1.0 / self.rms_frames as f64;
            levels.iter_mut().for_each(|level| *level = (*level * share).sqrt());
        }
    }

    /// Turns levels into gains, with `settings` of each frame of the run.
    #[inline(always)]
    fn gains(&mut self, frame: i64, levels: &mut [f64], settings: impl Fn(usize) -> Settings) {
        for (index, level) in levels.iter_mut().enumerate() {
            *level = settings(index).curve.reduction(math::quick_log2(larger(*level, SILENCE)));
        }
        if self.lookahead[0].length() > 0 {
            self.hold.run(frame, levels);
        }
        let mut reduction = self.reduction;
        for (index, wanted) in levels.iter_mut().enumerate() {
            let Settings { attack, release, .. } = settings(index);
            let distance = *wanted - reduction;
            reduction += distance * if distance > 0.0 { attack } else { release };
            *wanted = reduction;
        }
        self.reduction = reduction;
        for (index, gain) in levels.iter_mut().enumerate() {
            let Settings { makeup, mix, .. } = settings(index);
            // Written so that a gain of 1 is exactly 1 at any mix.
            *gain = 1.0 + mix * (math::quick_exp2(makeup - *gain) - 1.0);
        }
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        if run.frame.rem_euclid(RUN_FRAMES as i64) == 0 && self.reduction < RECOVERED {
            self.reduction = 0.0;
        }
        let mut levels = [0.0; RUN_FRAMES];
        let levels = &mut levels[..run.frames];
        self.detect(block.key.unwrap_or(block.audio), run, levels);
        if self.lanes.is_empty() {
            let settings = self.settings.at(run.frame);
            self.gains(run.frame, levels, |_| settings);
        } else {
            let Self { compressor, lanes, sample_rate_hz, .. } = self;
            self.settings.seek(run.frame, |frame| {
                set_lanes(compressor, lanes, frame);
                Settings::of(compressor, *sample_rate_hz)
            });
            let settings = self.settings.clone();
            self.gains(run.frame, levels, |index| settings.at(run.frame + index as i64));
        }
        for (channel, delay) in block.audio.iter_mut().zip(&mut self.lookahead) {
            let samples = &mut channel[run.range()];
            if delay.length() > 0 {
                samples.iter_mut().for_each(|sample| *sample = delay.exchange(*sample));
            }
            for (sample, gain) in samples.iter_mut().zip(levels.iter()) {
                *sample = finite((gain * f64::from(finite(*sample))) as f32);
            }
        }
    }
}

/// The larger of two numbers, neither of them NaN.
#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

impl<const C: usize> Node for CompressorNode<C> {
    fn process(&mut self, block: &mut Block<'_>) {
        self.keyed |= block.key.is_some();
        let quiet = block.audio.iter().map(trailing_silence).min().unwrap_or(0);
        let all_quiet = quiet == block.audio.frames();
        self.quiet_frames = if all_quiet { self.quiet_frames.saturating_add(quiet) } else { quiet };

        let frames = block.audio.frames();
        if self.lanes.is_empty() {
            for run in Runs::<RUN_FRAMES>::of(block.frame, frames) {
                self.process_run(block, run);
            }
        } else {
            for run in Runs::<CONTROL_FRAMES>::of(block.frame, frames) {
                self.process_run(block, run);
            }
        }
    }

    fn reset(&mut self) {
        self.squares.iter_mut().for_each(Window::reset);
        self.hold.reset();
        self.lookahead.iter_mut().for_each(DelayLine::reset);
        self.reduction = 0.0;
        self.quiet_frames = 0;
        self.keyed = false;
    }

    fn is_at_rest(&self) -> bool {
        // A key can sound while the input is silent.
        !self.keyed && self.reduction == 0.0 && self.quiet_frames >= self.memory_frames()
    }
}
