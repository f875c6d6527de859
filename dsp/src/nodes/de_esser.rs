//! De-esser.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range_fault;
use crate::control::{Interpolate, Moving, Run, Runs, TIDY_FRAMES, between, finite, moving_lanes, set_lanes};
use crate::kernels::ballistics::{Ballistics, Smoothing, Times, larger};
use crate::kernels::crossover::{Corner, Crossover, Slope};
use crate::kernels::delay_line::DelayLine;
use crate::kernels::gain_computer::{GainComputer, LOG2_PER_DB};
use crate::kernels::lanes::Lanes;
use crate::kernels::window::{Sum, Window};
use crate::math;
use crate::node::{Block, CONTROL_FRAMES, DECIDES_LATENCY, LN_120_DB, Node, ParameterLane, Parameters, Prepare};
use crate::units::frames_from_ms;

/// Lowers sibilants: sounds that have most of their energy above a frequency, however loud they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeEsser {
    /// Above this frequency lies the sibilance, in Hz, 2000 to 12000.
    #[schemars(range(min = 2000.0, max = 12000.0))]
    pub frequency_hz: f64,
    /// Level above the frequency relative to the whole level, from which it is lowered, in dB, −40 to 0.
    #[schemars(range(min = -40.0, max = 0.0))]
    pub threshold_db: f64,
    /// dB over the threshold per dB left of them, 1 to 100.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub ratio: f64,
    /// The most that is taken away in dB, 0 to 24.
    #[schemars(range(min = 0.0, max = 24.0))]
    pub range_db: f64,
    /// Time constant (63.2 %) of falling gain in ms, 0.05 to 50.
    #[schemars(range(min = 0.05, max = 50.0))]
    pub attack_ms: f64,
    /// Time constant (63.2 %) of recovering gain in ms, 5 to 500.
    #[schemars(range(min = 5.0, max = 500.0))]
    pub release_ms: f64,
    /// What is lowered.
    pub mode: DeEsserMode,
    /// How far the detector looks ahead in ms, 0 to 10; becomes latency. Cannot be automated.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub lookahead_ms: f64,
}

/// What a [`DeEsser`] lowers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeEsserMode {
    /// What lies above the frequency, parted by a Linkwitz–Riley crossover of 24 dB per octave.
    #[default]
    Split,
    /// The whole sound.
    Wide,
}

impl Default for DeEsser {
    fn default() -> Self {
        Self {
            frequency_hz: 6000.0,
            threshold_db: -10.0,
            ratio: 4.0,
            range_db: 8.0,
            attack_ms: 1.0,
            release_ms: 40.0,
            mode: DeEsserMode::Split,
            lookahead_ms: 2.5,
        }
    }
}

impl Parameters for DeEsser {
    continuous! {
        frequency_hz: 2000.0 to 12000.0,
        threshold_db: -40.0 to 0.0,
        ratio: 1.0 to 100.0,
        range_db: 0.0 to 24.0,
        attack_ms: 0.05 to 50.0,
        release_ms: 5.0 to 500.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        range_fault("lookahead_ms", self.lookahead_ms, 0.0, 10.0).into_iter().collect()
    }

    keyed!();

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[("lookahead_ms", DECIDES_LATENCY)]
    }

    fn latency_frames(&self, sample_rate_hz: u32) -> usize {
        frames_from_ms(self.lookahead_ms, sample_rate_hz)
    }

    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        match self.mode {
            DeEsserMode::Wide => 0,
            DeEsserMode::Split => {
                let seconds = SLOPE.fall_s([self.frequency_hz].into_iter(), LN_120_DB);
                (seconds * f64::from(sample_rate_hz)).ceil() as u64
            }
        }
    }
}

impl DeEsser {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut de_esser = self.clone();
        let moving = moving_lanes(&mut de_esser, lanes);
        match prepare.channels {
            1 => Box::new(DeEsserNode::<1>::new(de_esser, prepare.sample_rate_hz, moving)),
            2 => Box::new(DeEsserNode::<2>::new(de_esser, prepare.sample_rate_hz, moving)),
            channels => panic!("a de-esser has one or two channels, not {channels}"),
        }
    }
}

const SLOPE: Slope = Slope::Db24;

