//! The processors: one file each, parameters (as the session document states them) and node side by side.

/// The continuous parameters of a processor, each named once with its range: `specs`, `get` and `set` follow.
macro_rules! continuous {
    () => {
        fn specs(&self) -> Vec<$crate::node::ParameterSpec> {
            Vec::new()
        }

        fn get(&self, index: usize) -> f64 {
            panic!("no continuous parameter {index}, for there is none")
        }

        fn set(&mut self, index: usize, _: f64) {
            panic!("no continuous parameter {index}, for there is none")
        }
    };
    // After single fields a list that is empty or has so many values, `name.1` and on.
    (
        [$list:ident: $count:literal values of $lowest:literal to $highest:literal, else $default:literal]
        $($field:ident: $min:literal to $max:literal,)+
    ) => {
        fn specs(&self) -> Vec<$crate::node::ParameterSpec> {
            let fields = [$((stringify!($field).to_owned(), $min, $max)),+];
            let list = (1..=$count).map(|number| (format!(concat!(stringify!($list), ".{}"), number), $lowest, $highest));
            let spec = |(name, min, max)| $crate::node::ParameterSpec { name, min, max };
            fields.into_iter().chain(list).map(spec).collect()
        }

        fn get(&self, index: usize) -> f64 {
            let fields = [$(self.$field),+];
            match index.checked_sub(fields.len()) {
                None => fields[index],
                Some(place) => self.$list.get(place).copied().unwrap_or($default),
            }
        }

        fn set(&mut self, index: usize, value: f64) {
            let fields = [$(&mut self.$field),+];
            match index.checked_sub(fields.len()) {
                None => *fields.into_iter().nth(index).expect("because it is one of the fields") = value,
                Some(place) => {
                    self.$list.resize($count, $default);
                    self.$list[place] = value;
                }
            }
        }
    };
    ($($field:ident: $min:literal to $max:literal,)+) => {
        fn specs(&self) -> Vec<$crate::node::ParameterSpec> {
            vec![$($crate::node::ParameterSpec { name: stringify!($field).into(), min: $min, max: $max }),+]
        }

        fn get(&self, index: usize) -> f64 {
            [$(self.$field),+][index]
        }

        fn set(&mut self, index: usize, value: f64) {
            *[$(&mut self.$field),+][index] = value;
        }
    };
}

/// Sums pass as sums, key or not.
macro_rules! linear {
    () => {
        fn is_linear(&self, _: bool) -> bool {
            true
        }
    };
}

/// Listens to a side-chain key; with one, its gains are the same for all that comes in.
macro_rules! keyed {
    () => {
        fn accepts_sidechain(&self) -> bool {
            true
        }

        fn is_linear(&self, keyed: bool) -> bool {
            keyed
        }
    };
}

/// Bends the waveform, or listens to it and nothing else.
macro_rules! nonlinear {
    () => {
        fn is_linear(&self, _: bool) -> bool {
            false
        }
    };
}

/// Neither latency nor tail.
macro_rules! instant {
    () => {
        fn latency_frames(&self, _: u32) -> usize {
            0
        }

        fn tail_frames(&self, _: u32) -> u64 {
            0
        }
    };
}

/// Listens to a side-chain key, lags by its look-ahead, leaves no tail.
macro_rules! looks_ahead {
    () => {
        keyed!();

        fn fixed(&self) -> &'static [(&'static str, &'static str)] {
            &[("lookahead_ms", $crate::node::DECIDES_LATENCY)]
        }

        fn latency_frames(&self, sample_rate_hz: u32) -> usize {
            $crate::units::frames_from_ms(self.lookahead_ms, sample_rate_hz)
        }

        fn tail_frames(&self, _: u32) -> u64 {
            0
        }
    };
}

