//! Eq.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node::{Node, ParameterLane, ParameterSpec, Parameters, Prepare};

/// A parametric equaliser: bands in series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Eq {
    /// The bands, in signal order; at most 24.
    #[schemars(length(max = 24))]
    pub bands: Vec<Band>,
}

/// One band of an [`Eq`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// What the band does.
    pub kind: BandKind,
    /// Corner, centre or pivot frequency in Hz, 10 to 40000 and below half the sample rate.
    #[schemars(range(min = 10.0, max = 40000.0))]
    pub frequency_hz: f64,
    /// Gain in dB of bell and shelves, slope of the tilt from one end to the other; −24 to +24. Passes and the notch ignore it.
    #[serde(default)]
    #[schemars(range(min = -24.0, max = 24.0))]
    pub gain_db: f64,
    /// Quality of bell, shelves and notch (cookbook definition), 0.1 to 40. Passes and the tilt ignore it.
    #[serde(default = "Band::default_q")]
    #[schemars(range(min = 0.1, max = 40.0))]
    pub q: f64,
    /// Slope of a pass filter in dB per octave: 6, 12, 18, 24, 30, 36, 42 or 48 (Butterworth).
    #[serde(default = "Band::default_slope")]
    pub slope_db_per_octave: u32,
}

/// What a band of an [`Eq`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BandKind {
    /// Lets through what lies above the corner.
    HighPass,
    /// Lets through what lies below the corner.
    LowPass,
    /// Raises or lowers around the centre.
    Bell,
    /// Raises or lowers what lies below.
    LowShelf,
    /// Raises or lowers what lies above.
    HighShelf,
    /// Removes the centre.
    Notch,
    /// Tilts the spectrum around the pivot: half the gain down below, half up above.
    Tilt,
}

impl Band {
    fn default_q() -> f64 {
        core::f64::consts::FRAC_1_SQRT_2
    }

    fn default_slope() -> u32 {
        12
    }
}

impl Parameters for Eq {
    fn specs(&self) -> Vec<ParameterSpec> {
        unimplemented!("nodes agent")
    }

    fn get(&self, index: usize) -> f64 {
        unimplemented!("nodes agent {index}")
    }

    fn set(&mut self, index: usize, value: f64) {
        unimplemented!("nodes agent {index} {value}")
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    fn tail_frames(&self, _: u32) -> u64 {
        0
    }
}

impl Eq {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let _ = (prepare, lanes);
        unimplemented!("nodes agent")
    }
}