/// Window in ms over which levels are compared: most of a period of a low voice.
const WINDOW_MS: f64 = 5.0;

/// A mean square below this (−100 dBFS) is silence, in which nothing is sibilant: the first samples after it are a click,
/// however softly a voice sets in.
const SILENT_SQUARE: f64 = 1e-10;

/// The least sum of squares that has a logarithm here.
const NOTHING: f64 = 1e-60;

/// Frames processed together; a multiple of [`CONTROL_FRAMES`].
const RUN_FRAMES: usize = 64;

struct DeEsserNode<const C: usize> {
    de_esser: DeEsser,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    settings: Moving<Settings>,
    /// Parts what the detector hears, which is ahead of what is heard.
    key_crossover: Crossover<2>,
    above: Window<Sum>,
    whole: Window<Sum>,
    window_frames: usize,
    ballistics: Ballistics,
    /// Parts the sound; none where all of it is lowered, or none of it ever.
    crossover: Option<Crossover<C>>,
    lookahead: [DelayLine<f32>; C],
    /// Frames since the crossovers came to rest.
    rest_frames: usize,
    keyed: bool,
}

/// The parameters as the loops use them; interpolated as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    corner: Corner,
    curve: GainComputer,
    /// In binary logarithms.
    range: f64,
    times: Times,
}

impl Settings {
    fn of(de_esser: &DeEsser, sample_rate_hz: f64) -> Self {
        Self {
            corner: Corner::new(SLOPE, de_esser.frequency_hz, sample_rate_hz),
            curve: GainComputer::new(de_esser.threshold_db, de_esser.ratio, 0.0),
            range: de_esser.range_db * LOG2_PER_DB,
            times: Times::new(de_esser.attack_ms, de_esser.release_ms, sample_rate_hz),
        }
    }
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            corner: self.corner.interpolated(&to.corner, t),
            curve: self.curve.interpolated(&to.curve, t),
            range: between(self.range, to.range, t),
            times: self.times.interpolated(&to.times, t),
        }
    }
}

impl<const C: usize> DeEsserNode<C> {
    fn new(de_esser: DeEsser, sample_rate_hz: u32, lanes: Vec<ParameterLane>) -> Self {
        let lookahead = de_esser.latency_frames(sample_rate_hz);
        let window_frames = frames_from_ms(WINDOW_MS, sample_rate_hz);
        let is_neutral = lanes.is_empty() && (de_esser.range_db == 0.0 || de_esser.ratio == 1.0);
        let is_split = de_esser.mode == DeEsserMode::Split && !is_neutral;
        Self {
            settings: Moving::still(Settings::of(&de_esser, f64::from(sample_rate_hz))),
            de_esser,
            sample_rate_hz: f64::from(sample_rate_hz),
            lanes,
            key_crossover: Crossover::new(SLOPE, 2),
            above: Window::new(window_frames),
            whole: Window::new(window_frames),
            window_frames,
            ballistics: Ballistics::default(),
            crossover: is_split.then(|| Crossover::new(SLOPE, 2)),
            lookahead: core::array::from_fn(|_| DelayLine::new(lookahead, 0.0)),
            rest_frames: 0,
            keyed: false,
        }
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        if run.frame.rem_euclid(TIDY_FRAMES) == 0 {
            self.key_crossover.tidy();
            self.crossover.iter_mut().for_each(Crossover::tidy);
            self.ballistics.tidy();
        }
        if self.lanes.is_empty() {
            let settings = self.settings.at(run.frame);
            self.process_with(block, run, |_| settings);
        } else {
            let Self { de_esser, lanes, sample_rate_hz, .. } = self;
            self.settings.seek(run.frame, |frame| {
                set_lanes(de_esser, lanes, frame);
                Settings::of(de_esser, *sample_rate_hz)
            });
            let settings = self.settings.clone();
            self.process_with(block, run, |index| settings.at(run.frame + index as i64));
        }
        let at_rest = self.key_crossover.is_at_rest() && self.crossover.iter().all(Crossover::is_at_rest);
        self.rest_frames = if at_rest { self.rest_frames.saturating_add(run.frames) } else { 0 };
    }

