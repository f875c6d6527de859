//! What every processor of dynamics is around its law: key, detector, look-ahead, link, mix, automation and rest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::automation::Lane;
use crate::buffer::Buffer;
use crate::control::{
    Interpolate, Moving, Run, Runs, TIDY_FRAMES, between, finite, lane_of, moving_lanes, set_lanes, trailing_silence,
};
use crate::kernels::ballistics::larger;
use crate::kernels::delay_line::DelayLine;
use crate::kernels::gain_computer::SILENCE;
use crate::kernels::key_filter::{Corners, KeyFilter};
use crate::kernels::lanes::Lanes;
use crate::kernels::level_detector::LevelDetector;
use crate::kernels::window::{Greatest, Window};
use crate::math;
use crate::node::{Block, CONTROL_FRAMES, Node, ParameterLane, Parameters, Prepare};
use crate::units::frames_from_ms;

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

impl Detection {
    /// The detector of one channel; `lane` is that of the window, if it moves.
    pub(super) fn detector(self, rms_ms: f64, lane: Option<&Lane>, sample_rate_hz: u32) -> LevelDetector {
        match (self, lane) {
            (Self::Peak, _) => LevelDetector::peak(),
            (Self::Rms, None) => LevelDetector::rms(frames_from_ms(rms_ms, sample_rate_hz)),
            (Self::Rms, Some(lane)) => LevelDetector::moving_rms(frames_from_ms(lane.highest(), sample_rate_hz)),
        }
    }
}

/// What stands before a law and never moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Front {
    pub(super) detection: Detection,
    pub(super) lookahead_ms: f64,
    /// The law is given the highest level of so long a past, beside that of the look-ahead.
    pub(super) hold_ms: f64,
}

/// What stands around a law and may move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) corners: Corners,
    /// Window of RMS detection.
    pub(super) rms_ms: f64,
    /// 1 for one gain in all channels, 0 for one in each.
    pub(super) stereo_link: f64,
    pub(super) mix: f64,
}

/// How a processor of dynamics makes gains of levels.
pub(super) trait Law: Parameters + Clone + Send + 'static {
    /// The parameters as the loops use them.
    type Settings: Interpolate + Send;
    /// What it remembers for each gain that moves on its own; [`Default`] is the state of silence.
    type State: Default + Send;

    fn front(&self) -> Front;
    fn around(&self) -> Around;
    fn settings(&self, sample_rate_hz: f64) -> Self::Settings;
    /// Replaces levels, linear and at least 0, by gains, in binary logarithms; `settings` gives those of each frame by
    /// its index.
    fn gains(&self, state: &mut Self::State, levels: &mut [f64], settings: impl Fn(usize) -> Self::Settings);
    /// Ends what has all but ended.
    fn tidy(state: &mut Self::State, settings: &Self::Settings);
    /// Whether silence changes nothing of the state any more.
    fn is_at_rest(state: &Self::State) -> bool;
}

/// The node of a law.
pub(super) fn build<L: Law>(law: &L, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
    let mut law = law.clone();
    let lanes = moving_lanes(&mut law, lanes);
    match prepare.channels {
        1 => Box::new(DynamicsNode::<L, 1>::new(law, prepare.sample_rate_hz, lanes)),
        2 => Box::new(DynamicsNode::<L, 2>::new(law, prepare.sample_rate_hz, lanes)),
        channels => panic!("a processor of dynamics has one or two channels, not {channels}"),
    }
}

/// Frames processed together; a multiple of [`CONTROL_FRAMES`].
pub(super) const RUN_FRAMES: usize = 64;

/// Key → filter → detector → linked → held over the look-ahead → law → gain, in one pass per stage over a run of frames.
struct DynamicsNode<L: Law, const C: usize> {
    law: L,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    settings: Moving<Settings<L::Settings>>,
    key_filter: KeyFilter,
    key_filter_moves: bool,
    /// A key may be stereo beside a mono input.
    detectors: [LevelDetector; 2],
    /// One if the channels are wholly linked, otherwise one for each.
    paths: Vec<Path<L::State>>,
    lookahead: [DelayLine<f32>; C],
    memory_frames: usize,
    /// Silent frames in a row, up to what the windows and the delay remember.
    quiet_frames: usize,
    keyed: bool,
}

/// A gain that moves on its own.
struct Path<S> {
    highest: Window<Greatest>,
    state: S,
}

