//! What a session knows of its input files: audio and pictures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::media::MAX_PICTURE_BYTES;

/// What is known of an input file. Workers check every fact when they decode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssetFacts {
    /// BLAKE3-256 of the file's bytes, 64 lower-case hex digits.
    pub digest: crate::digest::Digest,
    /// Size of the file in bytes.
    #[schemars(range(min = 1))]
    pub size_bytes: u64,
    /// Frames at the file's own rate.
    #[schemars(range(min = 1, max = 1_099_511_627_776_u64))]
    pub frames: u64,
    /// The file's own rate in Hz.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sample_rate_hz: u32,
    /// Channels, 1 to 8.
    #[schemars(range(min = 1, max = 8))]
    pub channels: u32,
    /// Whether decoding is lossy: such a file is decoded once per project into PCM.
    pub lossy: bool,
}

/// What is known of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PictureFacts {
    /// BLAKE3-256 of the file's bytes, 64 lower-case hex digits.
    pub digest: crate::digest::Digest,
    /// Size of the file in bytes, at most 16000000: what every container can carry.
    #[schemars(range(min = 1, max = MAX_PICTURE_BYTES))]
    pub size_bytes: u64,
    /// How it is stored.
    pub format: PictureFormat,
    /// Width in pixels.
    #[schemars(range(min = 1, max = 65_535))]
    pub width: u32,
    /// Height in pixels.
    #[schemars(range(min = 1, max = 65_535))]
    pub height: u32,
}

/// How a picture is stored: what FLAC, ID3 and players all take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PictureFormat {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (ISO/IEC 15948).
    Png,
}
