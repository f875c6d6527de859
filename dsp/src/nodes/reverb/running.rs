//! The reverb at work.

use core::f64::consts::FRAC_1_SQRT_2;

use super::Reverb;
use super::room::{MovingRoom, Room};
use crate::automation::Integral;
use crate::control::{Interpolate, Moving, Run, Runs, TIDY_FRAMES, between, finite, lane_of, set_lanes};
use crate::kernels::diffuser::{CHANNELS, Diffuser};
use crate::kernels::fdn::{Network, RUN_FRAMES, Round, Turns};
use crate::kernels::lanes::Lanes;
use crate::kernels::moving_tap::MovingDelay;
use crate::kernels::one_pole::{self, OnePole};
use crate::node::{Block, Node, ParameterLane, Prepare};
use crate::units::frames_from_ms;

/// What is fed to a room that moves is at most so much louder than where its decay is longest: 12 dB.
const MOST_FEED: f64 = 4.0;

/// The furthest that the modulation turns a pair of lines, in radians.
const MAX_TURN: f64 = 0.8;

/// Pre-delay, both cuts, diffusers, network; early reflections and late sound added, narrowed, mixed with the input.
/// White noise comes out of the wet side about as loud as it went in, whatever the decay.
pub(super) struct ReverbNode {
    reverb: Reverb,
    channels_in: usize,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    settings: Moving<Settings>,
    /// The turns of the network, and their phase; `None` if it never turns.
    turns: Option<(Moving<Turns>, Phase)>,
    /// Size and decays, if they move.
    room: Option<MovingRoom>,
    predelay: MovingDelay<f32, 2>,
    high_cut: OnePole<2>,
    low_cut: OnePole<2>,
    diffuser: Diffuser,
    network: Network,
    /// Makes the late sound as loud as what is fed to the diffusers.
    late_gain: f64,
    /// Frames in a row in which exact silence entered both the pre-delay and the diffusers.
    quiet_frames: usize,
}

/// The parameters as the loop uses them; interpolated as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Settings {
    predelay_frames: f64,
    high_cut: f64,
    low_cut: f64,
    early: f64,
    late: f64,
    width: f64,
    mix: f64,
}

impl Settings {
    fn of(reverb: &Reverb, sample_rate_hz: f64) -> Self {
        Self {
            predelay_frames: reverb.predelay_ms * 0.001 * sample_rate_hz,
            high_cut: one_pole::coefficient(reverb.high_cut_hz, sample_rate_hz),
            low_cut: one_pole::coefficient(reverb.low_cut_hz, sample_rate_hz),
            early: reverb.early.sqrt(),
            late: (1.0 - reverb.early).sqrt(),
            width: reverb.width,
            mix: reverb.mix,
        }
    }
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            predelay_frames: between(self.predelay_frames, to.predelay_frames, t),
            high_cut: between(self.high_cut, to.high_cut, t),
            low_cut: between(self.low_cut, to.low_cut, t),
            early: between(self.early, to.early, t),
            late: between(self.late, to.late, t),
            width: between(self.width, to.width, t),
            mix: between(self.mix, to.mix, t),
        }
    }
}

impl Interpolate for Turns {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        self.towards(to, t)
    }
}

/// The phase of the turns, of which 2^64 is a whole round, by the session frame: the same wherever a render starts.
enum Phase {
    /// By so much each frame.
    Steady(u64),
    /// Rounds, as a multiple of the sample rate.
    Moving(Integral),
}

impl Phase {
    const ROUND: f64 = 18_446_744_073_709_551_616.0;

    fn at(&self, frame: i64, sample_rate_hz: f64) -> u64 {
        match self {
            Self::Steady(step) => (frame as u64).wrapping_mul(*step),
            Self::Moving(rounds) => ((rounds.to(frame) / sample_rate_hz).rem_euclid(1.0) * Self::ROUND) as u64,
        }
    }
}

