//! The dynamic equaliser: its parameters. How it runs is in `dynamic_eq/running.rs`.

mod hold;
mod running;

use core::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use running::DynamicEqNode;

use super::bands;
use crate::control::moving_lanes;
use crate::kernels::prototype::Prototype;
use crate::node::{LN_120_DB, Node, ParameterLane, ParameterSpec, Parameters, Prepare};

/// The most bands of a [`DynamicEq`].
const MAX_BANDS: usize = 8;

/// An equaliser whose bands move by the level in each of them; at rest it passes the sound bit for bit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicEq {
    /// The bands, in signal order; at most 8. All of them hear what comes into the first.
    #[schemars(length(max = 8))]
    pub bands: Vec<DynamicBand>,
}

/// One band of a [`DynamicEq`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DynamicBand {
    /// The shape of the band.
    pub kind: DynamicBandKind,
    /// Centre or corner frequency in Hz, 10 to 40000 and below half the sample rate.
    #[schemars(range(min = 10.0, max = 40000.0))]
    pub frequency_hz: f64,
    /// Quality (cookbook definition), 0.1 to 40; of a bell also that of the band-pass the detector hears through.
    #[serde(default = "DynamicBand::default_q")]
    #[schemars(range(min = 0.1, max = 40.0))]
    pub q: f64,
    /// Gain of the band at most, in dB, −24 to +24: negative cuts, positive boosts.
    #[serde(default = "DynamicBand::default_range")]
    #[schemars(range(min = -24.0, max = 24.0))]
    pub range_db: f64,
    /// Whether the band moves while its level is above the threshold, or below.
    #[serde(default)]
    pub when: When,
    /// Level in the band (peak) beyond which it moves, in dBFS, −80 to 0.
    #[serde(default = "DynamicBand::default_threshold")]
    #[schemars(range(min = -80.0, max = 0.0))]
    pub threshold_db: f64,
    /// How steeply, 1 to 100: a cut above or a boost below moves by 1 − 1/ratio dB for each dB beyond the threshold (a
    /// compressor), a boost above or a cut below by ratio − 1 (an expander).
    #[serde(default = "DynamicBand::default_ratio")]
    #[schemars(range(min = 1.0, max = 100.0))]
    pub ratio: f64,
    /// Width of the soft knee in dB, 0 to 40.
    #[serde(default = "DynamicBand::default_knee")]
    #[schemars(range(min = 0.0, max = 40.0))]
    pub knee_db: f64,
    /// Time constant (63.2 %) in ms with which the band moves away from 0 dB, 0.1 to 500.
    #[serde(default = "DynamicBand::default_attack")]
    #[schemars(range(min = 0.1, max = 500.0))]
    pub attack_ms: f64,
    /// Time constant (63.2 %) in ms with which it comes back, 1 to 5000.
    #[serde(default = "DynamicBand::default_release")]
    #[schemars(range(min = 1.0, max = 5000.0))]
    pub release_ms: f64,
}

/// The shape of a [`DynamicBand`]; those of the equaliser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DynamicBandKind {
    /// Moves around the centre, and hears a band-pass there.
    Bell,
    /// Moves what lies below the corner, and hears that.
    LowShelf,
    /// Moves what lies above the corner, and hears that.
    HighShelf,
}

/// On which side of its threshold a [`DynamicBand`] moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// While the level is above.
    #[default]
    Above,
    /// While the level is below.
    Below,
}

impl DynamicBand {
    fn default_q() -> f64 {
        1.0
    }
    fn default_range() -> f64 {
        -6.0
    }
    fn default_threshold() -> f64 {
        -30.0
    }
    fn default_ratio() -> f64 {
        3.0
    }
    fn default_knee() -> f64 {
        6.0
    }
    fn default_attack() -> f64 {
        10.0
    }
    fn default_release() -> f64 {
        120.0
    }

