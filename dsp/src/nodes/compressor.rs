//! Compressor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dynamics::{self, Around, Detection, Front, Law, Still};
use super::range_fault;
use crate::control::{Interpolate, between};
use crate::kernels::ballistics::{Ballistics, Smoothing, Times, larger};
use crate::kernels::gain_computer::{GainComputer, LOG2_PER_DB, SILENCE};
use crate::kernels::key_filter::Corners;
use crate::math;
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// A feed-forward compressor with soft knee, automatic release, look-ahead, filtered side-chain, stereo link and mix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Compressor {
    /// Level above which gain falls, in dBFS, −80 to 0.
    #[schemars(range(min = -80.0, max = 0.0))]
    pub threshold_db: f64,
    /// Input dB per output dB above the threshold, 1 to 100.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub ratio: f64,
    /// Width of the soft knee in dB, 0 to 40.
    #[schemars(range(min = 0.0, max = 40.0))]
    pub knee_db: f64,
    /// Time constant (63.2 %) of falling gain in ms, 0.01 to 500.
    #[schemars(range(min = 0.01, max = 500.0))]
    pub attack_ms: f64,
    /// Time constant (63.2 %) of recovering gain in ms, 1 to 5000.
    #[schemars(range(min = 1.0, max = 5000.0))]
    pub release_ms: f64,
    /// Whether lasting reduction is released ten times slower (within 0.3 to 1.5 s) than that of a lone peak.
    pub auto_release: bool,
    /// How attack and release work together.
    pub smoothing: Smoothing,
    /// Gain after compression in dB, −40 to +40.
    #[schemars(range(min = -40.0, max = 40.0))]
    pub makeup_db: f64,
    /// Share of the compressed signal, 0 (dry) to 1.
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

impl Default for Compressor {
    fn default() -> Self {
        Self {
            threshold_db: -18.0,
            ratio: 2.0,
            knee_db: 6.0,
            attack_ms: 10.0,
            release_ms: 120.0,
            auto_release: false,
            smoothing: Smoothing::Branching,
            makeup_db: 0.0,
            mix: 1.0,
            lookahead_ms: 0.0,
            detection: Detection::Peak,
            rms_ms: 10.0,
            key_high_pass_hz: 10.0,
            key_low_pass_hz: 20_000.0,
            stereo_link: 1.0,
        }
    }
}

impl Parameters for Compressor {
    continuous! {
        threshold_db: -80.0 to 0.0,
        ratio: 1.0 to 100.0,
        knee_db: 0.0 to 40.0,
        attack_ms: 0.01 to 500.0,
        release_ms: 1.0 to 5000.0,
        makeup_db: -40.0 to 40.0,
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

impl Compressor {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        dynamics::build(self, prepare, lanes)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    curve: GainComputer,
    times: Times,
    /// In binary logarithms.
    makeup: f64,
}

impl Interpolate for Settings {
    #[inline(always)]
    fn interpolated(&self, to: &Self, t: f64) -> Self {
        Self {
            curve: self.curve.interpolated(&to.curve, t),
            times: self.times.interpolated(&to.times, t),
            makeup: between(self.makeup, to.makeup, t),
        }
    }
}

/// Replaces levels, linear, by the reductions that the curve asks for.
#[inline(always)]
fn reductions(levels: &mut [f64], settings: impl Fn(usize) -> Settings) {
    for (index, level) in levels.iter_mut().enumerate() {
        *level = settings(index).curve.reduction(math::quick_log2(larger(*level, SILENCE)));
    }
}

/// Replaces reductions by gains.
#[inline(always)]
fn make_up(reductions: &mut [f64], settings: impl Fn(usize) -> Settings) {
    for (index, gain) in reductions.iter_mut().enumerate() {
        *gain = settings(index).makeup - *gain;
    }
}

impl Law for Compressor {
    type Settings = Settings;
    type State = Ballistics;

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
        Settings {
            curve: GainComputer::new(self.threshold_db, self.ratio, self.knee_db),
            times: Times::new(self.attack_ms, self.release_ms, sample_rate_hz),
            makeup: self.makeup_db * LOG2_PER_DB,
        }
    }

    #[inline(always)]
    fn gains(&self, state: &mut Ballistics, levels: &mut [f64], settings: impl Fn(usize) -> Settings) {
        reductions(levels, &settings);
        state.run((self.smoothing, self.auto_release), levels, |index| settings(index).times);
        make_up(levels, settings);
    }

    #[inline(always)]
    fn gains_beside(tracks: [Still<'_, Self>; 2]) {
        // `map` would not be inlined, and so compiled for the baseline.
        let [a, b] = tracks;
        reductions(a.levels, |_| a.settings);
        reductions(b.levels, |_| b.settings);
        Ballistics::run_beside(
            (a.state, (a.law.smoothing, a.law.auto_release), a.levels, a.settings.times),
            (b.state, (b.law.smoothing, b.law.auto_release), b.levels, b.settings.times),
        );
        make_up(a.levels, |_| a.settings);
        make_up(b.levels, |_| b.settings);
    }

    fn tidy(state: &mut Ballistics, _: &Settings) {
        state.tidy();
    }

    fn is_at_rest(state: &Ballistics) -> bool {
        state.is_at_rest()
    }
}
