//! The multiband compressor at work: bands parted, each given its gain, and joined.

use super::{CompressorBand, Multiband};
use crate::automation::Lane;
use crate::buffer::Buffer;
use crate::control::{Interpolate, Moving, Run, Runs, TIDY_FRAMES, between, finite, lane_of, set_lanes};
use crate::kernels::ballistics::{Ballistics, Smoothing, Times, larger};
use crate::kernels::crossover::{Corner, Crossover, Slope};
use crate::kernels::gain_computer::{GainComputer, LOG2_PER_DB, SILENCE};
use crate::kernels::lanes::Lanes;
use crate::kernels::level_detector::LevelDetector;
use crate::math;
use crate::node::{Block, CONTROL_FRAMES, Node, ParameterLane};
use crate::nodes::bands;

/// Frames processed together; a multiple of [`CONTROL_FRAMES`].
const RUN_FRAMES: usize = 64;

pub(super) struct MultibandNode<const C: usize> {
    corners: Corners,
    crossover: Crossover<C>,
    signal: Vec<[Lanes<C>; RUN_FRAMES]>,
    /// Parts a side-chain; a key may be stereo beside a mono input.
    key_crossover: Crossover<2>,
    key: Vec<[Lanes<2>; RUN_FRAMES]>,
    window: RmsWindow,
    bands: Vec<Band>,
    is_automated: bool,
    /// What the detectors remember.
    memory_frames: usize,
    /// Frames since the crossovers came to rest, up to what the detectors remember.
    rest_frames: usize,
    keyed: bool,
}

impl<const C: usize> MultibandNode<C> {
    pub(super) fn new(multiband: &Multiband, sample_rate_hz: u32, lanes: &[ParameterLane]) -> Self {
        let corners = Corners::new(multiband, f64::from(sample_rate_hz), lanes);
        let count = multiband.crossovers_hz.len() + 1;
        let first = multiband.first_of_bands();
        let window = RmsWindow::new(multiband, sample_rate_hz, lanes);
        let detector = || multiband.detection.detector(multiband.rms_ms, window.lane.as_ref(), sample_rate_hz);
        let band = |(index, band): (usize, &CompressorBand)| Band {
            settings: Moving::still(Settings::of(band, f64::from(sample_rate_hz))),
            parameters: band.clone(),
            sample_rate_hz: f64::from(sample_rate_hz),
            lanes: bands::lanes_of(&multiband.bands, index, first, lanes),
            detectors: core::array::from_fn(|_| detector()),
            ballistics: Ballistics::default(),
            smoothing: (multiband.smoothing, multiband.auto_release),
        };
        Self {
            crossover: Crossover::new(multiband.slope(), count),
            signal: vec![[Lanes::ZERO; RUN_FRAMES]; count],
            key_crossover: Crossover::new(multiband.slope(), count),
            key: vec![[Lanes::ZERO; RUN_FRAMES]; count],
            bands: multiband.bands.iter().enumerate().map(band).collect(),
            corners,
            is_automated: !lanes.is_empty(),
            memory_frames: detector().memory_frames(),
            window,
            rest_frames: 0,
            keyed: false,
        }
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        let Self { corners, crossover, signal, key_crossover, key, window, bands, .. } = self;
        if run.frame.rem_euclid(TIDY_FRAMES) == 0 {
            crossover.tidy();
            key_crossover.tidy();
            bands.iter_mut().for_each(|band| band.ballistics.tidy());
        }
        corners.seek(run.frame);
        window.seek(run.frame);
        let corner = |index: usize, frame: usize| corners.at(index, run.frame + frame as i64);
        if let Some(last) = signal.last_mut() {
            read(block.audio, run, last);
        }
        crossover.split(corner, signal, run.frames);
        if let (Some(source), Some(last)) = (block.key, key.last_mut()) {
            read(source, run, last);
            key_crossover.split(corner, key, run.frames);
        }
        for (index, (band, signal)) in bands.iter_mut().zip(signal.iter_mut()).enumerate() {
            if band.parameters.bypass {
                continue;
            }
            let mut gains = [0.0; RUN_FRAMES];
            let gains = &mut gains[..run.frames];
            match block.key {
                Some(source) if source.channel_count() == 1 => band.gains::<2, 1>(&key[index], window, run, gains),
                Some(_) => band.gains::<2, 2>(&key[index], window, run, gains),
                None => band.gains::<C, C>(signal, window, run, gains),
            }
            signal.iter_mut().zip(gains).for_each(|(frame, gain)| *frame = *frame * *gain);
        }
        crossover.join(corner, signal, run.frames);
        for (lane, channel) in block.audio.iter_mut().enumerate() {
            for (sample, frame) in channel[run.range()].iter_mut().zip(&signal[0]) {
                *sample = finite(frame.0[lane] as f32);
            }
        }
        let at_rest = crossover.is_at_rest() && key_crossover.is_at_rest();
        self.rest_frames = if at_rest { self.rest_frames.saturating_add(run.frames) } else { 0 };
    }
}

