//! A session that holds together: every name resolved, every time in frames, every value in range.
//!
//! Made by [`super::from_json`], [`super::from_toml`] and [`super::load`] alone; nothing downstream checks again.

use std::collections::BTreeMap;

pub use super::document::Trim;
use super::document::{
    AssetFacts, Broadcast, Depth, Dither, Document, FadeCurve, Format, LoudnessFrom, Metadata, PictureFacts, Tap,
};
use super::lossy::Lossy;
use crate::automation::Lane;
use crate::digest::Digest;
use crate::node::ParameterLane;
use crate::nodes::Processor;

/// Index into [`ValidSession::assets`].
pub type AssetIndex = usize;
/// Index into [`ValidSession::tracks`], in document order.
pub type TrackIndex = usize;
/// Index into [`ValidSession::buses`], in document order.
pub type BusIndex = usize;
/// Index into [`ValidSession::mixes`].
pub type MixIndex = usize;
/// Index into [`ValidSession::group_prints`].
pub type GroupPrintIndex = usize;
/// Index into [`ValidSession::deliverables`].
pub type DeliverableIndex = usize;

/// A validated session. Times are frames at `sample_rate_hz`.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidSession {
    /// The document this was made of, with `assets` filled in.
    pub document: Document,
    /// Render rate in Hz.
    pub sample_rate_hz: u32,
    /// Length of every mix and print of this session.
    pub length_frames: u64,
    /// Attenuation of a mono track at the centre in dB: −3, −4.5 or −6.
    pub pan_law_db: f64,
    /// Seed of the dither.
    pub seed: u64,
    /// Title, artist and the like.
    pub metadata: Metadata,
    /// What broadcast wave files say beside.
    pub broadcast: Broadcast,
    /// Time since midnight of the session's first frame, in frames.
    pub time_reference_frames: u64,
    /// The input files, each once, ordered by name.
    pub assets: Vec<Asset>,
    /// The cover picture.
    pub cover: Option<Cover>,
    /// The tracks in document order; summed in this order.
    pub tracks: Vec<Track>,
    /// The buses in document order.
    pub buses: Vec<Bus>,
    /// Bus indices so that every bus comes after all buses that feed it or key it; summed in document order all the same.
    pub bus_order: Vec<BusIndex>,
    /// The master chain.
    pub master: Master,
    /// The loudness asked for.
    pub loudness: Option<Loudness>,
    /// The mixes; at least one.
    pub mixes: Vec<Mix>,
    /// The groups' parts of mixes that deliverables ask for.
    pub group_prints: Vec<GroupPrint>,
    /// The files asked for; at least one.
    pub deliverables: Vec<Deliverable>,
}

/// An input file.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    /// The name by which clips refer to it.
    pub name: String,
    /// What is known of it.
    pub facts: AssetFacts,
}

/// The cover picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Cover {
    /// Its file, relative to the session file.
    pub name: String,
    /// What is known of it.
    pub facts: PictureFacts,
}

/// A file that the session is made of, whatever it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputFile<'a> {
    /// Its name, relative to the session file.
    pub name: &'a str,
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// A track.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Its name.
    pub name: String,
    /// Channels before the inserts: 1 or 2.
    pub channels: usize,
    /// Channels of the stem: 1 or 2.
    pub stem_channels: usize,
    /// Its clips in document order.
    pub clips: Vec<Clip>,
    /// Its inserts; bypassed ones are left out.
    pub inserts: Vec<Insert>,
    /// Frames of the stem: the last clip's end plus the tails of the inserts (at most 30 s); independent of other tracks
    /// but for side-chains, which never lengthen it. The stem is silent from here on.
    pub stem_frames: u64,
    /// Fader, pan, sends, output.
    pub strip: Strip,
}

/// A bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Bus {
    /// Its name.
    pub name: String,
    /// Its inserts; bypassed ones are left out.
    pub inserts: Vec<Insert>,
    /// Fader, balance, sends, output.
    pub strip: Strip,
}

/// The master chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Master {
    /// Its inserts; bypassed ones are left out.
    pub inserts: Vec<Insert>,
    /// The fader after them in dB, over session time.
    pub fader_db: Lane,
}

/// A channel strip.
#[derive(Debug, Clone, PartialEq)]
pub struct Strip {
    /// Fader in dB over session time; −120 and below is silence.
    pub fader_db: Lane,
    /// Pan or balance over session time.
    pub pan: Lane,
    /// Polarity turned.
    pub invert_polarity: bool,
    /// Muted in every mix.
    pub mute: bool,
    /// Where it goes.
    pub output: Output,
    /// Its sends in document order.
    pub sends: Vec<Send>,
}

/// Where a strip goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Into the master.
    Master,
    /// Into a bus.
    Bus(BusIndex),
}

/// A feed to a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    /// The bus.
    pub to: BusIndex,
    /// Gain in dB over session time; −120 and below is silence.
    pub gain_db: Lane,
    /// Where the signal is taken.
    pub tap: Tap,
}

/// A processor in a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// Its name, given or `KIND-N` by place.
    pub name: String,
    /// The processor.
    pub processor: Processor,
    /// The file that it needs, if it needs one.
    pub asset: Option<AssetIndex>,
    /// Whose sound drives the detector.
    pub sidechain: Option<KeySource>,
    /// The courses of its automated parameters.
    pub lanes: Vec<ParameterLane>,
}

/// Where a side-chain key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// The stem of a track.
    Track(TrackIndex),
    /// The output of a bus of the same mix (after its inserts and fader).
    Bus(BusIndex),
}

