//! What the saturator and the clipper share: gain, a curve at a raised rate, gain, mix.

use crate::control::{Interpolate, Moving, Run, Runs, between, finite, moving_lanes, set_lanes, trailing_silence};
use crate::kernels::delay_line::DelayLine;
use crate::kernels::lanes::{Lanes, without_dust};
use crate::kernels::one_pole::{self, OnePole};
use crate::kernels::oversampler::Oversampler;
use crate::kernels::shaper::{Cubic, Knee, Tanh, Tape, Tube, bend};
use crate::node::{Block, CONTROL_FRAMES, LN_120_DB, Node, ParameterLane, Parameters, Prepare};

/// Frames processed together; a multiple of [`CONTROL_FRAMES`].
const RUN_FRAMES: usize = 64;

/// Corner of the filter that takes out the direct current that uneven curves make.
const BLOCKER_HZ: f64 = 5.0;

/// The oversampling factors to choose from.
const FACTORS: [u32; 3] = [4, 8, 16];

/// Which curve.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Tanh(Tanh),
    Cubic,
    Tape,
    Tube(Tube),
    Knee,
}

/// A processor that bends the waveform.
pub(super) trait Shaping: Parameters + Clone + Send + 'static {
    fn shape(&self) -> Shape;
    fn settings(&self) -> Settings;
    fn oversampling(&self) -> u32;
}

/// The parameters as the loops use them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Settings {
    /// Gain into the curve.
    pub input: f64,
    /// The curve's working point.
    pub bias: f64,
    /// Where a [`Knee`] begins.
    pub corner: f64,
    /// Gain after the curve.
    pub output: f64,
    pub mix: f64,
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            input: between(self.input, to.input, t),
            bias: between(self.bias, to.bias, t),
            corner: between(self.corner, to.corner, t),
            output: between(self.output, to.output, t),
            mix: between(self.mix, to.mix, t),
        }
    }
}

pub(super) fn faults(oversampling: u32) -> Vec<(String, String)> {
    let wrong = !FACTORS.contains(&oversampling);
    wrong.then(|| ("oversampling".into(), format!("is {oversampling}; expected 4, 8 or 16"))).into_iter().collect()
}

/// The delay of the filters; 0 for a factor that is a fault.
pub(super) fn latency_frames(oversampling: u32) -> usize {
    if FACTORS.contains(&oversampling) { Oversampler::latency_frames(oversampling as usize) } else { 0 }
}

/// The second half of the filters, and the fall of the blocker by 120 dB where there is one.
pub(super) fn tail_frames(oversampling: u32, even: bool, sample_rate_hz: u32) -> u64 {
    let filters = latency_frames(oversampling) as u64 + 8;
    let blocker_s = if even { 0.0 } else { LN_120_DB / (core::f64::consts::TAU * BLOCKER_HZ) };
    filters + (blocker_s * f64::from(sample_rate_hz)).ceil() as u64
}

pub(super) struct ShapingNode<P> {
    parameters: P,
    lanes: Vec<ParameterLane>,
    shape: Shape,
    /// At the frames that come in.
    before: Moving<Settings>,
    /// At the frames that go out.
    after: Moving<Settings>,
    latency: i64,
    channels: Vec<Channel>,
    raised: Vec<f64>,
    /// Of the blocker; none for a curve that is even to both sides.
    blocker: Option<f64>,
    /// Silent frames in a row.
    quiet_frames: usize,
}

struct Channel {
    oversampler: Oversampler,
    /// The last sample that went into the curve.
    last: f64,
    dry: DelayLine<f32>,
    blocker: OnePole<1>,
}

impl<P: Shaping> ShapingNode<P> {
    pub(super) fn new(parameters: &P, prepare: Prepare, lanes: &[ParameterLane]) -> Self {
        let mut parameters = parameters.clone();
        let lanes = moving_lanes(&mut parameters, lanes);
        let factor = parameters.oversampling() as usize;
        let latency = latency_frames(factor as u32);
        let specs = parameters.specs();
        let even = !matches!(parameters.shape(), Shape::Tube(_))
            && parameters.settings().bias == 0.0
            && !lanes.iter().any(|lane| specs[lane.parameter].name == "bias");
        let channel = || Channel {
            oversampler: Oversampler::new(factor, RUN_FRAMES),
            last: 0.0,
            dry: DelayLine::new(latency, 0.0),
            blocker: OnePole::ZERO,
        };
        let settings = parameters.settings();
        Self {
            shape: parameters.shape(),
            before: Moving::still(settings),
            after: Moving::still(settings),
            latency: latency as i64,
            channels: (0..prepare.channels).map(|_| channel()).collect(),
            raised: vec![0.0; RUN_FRAMES * factor],
            blocker: (!even).then(|| one_pole::coefficient(BLOCKER_HZ, f64::from(prepare.sample_rate_hz))),
            quiet_frames: 0,
            parameters,
            lanes,
        }
    }