/// The samples of a run as numbers for filters. A mono key beside a stereo signal fills its first lane.
fn read<const C: usize>(from: &Buffer, run: Run, to: &mut [Lanes<C>; RUN_FRAMES]) {
    for (lane, channel) in from.iter().take(C).enumerate() {
        for (frame, sample) in to.iter_mut().zip(&channel[run.range()]) {
            frame.0[lane] = f64::from(finite(*sample));
        }
    }
}

impl<const C: usize> Node for MultibandNode<C> {
    fn process(&mut self, block: &mut Block<'_>) {
        self.keyed |= block.key.is_some();
        let frames = block.audio.frames();
        if self.is_automated {
            Runs::<CONTROL_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
        } else {
            Runs::<RUN_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
        }
    }

    fn reset(&mut self) {
        self.crossover.reset();
        self.key_crossover.reset();
        for band in &mut self.bands {
            band.detectors.iter_mut().for_each(LevelDetector::reset);
            band.ballistics = Ballistics::default();
        }
        self.rest_frames = 0;
        self.keyed = false;
    }

    fn is_at_rest(&self) -> bool {
        // A key can sound while the input is silent.
        !self.keyed
            && self.crossover.is_at_rest()
            && self.rest_frames >= self.memory_frames
            && self.bands.iter().all(|band| band.ballistics.is_at_rest())
    }
}

/// The corners of the crossovers, each of which may move.
struct Corners {
    slope: Slope,
    sample_rate_hz: f64,
    corners: Vec<(Moving<Corner>, Option<Lane>)>,
}

impl Corners {
    fn new(multiband: &Multiband, sample_rate_hz: f64, lanes: &[ParameterLane]) -> Self {
        let slope = multiband.slope();
        let corner = |(index, hz): (usize, &f64)| {
            let lane = lanes.iter().find(|lane| lane.parameter == 1 + index).map(|lane| lane.lane.clone());
            (Moving::still(Corner::new(slope, *hz, sample_rate_hz)), lane)
        };
        Self { slope, sample_rate_hz, corners: multiband.crossovers_hz.iter().enumerate().map(corner).collect() }
    }

    /// Makes the moving corners ready for the grid cell of `frame`.
    fn seek(&mut self, frame: i64) {
        for (corner, lane) in &mut self.corners {
            if let Some(lane) = lane {
                corner.seek(frame, |frame| Corner::new(self.slope, lane.value_at(frame), self.sample_rate_hz));
            }
        }
    }

    #[inline(always)]
    fn at(&self, index: usize, frame: i64) -> Corner {
        self.corners[index].0.at(frame)
    }
}

/// The window of the detectors, which may move.
struct RmsWindow {
    lane: Option<Lane>,
    sample_rate_hz: f64,
    frames: Moving<f64>,
}

