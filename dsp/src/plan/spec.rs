//! What a worker is told to do.

use serde::{Deserialize, Serialize};

use super::keys::{Key, Keys};
use crate::session::valid::{AssetIndex, DeliverableIndex, GroupPrintIndex, MixIndex, TrackIndex};

/// One task: the artifacts to make out of one session. Everything else it needs is read from artifacts already stored.
///
/// The lists may hold anything from one entry (a session spread over many workers) to everything (a fused task); the
/// bytes of each artifact are the same whatever else the task makes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSpec {
    /// Lossy assets to decode into PCM artifacts.
    pub decode: Vec<AssetIndex>,
    /// Tracks whose stems are rendered from their clips.
    pub render_stems: Vec<TrackIndex>,
    /// Those of `render_stems` whose stems are stored as artifacts.
    pub keep_stems: Vec<TrackIndex>,
    /// Mixes to make.
    pub mixes: Vec<MixIndex>,
    /// Those of `mixes` that are stored as artifacts.
    pub keep_mixes: Vec<MixIndex>,
    /// Groups' parts of mixes to make.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupPrintIndex>,
    /// Those of `groups` that are stored as artifacts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep_groups: Vec<GroupPrintIndex>,
    /// Mixes whose loudness gain is solved and stored as an artifact.
    pub solutions: Vec<MixIndex>,
    /// Deliverables to finish.
    pub masters: Vec<DeliverableIndex>,
}

/// What a task is called, for people and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Decodes lossy assets.
    Decode,
    /// Renders stems.
    Stem,
    /// Makes a mix, and solves its loudness when asked to; or makes a group's part of one.
    Mix,
    /// Finishes deliverables.
    Master,
    /// More than one of these.
    Fused,
}

impl TaskKind {
    /// The name in output, SQL and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Stem => "stem",
            Self::Mix => "mix",
            Self::Master => "master",
            Self::Fused => "fused",
        }
    }
}

impl TaskSpec {
    /// The group's print of a key among those that the task makes: the same audio serves all prints of one recipe.
    #[must_use]
    pub fn group_of_key(&self, keys: &Keys, key: Key) -> Option<GroupPrintIndex> {
        self.groups.iter().copied().find(|print| keys.groups[*print] == key)
    }

    /// What the task is called.
    #[must_use]
    pub fn kind(&self) -> TaskKind {
        let decode = !self.decode.is_empty();
        let stem = !self.render_stems.is_empty();
        let mix = !(self.mixes.is_empty() && self.groups.is_empty() && self.solutions.is_empty());
        let master = !self.masters.is_empty();
        match (decode, stem, mix, master) {
            (true, false, false, false) => TaskKind::Decode,
            (false, true, false, false) => TaskKind::Stem,
            (false, false, true, false) => TaskKind::Mix,
            (false, false, false, true) => TaskKind::Master,
            _ => TaskKind::Fused,
        }
    }
}
