//! Transient shaper.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dynamics::{self, Around, Detection, Front, Law, RUN_FRAMES};
use crate::control::{Interpolate, between};
use crate::kernels::ballistics::{Ballistics, Smoothing, Times, share};
use crate::kernels::gain_computer::LOG2_PER_DB;
use crate::kernels::key_filter::Corners;
use crate::math;
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// A transient shaper: gain for onsets and gain for what rings on, whatever their level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Transient {
    /// Gain of an onset in dB, −24 to +24.
    #[schemars(range(min = -24.0, max = 24.0))]
    pub attack_db: f64,
    /// Gain of what rings on in dB, −24 to +24.
    #[schemars(range(min = -24.0, max = 24.0))]
    pub sustain_db: f64,
    /// Time constant in ms after which a sound is an onset no more, 1 to 200.
    #[schemars(range(min = 1.0, max = 200.0))]
    pub attack_ms: f64,
    /// Time constant in ms for which a sound rings on, 60 to 2000.
    #[schemars(range(min = 60.0, max = 2000.0))]
    pub sustain_ms: f64,
    /// Gain after shaping in dB, −24 to +24.
    #[schemars(range(min = -24.0, max = 24.0))]
    pub makeup_db: f64,
    /// Share of the shaped signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
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

impl Default for Transient {
    fn default() -> Self {
        Self {
            attack_db: 0.0,
            sustain_db: 0.0,
            attack_ms: 20.0,
            sustain_ms: 300.0,
            makeup_db: 0.0,
            mix: 1.0,
            key_high_pass_hz: 10.0,
            key_low_pass_hz: 20_000.0,
            stereo_link: 1.0,
        }
    }
}

impl Parameters for Transient {
    continuous! {
        attack_db: -24.0 to 24.0,
        sustain_db: -24.0 to 24.0,
        attack_ms: 1.0 to 200.0,
        sustain_ms: 60.0 to 2000.0,
        makeup_db: -24.0 to 24.0,
        mix: 0.0 to 1.0,
        key_high_pass_hz: 10.0 to 10000.0,
        key_low_pass_hz: 100.0 to 20000.0,
        stereo_link: 0.0 to 1.0,
    }

    keyed!();

    instant!();
}

impl Transient {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        dynamics::build(self, prepare, lanes)
    }
}

/// The detector keeps the highest magnitude for half a period of 25 Hz: above that, a steady tone has a steady level and
/// therefore no gain.
const HOLD_MS: f64 = 20.0;
/// Time constants of the fast envelope.
const FAST_ATTACK_MS: f64 = 1.0;
const FAST_RELEASE_MS: f64 = 30.0;
/// Envelopes that lie so far apart get the whole gain.
const WHOLE: f64 = 12.0 * LOG2_PER_DB;
/// −80 dBFS, linear, under every envelope: what lies far below it is no onset and does not ring on.
const FLOOR: f64 = 1e-4;

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    fast: Times,
    slow_attack: Times,
    slow_release: Times,
    /// Binary logarithms of gain, per binary logarithm between the envelopes.
    attack: f64,
    sustain: f64,
    /// In binary logarithms.
    makeup: f64,
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            fast: self.fast,
            slow_attack: self.slow_attack.interpolated(&to.slow_attack, t),
            slow_release: self.slow_release.interpolated(&to.slow_release, t),
            attack: between(self.attack, to.attack, t),
            sustain: between(self.sustain, to.sustain, t),
            makeup: between(self.makeup, to.makeup, t),
        }
    }
}

/// Envelopes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    /// Linear.
    fast: Ballistics,
    /// Linear: the difference between a sound and silence is the same at any level. Rises after the fast one by the attack time, falls with it.
    slow_attack: Ballistics,
    /// In binary logarithms over the floor: the difference dies away with the sustain time, however far the sound falls.
    /// Rises with the fast one, falls after it by the sustain time.
    slow_release: Ballistics,
}

impl Law for Transient {
    type Settings = Settings;
    type State = State;

    fn front(&self) -> Front {
        Front { detection: Detection::Peak, lookahead_ms: 0.0, hold_ms: HOLD_MS }
    }

    fn around(&self) -> Around {
        let Self { key_high_pass_hz, key_low_pass_hz, stereo_link, mix, .. } = *self;
        let corners = Corners { high_pass_hz: key_high_pass_hz, low_pass_hz: key_low_pass_hz };
        Around { corners, rms_ms: 0.0, stereo_link, mix }
    }

    fn settings(&self, sample_rate_hz: f64) -> Settings {
        let share = |ms: f64| share(ms, sample_rate_hz);
        Settings {
            fast: Times::of_shares(share(FAST_ATTACK_MS), share(FAST_RELEASE_MS)),
            slow_attack: Times::of_shares(share(self.attack_ms), 1.0),
            slow_release: Times::of_shares(1.0, share(self.sustain_ms)),
            attack: self.attack_db * LOG2_PER_DB / WHOLE,
            sustain: self.sustain_db * LOG2_PER_DB / WHOLE,
            makeup: self.makeup_db * LOG2_PER_DB,
        }
    }

    #[inline(always)]
    fn gains(&self, state: &mut State, levels: &mut [f64], settings: impl Fn(usize) -> Settings) {
        const KIND: (Smoothing, bool) = (Smoothing::Branching, false);
        let (mut onset, mut ringing) = ([0.0; RUN_FRAMES], [0.0; RUN_FRAMES]);
        let (onset, ringing) = (&mut onset[..levels.len()], &mut ringing[..levels.len()]);
        let over_floor = |level: f64| math::quick_log2((level + FLOOR) * (1.0 / FLOOR)).max(0.0);
        let whole = |apart: f64| apart.clamp(0.0, WHOLE);
        state.fast.run(KIND, levels, |index| settings(index).fast);
        onset.copy_from_slice(levels);
        state.slow_attack.run(KIND, onset, |index| settings(index).slow_attack);
        levels.iter_mut().for_each(|level| *level = over_floor(*level));
        ringing.copy_from_slice(levels);
        state.slow_release.run(KIND, ringing, |index| settings(index).slow_release);
        for (index, value) in levels.iter_mut().enumerate() {
            let Settings { attack, sustain, makeup, .. } = settings(index);
            let fast = *value;
            let (onset, ringing) = (whole(fast - over_floor(onset[index])), whole(ringing[index] - fast));
            *value = makeup + (attack * onset + sustain * ringing);
        }
    }

    fn tidy(state: &mut State, _: &Settings) {
        state.fast.tidy();
        state.slow_attack.tidy();
        state.slow_release.tidy();
    }

    fn is_at_rest(state: &State) -> bool {
        state.fast.is_at_rest() && state.slow_attack.is_at_rest() && state.slow_release.is_at_rest()
    }
}