#[derive(Debug, Clone, Copy)]
struct Settings<S> {
    rms_frames: f64,
    stereo_link: f64,
    mix: f64,
    law: S,
}

impl<S: Interpolate> Settings<S> {
    fn of<L: Law<Settings = S>>(law: &L, sample_rate_hz: f64) -> Self {
        let Around { rms_ms, stereo_link, mix, .. } = law.around();
        Self { rms_frames: rms_ms * 0.001 * sample_rate_hz, stereo_link, mix, law: law.settings(sample_rate_hz) }
    }
}

impl<S: Interpolate> Interpolate for Settings<S> {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            rms_frames: between(self.rms_frames, to.rms_frames, t),
            stereo_link: between(self.stereo_link, to.stereo_link, t),
            mix: between(self.mix, to.mix, t),
            law: self.law.interpolated(&to.law, t),
        }
    }
}

impl<L: Law, const C: usize> DynamicsNode<L, C> {
    fn new(law: L, sample_rate_hz: u32, lanes: Vec<ParameterLane>) -> Self {
        let Front { detection, lookahead_ms, hold_ms } = law.front();
        let Around { corners, rms_ms, stereo_link, .. } = law.around();
        let names: Vec<String> = law.specs().into_iter().map(|spec| spec.name).collect();
        let moves = |start: &str| lanes.iter().any(|lane| names[lane.parameter].starts_with(start));
        let lookahead = frames_from_ms(lookahead_ms, sample_rate_hz);
        let window = lookahead + frames_from_ms(hold_ms, sample_rate_hz) + 1;
        let rms_lane = lane_of(&law, &lanes, "rms_ms");
        let detectors = core::array::from_fn(|_| detection.detector(rms_ms, rms_lane, sample_rate_hz));
        let apart = C == 2 && (stereo_link < 1.0 || moves("stereo_link"));
        let path = |_| Path { highest: Window::new(window), state: L::State::default() };
        let rate_hz = f64::from(sample_rate_hz);
        Self {
            sample_rate_hz: rate_hz,
            settings: Moving::still(Settings::of(&law, rate_hz)),
            key_filter: KeyFilter::new(corners, rate_hz),
            key_filter_moves: moves("key_"),
            memory_frames: LevelDetector::memory_frames(&detectors[0]) + window + lookahead,
            detectors,
            paths: (0..if apart { 2 } else { 1 }).map(path).collect(),
            lookahead: core::array::from_fn(|_| DelayLine::new(lookahead, 0.0)),
            quiet_frames: 0,
            keyed: false,
            law,
            lanes,
        }
    }

    /// Writes the level of each path, linear.
    fn detect(&mut self, key: &Buffer, run: Run, levels: &mut [&mut [f64]; 2]) {
        let channels = key.channel_count().min(2);
        for (levels, channel) in levels.iter_mut().zip(key.iter()) {
            for (level, sample) in levels.iter_mut().zip(&channel[run.range()]) {
                *level = f64::from(finite(*sample));
            }
        }
        if !self.key_filter.is_off() {
            let mut signal = [Lanes::ZERO; RUN_FRAMES];
            let signal = &mut signal[..run.frames];
            for (index, frame) in signal.iter_mut().enumerate() {
                *frame = Lanes([levels[0][index], levels[1][index]]);
            }
            self.key_filter.run(run.frame, signal);
            for (index, frame) in signal.iter().enumerate() {
                (levels[0][index], levels[1][index]) = (frame.0[0], frame.0[1]);
            }
        }
        for (detector, levels) in self.detectors.iter_mut().zip(levels.iter_mut()).take(channels) {
            let settings = &self.settings;
            detector.run(run.frame, levels, |index| settings.at(run.frame + index as i64).rms_frames);
        }
        let [first, second] = levels;
        if self.paths.len() == 1 {
            if channels == 2 {
                first.iter_mut().zip(second.iter()).for_each(|(first, second)| *first = larger(*first, *second));
            }
        } else if channels == 1 {
            second.copy_from_slice(first);
        } else {
            for (index, (first, second)) in first.iter_mut().zip(second.iter_mut()).enumerate() {
                let apart = 1.0 - self.settings.at(run.frame + index as i64).stereo_link;
                (*first, *second) = linked(*first, *second, apart);
            }
        }
        for (path, levels) in self.paths.iter_mut().zip(levels) {
            if path.highest.length() > 1 {
                path.highest.run(run.frame, levels);
            }
        }
    }

