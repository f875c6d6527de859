//! What a law is: how a processor of dynamics makes gains of levels, and what it needs around it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::automation::Lane;
use crate::control::Interpolate;
use crate::kernels::key_filter::Corners;
use crate::kernels::level_detector::LevelDetector;
use crate::node::Parameters;
use crate::units::frames_from_ms;

/// What a detector reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detection {
    /// The sample's magnitude.
    #[default]
    Peak,
    /// The root mean square over a window.
    Rms,
}

impl Detection {
    /// The detector of one channel; `lane` is that of the window, if it moves.
    pub(in crate::nodes) fn detector(self, rms_ms: f64, lane: Option<&Lane>, sample_rate_hz: u32) -> LevelDetector {
        match (self, lane) {
            (Self::Peak, _) => LevelDetector::peak(),
            (Self::Rms, None) => LevelDetector::rms(frames_from_ms(rms_ms, sample_rate_hz)),
            (Self::Rms, Some(lane)) => LevelDetector::moving_rms(frames_from_ms(lane.highest(), sample_rate_hz)),
        }
    }
}

/// What stands before a law and never moves.
#[derive(Debug, Clone, Copy)]
pub(in crate::nodes) struct Front {
    pub(in crate::nodes) detection: Detection,
    pub(in crate::nodes) lookahead_ms: f64,
    /// The law is given the highest level of so long a past, beside that of the look-ahead.
    pub(in crate::nodes) hold_ms: f64,
}

/// What stands around a law and may move.
#[derive(Debug, Clone, Copy)]
pub(in crate::nodes) struct Around {
    pub(in crate::nodes) corners: Corners,
    /// Window of RMS detection.
    pub(in crate::nodes) rms_ms: f64,
    /// 1 for one gain in all channels, 0 for one in each.
    pub(in crate::nodes) stereo_link: f64,
    pub(in crate::nodes) mix: f64,
}

/// How a processor of dynamics makes gains of levels.
pub(in crate::nodes) trait Law: Parameters + Clone + Send + 'static {
    /// The parameters as the loops use them.
    type Settings: Interpolate + Send;
    /// What it remembers for each gain that moves on its own; [`Default`] is the state of silence.
    type State: Default + Send;

    fn front(&self) -> Front;
    fn around(&self) -> Around;
    fn settings(&self, sample_rate_hz: f64) -> Self::Settings;
    /// Replaces levels, linear and at least 0, by gains, in binary logarithms; `settings` gives those of each frame by
    /// its index.
    fn gains(&self, state: &mut Self::State, levels: &mut [f64], settings: impl Fn(usize) -> Self::Settings);
    /// The same for two tracks at once, whose settings stand still.
    fn gains_beside(tracks: [Still<'_, Self>; 2]) {
        for Still { law, state, levels, settings } in tracks {
            law.gains(state, levels, |_| settings);
        }
    }
    /// Ends what has all but ended.
    fn tidy(state: &mut Self::State, settings: &Self::Settings);
    /// Whether silence changes nothing of the state any more.
    fn is_at_rest(state: &Self::State) -> bool;
}

/// A law whose settings stand still, at work on a run of frames.
pub(in crate::nodes) struct Still<'a, L: Law> {
    pub(in crate::nodes) law: &'a L,
    pub(in crate::nodes) state: &'a mut L::State,
    pub(in crate::nodes) levels: &'a mut [f64],
    pub(in crate::nodes) settings: L::Settings,
}
