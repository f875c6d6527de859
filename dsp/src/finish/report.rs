//! What is known of a delivered file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::solve::{LimitedBy, Solution};
use crate::loudness::Measurement;
use crate::quality::{Quality, Verdict};
use crate::session::document::{Depth, Dither, Format};

/// The report of one file: what was asked, what was done, what came out. Crosses the wire as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Mixdown report of a delivered file")]
pub struct Report {
    /// File name with extension.
    pub file: String,
    /// The mix it holds, or the track whose stem it is.
    pub content: String,
    /// Container and codec.
    pub format: Format,
    /// Bits per sample.
    pub depth: Depth,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Dither that was applied; `none` for floating point.
    pub dither: Dither,
    /// What the file measures, samples as delivered. Its true peak is that of the most pessimistic of several readers.
    pub measurement: Measurement,
    /// How the loudness was reached; `None` where no gain applies.
    pub loudness: Option<LoudnessReport>,
    /// What was done at head and tail and to the direct current; `None` where nothing was asked.
    #[serde(default)]
    pub edges: Option<EdgesReport>,
    /// What an engineer would look at before signing the file, samples as delivered. `None` in reports of older workers.
    #[serde(default)]
    pub quality: Option<Quality>,
    /// How the file does by each delivery profile.
    #[serde(default)]
    pub verdicts: Vec<Verdict>,
}

/// The JSON Schema (draft 2020-12) of [`Report`].
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(Report).as_value())
}

/// What was cut off, faded and taken out of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EdgesReport {
    /// Silence cut off the head, in ms.
    pub trimmed_head_ms: f64,
    /// Silence cut off the tail, in ms.
    pub trimmed_tail_ms: f64,
    /// Length of the fade at the start, in ms; 0 without one.
    pub fade_in_ms: f64,
    /// Length of the fade at the end, in ms; 0 without one.
    pub fade_out_ms: f64,
    /// Per channel, the direct current taken out, in dBFS; `None` where it lay below −70 dBFS. Empty where it was not asked.
    pub dc_removed_dbfs: Vec<Option<f64>>,
}

/// How a file came to its loudness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoudnessReport {
    /// Integrated loudness asked for on the reference mix, in LUFS.
    pub target_lufs: f64,
    /// Integrated loudness reached on the reference mix at the render rate; `None` when it is silent.
    pub reached_lufs: Option<f64>,
    /// Ceiling asked for in dBTP.
    pub ceiling_dbtp: f64,
    /// Gain into the limiter in dB.
    pub gain_db: f64,
    /// The most that the limiter took off in this file, in dB.
    pub max_gain_reduction_db: f64,
    /// Times the ceiling had to be lowered somewhere so that every reader stays below it.
    pub corrections: u32,
    /// Gain after the limiter in dB: 0 unless the ceiling could not be held otherwise.
    pub trim_db: f64,
    /// What kept the loudness below its target.
    pub limited_by: Option<LimitedBy>,
    /// The same in plain words; empty when the target is reached.
    pub note: String,
}

impl LoudnessReport {
    /// The plain words for a solution that misses its target; empty when it does not.
    #[must_use]
    pub fn note(solution: &Solution, max_limiting_db: f64) -> String {
        match (solution.limited_by, solution.reached_lufs) {
            (None, _) => String::new(),
            (Some(LimitedBy::Silence), _) | (_, None) => "the reference mix is silent: no gain was applied".to_owned(),
            (Some(LimitedBy::Steps), Some(reached)) => format!(
                "reached {reached:.2} LUFS of {:.1} asked: the loudness did not settle within the steps of the solve",
                solution.target_lufs
            ),
            (Some(LimitedBy::MaxLimiting), Some(reached)) => format!(
                "reached {reached:.1} LUFS of {:.1} asked: more would take over {max_limiting_db:.1} dB of limiting to \
                 stay under {:.1} dBTP",
                solution.target_lufs, solution.ceiling_dbtp
            ),
        }
    }
}
