//! What every processor of dynamics is around its law: key, detector, look-ahead, link, mix, automation and rest.

mod law;

use core::any::Any;

pub use law::Detection;
pub(super) use law::{Around, Front, Law, Still};

use crate::buffer::Buffer;
use crate::control::{
    Interpolate, Moving, Run, Runs, TIDY_FRAMES, between, finite, lane_of, moving_lanes, set_lanes, trailing_silence,
};
use crate::kernels::ballistics::larger;
use crate::kernels::delay_line::DelayLine;
use crate::kernels::gain_computer::SILENCE;
use crate::kernels::key_filter::KeyFilter;
use crate::kernels::lanes::Lanes;
use crate::kernels::level_detector::LevelDetector;
use crate::kernels::window::{Greatest, Window};
use crate::math;
use crate::node::{Block, CONTROL_FRAMES, Node, ParameterLane, Prepare};
use crate::simd;
use crate::units::frames_from_ms;

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
    #[inline(always)]
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
            linear(levels, |index| settings(index).mix);
        }
    }

    /// Whether all channels share one gain and nothing is automated.
    fn is_one_still_gain(&self) -> bool {
        self.paths.len() == 1 && self.lanes.is_empty()
    }

    /// The law of its only gain at work on levels.
    #[inline(always)]
    fn still<'a>(&'a mut self, levels: &'a mut [f64], settings: L::Settings) -> Still<'a, L> {
        Still { law: &self.law, state: &mut self.paths[0].state, levels, settings }
    }

    /// Learns of a block what rest depends on.
    fn listen(&mut self, block: &Block<'_>) {
        self.keyed |= block.key.is_some();
        let frames = block.audio.frames();
        let quiet = block.audio.iter().map(trailing_silence).min().unwrap_or(0);
        // While the filter rings, silence has not reached the detector.
        let counts_on = quiet == frames && self.key_filter.is_at_rest();
        self.quiet_frames = if counts_on { self.quiet_frames.saturating_add(quiet) } else { 0 };
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

    #[inline(always)]
    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        let (mut first, mut second) = ([0.0; RUN_FRAMES], [0.0; RUN_FRAMES]);
        let mut levels = [&mut first[..run.frames], &mut second[..run.frames]];
        self.enter(block, run, &mut levels);
        if self.lanes.is_empty() {
            let settings = self.settings.at(run.frame);
            self.gains(&mut levels, |_| settings);
        } else {
            let settings = self.settings.clone();
            self.gains(&mut levels, |index| settings.at(run.frame + index as i64));
        }
        self.apply(block, run, &levels);
    }

    /// Writes the levels of a run.
    #[inline(always)]
    fn enter(&mut self, block: &mut Block<'_>, run: Run, levels: &mut [&mut [f64]; 2]) {
        if !self.lanes.is_empty() {
            self.seek(run.frame);
        }
        if run.frame.rem_euclid(TIDY_FRAMES) == 0 {
            let settings = self.settings.at(run.frame).law;
            self.paths.iter_mut().for_each(|path| L::tidy(&mut path.state, &settings));
            self.key_filter.tidy();
        }
        self.detect(block.key.unwrap_or(block.audio), run, levels);
    }

    /// Applies the gains of a run.
    #[inline(always)]
    fn apply(&mut self, block: &mut Block<'_>, run: Run, levels: &[&mut [f64]; 2]) {
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

/// Replaces gains, in binary logarithms, by linear ones.
#[inline(always)]
fn linear(gains: &mut [f64], mix: impl Fn(usize) -> f64) {
    for (index, gain) in gains.iter_mut().enumerate() {
        // Written so that a gain of 1 is exactly 1 at any mix.
        *gain = 1.0 + mix(index) * (math::quick_exp2(*gain) - 1.0);
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

/// A block through one node.
struct Alone<'n, 'b, 'a, L: Law, const C: usize> {
    node: &'n mut DynamicsNode<L, C>,
    block: &'b mut Block<'a>,
}

impl<L: Law, const C: usize> simd::Kernel for Alone<'_, '_, '_, L, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { node, block } = self;
        let frames = block.audio.frames();
        if node.lanes.is_empty() {
            for run in Runs::<RUN_FRAMES>::of(block.frame, frames) {
                node.process_run(block, run);
            }
        } else {
            for run in Runs::<CONTROL_FRAMES>::of(block.frame, frames) {
                node.process_run(block, run);
            }
        }
    }
}

/// Blocks through two nodes of one gain each that stand still.
struct Pair<'n, 'b, 'x, 'y, L: Law, const C: usize> {
    nodes: [&'n mut DynamicsNode<L, C>; 2],
    blocks: (&'b mut Block<'x>, &'b mut Block<'y>),
}

impl<L: Law, const C: usize> simd::Kernel for Pair<'_, '_, '_, '_, L, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { nodes: [a, b], blocks: (block_a, block_b) } = self;
        let mut buffers = [[0.0; RUN_FRAMES]; 4];
        for run in Runs::<RUN_FRAMES>::of(block_a.frame, block_a.audio.frames()) {
            let [first, second, third, fourth] = buffers.each_mut().map(|buffer| &mut buffer[..run.frames]);
            let (mut levels_a, mut levels_b) = ([first, second], [third, fourth]);
            a.enter(block_a, run, &mut levels_a);
            b.enter(block_b, run, &mut levels_b);
            let (settings_a, settings_b) = (a.settings.at(run.frame), b.settings.at(run.frame));
            L::gains_beside([a.still(levels_a[0], settings_a.law), b.still(levels_b[0], settings_b.law)]);
            linear(levels_a[0], |_| settings_a.mix);
            linear(levels_b[0], |_| settings_b.mix);
            a.apply(block_a, run, &levels_a);
            b.apply(block_b, run, &levels_b);
        }
    }
}

impl<L: Law, const C: usize> Node for DynamicsNode<L, C> {
    fn process(&mut self, block: &mut Block<'_>) {
        self.listen(block);
        simd::run(Alone { node: self, block });
    }

    fn process_beside(&mut self, block: &mut Block<'_>, other: &mut dyn Node, other_block: &mut Block<'_>) {
        let together = (block.frame, block.audio.frames()) == (other_block.frame, other_block.audio.frames());
        let like = (other as &mut dyn Any).downcast_mut::<Self>();
        match like.filter(|other| together && self.is_one_still_gain() && other.is_one_still_gain()) {
            Some(other) => {
                self.listen(block);
                other.listen(other_block);
                simd::run(Pair { nodes: [self, other], blocks: (block, other_block) });
            }
            None => {
                self.process(block);
                other.process(other_block);
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
