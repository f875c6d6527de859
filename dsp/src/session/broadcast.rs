//! What only broadcast wave files say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Time;

/// What files of format `bwf` say beside their tags: fields of the `bext` chunk (EBU Tech 3285) and of iXML.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Broadcast {
    /// Description of the sequence, up to 256 characters of ASCII; by default the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who made the file, up to 32 characters of ASCII; by default `Mixdown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<String>,
    /// Reference that the originator gave it (EBU R 99), up to 32 characters of ASCII; by default the ISRC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator_reference: Option<String>,
    /// Date of creation, like `2026-11-24`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub origination_date: Option<String>,
    /// Time of creation, like `14:30:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"))]
    pub origination_time: Option<String>,
    /// Where the session's first frame stands on the timeline: its time since midnight. What a trim cuts off the head is
    /// added.
    pub time_reference: Time,
    /// Project, for iXML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Scene, for iXML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
    /// Take, for iXML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take: Option<String>,
    /// Tape or folder, for iXML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tape: Option<String>,
    /// Note, for iXML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