/// A part of an asset on a track. `at`, `offset` and `length` count at the session's rate, after conversion.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// The asset.
    pub asset: AssetIndex,
    /// First frame in the session.
    pub at_frames: u64,
    /// First frame of the converted asset.
    pub offset_frames: u64,
    /// Length; at least 1, and `offset + length` lies within the converted asset.
    pub length_frames: u64,
    /// Gain in dB.
    pub gain_db: f64,
    /// Fade at the start: length and course.
    pub fade_in: Option<(u64, FadeCurve)>,
    /// Fade at the end: length and course.
    pub fade_out: Option<(u64, FadeCurve)>,
}

/// The loudness of the masters.
#[derive(Debug, Clone, PartialEq)]
pub struct Loudness {
    /// Integrated loudness asked for, in LUFS.
    pub integrated_lufs: f64,
    /// True-peak ceiling in dBTP.
    pub ceiling_dbtp: f64,
    /// The most peak gain reduction of the limiter, in dB.
    pub max_limiting_db: f64,
    /// The mix on which the gain is solved.
    pub reference_mix: MixIndex,
}

/// One version of the session.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    /// Its name.
    pub name: String,
    /// Per track, whether it sounds (mute, solo and the strip's own mute applied).
    pub track_sounds: Vec<bool>,
    /// Per bus, whether it sounds.
    pub bus_sounds: Vec<bool>,
    /// Per track, added to the fader in dB.
    pub track_offset_db: Vec<f64>,
    /// Per bus, added to the fader in dB.
    pub bus_offset_db: Vec<f64>,
    /// Whether it goes through the master chain and the finish's gain and limiter.
    pub master_chain: bool,
    /// Whose loudness decides the gain.
    pub loudness: LoudnessFrom,
}

/// What a group puts into a mix, before the master chain. Whatever sounds in the mix is in one of its groups, so that
/// they sum to it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPrint {
    /// Name of the group.
    pub name: String,
    /// The mix.
    pub mix: MixIndex,
    /// Per track, whether it is in the group, has clips and sounds in the mix.
    pub tracks: Vec<bool>,
    /// Per bus, how much of it is in the group.
    pub buses: Vec<Share>,
}

/// How much of a bus's sound is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Nothing.
    Nothing,
    /// What it makes of the group's own sounds; the rest is in other groups. All of its inserts pass sums as sums.
    Part,
    /// All, whoever feeds it.
    Whole,
}

/// What a deliverable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A mix.
    Mix(MixIndex),
    /// The stem of a track.
    Print(TrackIndex),
    /// A group's part of a mix.
    Group(GroupPrintIndex),
}

/// One file asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Deliverable {
    /// File name with extension, unique in the session, without path separators.
    pub file_name: String,
    /// What it holds.
    pub content: Content,
    /// Container and codec.
    pub format: Format,
    /// Bits per sample; of lossy files, those that the encoder gets.
    pub depth: Depth,
    /// How it is encoded, where something is lost.
    pub lossy: Option<Lossy>,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Dither, applied when the depth is an integer.
    pub dither: Dither,
    /// Silence that is cut off.
    pub trim: Option<Trim>,
    /// Fade at the start: length in frames of the session, and course.
    pub fade_in: Option<(u64, FadeCurve)>,
    /// Fade at the end: length in frames of the session, and course.
    pub fade_out: Option<(u64, FadeCurve)>,
    /// Whether the mean of each channel is taken out.
    pub remove_dc: bool,
    /// Whether the tags tell at what gain to play the file.
    pub replay_gain: bool,
}

impl Track {
    /// The input files that the stem is made of: of its clips, then of its inserts; a file may come more than once.
    pub fn assets(&self) -> impl Iterator<Item = AssetIndex> + '_ {
        self.clips.iter().map(|clip| clip.asset).chain(self.inserts.iter().filter_map(|insert| insert.asset))
    }
}

impl ValidSession {
    /// The inserts that a mix runs beside those of its stems: of all buses, then of the master if it goes through it.
    pub fn mix_inserts(&self, mix: MixIndex) -> impl Iterator<Item = &Insert> {
        let master: &[Insert] = if self.mixes[mix].master_chain { &self.master.inserts } else { &[] };
        self.buses.iter().flat_map(|bus| &bus.inserts).chain(master)
    }

    /// The input files that the inserts of [`Self::mix_inserts`] need.
    pub fn mix_assets(&self, mix: MixIndex) -> impl Iterator<Item = AssetIndex> {
        self.mix_inserts(mix).filter_map(|insert| insert.asset)
    }

    /// Every file that the session is made of: what a farm must have before it can begin.
    pub fn input_files(&self) -> impl Iterator<Item = InputFile<'_>> {
        let audio = self.assets.iter().map(|Asset { name, facts }| (name, facts.digest, facts.size_bytes));
        let cover = self.cover.iter().map(|Cover { name, facts }| (name, facts.digest, facts.size_bytes));
        audio.chain(cover).map(|(name, digest, size_bytes)| InputFile { name, digest, size_bytes })
    }

    /// What a file holds, for people: the name of a mix or a track, or `group "Drums" of main`.
    #[must_use]
    pub fn content_name(&self, content: Content) -> String {
        match content {
            Content::Mix(mix) => self.mixes[mix].name.clone(),
            Content::Print(track) => self.tracks[track].name.clone(),
            Content::Group(print) => {
                let print = &self.group_prints[print];
                format!("group \"{}\" of {}", print.name, self.mixes[print.mix].name)
            }
        }
    }

    /// The asset facts by name, as a document carries them.
    #[must_use]
    pub fn asset_facts(&self) -> BTreeMap<String, AssetFacts> {
        self.assets.iter().map(|asset| (asset.name.clone(), asset.facts.clone())).collect()
    }
}
