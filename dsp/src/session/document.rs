//! The session document: what a user writes in TOML or JSON. Structure only; its meaning is checked by [`super`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::asset_facts::{AssetFacts, PictureFacts, PictureFormat};
pub use super::broadcast::Broadcast;
pub use super::deliverable::{BitrateMode, Deliverable, Depth, Dither, Each, Format, Trim};
pub use super::group::{Group, Ungrouped};
pub use super::metadata::Metadata;
use super::time::Time;
use crate::automation::Curve;
use crate::nodes::Processor;

/// The rates that a session may be rendered at and delivered in, in Hz.
pub const SAMPLE_RATES_HZ: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// One production: tracks, buses, a master chain, the mixes made of them and the files to deliver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Mixdown session")]
pub struct Document {
    /// Version of this format; 1.
    #[schemars(extend("enum" = [1]))]
    pub version: u32,
    /// The rate at which everything is rendered, in Hz: 44100, 48000, 88200, 96000, 176400 or 192000.
    #[schemars(extend("enum" = SAMPLE_RATES_HZ))]
    pub sample_rate_hz: u32,
    /// Beats per minute; needed when a time is given in beats. 10 to 999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10.0, max = 999.0))]
    pub tempo_bpm: Option<f64>,
    /// Where the session ends; by default at the end of the last clip plus the longest tail, in whole seconds, at
    /// most 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Time>,
    /// Attenuation of a mono track at the centre: −3 (default), −4.5 or −6 dB.
    #[serde(default = "Document::default_pan_law_db")]
    #[schemars(extend("enum" = [-3.0, -4.5, -6.0]))]
    pub pan_law_db: f64,
    /// Seed of the dither; the same seed gives the same bytes.
    #[serde(default)]
    pub seed: u64,
    /// Title, artist and the like.
    #[serde(default)]
    pub metadata: Metadata,
    /// What broadcast wave files say beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<Broadcast>,
    /// The tracks, at most 1024.
    #[schemars(length(min = 1, max = 1024))]
    pub tracks: Vec<Track>,
    /// The buses, at most 256.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub buses: Vec<Bus>,
    /// The master chain.
    #[serde(default)]
    pub master: Master,
    /// The loudness asked for; without it no gain is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness: Option<Loudness>,
    /// The versions of the session; by default one named `main` with everything in it. At most 64.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub mixes: Vec<Mix>,
    /// Tracks that are printed together, at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub groups: Vec<Group>,
    /// What becomes of tracks that are in no group, where groups are printed.
    #[serde(default, skip_serializing_if = "Ungrouped::is_rest")]
    pub ungrouped: Ungrouped,
    /// The files asked for, at most 1024.
    #[schemars(length(min = 1, max = 1024))]
    pub deliverables: Vec<Deliverable>,
    /// What is known of each input file, by the name under which clips refer to it. Written by `mixdown submit`; a
    /// document written by hand leaves it out, an API client fills it in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub assets: BTreeMap<String, AssetFacts>,
    /// What is known of the cover picture, by the name that `metadata` gives it. Filled in as `assets` is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pictures: BTreeMap<String, PictureFacts>,
}

/// A track: clips, then inserts (this is its stem), then fader, pan and sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Track {
    /// Unique among tracks and buses.
    pub name: String,
    /// Channels of the track: 1 or 2. By default 2 if any clip is stereo, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2))]
    pub channels: Option<u32>,
    /// What plays, at most 10000. Overlapping clips sum; with a fade-out and a fade-in over the overlap they crossfade.
    #[serde(default)]
    #[schemars(length(max = 10000))]
    pub clips: Vec<Clip>,
    /// Processors in signal order, before the fader.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub inserts: Vec<Insert>,
    /// The channel strip.
    #[serde(flatten)]
    pub strip: Strip,
}

/// A bus: what is sent to it, then inserts, then fader and balance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Bus {
    /// Unique among tracks and buses.
    pub name: String,
    /// Processors in signal order, before the fader.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub inserts: Vec<Insert>,
    /// The channel strip.
    #[serde(flatten)]
    pub strip: Strip,
}

/// The channel strip of a track or bus, in signal order: inserts, pre-fader sends, polarity, fader, pan, post-fader sends, output.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Strip {
    /// Fader in dB, −120 (silent) to +24.
    #[schemars(range(min = -120.0, max = 24.0))]
    pub fader_db: f64,
    /// −1 (left) to 1 (right): pan of a mono track, balance of a stereo one.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub pan: f64,
    /// Turns the waveform upside down, before the fader and the post-fader sends.
    pub invert_polarity: bool,
    /// Silences the fader and all sends, never the stem.
    pub mute: bool,
    /// Name of the bus this goes to; by default the master.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Sends to buses, at most 64.
    #[schemars(length(max = 64))]
    pub sends: Vec<Send>,
    /// Courses of parameters over time, at most one per parameter.
    #[schemars(length(max = 1000))]
    pub automation: Vec<Automation>,
}

/// A part of an audio file on a track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// The audio file, relative to the session file.
    pub file: String,
    /// Where the clip starts in the session.
    #[serde(default)]
    pub at: Time,
    /// Where in the file the clip starts, counted at the session's rate, after conversion.
    #[serde(default)]
    pub offset: Time,
    /// How long the clip is; by default to the end of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Time>,
    /// Gain in dB, −120 to +60.
    #[serde(default)]
    #[schemars(range(min = -120.0, max = 60.0))]
    pub gain_db: f64,
    /// Fade at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fade_in: Option<Fade>,
    /// Fade at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fade_out: Option<Fade>,
}

