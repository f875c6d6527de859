//! Recipes: everything that decides an artifact's bytes, in canonical form. Names that nobody hears are left out.

use serde::Serialize;

use super::keys::{Key, stage};
use crate::automation::{Curve, Lane};
use crate::digest::Digest;
use crate::nodes::Processor;
use crate::session::ValidSession;
use crate::session::document::{Broadcast, Depth, Dither, FadeCurve, Format, Metadata, Tap, Trim};
use crate::session::lossy::BitRate;
use crate::session::valid::{self, AssetIndex, Content, Deliverable, KeySource, MixIndex, Output, Track};

/// The side-chain keys of a chain, in its order.
pub(super) fn key_sources(inserts: &[valid::Insert]) -> impl Iterator<Item = KeySource> + '_ {
    inserts.iter().filter_map(|insert| insert.sidechain)
}

/// What assets sound like: the bytes of lossless ones, the decoded PCM of lossy ones.
pub(super) struct Heard<'a> {
    /// The session.
    pub session: &'a ValidSession,
    /// Per asset, the key of its decoded PCM.
    pub decoded: &'a [Option<Key>],
}

impl Heard<'_> {
    /// What tells the sound of an asset apart.
    pub fn digest(&self, asset: AssetIndex) -> Digest {
        self.decoded[asset].map_or(self.session.assets[asset].facts.digest, |key| key.0)
    }
}

/// The course of a parameter.
#[derive(Serialize)]
pub(super) struct LaneRecipe(Vec<(u64, f64, Curve)>);

impl From<&Lane> for LaneRecipe {
    fn from(lane: &Lane) -> Self {
        Self(lane.knots().iter().map(|knot| (knot.frame, knot.value, knot.curve)).collect())
    }
}

/// Where a side-chain key comes from: a stem, or a bus by an index that the recipe around gives a meaning.
#[derive(Serialize)]
pub(super) enum KeyRecipe {
    Stem(Key),
    Bus(Option<usize>),
}

/// A processor at work.
#[derive(Serialize)]
pub(super) struct InsertRecipe {
    processor: Processor,
    revision: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<Digest>,
    lanes: Vec<(usize, LaneRecipe)>,
    key: Option<KeyRecipe>,
}

impl InsertRecipe {
    /// The inserts of a chain; `key` tells of the keys.
    pub fn chain(inserts: &[valid::Insert], heard: &Heard<'_>, key: impl Fn(KeySource) -> KeyRecipe) -> Vec<Self> {
        let recipe = |insert: &valid::Insert| Self {
            processor: insert.processor.without_file(),
            revision: insert.processor.revision(),
            asset: insert.asset.map(|asset| heard.digest(asset)),
            lanes: insert.lanes.iter().map(|lane| (lane.parameter, LaneRecipe::from(&lane.lane))).collect(),
            key: insert.sidechain.map(&key),
        };
        inserts.iter().map(recipe).collect()
    }
}

#[derive(Serialize)]
struct ClipRecipe {
    asset: Digest,
    asset_rate_hz: u32,
    at: u64,
    offset: u64,
    length: u64,
    gain_db: f64,
    fade_in: Option<(u64, FadeCurve)>,
    fade_out: Option<(u64, FadeCurve)>,
}