impl ReverbNode {
    pub(super) fn new(reverb: Reverb, prepare: Prepare, lanes: Vec<ParameterLane>) -> Self {
        let sample_rate_hz = f64::from(prepare.sample_rate_hz);
        let turns = reverb.modulation > 0.0 || lane_of(&reverb, &lanes, "modulation").is_some();
        let phase = match lane_of(&reverb, &lanes, "modulation_hz") {
            None => Phase::Steady((reverb.modulation_hz / sample_rate_hz * Phase::ROUND) as u64),
            Some(lane) => Phase::Moving(Integral::of(lane.clone())),
        };
        let first_turns = Turns::at(phase.at(0, sample_rate_hz), MAX_TURN * reverb.modulation);
        let predelay = match lane_of(&reverb, &lanes, "predelay_ms") {
            None => MovingDelay::still(frames_from_ms(reverb.predelay_ms, prepare.sample_rate_hz)),
            Some(lane) => MovingDelay::moving(frames_from_ms(lane.highest(), prepare.sample_rate_hz)),
        };
        let (of_room, lanes) = reverb.lanes_of_room(lanes);
        let (room, diffuser, network, late_gain) = match MovingRoom::new(&reverb, of_room, sample_rate_hz) {
            None => {
                let room = Room::of(&reverb, reverb.decay().longest_s(), sample_rate_hz);
                (None, Diffuser::still(&room.diffuser), Network::still(&room.lines, room.loss), room.late_gain)
            }
            Some((moving, longest)) => {
                let network = Network::moving(&longest.lines, longest.loss);
                (Some(moving), Diffuser::moving(&longest.diffuser), network, longest.late_gain)
            }
        };
        let mut node = Self {
            channels_in: prepare.channels,
            sample_rate_hz,
            lanes,
            settings: Moving::still(Settings::of(&reverb, sample_rate_hz)),
            turns: turns.then(|| (Moving::still(first_turns), phase)),
            room,
            predelay,
            high_cut: OnePole::ZERO,
            low_cut: OnePole::ZERO,
            diffuser,
            network,
            late_gain,
            quiet_frames: 0,
            reverb,
        };
        node.quiet_frames = node.memory_frames();
        node
    }

    /// What pre-delay and diffusers hold.
    fn memory_frames(&self) -> usize {
        self.predelay.memory_frames() + self.diffuser.longest_frames()
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
        if let Some((turns, phase)) = &mut self.turns {
            let Self { reverb, lanes, sample_rate_hz, .. } = self;
            turns.seek(run.frame, |frame| {
                set_lanes(reverb, lanes, frame);
                Turns::at(phase.at(frame, *sample_rate_hz), MAX_TURN * reverb.modulation)
            });
        }
        if let Some(room) = &mut self.room {
            room.seek(run.frame);
            self.network.set_loss(room.loss_at(run.frame));
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
            let Settings { predelay_frames, high_cut, low_cut, .. } = settings(index);
            let late = self.predelay.run(input, predelay_frames) * spread;
            let late = self.high_cut.low_pass(high_cut, late);
            let late = late - self.low_cut.low_pass(low_cut, late);
            let quiet = input == [0.0; 2] && late == Lanes::ZERO;
            self.quiet_frames = if quiet { self.quiet_frames.saturating_add(1) } else { 0 };
            diffused[index] = core::array::from_fn(|channel| 0.5 * late.0[channel % 2]);
        }
        let diffused = &mut diffused[..run.frames];
        let mut late = [Lanes::<2>::ZERO; RUN_FRAMES];
        let late = &mut late[..run.frames];
        let turns = |index: usize| self.turns.as_ref().map(|(turns, _)| turns.at(run.frame + index as i64));
        match &self.room {
            None => {
                self.diffuser.run(diffused);
                self.network.run(diffused, |index| Round { turns: turns(index), feed: 1.0 }, late);
            }
            Some(room) => {
                let room = |index: usize| room.at(run.frame + index as i64);
                self.diffuser.run_moving(diffused, |index| room(index).diffuser);
                // What already sounds stays as loud; what is fed to it makes up for the decay, but not so much that a long
                // decay that follows would find the lines full of thunder.
                let feed = |index: usize| (room(index).late_gain / self.late_gain).min(MOST_FEED);
                let round = |index: usize| Round { turns: turns(index), feed: feed(index) };
                self.network.run_moving(diffused, |index| room(index).lines, round, late);
            }
        }
        for index in 0..run.frames {
            let Settings { early, late: late_share, width, mix, .. } = settings(index);
            let first = |side: usize| (0..CHANNELS / 2).map(|pair| diffused[index][2 * pair + side]).sum::<f64>();
            let wet = Lanes([first(0), first(1)]) * early + late[index] * (late_share * self.late_gain);
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
