//! Reverb.

use core::f64::consts::FRAC_1_SQRT_2;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range_fault;
use crate::control::{Interpolate, Moving, Run, Runs, TIDY_FRAMES, between, finite, moving_lanes, set_lanes};
use crate::kernels::delay_line::DelayLine;
use crate::kernels::fdn::{Absorption, CHANNELS, Diffuser, Network, RUN_FRAMES};
use crate::kernels::lanes::Lanes;
use crate::kernels::one_pole::OnePole;
use crate::math;
use crate::node::{Block, Node, ParameterLane, Parameters, Prepare};
use crate::units::frames_from_ms;

/// An algorithmic reverb: diffusers into a feedback delay network. Mono in gives stereo out. On a bus, `mix` is 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reverb {
    /// Time in which the sound falls by 60 dB (RT60), in seconds, 0.1 to 20. Cannot be automated.
    #[schemars(range(min = 0.1, max = 20.0))]
    pub decay_s: f64,
    /// Time before the first reflection in ms, 0 to 500. Cannot be automated.
    #[schemars(range(min = 0.0, max = 500.0))]
    pub predelay_ms: f64,
    /// Size of the room, 0 (small) to 1 (large): scales the delay lines. Cannot be automated.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub size: f64,
    /// Corner in Hz above which the reverb is darker, 500 to 20000.
    #[schemars(range(min = 500.0, max = 20000.0))]
    pub high_cut_hz: f64,
    /// Corner in Hz below which the reverb is thinner, 10 to 2000.
    #[schemars(range(min = 10.0, max = 2000.0))]
    pub low_cut_hz: f64,
    /// Stereo width of the reverb, 0 (mono) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub width: f64,
    /// Share of the reverberated signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
}

impl Default for Reverb {
    fn default() -> Self {
        Self {
            decay_s: 1.8,
            predelay_ms: 20.0,
            size: 0.5,
            high_cut_hz: 8000.0,
            low_cut_hz: 120.0,
            width: 1.0,
            mix: 1.0,
        }
    }
}

impl Parameters for Reverb {
    continuous! {
        high_cut_hz: 500.0 to 20000.0,
        low_cut_hz: 10.0 to 2000.0,
        width: 0.0 to 1.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        [
            range_fault("decay_s", self.decay_s, 0.1, 20.0),
            range_fault("predelay_ms", self.predelay_ms, 0.0, 500.0),
            range_fault("size", self.size, 0.0, 1.0),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn channels_out(&self, _: usize) -> usize {
        2
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    /// Pre-delay, diffusion, and twice the time in which the sound falls by 60 dB.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        let seconds = self.predelay_ms * 0.001 + 0.25 + 2.0 * self.decay_s;
        (seconds * f64::from(sample_rate_hz)).ceil() as u64
    }
}

impl Reverb {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut reverb = self.clone();
        let moving = moving_lanes(&mut reverb, lanes);
        Box::new(ReverbNode::new(reverb, prepare, moving))
    }

    /// Delays against those of a middle-sized room: 0.4 to 1.6.
    fn scale(&self) -> f64 {
        0.4 * math::exp2(2.0 * self.size)
    }
}

/// How much of the energy are early reflections, straight from the diffusers.
const EARLY_ENERGY: f64 = 0.2;

/// Pre-delay, both cuts, diffusers, network; early reflections and late sound added, narrowed, mixed with the input.
/// White noise comes out of the wet side about as loud as it went in, whatever the decay.
struct ReverbNode {
    reverb: Reverb,
    channels_in: usize,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    settings: Moving<Settings>,
    predelay: DelayLine<[f32; 2]>,
    high_cut: OnePole<2>,
    low_cut: OnePole<2>,
    diffuser: Diffuser,
    network: Network,
    early_gain: f64,
    late_gain: f64,
    /// Frames in a row in which exact silence entered both the pre-delay and the diffusers.
    quiet_frames: usize,
}

/// The parameters as the loop uses them; interpolated as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    cuts: Absorption,
    width: f64,
    mix: f64,
}

impl Settings {
    fn of(reverb: &Reverb, sample_rate_hz: f64) -> Self {
        let cuts = Absorption::new(reverb.high_cut_hz, reverb.low_cut_hz, sample_rate_hz);
        Self { cuts, width: reverb.width, mix: reverb.mix }
    }
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        let cuts =
            Absorption { high: between(self.cuts.high, to.cuts.high, t), low: between(self.cuts.low, to.cuts.low, t) };
        Self { cuts, width: between(self.width, to.width, t), mix: between(self.mix, to.mix, t) }
    }
}

