//! Noise gate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dynamics::{self, Around, Detection, Front, Law};
use super::range_fault;
use crate::control::{Interpolate, between};
use crate::kernels::gain_computer::LOG2_PER_DB;
use crate::kernels::gate_ballistics::{GateBallistics, GateTimes, hold_frames};
use crate::kernels::key_filter::Corners;
use crate::node::{Node, ParameterLane, Parameters, Prepare};
use crate::units::gain_from_db;

/// A noise gate with hysteresis, hold, range, look-ahead and filtered side-chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Level at which it opens, in dBFS, −80 to 0.
    #[schemars(range(min = -80.0, max = 0.0))]
    pub threshold_db: f64,
    /// It closes this far below the threshold, in dB, 0 to 24.
    #[schemars(range(min = 0.0, max = 24.0))]
    pub hysteresis_db: f64,
    /// How far gain falls when it is closed, in dB, 0 to 100.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub range_db: f64,
    /// Time constant (63.2 % of the range in dB) of opening in ms, 0.01 to 500.
    #[schemars(range(min = 0.01, max = 500.0))]
    pub attack_ms: f64,
    /// Time below the closing level for which it stays open, in ms, 0 to 2000.
    #[schemars(range(min = 0.0, max = 2000.0))]
    pub hold_ms: f64,
    /// Time constant (63.2 % of the range in dB) of closing in ms, 1 to 5000.
    #[schemars(range(min = 1.0, max = 5000.0))]
    pub release_ms: f64,
    /// How long before the sound it opens in ms, 0 to 20; becomes latency. Cannot be automated.
    #[schemars(range(min = 0.0, max = 20.0))]
    pub lookahead_ms: f64,
    /// Corner of the high-pass in front of the detector in Hz, 10 (off) to 10000; 12 dB/octave.
    #[schemars(range(min = 10.0, max = 10000.0))]
    pub key_high_pass_hz: f64,
    /// Corner of the low-pass in front of the detector in Hz, 100 to 20000 (off); 12 dB/octave.
    #[schemars(range(min = 100.0, max = 20000.0))]
    pub key_low_pass_hz: f64,
    /// How far the channels share one gain, 0 (each its own) to 1 (all that of the loudest).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub stereo_link: f64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            threshold_db: -40.0,
            hysteresis_db: 4.0,
            range_db: 60.0,
            attack_ms: 0.5,
            hold_ms: 50.0,
            release_ms: 120.0,
            lookahead_ms: 0.0,
            key_high_pass_hz: 10.0,
            key_low_pass_hz: 20_000.0,
            stereo_link: 1.0,
        }
    }
}

impl Parameters for Gate {
    continuous! {
        threshold_db: -80.0 to 0.0,
        hysteresis_db: 0.0 to 24.0,
        range_db: 0.0 to 100.0,
        attack_ms: 0.01 to 500.0,
        hold_ms: 0.0 to 2000.0,
        release_ms: 1.0 to 5000.0,
        key_high_pass_hz: 10.0 to 10000.0,
        key_low_pass_hz: 100.0 to 20000.0,
        stereo_link: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        range_fault("lookahead_ms", self.lookahead_ms, 0.0, 20.0).into_iter().collect()
    }

    looks_ahead!();
}

impl Gate {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        dynamics::build(self, prepare, lanes)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Levels, linear.
    opens_at: f64,
    closes_below: f64,
    hold_frames: f64,
    times: GateTimes,
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            opens_at: between(self.opens_at, to.opens_at, t),
            closes_below: between(self.closes_below, to.closes_below, t),
            hold_frames: between(self.hold_frames, to.hold_frames, t),
            times: self.times.interpolated(&to.times, t),
        }
    }
}

/// A gate; closed at first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    is_open: bool,
    /// Frames in a row below the closing level, while open.
    below_frames: f64,
    gain: GateBallistics,
}

impl Law for Gate {
    type Settings = Settings;
    type State = State;

    fn front(&self) -> Front {
        Front { detection: Detection::Peak, lookahead_ms: self.lookahead_ms, hold_ms: 0.0 }
    }

    fn around(&self) -> Around {
        let Self { key_high_pass_hz, key_low_pass_hz, stereo_link, .. } = *self;
        let corners = Corners { high_pass_hz: key_high_pass_hz, low_pass_hz: key_low_pass_hz };
        Around { corners, rms_ms: 0.0, stereo_link, mix: 1.0 }
    }

    fn settings(&self, sample_rate_hz: f64) -> Settings {
        let Self { threshold_db, hysteresis_db, range_db, attack_ms, hold_ms, release_ms, .. } = *self;
        Settings {
            opens_at: gain_from_db(threshold_db),
            closes_below: gain_from_db(threshold_db - hysteresis_db),
            hold_frames: hold_frames(hold_ms, sample_rate_hz),
            // The hold is counted here, from the last frame above the closing level.
            times: GateTimes::new(attack_ms, 0.0, release_ms, range_db * LOG2_PER_DB, sample_rate_hz),
        }
    }

    #[inline(always)]
    fn gains(&self, state: &mut State, levels: &mut [f64], settings: impl Fn(usize) -> Settings) {
        for (index, value) in levels.iter_mut().enumerate() {
            let Settings { opens_at, closes_below, hold_frames, .. } = settings(index);
            let level = *value;
            state.below_frames = if state.is_open && level < closes_below { state.below_frames + 1.0 } else { 0.0 };
            state.is_open = level >= opens_at || (state.is_open && state.below_frames <= hold_frames);
            *value = if state.is_open { 0.0 } else { f64::INFINITY };
        }
        state.gain.run(levels, |index| settings(index).times);
        levels.iter_mut().for_each(|gain| *gain = -*gain);
    }

    fn tidy(state: &mut State, settings: &Settings) {
        state.gain.tidy(settings.times);
    }

    fn is_at_rest(state: &State) -> bool {
        !state.is_open && state.gain.is_at_rest()
    }
}
