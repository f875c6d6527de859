//! The quality report of a job: one HTML page that needs no other file, and a player for the previews beside it.
//!
//! ```text
//! entry      one file of the page, from its report
//! html       the page from top to bottom
//! tables     figures and verdicts
//! chart      a plot: frame, axes, legend; marks in SVG, text in HTML, so that it reads at any width
//! courses    level, loudness and correlation over time
//! averages   spectrum and level histogram
//! previews   what the player plays
//! ```
//!
//! The farm draws everything: the page decodes no audio, loads nothing from elsewhere, and reads without scripts.

mod averages;
mod chart;
mod courses;
mod entry;
mod html;
mod previews;
mod tables;
mod text;

use std::path::Path;

use mixdown_dsp::quality::Spectrum;
use mixdown_dsp::session::document::Document;

use crate::analysis::Analysis;
use crate::deliverables::Finished;
use crate::errors::CommandError;
use crate::interrupt::Interrupt;

pub use entry::Entry;
pub use previews::write as write_previews;
pub use text::word;

/// What a page shows.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its heading.
    pub title: String,
    /// What stands under it; may be empty.
    pub about: String,
    /// The files.
    pub entries: Vec<Entry>,
    /// Another file whose spectrum is laid under theirs.
    pub reference: Option<Reference>,
}

/// A file to compare with.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// Its long-term spectrum.
    pub spectrum: Spectrum,
    /// Its integrated loudness in LUFS.
    pub integrated_lufs: Option<f64>,
}

impl Reference {
    /// Measures the file to compare with, if there is one.
    ///
    /// # Errors
    /// It cannot be read or decoded; stopped from the keyboard.
    pub fn of_any(file: Option<&Path>, interrupt: &Interrupt) -> Result<Option<Self>, CommandError> {
        let Some(file) = file else { return Ok(None) };
        let Analysis { measurement, quality, .. } = Analysis::of(file, &[], interrupt)?;
        Ok(Some(Self {
            name: file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned(),
            spectrum: quality.spectrum,
            integrated_lufs: measurement.integrated_lufs,
        }))
    }
}

/// What stands at the top of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heading {
    /// The title.
    pub title: String,
    /// Artist, album and the like; may be empty.
    pub about: String,
}

/// The heading of a session's page.
#[must_use]
pub fn heading(session: &Document) -> Heading {
    let metadata = &session.metadata;
    let title =
        metadata.title.clone().filter(|title| !title.is_empty()).unwrap_or_else(|| "Untitled session".to_owned());
    let parts = [&metadata.artist, &metadata.album];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).filter(|part| !part.is_empty()).collect();
    Heading { title, about: parts.join(" · ") }
}

/// What is written beside finished files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Wanted {
    /// `report.html`, and `previews/` that its player plays.
    #[default]
    Full,
    /// `report.html` alone.
    Page,
    /// Nothing.
    None,
}

/// Writes a page, there whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, page: &Page) -> Result<(), CommandError> {
    let failed = |error: &std::io::Error| CommandError::io("write", path, error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = tempfile::Builder::new()
        .prefix(".mixdown-")
        .suffix(".part")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?;
    std::fs::write(partial.path(), html::html(page)).map_err(|error| failed(&error))?;
    partial.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

/// What lies beside finished files.
#[derive(Debug, Clone)]
pub struct Beside {
    /// What stands at the top of the page.
    pub heading: Heading,
    /// What is written.
    pub wanted: Wanted,
    /// A file to compare with.
    pub reference: Option<Reference>,
}

impl Beside {
    /// Writes `report.html` and the previews of finished files that lie in `out`.
    ///
    /// # Errors
    /// If something cannot be written, or a file cannot be read back.
    pub fn write(self, out: &Path, files: &[Finished]) -> Result<(), CommandError> {
        let mut entries: Vec<Entry> = files.iter().filter_map(Entry::of).collect();
        if self.wanted == Wanted::None || entries.is_empty() {
            return Ok(());
        }
        if self.wanted == Wanted::Full {
            previews::write(out, out, &mut entries)?;
        }
        let Heading { title, about } = self.heading;
        write(&out.join("report.html"), &Page { title, about, entries, reference: self.reference })
    }
}