impl ReverbNode {
    fn new(reverb: Reverb, prepare: Prepare, lanes: Vec<ParameterLane>) -> Self {
        let sample_rate_hz = f64::from(prepare.sample_rate_hz);
        let scale = reverb.scale();
        let network = Network::new(31.0 * scale, 79.0 * scale, reverb.decay_s, sample_rate_hz);
        let late_energy = 2.0 * network.energy();
        let mut node = Self {
            channels_in: prepare.channels,
            sample_rate_hz,
            lanes,
            settings: Moving::still(Settings::of(&reverb, sample_rate_hz)),
            predelay: DelayLine::new(frames_from_ms(reverb.predelay_ms, prepare.sample_rate_hz), [0.0; 2]),
            high_cut: OnePole::ZERO,
            low_cut: OnePole::ZERO,
            diffuser: Diffuser::new(scale, sample_rate_hz),
            network,
            early_gain: EARLY_ENERGY.sqrt(),
            late_gain: ((1.0 - EARLY_ENERGY) / late_energy).sqrt(),
            quiet_frames: 0,
            reverb,
        };
        node.quiet_frames = node.memory_frames();
        node
    }

    /// What pre-delay and diffusers hold.
    fn memory_frames(&self) -> usize {
        self.predelay.length() + self.diffuser.longest_frames()
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        if run.frame.rem_euclid(TIDY_FRAMES) == 0 {
            self.high_cut = self.high_cut.without_dust();
            self.low_cut = self.low_cut.without_dust();
            self.network.tidy();
        }
        if !self.lanes.is_empty() {
            let Self { reverb, lanes, sample_rate_hz, .. } = self;
            self.settings.seek(run.frame, |frame| {
                set_lanes(reverb, lanes, frame);
                Settings::of(reverb, *sample_rate_hz)
            });
        }
        let settings = |index: usize| self.settings.at(run.frame + index as i64);
        // A mono input sounds as loud as a stereo one that has it on both sides at the centre of an equal-power pan.
        let spread = if self.channels_in == 1 { FRAC_1_SQRT_2 } else { 1.0 };
        let mut dry = [Lanes::<2>::ZERO; RUN_FRAMES];
        let mut diffused = [[0.0; CHANNELS]; RUN_FRAMES];
        for index in 0..run.frames {
            let sample =
                |channel: usize| finite(block.audio.channel(channel.min(self.channels_in - 1))[run.start + index]);
            let input = [sample(0), sample(1)];
            dry[index] = Lanes(input.map(f64::from));
            let late = Lanes(self.predelay.exchange(input).map(f64::from)) * spread;
            let cuts = settings(index).cuts;
            let late = self.high_cut.low_pass(cuts.high, late);
            let late = late - self.low_cut.low_pass(cuts.low, late);
            let quiet = input == [0.0; 2] && late == Lanes::ZERO;
            self.quiet_frames = if quiet { self.quiet_frames.saturating_add(1) } else { 0 };
            diffused[index] = core::array::from_fn(|channel| 0.5 * late.0[channel % 2]);
        }
        let diffused = &mut diffused[..run.frames];
        self.diffuser.run(diffused);
        let mut late = [Lanes::<2>::ZERO; RUN_FRAMES];
        self.network.run(diffused, |index| settings(index).cuts, &mut late[..run.frames]);
        for index in 0..run.frames {
            let Settings { width, mix, .. } = settings(index);
            let early = |side: usize| (0..CHANNELS / 2).map(|pair| diffused[index][2 * pair + side]).sum::<f64>();
            let wet = Lanes([early(0), early(1)]) * self.early_gain + late[index] * self.late_gain;
            let (mid, side) = (0.5 * (wet.0[0] + wet.0[1]), 0.5 * width * (wet.0[0] - wet.0[1]));
            let out = dry[index] * (1.0 - mix) + Lanes([mid + side, mid - side]) * mix;
            for lane in 0..2 {
                block.audio.channel_mut(lane)[run.start + index] = finite(out.0[lane] as f32);
            }
        }
    }
}

impl Node for ReverbNode {
    fn process(&mut self, block: &mut Block<'_>) {
        for run in Runs::<RUN_FRAMES>::of(block.frame, block.audio.frames()) {
            self.process_run(block, run);
        }
    }

    fn reset(&mut self) {
        self.predelay.reset();
        self.high_cut = OnePole::ZERO;
        self.low_cut = OnePole::ZERO;
        self.diffuser.reset();
        self.network.reset();
        self.quiet_frames = self.memory_frames();
    }

    fn is_at_rest(&self) -> bool {
        self.quiet_frames >= self.memory_frames()
            && self.high_cut == OnePole::ZERO
            && self.low_cut == OnePole::ZERO
            && self.network.is_silent()
    }
}
