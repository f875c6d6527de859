//! The multiband compressor: its parameters. How it runs is in `multiband/running.rs`.

mod running;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use running::MultibandNode;

use super::{Detection, bands};
use crate::control::moving_lanes;
use crate::kernels::ballistics::Smoothing;
use crate::kernels::crossover::{MAX_BANDS, Slope};
use crate::node::{DECIDES_ORDER, LN_120_DB, Node, ParameterLane, ParameterSpec, Parameters, Prepare};

/// The range of a crossover frequency in Hz.
const CROSSOVER_HZ: (f64, f64) = (20.0, 20_000.0);

/// A compressor of 2 to 5 bands, parted by Linkwitz–Riley crossovers whose sum is an all-pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Multiband {
    /// Where the bands meet, in Hz, 20 to 20000 and below half the sample rate, rising; 1 to 4.
    #[schemars(length(min = 1, max = 4), inner(range(min = 20.0, max = 20000.0)))]
    pub crossovers_hz: Vec<f64>,
    /// How steep the crossovers are in dB per octave: 12, 24 or 48.
    pub slope_db_per_octave: u32,
    /// The bands from the lowest up, one more than crossovers.
    #[schemars(length(max = 5))]
    pub bands: Vec<CompressorBand>,
    /// What the detectors read.
    pub detection: Detection,
    /// Window of RMS detection in ms, 1 to 500.
    #[schemars(range(min = 1.0, max = 500.0))]
    pub rms_ms: f64,
    /// How attack and release work together.
    pub smoothing: Smoothing,
    /// Whether lasting reduction is released ten times slower (within 0.3 to 1.5 s) than that of a lone peak.
    pub auto_release: bool,
}

/// One band of a [`Multiband`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompressorBand {
    /// Level in the band above which its gain falls, in dBFS, −80 to 0.
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
    /// Gain after compression in dB, −40 to +40.
    #[schemars(range(min = -40.0, max = 40.0))]
    pub makeup_db: f64,
    /// Share of the compressed band, 0 (as it came) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mix: f64,
    /// Leaves the band as it came.
    pub bypass: bool,
}

impl Default for Multiband {
    fn default() -> Self {
        Self {
            crossovers_hz: vec![150.0, 2500.0],
            slope_db_per_octave: 24,
            bands: vec![CompressorBand::default(); 3],
            detection: Detection::Peak,
            rms_ms: 10.0,
            smoothing: Smoothing::Branching,
            auto_release: false,
        }
    }
}

impl Default for CompressorBand {
    fn default() -> Self {
        Self {
            threshold_db: -24.0,
            ratio: 2.0,
            knee_db: 6.0,
            attack_ms: 10.0,
            release_ms: 120.0,
            makeup_db: 0.0,
            mix: 1.0,
            bypass: false,
        }
    }
}

impl Parameters for CompressorBand {
    continuous! {
        threshold_db: -80.0 to 0.0,
        ratio: 1.0 to 100.0,
        knee_db: 0.0 to 40.0,
        attack_ms: 0.01 to 500.0,
        release_ms: 1.0 to 5000.0,
        makeup_db: -40.0 to 40.0,
        mix: 0.0 to 1.0,
    }

    fn is_linear(&self, keyed: bool) -> bool {
        keyed
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    fn tail_frames(&self, _: u32) -> u64 {
        0
    }
}

/// The window of the detectors first, then the crossovers, then the bands.
impl Parameters for Multiband {
    fn specs(&self) -> Vec<ParameterSpec> {
        let (min, max) = CROSSOVER_HZ;
        let window = ParameterSpec { name: "rms_ms".into(), min: 1.0, max: 500.0 };
        let crossover = |index: usize| ParameterSpec { name: format!("crossovers_hz.{}", index + 1), min, max };
        let crossovers = (0..self.crossovers_hz.len()).map(crossover);
        core::iter::once(window).chain(crossovers).chain(bands::specs(&self.bands)).collect()
    }

    fn get(&self, index: usize) -> f64 {
        if index == 0 {
            return self.rms_ms;
        }
        match self.crossovers_hz.get(index - 1) {
            Some(hz) => *hz,
            None => {
                let (band, parameter) = bands::locate(&self.bands, index - self.first_of_bands());
                self.bands[band].get(parameter)
            }
        }
    }

    fn set(&mut self, index: usize, value: f64) {
        let first_of_bands = self.first_of_bands();
        if index == 0 {
            self.rms_ms = value;
            return;
        }
        match self.crossovers_hz.get_mut(index - 1) {
            Some(hz) => *hz = value,
            None => {
                let (band, parameter) = bands::locate(&self.bands, index - first_of_bands);
                self.bands[band].set(parameter, value);
            }
        }
    }

    fn faults(&self, sample_rate_hz: u32) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let most = MAX_BANDS - 1;
        let (crossovers, bands) = (self.crossovers_hz.len(), self.bands.len());
        if !(1..=most).contains(&crossovers) {
            faults.push(("crossovers_hz".into(), format!("has {crossovers} frequencies; expected 1 to {most}")));
        }
        if bands != crossovers + 1 {
            let problem = format!("has {bands} bands; expected {}, one more than crossovers", crossovers + 1);
            faults.push(("bands".into(), problem));
        }
        let nyquist_hz = f64::from(sample_rate_hz) / 2.0;
        for (index, hz) in self.crossovers_hz.iter().enumerate() {
            let field = format!("crossovers_hz.{}", index + 1);
            if *hz >= nyquist_hz {
                faults.push((field, format!("is {hz}; expected less than {nyquist_hz}, half the sample rate")));
            } else if index > 0 && *hz <= self.crossovers_hz[index - 1] {
                let below = self.crossovers_hz[index - 1];
                faults.push((field, format!("is {hz}; expected more than {below}, the crossover below")));
            }
        }
        faults.extend(super::slope_fault("slope_db_per_octave", self.slope_db_per_octave));
        faults
    }

    keyed!();

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[("slope_db_per_octave", DECIDES_ORDER)]
    }

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    /// The crossovers' fall by 120 dB plus what the loudest band adds.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        let makeup_db = self.bands.iter().fold(0.0, |most: f64, band| most.max(band.makeup_db));
        let nepers = LN_120_DB + makeup_db * core::f64::consts::LN_10 / 20.0;
        let seconds = self.slope().fall_s(self.crossovers_hz.iter().copied(), nepers);
        (seconds * f64::from(sample_rate_hz)).ceil() as u64
    }
}

impl Multiband {
    /// The parameter from which on those of the bands are counted.
    fn first_of_bands(&self) -> usize {
        1 + self.crossovers_hz.len()
    }

    fn slope(&self) -> Slope {
        Slope::of(self.slope_db_per_octave).unwrap_or(Slope::Db24)
    }

    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut multiband = self.clone();
        let moving = moving_lanes(&mut multiband, lanes);
        match prepare.channels {
            1 => Box::new(MultibandNode::<1>::new(&multiband, prepare.sample_rate_hz, &moving)),
            2 => Box::new(MultibandNode::<2>::new(&multiband, prepare.sample_rate_hz, &moving)),
            channels => panic!("a multiband compressor has one or two channels, not {channels}"),
        }
    }
}
