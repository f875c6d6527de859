//! One file of the page.

use std::path::Path;

use mixdown_dsp::finish::Report;
use mixdown_dsp::finish::report::LossyReport;
use mixdown_dsp::loudness::Measurement;
use mixdown_dsp::quality::{Quality, Verdict};

use crate::analysis::Analysis;
use crate::deliverables::Finished;

/// One file of the page.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub file: String,
    /// The mix or the print that it holds; empty when that is not known.
    pub content: String,
    /// Its format in words: `WAV 24-bit 48000 Hz`.
    pub format: String,
    /// BLAKE3-256 of its bytes; empty when that is not known.
    pub digest: String,
    /// Its size.
    pub size_bytes: u64,
    /// What the meters read.
    pub measurement: Measurement,
    /// Its quality; `None` in reports of older workers.
    pub quality: Option<Quality>,
    /// How it does by delivery profiles.
    pub verdicts: Vec<Verdict>,
    /// What was decided about its loudness; may be empty.
    pub note: String,
    /// What a decoder makes of it; `None` of lossless files.
    pub lossy: Option<LossyReport>,
    /// Seconds cut off its head: so much later in the session it begins.
    pub head_seconds: f64,
    /// What the player plays, relative to the page.
    pub preview: Option<String>,
}

impl Entry {
    /// The entry of a finished file; `None` where its report does not read.
    #[must_use]
    pub fn of(file: &Finished) -> Option<Self> {
        let report: Report = serde_json::from_value(file.report.clone()).ok()?;
        Some(Self {
            file: file.file_name.clone(),
            content: report.content,
            format: file.format(),
            digest: file.digest.clone(),
            size_bytes: file.size_bytes,
            measurement: report.measurement,
            quality: report.quality,
            verdicts: report.verdicts,
            note: report.loudness.map_or_else(String::new, |loudness| loudness.note),
            lossy: report.lossy,
            head_seconds: report.edges.map_or(0.0, |edges| edges.trimmed_head_ms / 1000.0),
            preview: None,
        })
    }

    /// The entry of a file of any origin.
    #[must_use]
    pub fn measured(path: &Path, analysis: &Analysis) -> Self {
        Self {
            file: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            content: String::new(),
            format: analysis.format_words(),
            digest: analysis.digest.to_string(),
            size_bytes: analysis.size_bytes,
            measurement: analysis.measurement.clone(),
            quality: Some(analysis.quality.clone()),
            verdicts: analysis.verdicts.clone(),
            note: String::new(),
            lossy: None,
            head_seconds: 0.0,
            preview: None,
        }
    }
}