impl RmsWindow {
    fn new(multiband: &Multiband, sample_rate_hz: u32, lanes: &[ParameterLane]) -> Self {
        let sample_rate_hz = f64::from(sample_rate_hz);
        let frames = Moving::still(multiband.rms_ms * 0.001 * sample_rate_hz);
        Self { lane: lane_of(multiband, lanes, "rms_ms").cloned(), sample_rate_hz, frames }
    }

    /// Makes it ready for the grid cell of `frame`.
    fn seek(&mut self, frame: i64) {
        if let Some(lane) = &self.lane {
            self.frames.seek(frame, |frame| lane.value_at(frame) * 0.001 * self.sample_rate_hz);
        }
    }
}

/// The compressor of one band, its channels linked.
struct Band {
    parameters: CompressorBand,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    settings: Moving<Settings>,
    detectors: [LevelDetector; 2],
    ballistics: Ballistics,
    smoothing: (Smoothing, bool),
}

impl Band {
    /// The gains that the first `N` channels of a key ask for.
    fn gains<const C: usize, const N: usize>(
        &mut self,
        key: &[Lanes<C>; RUN_FRAMES],
        window: &RmsWindow,
        run: Run,
        gains: &mut [f64],
    ) {
        let Self { parameters, sample_rate_hz, lanes, settings, detectors, ballistics, smoothing } = self;
        let mut levels = [0.0; RUN_FRAMES];
        let levels = &mut levels[..run.frames];
        for (lane, detector) in detectors.iter_mut().enumerate().take(N) {
            levels.iter_mut().zip(key).for_each(|(level, frame)| *level = frame.0[lane]);
            detector.run(run.frame, levels, |index| window.frames.at(run.frame + index as i64));
            gains.iter_mut().zip(levels.iter()).for_each(|(gain, level)| *gain = larger(*gain, *level));
        }
        if lanes.is_empty() {
            let settings = settings.at(run.frame);
            compress(ballistics, *smoothing, gains, |_| settings);
        } else {
            settings.seek(run.frame, |frame| {
                set_lanes(parameters, lanes, frame);
                Settings::of(parameters, *sample_rate_hz)
            });
            compress(ballistics, *smoothing, gains, |index| settings.at(run.frame + index as i64));
        }
    }
}

/// Turns levels into gains.
#[inline(always)]
fn compress(
    ballistics: &mut Ballistics,
    smoothing: (Smoothing, bool),
    levels: &mut [f64],
    settings: impl Fn(usize) -> Settings,
) {
    for (index, level) in levels.iter_mut().enumerate() {
        *level = settings(index).curve.reduction(math::quick_log2(larger(*level, SILENCE)));
    }
    ballistics.run(smoothing, levels, |index| settings(index).times);
    for (index, gain) in levels.iter_mut().enumerate() {
        let Settings { makeup, mix, .. } = settings(index);
        // Written so that a gain of 1 is exactly 1 at any mix.
        *gain = 1.0 + mix * (math::quick_exp2(makeup - *gain) - 1.0);
    }
}

/// The parameters of a band as the loops use them; interpolated as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    curve: GainComputer,
    times: Times,
    /// In binary logarithms.
    makeup: f64,
    mix: f64,
}

impl Settings {
    fn of(band: &CompressorBand, sample_rate_hz: f64) -> Self {
        Self {
            curve: GainComputer::new(band.threshold_db, band.ratio, band.knee_db),
            times: Times::new(band.attack_ms, band.release_ms, sample_rate_hz),
            makeup: band.makeup_db * LOG2_PER_DB,
            mix: band.mix,
        }
    }
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            curve: self.curve.interpolated(&to.curve, t),
            times: self.times.interpolated(&to.times, t),
            makeup: between(self.makeup, to.makeup, t),
            mix: between(self.mix, to.mix, t),
        }
    }
}