    /// The analogue section of the band at a gain, at a frequency of 1.
    fn prototype(&self, gain_db: f64) -> Prototype {
        match self.kind {
            DynamicBandKind::Bell => Prototype::bell(gain_db, self.q),
            DynamicBandKind::LowShelf => Prototype::low_shelf(gain_db, self.q),
            DynamicBandKind::HighShelf => Prototype::high_shelf(gain_db, self.q),
        }
    }

    /// The analogue section through which the detector hears: 0 dB at the centre of a bell and far out on a shelf.
    fn ear(&self) -> Prototype {
        let damping = match self.kind {
            DynamicBandKind::Bell => 1.0 / self.q,
            DynamicBandKind::LowShelf | DynamicBandKind::HighShelf => core::f64::consts::SQRT_2,
        };
        let numerator = match self.kind {
            DynamicBandKind::Bell => [0.0, damping, 0.0],
            DynamicBandKind::LowShelf => [1.0, 0.0, 0.0],
            DynamicBandKind::HighShelf => [0.0, 0.0, 1.0],
        };
        Prototype { numerator, denominator: [1.0, damping, 1.0] }
    }
}

impl Parameters for DynamicBand {
    continuous! {
        frequency_hz: 10.0 to 40000.0,
        q: 0.1 to 40.0,
        range_db: -24.0 to 24.0,
        threshold_db: -80.0 to 0.0,
        ratio: 1.0 to 100.0,
        knee_db: 0.0 to 40.0,
        attack_ms: 0.1 to 500.0,
        release_ms: 1.0 to 5000.0,
    }

    fn is_linear(&self, keyed: bool) -> bool {
        keyed
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    /// The fall by 120 dB and by the boost, of the slower of the poles at rest and at full range.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        let nepers = LN_120_DB + (self.range_db.max(0.0) + 20.0) * core::f64::consts::LN_10 / 20.0;
        let rate = self.prototype(0.0).decay_rate().min(self.prototype(self.range_db).decay_rate());
        (nepers / (TAU * self.frequency_hz * rate) * f64::from(sample_rate_hz)).ceil() as u64
    }
}

impl Parameters for DynamicEq {
    fn specs(&self) -> Vec<ParameterSpec> {
        bands::specs(&self.bands).collect()
    }

    fn get(&self, index: usize) -> f64 {
        let (band, parameter) = bands::locate(&self.bands, index);
        self.bands[band].get(parameter)
    }

    fn set(&mut self, index: usize, value: f64) {
        let (band, parameter) = bands::locate(&self.bands, index);
        self.bands[band].set(parameter, value);
    }

    fn faults(&self, sample_rate_hz: u32) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let count = self.bands.len();
        if count > MAX_BANDS {
            faults.push(("bands".into(), format!("has {count} bands; expected at most {MAX_BANDS}")));
        }
        let nyquist_hz = f64::from(sample_rate_hz) / 2.0;
        for (index, band) in self.bands.iter().enumerate().filter(|(_, band)| band.frequency_hz >= nyquist_hz) {
            let problem = format!("is {}; expected less than {nyquist_hz}, half the sample rate", band.frequency_hz);
            faults.push((format!("bands.{}.frequency_hz", index + 1), problem));
        }
        faults
    }

    keyed!();

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    /// The bands are in series: the sum is longer than any course through them.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        self.bands.iter().map(|band| band.tail_frames(sample_rate_hz)).sum()
    }
}

impl DynamicEq {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut eq = self.clone();
        let moving = moving_lanes(&mut eq, lanes);
        let sample_rate_hz = f64::from(prepare.sample_rate_hz);
        match prepare.channels {
            1 => Box::new(DynamicEqNode::<1>::new(&eq, sample_rate_hz, &moving)),
            2 => Box::new(DynamicEqNode::<2>::new(&eq, sample_rate_hz, &moving)),
            channels => panic!("a dynamic equaliser has one or two channels, not {channels}"),
        }
    }
}
