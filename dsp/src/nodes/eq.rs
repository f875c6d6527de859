//! The equaliser: its parameters. How it runs is in `eq/running.rs`.

mod moving_band;
mod running;

use core::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use running::EqNode;

use super::range_fault;
use crate::control::moving_lanes;
use crate::kernels::eq_fit::Fitted;
use crate::kernels::prototype::Prototype;
use crate::kernels::svf::Coefficients;
use crate::node::{DECIDES_ORDER, LN_120_DB, Node, ParameterLane, ParameterSpec, Parameters, Prepare};

/// The most bands of an [`struct@Eq`].
const MAX_BANDS: usize = 24;

/// A parametric equaliser: bands in series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Eq {
    /// The bands, in signal order; at most 24.
    #[schemars(length(max = 24))]
    pub bands: Vec<Band>,
}

/// One band of an [`struct@Eq`].
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
    /// Slope of a pass filter in dB per octave: 6 to 96 in steps of 6 (Butterworth).
    #[serde(default = "Band::default_slope")]
    pub slope_db_per_octave: u32,
}

/// What a band of an [`struct@Eq`] does.
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

    /// The analogue sections of the band in signal order, at a frequency of 1.
    fn prototypes(&self) -> impl Iterator<Item = Prototype> + use<> {
        let single = |prototype| (Some(prototype), 0, 0);
        let (single, low_pass_order, high_pass_order) = match self.kind {
            BandKind::HighPass => (None, 0, self.order()),
            BandKind::LowPass => (None, self.order(), 0),
            BandKind::Bell => single(Prototype::bell(self.gain_db, self.q)),
            BandKind::LowShelf => single(Prototype::low_shelf(self.gain_db, self.q)),
            BandKind::HighShelf => single(Prototype::high_shelf(self.gain_db, self.q)),
            BandKind::Notch => single(Prototype::notch(self.q)),
            BandKind::Tilt => single(Prototype::tilt(self.gain_db)),
        };
        single
            .into_iter()
            .chain(Prototype::butterworth_low_pass(low_pass_order))
            .chain(Prototype::butterworth_high_pass(high_pass_order))
    }

    /// Whether the band leaves the sound as it is: a gain of 0 dB, where there is one.
    fn is_neutral(&self) -> bool {
        self.kind.knobs().contains(&Knob::Gain) && self.gain_db == 0.0
    }

    /// The digital sections of the band; none if it is neutral.
    fn sections(&self, sample_rate_hz: f64) -> Vec<Coefficients> {
        if self.is_neutral() {
            return Vec::new();
        }
        let fitted = |prototype: Prototype| Fitted::of(&prototype, self.frequency_hz / sample_rate_hz);
        self.prototypes().flat_map(|prototype| fitted(prototype).sections().to_vec()).map(|s| (&s).into()).collect()
    }

    /// Poles of a pass filter.
    fn order(&self) -> usize {
        self.slope_db_per_octave as usize / 6
    }
}

/// A continuous parameter of a band.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Knob {
    Frequency,
    Gain,
    Q,
}

impl Knob {
    /// Name, lowest and highest value.
    fn spec(self) -> (&'static str, f64, f64) {
        match self {
            Self::Frequency => ("frequency_hz", 10.0, 40000.0),
            Self::Gain => ("gain_db", -24.0, 24.0),
            Self::Q => ("q", 0.1, 40.0),
        }
    }

    fn of(self, band: &mut Band) -> &mut f64 {
        match self {
            Self::Frequency => &mut band.frequency_hz,
            Self::Gain => &mut band.gain_db,
            Self::Q => &mut band.q,
        }
    }
}

impl BandKind {
    /// The parameters that a band of this kind listens to.
    fn knobs(self) -> &'static [Knob] {
        match self {
            Self::HighPass | Self::LowPass => &[Knob::Frequency],
            Self::Bell | Self::LowShelf | Self::HighShelf => &[Knob::Frequency, Knob::Gain, Knob::Q],
            Self::Notch => &[Knob::Frequency, Knob::Q],
            Self::Tilt => &[Knob::Frequency, Knob::Gain],
        }
    }
}