    /// Fills in the settings of each frame of a run: as it comes in, and as the frame that goes out beside it came in.
    fn seek(&mut self, run: Run, before: &mut [Settings], after: &mut [Settings]) {
        if self.lanes.is_empty() {
            before.fill(self.before.at(run.frame));
            after.fill(self.after.at(run.frame));
            return;
        }
        let Self { parameters, lanes, .. } = self;
        let mut compute = |frame: i64| {
            set_lanes(parameters, lanes, frame);
            parameters.settings()
        };
        for (index, (before, after)) in before.iter_mut().zip(after).enumerate() {
            let frame = run.frame + index as i64;
            self.before.seek(frame, &mut compute);
            self.after.seek(frame - self.latency, &mut compute);
            (*before, *after) = (self.before.at(frame), self.after.at(frame - self.latency));
        }
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        let still = self.before.at(run.frame);
        let (mut before, mut after) = ([still; RUN_FRAMES], [still; RUN_FRAMES]);
        let (before, after) = (&mut before[..run.frames], &mut after[..run.frames]);
        self.seek(run, before, after);
        let tidy = run.frame.rem_euclid(RUN_FRAMES as i64) == 0;
        for (channel, samples) in self.channels.iter_mut().zip(block.audio.iter_mut()) {
            let samples = &mut samples[run.range()];
            let mut signal = [0.0; RUN_FRAMES];
            let signal = &mut signal[..run.frames];
            for ((x, sample), settings) in signal.iter_mut().zip(samples.iter()).zip(before.iter()) {
                *x = f64::from(finite(*sample)) * settings.input;
            }
            let factor = channel.oversampler.factor();
            let raised = &mut self.raised[..run.frames * factor];
            channel.oversampler.raise(signal, raised);
            for (part, settings) in raised.chunks_exact_mut(factor).zip(before.iter()) {
                let (bias, last) = (settings.bias, &mut channel.last);
                match self.shape {
                    Shape::Tanh(curve) => bend(curve, bias, last, part),
                    Shape::Cubic => bend(Cubic, bias, last, part),
                    Shape::Tape => bend(Tape, bias, last, part),
                    Shape::Tube(curve) => bend(curve, bias, last, part),
                    Shape::Knee => bend(Knee { corner: settings.corner }, bias, last, part),
                }
            }
            channel.oversampler.lower(raised, signal);
            if let Some(coefficient) = self.blocker {
                if tidy {
                    channel.blocker = channel.blocker.without_dust();
                }
                for x in signal.iter_mut() {
                    *x -= channel.blocker.low_pass(coefficient, Lanes([*x])).0[0];
                }
            }
            for ((sample, wet), settings) in samples.iter_mut().zip(signal.iter()).zip(after.iter()) {
                let dry = f64::from(channel.dry.exchange(finite(*sample)));
                let wet = without_dust(wet * settings.output);
                *sample = finite((dry + settings.mix * (wet - dry)) as f32);
            }
        }
    }

    fn memory_frames(&self) -> usize {
        2 * self.latency as usize + 32
    }
}

impl<P: Shaping> Node for ShapingNode<P> {
    fn process(&mut self, block: &mut Block<'_>) {
        let quiet = block.audio.iter().map(trailing_silence).min().unwrap_or(0);
        let all_quiet = quiet == block.audio.frames();
        self.quiet_frames = if all_quiet { self.quiet_frames.saturating_add(quiet) } else { quiet };
        let frames = block.audio.frames();
        if self.lanes.is_empty() {
            Runs::<RUN_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
        } else {
            Runs::<CONTROL_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
        }
    }

    fn reset(&mut self) {
        for channel in &mut self.channels {
            channel.oversampler.reset();
            channel.last = 0.0;
            channel.dry.reset();
            channel.blocker = OnePole::ZERO;
        }
        self.quiet_frames = 0;
    }

    fn is_at_rest(&self) -> bool {
        let settled = self.channels.iter().all(|channel| channel.blocker == OnePole::ZERO);
        settled && self.quiet_frames >= self.memory_frames()
    }
}