mod bands;
mod clipper;
mod compressor;
mod convolution;
mod de_esser;
mod delay;
mod dynamic_eq;
mod dynamics;
mod eq;
mod expander;
mod gain;
mod gate;
mod limiter;
mod matrix;
mod mid_side;
mod mono;
mod mono_below;
mod multiband;
mod pan;
mod polarity;
mod presets;
mod reverb;
mod saturator;
mod shaping;
mod swap;
mod transient;
mod trim;
mod width;

pub use clipper::Clipper;
pub use compressor::Compressor;
pub use convolution::{Convolution, Impulse, MAX_RESPONSE_SECONDS, RESPONSE_CHANNELS};
pub use de_esser::{DeEsser, DeEsserMode};
pub use delay::Delay;
pub use dynamic_eq::{DynamicBand, DynamicBandKind, DynamicEq, When};
pub use dynamics::Detection;
pub use eq::{Band, BandKind, Eq};
pub use expander::Expander;
pub use gain::Gain;
pub use gate::Gate;
pub use limiter::Limiter;
pub use mid_side::{Direction, MidSide};
pub use mono::{Mono, Take};
pub use mono_below::MonoBelow;
pub use multiband::{CompressorBand, Multiband};
pub use pan::{Pan, StereoPan};
pub use polarity::{Channels, Polarity};
pub use presets::Preset;
pub use reverb::Reverb;
pub use saturator::{Saturator, SaturatorCurve};
pub use swap::Swap;
pub use transient::Transient;
pub use trim::Trim;
pub use width::Width;

pub use crate::kernels::ballistics::Smoothing;

use crate::kernels::crossover::Slope;
use crate::node::{Node, ParameterLane, Parameters, Prepare};

/// The fault of a value outside `min` to `max`, for parameters that have no [`crate::node::ParameterSpec`].
fn range_fault(field: impl Into<String>, value: f64, min: f64, max: f64) -> Option<(String, String)> {
    let inside = (min..=max).contains(&value);
    (!inside).then(|| (field.into(), format!("is {value}; expected {min} to {max}")))
}

/// The fault of a crossover that is not to be had.
fn slope_fault(field: impl Into<String>, db_per_octave: u32) -> Option<(String, String)> {
    let expected = Slope::EXPECTED;
    Slope::of(db_per_octave).is_none().then(|| (field.into(), format!("is {db_per_octave}; expected {expected}")))
}

/// Names every processor once: the enum, its names, its revisions, its presets file and its dispatch all follow from
/// this list.
macro_rules! processors {
    ($($(#[$doc:meta])* $field:ident: $Type:ident, revision $revision:literal;)+) => {
        /// A processor with its parameters.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Processor {
            $($(#[$doc])* $Type($Type),)+
        }

        impl Processor {
            /// Every processor's name in the session document, with the revision of its sound. A revision changes
            /// whenever the processor's golden digests change; it is part of every key that the processor enters.
            pub const REVISIONS: &'static [(&'static str, u32)] = &[$((stringify!($field), $revision)),+];

            /// Every processor's name with the text of its presets file.
            const PRESET_FILES: &'static [(&'static str, &'static str)] = &[$((
                stringify!($field),
                include_str!(concat!("../../presets/", stringify!($field), ".toml")),
            )),+];

            /// The name in the session document.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$Type(_) => stringify!($field),)+ }
            }

            /// The revision of the processor's sound.
            #[must_use]
            pub fn revision(&self) -> u32 {
                match self { $(Self::$Type(_) => $revision,)+ }
            }

            /// The parameters, whatever the processor.
            #[must_use]
            pub fn parameters(&self) -> &dyn Parameters {
                match self { $(Self::$Type(parameters) => parameters,)+ }
            }

            /// The parameters, whatever the processor, to be changed.
            pub fn parameters_mut(&mut self) -> &mut dyn Parameters {
                match self { $(Self::$Type(parameters) => parameters,)+ }
            }

            /// Every processor with its default parameters: what the invariant tests run over.
            #[must_use]
            pub fn all() -> Vec<Self> {
                vec![$(Self::$Type($Type::default())),+]
            }

            /// The node that does the work, ready to process. Allocates everything it needs.
            #[must_use]
            pub fn build(&self, prepare: Prepare, lanes: &[ParameterLane]) -> Box<dyn Node> {
                match self { $(Self::$Type(parameters) => parameters.build(prepare, lanes),)+ }
            }
        }
    };
}