impl Eq {
    /// Every band's parameters in the order of [`Parameters::specs`], with the index of their band.
    fn knobs(&self) -> impl Iterator<Item = (usize, Knob)> {
        let of_band = |(index, band): (usize, &Band)| band.kind.knobs().iter().map(move |&knob| (index, knob));
        self.bands.iter().enumerate().flat_map(of_band)
    }

    fn knob_at(&self, index: usize) -> (usize, Knob) {
        self.knobs().nth(index).expect("because an index counts the specs of the same processor")
    }
}

impl Parameters for Eq {
    fn specs(&self) -> Vec<ParameterSpec> {
        let spec = |(band, knob): (usize, Knob)| {
            let (name, min, max) = knob.spec();
            ParameterSpec { name: format!("bands.{}.{name}", band + 1), min, max }
        };
        self.knobs().map(spec).collect()
    }

    fn get(&self, index: usize) -> f64 {
        let (band, knob) = self.knob_at(index);
        *knob.of(&mut self.bands[band].clone())
    }

    fn set(&mut self, index: usize, value: f64) {
        let (band, knob) = self.knob_at(index);
        *knob.of(&mut self.bands[band]) = value;
    }

    fn faults(&self, sample_rate_hz: u32) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.bands.len() > MAX_BANDS {
            faults.push(("bands".into(), format!("has {} bands; expected at most {MAX_BANDS}", self.bands.len())));
        }
        for (index, band) in self.bands.iter().enumerate() {
            let field = |name: &str| format!("bands.{}.{name}", index + 1);
            let nyquist_hz = f64::from(sample_rate_hz) / 2.0;
            if band.frequency_hz >= nyquist_hz {
                let problem =
                    format!("is {}; expected less than {nyquist_hz}, half the sample rate", band.frequency_hz);
                faults.push((field("frequency_hz"), problem));
            }
            // Values that this kind of band ignores are no parameters of it, and yet may not be nonsense.
            for knob in [Knob::Gain, Knob::Q].into_iter().filter(|knob| !band.kind.knobs().contains(knob)) {
                let (name, min, max) = knob.spec();
                faults.extend(range_fault(field(name), *knob.of(&mut band.clone()), min, max));
            }
            if !(6..=96).contains(&band.slope_db_per_octave) || band.slope_db_per_octave % 6 != 0 {
                let problem = format!("is {}; expected 6 to 96 in steps of 6", band.slope_db_per_octave);
                faults.push((field("slope_db_per_octave"), problem));
            }
        }
        faults
    }

    fn fixed(&self) -> &'static [(&'static str, &'static str)] {
        &[("slope_db_per_octave", DECIDES_ORDER)]
    }

    linear!();

    fn latency_frames(&self, _: u32) -> usize {
        0
    }

    /// The slowest pole's fall by 120 dB plus all that the bands may boost, and for every other band its fall by 20 dB.
    fn tail_frames(&self, sample_rate_hz: u32) -> u64 {
        let nepers_per_db = core::f64::consts::LN_10 / 20.0;
        let boost_db: f64 = self.bands.iter().map(|band| band.gain_db.abs()).sum();
        let nepers = LN_120_DB + boost_db * nepers_per_db;
        let decay_s = |band: &Band, section: &Prototype| 1.0 / (TAU * band.frequency_hz * section.decay_rate());
        let of_band = |band: &Band| band.prototypes().map(|section| decay_s(band, &section)).collect::<Vec<_>>();
        let falls: Vec<f64> = self.bands.iter().flat_map(of_band).collect();
        let slowest = falls.iter().copied().fold(0.0, f64::max);
        let seconds = slowest * nepers + falls.iter().sum::<f64>() * 20.0 * nepers_per_db;
        (seconds * f64::from(sample_rate_hz)).ceil() as u64
    }
}

impl Eq {
    /// The node, ready to process.
    #[must_use]
    pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
        let mut eq = self.clone();
        let moving = moving_lanes(&mut eq, lanes);
        let sample_rate_hz = f64::from(prepare.sample_rate_hz);
        match prepare.channels {
            1 => Box::new(EqNode::<1>::new(&eq, sample_rate_hz, &moving)),
            2 => Box::new(EqNode::<2>::new(&eq, sample_rate_hz, &moving)),
            channels => panic!("an equaliser has one or two channels, not {channels}"),
        }
    }
}