    #[inline(always)]
    fn process_with(&mut self, block: &mut Block<'_>, run: Run, settings: impl Fn(usize) -> Settings) {
        let mut gains = [0.0; RUN_FRAMES];
        let gains = &mut gains[..run.frames];
        self.gains(block, run, gains, &settings);

        for (channel, delay) in block.audio.iter_mut().zip(&mut self.lookahead) {
            for sample in &mut channel[run.range()] {
                *sample = delay.exchange(finite(*sample));
            }
        }
        let Some(crossover) = &mut self.crossover else {
            for channel in block.audio.iter_mut() {
                for (sample, gain) in channel[run.range()].iter_mut().zip(gains.iter()) {
                    *sample = (gain * f64::from(*sample)) as f32;
                }
            }
            return;
        };
        let mut bands = [[Lanes::<C>::ZERO; RUN_FRAMES]; 2];
        for (lane, channel) in block.audio.iter().enumerate() {
            for (frame, sample) in bands[1].iter_mut().zip(&channel[run.range()]) {
                frame.0[lane] = f64::from(*sample);
            }
        }
        crossover.split(|_, index| settings(index).corner, &mut bands, run.frames);
        let [low, high] = &bands;
        for (lane, channel) in block.audio.iter_mut().enumerate() {
            let samples = channel[run.range()].iter_mut().zip(gains.iter());
            for ((sample, gain), (low, high)) in samples.zip(low.iter().zip(high)) {
                *sample = finite((low.0[lane] + gain * high.0[lane]) as f32);
            }
        }
    }

    /// Writes the gains of a run: one for all channels, whose energies are summed.
    #[inline(always)]
    fn gains(&mut self, block: &Block<'_>, run: Run, gains: &mut [f64], settings: &impl Fn(usize) -> Settings) {
        let mut bands = [[Lanes::<2>::ZERO; RUN_FRAMES]; 2];
        let mut squares = [0.0; RUN_FRAMES];
        let squares = &mut squares[..run.frames];
        for (lane, channel) in block.key.unwrap_or(block.audio).iter().take(2).enumerate() {
            for ((frame, square), sample) in bands[1].iter_mut().zip(squares.iter_mut()).zip(&channel[run.range()]) {
                let sample = f64::from(finite(*sample));
                frame.0[lane] = sample;
                *square += sample * sample;
            }
        }
        self.whole.run(run.frame, squares);
        self.key_crossover.split(|_, index| settings(index).corner, &mut bands, run.frames);
        for (gain, Lanes([left, right])) in gains.iter_mut().zip(&bands[1]) {
            *gain = left * left + right * right;
        }
        self.above.run(run.frame, gains);
        let silence = SILENT_SQUARE * self.window_frames as f64;
        for (index, (above, whole)) in gains.iter_mut().zip(squares).enumerate() {
            let Settings { curve, range, .. } = settings(index);
            // The quotient alone counts: a sound twice as loud has the bits of this one. Half a logarithm, as of powers.
            let quotient = larger(*above, NOTHING) / larger(*whole, silence);
            *above = curve.reduction(0.5 * math::quick_log2(quotient)).min(range);
        }
        self.ballistics.run((Smoothing::Branching, false), gains, |index| settings(index).times);
        gains.iter_mut().for_each(|gain| *gain = math::quick_exp2(-*gain));
    }
}

impl<const C: usize> Node for DeEsserNode<C> {
    fn process(&mut self, block: &mut Block<'_>) {
        self.keyed |= block.key.is_some();
        let frames = block.audio.frames();
        if self.lanes.is_empty() {
            Runs::<RUN_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
        } else {
            Runs::<CONTROL_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
        }
    }

    fn reset(&mut self) {
        self.key_crossover.reset();
        self.crossover.iter_mut().for_each(Crossover::reset);
        self.above.reset();
        self.whole.reset();
        self.ballistics = Ballistics::default();
        self.lookahead.iter_mut().for_each(DelayLine::reset);
        self.rest_frames = 0;
        self.keyed = false;
    }

    fn is_at_rest(&self) -> bool {
        // A key can sound while the input is silent.
        !self.keyed
            && self.rest_frames >= self.window_frames + self.lookahead[0].length()
            && self.key_crossover.is_at_rest()
            && self.crossover.iter().all(Crossover::is_at_rest)
            && self.ballistics.is_at_rest()
    }
}
