//! Reverb: its parameters. What they set in motion is in [`running`].

mod room;
mod running;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::moving_lanes;
use crate::kernels::decay::{Decay, OCTAVES, OCTAVES_HZ};
use crate::math;
use crate::node::{Node, ParameterLane, Parameters, Prepare};
use running::ReverbNode;

/// An algorithmic reverb: diffusers into a feedback delay network. Mono in gives stereo out. On a bus, `mix` is 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reverb {
    /// Time in which the middle of the sound falls by 60 dB (RT60), in seconds, 0.1 to 20.
    #[schemars(range(min = 0.1, max = 20.0))]
    pub decay_s: f64,
    /// The decay far below `low_hz` as a multiple of `decay_s`, 0.2 to 3.
    #[schemars(range(min = 0.2, max = 3.0))]
    pub low_decay: f64,
    /// Where the low decay begins, in Hz, 40 to 1000: half the way, as a ratio.
    #[schemars(range(min = 40.0, max = 1000.0))]
    pub low_hz: f64,
    /// The decay far above `high_hz` as a multiple of `decay_s`, 0.1 to 2.
    #[schemars(range(min = 0.1, max = 2.0))]
    pub high_decay: f64,
    /// Where the high decay begins, in Hz, 1000 to 16000: half the way, as a ratio.
    #[schemars(range(min = 1000.0, max = 16000.0))]
    pub high_hz: f64,
    /// The decay of each octave from 63 Hz to 8 kHz as a multiple of what the other parameters say, 8 values of 0.25 to 4;
    /// empty leaves them alone.
    #[schemars(length(max = 8), inner(range(min = 0.25, max = 4.0)))]
    pub octaves: Vec<f64>,
    /// Time before the first reflection in ms, 0 to 500. While it moves, what goes into the reverb bends in pitch as on tape.
    #[schemars(range(min = 0.0, max = 500.0))]
    pub predelay_ms: f64,
    /// Size of the room, 0 (small) to 1 (large): scales the delay lines. While it moves, the sound in them bends in pitch.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub size: f64,
    /// Share of the energy that are early reflections, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub early: f64,
    /// How far the network turns its lines into each other and back, 0 (still) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub modulation: f64,
    /// How often it does so, in Hz, 0.05 to 5.
    #[schemars(range(min = 0.05, max = 5.0))]
    pub modulation_hz: f64,
    /// Corner in Hz of the high cut before the reverb, 500 to 20000.
    #[schemars(range(min = 500.0, max = 20000.0))]
    pub high_cut_hz: f64,
    /// Corner in Hz of the low cut before the reverb, 10 to 2000.
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
            low_decay: 1.1,
            low_hz: 250.0,
            high_decay: 0.4,
            high_hz: 6000.0,
            octaves: Vec::new(),
            predelay_ms: 20.0,
            size: 0.5,
            early: 0.2,
            modulation: 0.3,
            modulation_hz: 0.7,
            high_cut_hz: 10_000.0,
            low_cut_hz: 80.0,
            width: 1.0,
            mix: 1.0,
        }
    }
}

impl Parameters for Reverb {
    continuous! {
        [octaves: 8 values of 0.25 to 4.0, else 1.0]
        decay_s: 0.1 to 20.0,
        low_decay: 0.2 to 3.0,
        low_hz: 40.0 to 1000.0,
        high_decay: 0.1 to 2.0,
        high_hz: 1000.0 to 16000.0,
        predelay_ms: 0.0 to 500.0,
        size: 0.0 to 1.0,
        early: 0.0 to 1.0,
        modulation: 0.0 to 1.0,
        modulation_hz: 0.05 to 5.0,
        high_cut_hz: 500.0 to 20000.0,
        low_cut_hz: 10.0 to 2000.0,
        width: 0.0 to 1.0,
        mix: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        let count = self.octaves.len();
        let octaves = (count != 0 && count != OCTAVES)
            .then(|| ("octaves".to_owned(), format!("has {count} values; expected {OCTAVES}, or none")));
        octaves.into_iter().collect()
    }

    linear!();

    fn channels_out(&self, _: usize) -> usize {
        2
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    /// Pre-delay, diffusion, and twice the longest time in which the sound falls by 60 dB at any frequency, with what the
    /// filters of the lines may miss it by.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        let seconds = self.predelay_ms * 0.001 + 0.25 + 2.1 * self.decay().longest_s();
        (seconds * f64::from(sample_rate_hz)).ceil() as u64
    }
}

impl Reverb {
    /// The time in seconds in which each octave from 63 Hz to 8 kHz falls by 60 dB, as measured from −5 to −35 dB:
    ///
    /// ```text
    /// T(f) = decay_s · low_decay^(1/(1 + (f/low_hz)²)) · high_decay^(1/(1 + (high_hz/f)²)) · octaves(f)
    /// ```
    #[must_use]
    pub fn octave_decay_s(&self) -> [f64; OCTAVES] {
        core::array::from_fn(|octave| {
            let hz = OCTAVES_HZ[octave];
            let (below, above) = (hz / self.low_hz, self.high_hz / hz);
            let low = math::powf(self.low_decay, 1.0 / (1.0 + below * below));
            let high = math::powf(self.high_decay, 1.0 / (1.0 + above * above));
            let own = self.octaves.get(octave).copied().unwrap_or(1.0);
            (self.decay_s * low * high * own).clamp(SHORTEST_S, LONGEST_S)
        })
    }

    fn decay(&self) -> Decay {
        Decay::measured_as(&self.octave_decay_s())
    }

    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut reverb = self.clone();
        let moving = moving_lanes(&mut reverb, lanes);
        Box::new(ReverbNode::new(reverb, prepare, moving))
    }

    /// The lanes that move the room, and the others.
    fn lanes_of_room(&self, lanes: Vec<ParameterLane>) -> (Vec<ParameterLane>, Vec<ParameterLane>) {
        let specs = self.specs();
        let of_room = |lane: &ParameterLane| {
            let name = specs[lane.parameter].name.as_str();
            matches!(name, "decay_s" | "low_decay" | "low_hz" | "high_decay" | "high_hz" | "size")
                || name.starts_with("octaves.")
        };
        lanes.into_iter().partition(of_room)
    }

    /// Delays against those of a middle-sized room: 0.4 to 1.6.
    fn scale(&self) -> f64 {
        0.4 * math::exp2(2.0 * self.size)
    }
}

/// No octave decays faster or slower than this, in seconds, whatever the parameters multiply to.
const SHORTEST_S: f64 = 0.05;
const LONGEST_S: f64 = 40.0;
