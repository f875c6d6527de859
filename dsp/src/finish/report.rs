//! What is known of a delivered file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::solve::{LimitedBy, Solution};
use crate::loudness::Measurement;
use crate::quality::{Quality, Verdict};
use crate::session::document::{Depth, Dither, Format};
use crate::session::lossy::Lossy;

/// The report of one file: what was asked, what was done, what came out. Crosses the wire as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Mixdown report of a delivered file")]
pub struct Report {
    /// File name with extension.
    pub file: String,
    /// The mix it holds, the track whose stem it is, or the group and its mix: `group "Drums" of main`.
    pub content: String,
    /// Container and codec.
    pub format: Format,
    /// Bits per sample; `None` of lossy files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<Depth>,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Dither that was applied; `none` for floating point.
    pub dither: Dither,
    /// What the file measures: samples as delivered, or of a lossy file as its decoder gives them back. Its true peak is
    /// that of the most pessimistic of several readers.
    pub measurement: Measurement,
    /// How the loudness was reached; `None` where no gain applies.
    pub loudness: Option<LoudnessReport>,
    /// What became of it in a lossy codec; `None` of lossless files, which are what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lossy: Option<LossyReport>,
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

/// How a lossy file was encoded, and what a decoder gives back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LossyReport {
    /// How many bits it may take, in words: `320 kb/s CBR`, `128 kb/s VBR`, `quality 6`.
    pub bit_rate: String,
    /// True peak of what the encoder got, in dBTP; `None` when silent.
    pub encoded_true_peak_dbtp: Option<f64>,
    /// What the decoded file measures.
    pub decoded: Decoded,
    /// How far the true peak of the decoded file is over the ceiling that was asked for, in dB; `None` where it is not, or
    /// where no ceiling was asked.
    pub over_ceiling_db: Option<f64>,
    /// How far the ceiling was lowered for the decoded file to keep it, in dB; 0 unless asked (`keep_ceiling_decoded`).
    pub ceiling_lowered_db: f64,
    /// Times the file was encoded.
    pub encodings: u32,
    /// The same in plain words.
    pub note: String,
}

/// What a decoder gives back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decoded {
    /// Length in frames, as many as were encoded.
    pub frames: u64,
    /// Integrated loudness in LUFS; `None` when silent.
    pub integrated_lufs: Option<f64>,
    /// True peak in dBTP, that of the most pessimistic of several readers; `None` when silent.
    pub true_peak_dbtp: Option<f64>,
}

impl From<&Measurement> for Decoded {
    fn from(measured: &Measurement) -> Self {
        Self {
            frames: measured.frames,
            integrated_lufs: measured.integrated_lufs,
            true_peak_dbtp: measured.true_peak_dbtp,
        }
    }
}

impl LossyReport {
    pub(super) fn of(
        lossy: Lossy,
        encoded_true_peak_dbtp: Option<f64>,
        decoded: Decoded,
        over_ceiling_db: Option<f64>,
        ceiling_lowered_db: f64,
        encodings: u32,
    ) -> Self {
        let level =
            |level: Option<f64>, unit: &str| level.map_or("silent".to_owned(), |level| format!("{level:.2} {unit}"));
        let mut note = format!(
            "decoded: {}, true peak {}",
            level(decoded.integrated_lufs, "LUFS"),
            level(decoded.true_peak_dbtp, "dBTP")
        );
        if let Some(over) = over_ceiling_db {
            note += &format!(", {over:.2} dB over the ceiling");
            note += if lossy.keep_ceiling_decoded { " even so" } else { ": `keep_ceiling_decoded` avoids that" };
        }
        if ceiling_lowered_db > 0.0 {
            note += &format!("; the ceiling was lowered by {ceiling_lowered_db:.2} dB for it");
        }
        let bit_rate = lossy.bit_rate.to_string();
        Self { bit_rate, encoded_true_peak_dbtp, decoded, over_ceiling_db, ceiling_lowered_db, encodings, note }
    }
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
