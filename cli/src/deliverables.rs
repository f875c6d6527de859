//! Finished files as results: one row of the table, one object of the JSON.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::tables::{self, Listing};

/// A finished file with its report.
#[derive(Debug, Clone)]
pub struct Finished {
    /// File name with extension.
    pub file_name: String,
    /// BLAKE3-256 of its bytes.
    pub digest: String,
    /// Its size.
    pub size_bytes: u64,
    /// Where it lies on this machine; `None` when it was not fetched.
    pub path: Option<String>,
    /// What was measured and decided; `Null` when nothing is known.
    pub report: Value,
}

impl Finished {
    /// A finished file that lies at `path`.
    #[must_use]
    pub fn at(path: &Path, file_name: &str, digest: String, size_bytes: u64, report: Value) -> Self {
        Self { file_name: file_name.to_owned(), digest, size_bytes, path: Some(path.display().to_string()), report }
    }

    /// One object: the report, with the figures that programs ask for first at the top.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        if let Value::Object(report) = &self.report {
            object.clone_from(report);
        }
        object.insert("file".to_owned(), json!(self.file_name));
        object.insert("path".to_owned(), json!(self.path));
        object.insert("digest".to_owned(), json!(self.digest));
        object.insert("size_bytes".to_owned(), json!(self.size_bytes));
        for figure in ["duration_seconds", "integrated_lufs", "loudness_range_lu", "true_peak_dbtp"] {
            object.insert(figure.to_owned(), json!(self.measured(figure)));
        }
        Value::Object(object)
    }

    /// What people should know beyond the figures, that the loudness asked for could not be reached say.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        let note = |part: &str| self.report.get(part)?.get("note")?.as_str().filter(|note| !note.is_empty());
        ["loudness", "lossy"].into_iter().filter_map(note).map(|note| format!("{}: {note}", self.file_name))
    }

    fn measured(&self, figure: &str) -> Option<f64> {
        self.report.get("measurement")?.get(figure)?.as_f64()
    }

    /// `WAV 24-bit 48000 Hz`, `OPUS 128 kb/s VBR 48000 Hz`
    #[must_use]
    pub fn format(&self) -> String {
        let text = |field: &str| self.report.get(field).and_then(Value::as_str).unwrap_or_default();
        let depth = match text("depth") {
            "16" => "16-bit",
            "24" => "24-bit",
            "32f" => "32-bit float",
            _ => self.report.get("lossy").and_then(|lossy| lossy.get("bit_rate")?.as_str()).unwrap_or_default(),
        };
        let rate = self.report.get("sample_rate_hz").and_then(Value::as_u64);
        let rate = rate.map_or_else(String::new, |rate| format!("{rate} Hz"));
        let parts = [text("format").to_uppercase(), depth.to_owned(), rate];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// The table of finished files, and under it what people should know of them.
#[must_use]
pub fn table(files: &[Finished]) -> String {
    let mut listing =
        Listing::new(&["File", "Format", ">Length", ">Integrated LUFS", ">LRA LU", ">True peak dBTP", "Digest"]);
    for file in files {
        listing.row([
            file.file_name.clone(),
            file.format(),
            file.measured("duration_seconds").map_or_else(|| "–".to_owned(), tables::length),
            tables::level(file.measured("integrated_lufs")),
            tables::level(file.measured("loudness_range_lu")),
            tables::level(file.measured("true_peak_dbtp")),
            tables::digest(&file.digest),
        ]);
    }
    let mut text = listing.text();
    for note in files.iter().flat_map(Finished::notes) {
        text.push('\n');
        text.push_str(&note);
    }
    text
}

/// The files as JSON objects, in order.
#[must_use]
pub fn to_json(files: &[Finished]) -> Vec<Value> {
    files.iter().map(Finished::to_json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(report: Value) -> Finished {
        Finished { file_name: "song.wav".into(), digest: "ab".repeat(32), size_bytes: 44, path: None, report }
    }

    #[test]
    fn figures_stand_at_the_top_of_the_object_and_in_the_row() {
        let file = finished(json!({
            "format": "wav", "depth": "24", "sample_rate_hz": 48000,
            "measurement": { "duration_seconds": 61.25, "integrated_lufs": -14.004, "true_peak_dbtp": -1.0 },
            "loudness": { "note": "" },
        }));
        assert_eq!(file.to_json()["integrated_lufs"], json!(-14.004));
        assert_eq!(file.to_json()["loudness_range_lu"], Value::Null);
        let table = table(&[file]);
        for part in ["song.wav", "WAV 24-bit 48000 Hz", "1:01.250", "-14.00", "–", "-1.00", &"ab".repeat(32)] {
            assert!(table.contains(part), "{part} is missing in\n{table}");
        }
    }

    #[test]
    fn a_target_that_was_not_reached_is_told_under_the_table() {
        let file = finished(json!({ "loudness": { "note": "reached -15.2 LUFS of -14.0" } }));
        assert!(table(&[file]).ends_with("song.wav: reached -15.2 LUFS of -14.0"));
    }

    #[test]
    fn a_missing_report_is_no_hindrance() {
        assert!(table(&[finished(Value::Null)]).contains("song.wav"));
    }
}