    /// Replaces the levels of each path by its gains, linear.
    #[inline(always)]
    fn gains(&mut self, levels: &mut [&mut [f64]; 2], settings: impl Fn(usize) -> Settings<L::Settings>) {
        for (path, levels) in self.paths.iter_mut().zip(levels) {
            self.law.gains(&mut path.state, levels, |index| settings(index).law);
            for (index, gain) in levels.iter_mut().enumerate() {
                // Written so that a gain of 1 is exactly 1 at any mix.
                *gain = 1.0 + settings(index).mix * (math::quick_exp2(*gain) - 1.0);
            }
        }
    }

    /// Makes the settings ready for a run.
    fn seek(&mut self, frame: i64) {
        let Self { law, lanes, sample_rate_hz, settings, key_filter, .. } = self;
        settings.seek(frame, |frame| {
            set_lanes(law, lanes, frame);
            Settings::of(law, *sample_rate_hz)
        });
        if self.key_filter_moves {
            key_filter.seek(frame, |frame| {
                set_lanes(law, lanes, frame);
                law.around().corners
            });
        }
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        if !self.lanes.is_empty() {
            self.seek(run.frame);
        }
        if run.frame.rem_euclid(TIDY_FRAMES) == 0 {
            let settings = self.settings.at(run.frame).law;
            self.paths.iter_mut().for_each(|path| L::tidy(&mut path.state, &settings));
            self.key_filter.tidy();
        }
        let (mut first, mut second) = ([0.0; RUN_FRAMES], [0.0; RUN_FRAMES]);
        let mut levels = [&mut first[..run.frames], &mut second[..run.frames]];
        self.detect(block.key.unwrap_or(block.audio), run, &mut levels);
        if self.lanes.is_empty() {
            let settings = self.settings.at(run.frame);
            self.gains(&mut levels, |_| settings);
        } else {
            let settings = self.settings.clone();
            self.gains(&mut levels, |index| settings.at(run.frame + index as i64));
        }
        for (index, (channel, delay)) in block.audio.iter_mut().zip(&mut self.lookahead).enumerate() {
            let samples = &mut channel[run.range()];
            if delay.length() > 0 {
                samples.iter_mut().for_each(|sample| *sample = delay.exchange(*sample));
            }
            for (sample, gain) in samples.iter_mut().zip(levels[index.min(self.paths.len() - 1)].iter()) {
                *sample = finite((gain * f64::from(finite(*sample))) as f32);
            }
        }
    }
}

/// Two levels, each brought from `apart` of its distance in dB to the higher one. Wholly apart and wholly linked are exact.
fn linked(first: f64, second: f64, apart: f64) -> (f64, f64) {
    if apart == 1.0 {
        return (first, second);
    }
    let highest = larger(first, second);
    let to = |level: f64| {
        let distance = math::quick_log2(larger(level, SILENCE)) - math::quick_log2(larger(highest, SILENCE));
        highest * math::quick_exp2(apart * distance)
    };
    (to(first), to(second))
}

impl<L: Law, const C: usize> Node for DynamicsNode<L, C> {
    fn process(&mut self, block: &mut Block<'_>) {
        self.keyed |= block.key.is_some();
        let frames = block.audio.frames();
        let quiet = block.audio.iter().map(trailing_silence).min().unwrap_or(0);
        // While the filter rings, silence has not reached the detector.
        let counts_on = quiet == frames && self.key_filter.is_at_rest();
        self.quiet_frames = if counts_on { self.quiet_frames.saturating_add(quiet) } else { 0 };
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
        self.key_filter.reset();
        self.detectors.iter_mut().for_each(LevelDetector::reset);
        for path in &mut self.paths {
            path.highest.reset();
            path.state = L::State::default();
        }
        self.lookahead.iter_mut().for_each(DelayLine::reset);
        self.quiet_frames = 0;
        self.keyed = false;
    }

    fn is_at_rest(&self) -> bool {
        // A key can sound while the input is silent.
        !self.keyed
            && self.key_filter.is_at_rest()
            && self.quiet_frames >= self.memory_frames
            && self.paths.iter().all(|path| L::is_at_rest(&path.state))
    }
}
