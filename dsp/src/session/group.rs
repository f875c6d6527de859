//! Groups: tracks that are printed together with their share of the buses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tracks, and buses that go with them. What the groups of a mix put into it sums to the mix before the master chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// `Drums`, `Vocals`…
    pub name: String,
    /// Its tracks. A track is in one group at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    pub tracks: Vec<String>,
    /// Buses whose whole sound belongs to the group, whoever feeds them; any other bus is split among the groups that feed
    /// it. Tracks that are in no group and whose output leads into one of these belong to the group too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub buses: Vec<String>,
}

/// What becomes of tracks that are in no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ungrouped {
    /// They are the group `Rest`.
    #[default]
    Rest,
    /// A group for each bus that comes last on their way to the master, named after it and with the whole of it; a track
    /// that goes straight to the master is a group of its own.
    ByBus,
    /// Each is a group of its own, named after it.
    ByTrack,
}

impl Ungrouped {
    /// Whether it goes without saying.
    pub(super) fn is_rest(&self) -> bool {
        *self == Self::Rest
    }
}
