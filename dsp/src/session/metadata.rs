//! Who made what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who made what; written into the files, each in its container's own fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metadata {
    /// Title of the production.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Performing artist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artist: Option<String>,
    /// Album title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// Artist of the album, where it is not that of the track.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album_artist: Option<String>,
    /// International Standard Recording Code, 12 characters without hyphens (ISO 3901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isrc: Option<String>,
    /// UPC or EAN of the release: 12 or 13 digits, the last a check digit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upc: Option<String>,
    /// Position on the disc, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9999))]
    pub track_number: Option<u32>,
    /// Tracks on the disc.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9999))]
    pub track_total: Option<u32>,
    /// The disc of the release, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 999))]
    pub disc_number: Option<u32>,
    /// Discs of the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 999))]
    pub disc_total: Option<u32>,
    /// Year of release.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1000, max = 9999))]
    pub year: Option<u32>,
    /// Genre.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genre: Option<String>,
    /// Label that releases it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Copyright notice, `2026 Somebody`; ID3 wants the year first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copyright: Option<String>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Cover picture, a PNG or JPEG beside the session, at most 16 MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover: Option<String>,
}
