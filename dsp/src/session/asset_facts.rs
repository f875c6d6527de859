//! What a session knows of its input files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
