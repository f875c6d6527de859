//! Downward expander.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dynamics::{self, Around, Detection, Front, Law};
use super::range_fault;
use crate::control::Interpolate;
use crate::kernels::ballistics::larger;
use crate::kernels::gain_computer::{Expansion, SILENCE};
use crate::kernels::gate_ballistics::{GateBallistics, GateTimes};
use crate::kernels::key_filter::Corners;
use crate::math;
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// A downward expander: what lies below the threshold becomes quieter by a ratio, down to a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expander {
    /// Level below which gain falls, in dBFS, −80 to 0.
    #[schemars(range(min = -80.0, max = 0.0))]
    pub threshold_db: f64,
    /// Output dB per input dB below the threshold, 1 to 100.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub ratio: f64,
    /// Width of the soft knee in dB, 0 to 40.
    #[schemars(range(min = 0.0, max = 40.0))]
    pub knee_db: f64,
    /// The most that gain falls, in dB, 0 to 100.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub range_db: f64,
    /// Time constant (63.2 %) of rising gain in ms, 0.01 to 500.
    #[schemars(range(min = 0.01, max = 500.0))]
    pub attack_ms: f64,
    /// Time for which gain stays before it falls, in ms, 0 to 2000.
    #[schemars(range(min = 0.0, max = 2000.0))]
    pub hold_ms: f64,
    /// Time constant (63.2 %) of falling gain in ms, 1 to 5000.
    #[schemars(range(min = 1.0, max = 5000.0))]
    pub release_ms: f64,
    /// Share of the expanded signal, 0 (dry) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
    /// How far the detector looks ahead in ms, 0 to 20; becomes latency. Cannot be automated.
    #[schemars(range(min = 0.0, max = 20.0))]
    pub lookahead_ms: f64,
    /// What the detector reads.
    pub detection: Detection,
    /// Window of RMS detection in ms, 1 to 500.
    #[schemars(range(min = 1.0, max = 500.0))]
    pub rms_ms: f64,
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

impl Default for Expander {
    fn default() -> Self {
        Self {
            threshold_db: -45.0,
            ratio: 2.0,
            knee_db: 6.0,
            range_db: 20.0,
            attack_ms: 2.0,
            hold_ms: 20.0,
            release_ms: 150.0,
            mix: 1.0,
            lookahead_ms: 0.0,
            detection: Detection::Rms,
            rms_ms: 10.0,
            key_high_pass_hz: 10.0,
            key_low_pass_hz: 20_000.0,
            stereo_link: 1.0,
        }
    }
}

impl Parameters for Expander {
    continuous! {
        threshold_db: -80.0 to 0.0,
        ratio: 1.0 to 100.0,
        knee_db: 0.0 to 40.0,
        range_db: 0.0 to 100.0,
        attack_ms: 0.01 to 500.0,
        hold_ms: 0.0 to 2000.0,
        release_ms: 1.0 to 5000.0,
        mix: 0.0 to 1.0,
        rms_ms: 1.0 to 500.0,
        key_high_pass_hz: 10.0 to 10000.0,
        key_low_pass_hz: 100.0 to 20000.0,
        stereo_link: 0.0 to 1.0,
    }

    fn faults(&self, _: u32) -> Vec<(String, String)> {
        range_fault("lookahead_ms", self.lookahead_ms, 0.0, 20.0).into_iter().collect()
    }

    looks_ahead!();
}

impl Expander {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        dynamics::build(self, prepare, lanes)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    curve: Expansion,
    times: GateTimes,
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self { curve: self.curve.interpolated(&to.curve, t), times: self.times.interpolated(&to.times, t) }
    }
}

impl Law for Expander {
    type Settings = Settings;
    type State = GateBallistics;

    fn front(&self) -> Front {
        let Self { detection, lookahead_ms, .. } = *self;
        Front { detection, lookahead_ms, hold_ms: 0.0 }
    }

    fn around(&self) -> Around {
        let Self { key_high_pass_hz, key_low_pass_hz, rms_ms, stereo_link, mix, .. } = *self;
        let corners = Corners { high_pass_hz: key_high_pass_hz, low_pass_hz: key_low_pass_hz };
        Around { corners, rms_ms, stereo_link, mix }
    }

    fn settings(&self, sample_rate_hz: f64) -> Settings {
        let Self { threshold_db, ratio, knee_db, range_db, attack_ms, hold_ms, release_ms, .. } = *self;
        let curve = Expansion::new(threshold_db, ratio, knee_db, range_db);
        let floor = curve.reduction(math::quick_log2(SILENCE));
        Settings { curve, times: GateTimes::new(attack_ms, hold_ms, release_ms, floor, sample_rate_hz) }
    }

    #[inline(always)]
    fn gains(&self, state: &mut GateBallistics, levels: &mut [f64], settings: impl Fn(usize) -> Settings) {
        for (index, level) in levels.iter_mut().enumerate() {
            *level = settings(index).curve.reduction(math::quick_log2(larger(*level, SILENCE)));
        }
        state.run(levels, |index| settings(index).times);
        levels.iter_mut().for_each(|gain| *gain = -*gain);
    }

    fn tidy(state: &mut GateBallistics, settings: &Settings) {
        state.tidy(settings.times);
    }

    fn is_at_rest(state: &GateBallistics) -> bool {
        state.is_at_rest()
    }
}
