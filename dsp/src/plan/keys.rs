//! Artifact keys: what an artifact is made of, and how, in one digest.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::group_recipe::GroupRecipe;
use super::recipe::{self, Heard, MasterRecipe, MixRecipe, SolutionRecipe, StemRecipe};
use crate::digest::Digest;
use crate::nodes::Processor;
use crate::session::ValidSession;
use crate::session::document::LoudnessFrom;
use crate::session::valid::{Content, KeySource, MixIndex, TrackIndex};

/// The stages that shape sound or bytes beside the nodes, with their revisions. A stage's revision changes whenever its
/// golden digests change.
pub const STAGE_REVISIONS: &[(&str, u32)] = &[
    ("decode", 1),
    ("stem", 3),
    ("mix", 1),
    ("group", 1),
    ("solve", 3),
    ("finish", 6),
    ("wav", 2),
    ("bwf", 1),
    ("aiff", 1),
    ("flac", 2),
    // Without it, no task that writes MP3 is given to this build.
    #[cfg(feature = "mp3")]
    ("mp3", 1),
    ("opus", 1),
    ("vorbis", 1),
];

/// The recipe digest of an artifact: over asset digests, canonical parameters, the revisions of the nodes and stages
/// used and the keys of what it is made of. How the work is cut never enters it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Key(pub Digest);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The keys of every artifact that a session can need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Per asset: the PCM of a lossy one; `None` for lossless assets, which are read directly.
    pub decoded: Vec<Option<Key>>,
    /// Per track: its stem.
    pub stems: Vec<Key>,
    /// Per mix: its audio after the master chain (or its plain sum without one).
    pub mixes: Vec<Key>,
    /// Per group's print: its audio before the master chain. Two of them may be of one recipe, in mixes that the group
    /// sounds alike in.
    pub groups: Vec<Key>,
    /// Per mix: the solution of the loudness gain that applies to it (its own or the reference mix's); `None` where
    /// no gain applies.
    pub solutions: Vec<Option<Key>>,
    /// Per deliverable: the finished file.
    pub masters: Vec<Key>,
}

/// Every revision that this build renders with, by name of node or stage: what workers register and jobs fix.
#[must_use]
pub fn revisions() -> BTreeMap<String, u32> {
    STAGE_REVISIONS.iter().chain(Processor::REVISIONS).map(|&(name, revision)| (name.to_owned(), revision)).collect()
}

/// The mix whose solution applies to `mix`; `None` where no gain applies.
#[must_use]
pub fn solved_on(session: &ValidSession, mix: MixIndex) -> Option<MixIndex> {
    let loudness = session.loudness.as_ref()?;
    let asked = &session.mixes[mix];
    asked.master_chain.then_some(match asked.loudness {
        LoudnessFrom::Own => mix,
        LoudnessFrom::Reference => loudness.reference_mix,
    })
}

impl Keys {
    /// The keys of a session's artifacts at this build's revisions.
    #[must_use]
    pub fn of(session: &ValidSession) -> Self {
        let decoded: Vec<Option<Key>> = session
            .assets
            .iter()
            .map(|asset| asset.facts.lossy.then(|| digest_of(&("decode", stage("decode"), asset.facts.digest))))
            .collect();
        let heard = Heard { session, decoded: &decoded };
        let stems = stem_keys(&heard);
        let mixes: Vec<Key> =
            (0..session.mixes.len()).map(|mix| digest_of(&MixRecipe::of(&heard, mix, &stems))).collect();
        let group = |print| digest_of(&GroupRecipe::of(&heard, print, &stems));
        let groups: Vec<Key> = session.group_prints.iter().map(group).collect();
        let solutions: Vec<Option<Key>> = (0..session.mixes.len())
            .map(|mix| {
                let on = solved_on(session, mix)?;
                let loudness = session.loudness.as_ref()?;
                Some(digest_of(&SolutionRecipe::of(loudness, mixes[on])))
            })
            .collect();
        let masters = session
            .deliverables
            .iter()
            .map(|deliverable| {
                let (source, solution) = match deliverable.content {
                    Content::Mix(mix) => (mixes[mix], solutions[mix]),
                    Content::Print(track) => (stems[track], None),
                    Content::Group(print) => (groups[print], None),
                };
                digest_of(&MasterRecipe::of(session, deliverable, source, solution))
            })
            .collect();
        Self { decoded, stems, mixes, groups, solutions, masters }
    }
}

/// The revision of a stage.
pub(super) fn stage(name: &str) -> u32 {
    STAGE_REVISIONS
        .iter()
        .find(|(stage, _)| *stage == name)
        .map(|&(_, revision)| revision)
        .expect("because stages are named in STAGE_REVISIONS alone")
}

/// The digest of a recipe's canonical JSON: struct fields in their order, numbers in shortest form.
fn digest_of(recipe: &impl Serialize) -> Key {
    let json = serde_json::to_vec(recipe).expect("because recipes hold finite numbers, text and lists");
    Key(Digest::of(&json))
}

/// The stems' keys. A stem keyed by another track's stem contains that stem's key; validation has excluded cycles.
fn stem_keys(heard: &Heard<'_>) -> Vec<Key> {
    let session = heard.session;
    let mut keys: Vec<Option<Key>> = vec![None; session.tracks.len()];
    for track in stem_order(session) {
        let key = digest_of(&StemRecipe::of(heard, &session.tracks[track], &keys));
        keys[track] = Some(key);
    }
    keys.into_iter().map(|key| key.expect("because stem_order names every track")).collect()
}

/// All tracks, each after the tracks whose stems key its inserts.
fn stem_order(session: &ValidSession) -> Vec<TrackIndex> {
    let mut order = Vec::with_capacity(session.tracks.len());
    let mut placed = vec![false; session.tracks.len()];
    while order.len() < session.tracks.len() {
        let before = order.len();
        for (index, track) in session.tracks.iter().enumerate() {
            if !placed[index] && key_tracks(track).all(|key| placed[key]) {
                placed[index] = true;
                order.push(index);
            }
        }
        assert!(order.len() > before, "validation excludes side-chain cycles between tracks");
    }
    order
}

/// The tracks whose stems key a track's inserts.
pub(super) fn key_tracks(track: &crate::session::valid::Track) -> impl Iterator<Item = TrackIndex> + '_ {
    recipe::key_sources(&track.inserts).filter_map(|source| match source {
        KeySource::Track(key) => Some(key),
        KeySource::Bus(_) => None,
    })
}