/// What a stem is made of.
#[derive(Serialize)]
pub(super) struct StemRecipe {
    stage: (&'static str, u32),
    sample_rate_hz: u32,
    channels: usize,
    stem_channels: usize,
    frames: u64,
    clips: Vec<ClipRecipe>,
    inserts: Vec<InsertRecipe>,
}

impl StemRecipe {
    /// The recipe of a track's stem; the stems that key it must have their keys already.
    pub(super) fn of(heard: &Heard<'_>, track: &Track, stems: &[Option<Key>]) -> Self {
        let session = heard.session;
        let clip = |clip: &valid::Clip| {
            let facts = &session.assets[clip.asset].facts;
            ClipRecipe {
                asset: heard.digest(clip.asset),
                asset_rate_hz: facts.sample_rate_hz,
                at: clip.at_frames,
                offset: clip.offset_frames,
                length: clip.length_frames,
                gain_db: clip.gain_db,
                fade_in: clip.fade_in,
                fade_out: clip.fade_out,
            }
        };
        Self {
            stage: ("stem", stage("stem")),
            sample_rate_hz: session.sample_rate_hz,
            channels: track.channels,
            stem_channels: track.stem_channels,
            frames: track.stem_frames,
            clips: track.clips.iter().map(clip).collect(),
            inserts: InsertRecipe::chain(&track.inserts, heard, |source| match source {
                KeySource::Track(track) => {
                    KeyRecipe::Stem(stems[track].expect("because stems are taken in the order of their side-chains"))
                }
                KeySource::Bus(bus) => KeyRecipe::Bus(Some(bus)),
            }),
        }
    }
}

#[derive(Serialize)]
struct StripRecipe {
    fader_db: LaneRecipe,
    offset_db: f64,
    pan: LaneRecipe,
    invert_polarity: bool,
    output: Option<usize>,
    sends: Vec<(usize, LaneRecipe, Tap)>,
}

impl StripRecipe {
    fn of(strip: &valid::Strip, offset_db: f64) -> Self {
        Self {
            fader_db: (&strip.fader_db).into(),
            offset_db,
            pan: (&strip.pan).into(),
            invert_polarity: strip.invert_polarity,
            output: match strip.output {
                Output::Master => None,
                Output::Bus(bus) => Some(bus),
            },
            sends: strip.sends.iter().map(|send| (send.to, (&send.gain_db).into(), send.tap)).collect(),
        }
    }
}

#[derive(Serialize)]
struct BusRecipe {
    inserts: Vec<InsertRecipe>,
    /// `None` while the bus is muted: it may still key others.
    strip: Option<StripRecipe>,
}

/// What a mix is made of.
#[derive(Serialize)]
pub(super) struct MixRecipe {
    stage: (&'static str, u32),
    sample_rate_hz: u32,
    frames: u64,
    pan_law_db: f64,
    tracks: Vec<(Key, StripRecipe)>,
    buses: Vec<BusRecipe>,
    master: Option<(Vec<InsertRecipe>, LaneRecipe)>,
}

impl MixRecipe {
    /// The recipe of a mix.
    pub(super) fn of(heard: &Heard<'_>, mix: MixIndex, stems: &[Key]) -> Self {
        let session = heard.session;
        let version = &session.mixes[mix];
        let tracks = session.tracks.iter().enumerate().filter(|(index, _)| version.track_sounds[*index]);
        let key = |source| match source {
            KeySource::Track(track) => KeyRecipe::Stem(stems[track]),
            KeySource::Bus(bus) => KeyRecipe::Bus(Some(bus)),
        };
        let bus = |(index, bus): (usize, &valid::Bus)| BusRecipe {
            inserts: InsertRecipe::chain(&bus.inserts, heard, key),
            strip: version.bus_sounds[index].then(|| StripRecipe::of(&bus.strip, version.bus_offset_db[index])),
        };
        let master =
            || (InsertRecipe::chain(&session.master.inserts, heard, key), LaneRecipe::from(&session.master.fader_db));
        Self {
            stage: ("mix", stage("mix")),
            sample_rate_hz: session.sample_rate_hz,
            frames: session.length_frames,
            pan_law_db: session.pan_law_db,
            tracks: tracks
                .map(|(index, track)| (stems[index], StripRecipe::of(&track.strip, version.track_offset_db[index])))
                .collect(),
            buses: session.buses.iter().enumerate().map(bus).collect(),
            master: version.master_chain.then(master),
        }
    }
}

/// What the solution of a loudness gain is made of.
#[derive(Serialize)]
pub(super) struct SolutionRecipe {
    stage: (&'static str, u32),
    mix: Key,
    integrated_lufs: f64,
    ceiling_dbtp: f64,
    max_limiting_db: f64,
}

impl SolutionRecipe {
    /// The recipe of the solution on a mix.
    pub(super) fn of(loudness: &valid::Loudness, mix: Key) -> Self {
        Self {
            stage: ("solve", stage("solve")),
            mix,
            integrated_lufs: loudness.integrated_lufs,
            ceiling_dbtp: loudness.ceiling_dbtp,
            max_limiting_db: loudness.max_limiting_db,
        }
    }
}

/// What a finished file is made of.
#[derive(Serialize)]
pub(super) struct MasterRecipe<'a> {
    stages: [(&'static str, u32); 2],
    source: Key,
    solution: Option<Key>,
    frames: u64,
    /// The name of a group, which the report gives and the source's key does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    file_name: &'a str,
    format: Format,
    depth: Depth,
    #[serde(skip_serializing_if = "Option::is_none")]
    lossy: Option<(BitRate, bool)>,
    sample_rate_hz: u32,
    dither: Dither,
    trim: Option<&'a Trim>,
    fade_in: Option<(u64, FadeCurve)>,
    fade_out: Option<(u64, FadeCurve)>,
    remove_dc: bool,
    seed: u64,
    /// Without the name of the cover: its bytes count.
    metadata: Metadata,
    cover: Option<Digest>,
    replay_gain: bool,
    /// Of a broadcast wave file: what it says, and where it stands on the timeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    broadcast: Option<(&'a Broadcast, u64)>,
}

impl<'a> MasterRecipe<'a> {
    /// The recipe of a deliverable made of `source`, a mix or a stem.
    pub(super) fn of(
        session: &'a ValidSession,
        deliverable: &'a Deliverable,
        source: Key,
        solution: Option<Key>,
    ) -> Self {
        let writer = format_stage(deliverable.format);
        Self {
            stages: [("finish", stage("finish")), (writer, stage(writer))],
            source,
            solution,
            frames: session.length_frames,
            group: matches!(deliverable.content, Content::Group(_)).then(|| session.content_name(deliverable.content)),
            file_name: &deliverable.file_name,
            format: deliverable.format,
            depth: deliverable.depth,
            lossy: deliverable.lossy.map(|lossy| (lossy.bit_rate, lossy.keep_ceiling_decoded)),
            sample_rate_hz: deliverable.sample_rate_hz,
            dither: deliverable.dither,
            trim: deliverable.trim.as_ref(),
            fade_in: deliverable.fade_in,
            fade_out: deliverable.fade_out,
            remove_dc: deliverable.remove_dc,
            seed: session.seed,
            metadata: Metadata { cover: None, ..session.metadata.clone() },
            cover: session.cover.as_ref().map(|cover| cover.facts.digest),
            replay_gain: deliverable.replay_gain,
            broadcast: (deliverable.format == Format::Bwf)
                .then_some((&session.broadcast, session.time_reference_frames)),
        }
    }
}

/// The stage that writes a format.
pub(super) fn format_stage(format: Format) -> &'static str {
    match format {
        Format::Wav => "wav",
        Format::Bwf => "bwf",
        Format::Aiff => "aiff",
        Format::Flac => "flac",
        Format::Mp3 => "mp3",
        Format::Opus => "opus",
        Format::Vorbis => "vorbis",
        Format::Aac => "aac",
    }
}