processors! {
    /// Gain and polarity.
    gain: Gain, revision 1;
    /// Matches levels.
    trim: Trim, revision 1;
    /// Turns sides upside down.
    polarity: Polarity, revision 1;
    /// Pan of mono, balance or dual pan of stereo.
    pan: Pan, revision 1;
    /// Width of the stereo image.
    width: Width, revision 1;
    /// Left and right into mid and side, or back.
    mid_side: MidSide, revision 1;
    /// Swaps left and right.
    swap: Swap, revision 1;
    /// Makes mono of stereo.
    mono: Mono, revision 1;
    /// A parametric equaliser.
    eq: Eq, revision 2;
    /// A compressor.
    compressor: Compressor, revision 3;
    /// A downward expander.
    expander: Expander, revision 2;
    /// A noise gate.
    gate: Gate, revision 1;
    /// A transient shaper.
    transient: Transient, revision 1;
    /// A saturator.
    saturator: Saturator, revision 1;
    /// A clipper.
    clipper: Clipper, revision 1;
    /// A true-peak limiter.
    limiter: Limiter, revision 2;
    /// Mono below a frequency.
    mono_below: MonoBelow, revision 1;
    /// A multiband compressor.
    multiband: Multiband, revision 2;
    /// A de-esser.
    de_esser: DeEsser, revision 1;
    /// A dynamic equaliser.
    dynamic_eq: DynamicEq, revision 2;
    /// A delay.
    delay: Delay, revision 2;
    /// A reverb.
    reverb: Reverb, revision 3;
    /// Convolution with an impulse response.
    convolution: Convolution, revision 4;
}

impl Processor {
    /// The longest tail in frames over the course of its automation: of each automated parameter in turn, the value of its
    /// base, lowest and highest knot that lengthens the tail most.
    #[must_use]
    pub fn longest_tail_frames(&self, lanes: &[ParameterLane], sample_rate_hz: u32) -> u64 {
        let mut processor = self.clone();
        let mut longest = processor.parameters().tail_frames(sample_rate_hz);
        for ParameterLane { parameter, lane } in lanes {
            let mut best = processor.parameters().get(*parameter);
            let values = || lane.knots().iter().map(|knot| knot.value);
            for value in [values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)] {
                processor.parameters_mut().set(*parameter, value);
                let tail = processor.parameters().tail_frames(sample_rate_hz);
                if tail > longest {
                    (longest, best) = (tail, value);
                }
            }
            processor.parameters_mut().set(*parameter, best);
        }
        longest
    }

    /// What stands in the document's field of that name of the processor, or of its bands: `bands.2.kind`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<serde_json::Value> {
        let document = serde_json::to_value(self).unwrap_or_default();
        let mut place = document.get(self.name());
        for part in name.split('.') {
            // Bands count from 1.
            let band = part.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            place = place.and_then(|place| match band {
                Some(band) => place.get(band),
                None => place.get(part),
            });
        }
        place.cloned()
    }

    /// The file that the processor needs beside its parameters, as the document names it; it may be empty.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Convolution(convolution) => Some(&convolution.file),
            _ => None,
        }
    }

    /// The processor without its file, which goes by its digest where it is told apart.
    #[must_use]
    pub fn without_file(&self) -> Self {
        match self {
            Self::Convolution(convolution) => {
                Self::Convolution(Convolution { file: String::new(), impulse: Impulse::UNIT, ..convolution.clone() })
            }
            other => other.clone(),
        }
    }
}