/// A fade of a clip or a deliverable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fade {
    /// How long it lasts; no longer than what it fades.
    pub length: Time,
    /// Its course.
    #[serde(default)]
    pub curve: FadeCurve,
}

/// The course of a fade's gain over t = 0…1; a fade-out is the mirror image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FadeCurve {
    /// t. Two of them crossfade at equal gain: right inside one take.
    Linear,
    /// sin(t·π/2). Two of them crossfade at equal power: right between different sounds.
    #[default]
    EqualPower,
    /// (1 − cos(t·π))/2: starts and ends smoothly, equal gain.
    SCurve,
    /// 60 dB, straight in dB.
    Exponential,
}

/// A processor in a chain: `{ name = "glue", compressor = { threshold_db = -18.0 } }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Insert {
    /// By which automation refers to it; unique in its chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Leaves the signal untouched; its latency is no longer there.
    #[serde(default)]
    pub bypass: bool,
    /// The track or bus whose sound drives the detector, if not the signal itself. Tracks key from other tracks' stems;
    /// buses and the master also from buses of the same mix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidechain: Option<String>,
    /// The processor.
    #[serde(flatten)]
    pub processor: Processor,
}

/// A feed of a track or bus to a bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Name of the bus.
    pub to: String,
    /// Gain in dB, −120 (silent) to +24.
    #[serde(default)]
    #[schemars(range(min = -120.0, max = 24.0))]
    pub gain_db: f64,
    /// Where the signal is taken.
    #[serde(default)]
    pub tap: Tap,
}

/// Where a send takes its signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tap {
    /// After fader and pan.
    #[default]
    PostFader,
    /// After the inserts, before polarity, fader and pan; a mono track arrives at the centre.
    PreFader,
}

/// The course of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Automation {
    /// `fader_db`, `pan`, `sends.BUS.gain_db` or `inserts.NAME.PARAMETER` (`inserts.tone.bands.2.gain_db`; bands count from 1).
    pub parameter: String,
    /// The knots, times strictly rising; at most 100000.
    #[schemars(length(min = 1, max = 100000))]
    pub points: Vec<Point>,
}

/// A knot of an automation lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// When.
    pub at: Time,
    /// The value, in the parameter's unit.
    pub value: f64,
    /// The way to the next point.
    #[serde(default, skip_serializing_if = "Point::is_linear")]
    pub curve: Curve,
}

/// The master chain, through which the sum of a mix goes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Master {
    /// Processors in signal order.
    #[schemars(length(max = 64))]
    pub inserts: Vec<Insert>,
    /// Fader in dB after the inserts, −120 to +24.
    #[schemars(range(min = -120.0, max = 24.0))]
    pub fader_db: f64,
    /// Courses of `fader_db` and `inserts.NAME.PARAMETER`.
    #[schemars(length(max = 1000))]
    pub automation: Vec<Automation>,
}

/// The loudness and ceiling of the masters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loudness {
    /// Integrated loudness asked for, in LUFS (ITU-R BS.1770-5), −60 to −5.
    #[schemars(range(min = -60.0, max = -5.0))]
    pub integrated_lufs: f64,
    /// True-peak ceiling in dBTP, −20 to 0; by default −1.
    #[serde(default = "Loudness::default_ceiling_dbtp")]
    #[schemars(range(min = -20.0, max = 0.0))]
    pub ceiling_dbtp: f64,
    /// The most gain reduction of peaks that the limiter may do, in dB, 0 to 24; by default 6. If target and ceiling cannot
    /// both hold within it, the master is quieter than asked and the result says so.
    #[serde(default = "Loudness::default_max_limiting_db")]
    #[schemars(range(min = 0.0, max = 24.0))]
    pub max_limiting_db: f64,
    /// The mix on which the gain is solved; every other mix gets the same gain. By default `main`, else the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_mix: Option<String>,
}

/// One version of the session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// `main`, `instrumental`, `a cappella`…
    pub name: String,
    /// Tracks and buses silenced in this mix, beside those that are muted anyway.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    pub mute: Vec<String>,
    /// If not empty, only these tracks sound; buses always do.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    pub solo: Vec<String>,
    /// Added to the faders of tracks and buses, in dB from −120 to +24, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fader_offset_db: BTreeMap<String, f64>,
    /// Whether the mix goes through the master chain, the loudness gain and the limiter; without, it is the plain sum.
    #[serde(default = "Mix::default_master_chain")]
    pub master_chain: bool,
    /// Whose loudness decides the gain.
    #[serde(default)]
    pub loudness: LoudnessFrom,
}

/// Whose loudness decides a mix's gain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoudnessFrom {
    /// The reference mix's: an instrumental keeps its level beside the main mix.
    #[default]
    Reference,
    /// Its own.
    Own,
}

impl Document {
    fn default_pan_law_db() -> f64 {
        -3.0
    }
}

impl Point {
    /// Points are what long documents are made of: the usual curve goes without saying.
    fn is_linear(curve: &Curve) -> bool {
        *curve == Curve::Linear
    }
}

impl Loudness {
    fn default_ceiling_dbtp() -> f64 {
        -1.0
    }

    fn default_max_limiting_db() -> f64 {
        6.0
    }
}

impl Mix {
    fn default_master_chain() -> bool {
        true
    }
}
