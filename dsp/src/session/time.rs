//! Times in the session document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point in time or a length: whole frames at the session's rate (`48000`), or text: `"12.5s"`, `"250ms"`, `"2.5 beats"`.
///
/// Text is kept as exact decimals, so that `"0.1s"` is the same frame on every machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Time {
    /// Whole frames.
    Frames(u64),
    /// A decimal number of seconds, milliseconds or beats.
    Text(String),
}

impl Default for Time {
    fn default() -> Self {
        Self::Frames(0)
    }
}
