//! The session document: read, resolved, validated.
//!
//! ```text
//! text ──parse, presets──▶ Document (+ places) ──resolve──▶ Document with asset facts ──validate──▶ ValidSession
//! ```

mod asset_facts;
mod broadcast;
mod check;
mod deliverable;
pub mod document;
pub mod fault;
mod files;
mod group;
pub mod lossy;
mod metadata;
mod preset;
mod read_json;
mod read_toml;
mod resolve;
mod shape;
mod source;
pub mod suggest;
pub mod time;
mod tree;
pub mod valid;
mod validate;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

pub use document::Document;
pub use fault::{Fault, Faults};
pub use source::MAX_DOCUMENT_BYTES;
use source::{Source, Syntax};
pub use valid::ValidSession;
use validate::Noted;

use crate::digest::Digest;

/// Validates a document that carries its `assets`: what the coordinator and the workers do with `session_json`.
///
/// # Errors
/// Every fault at once; places are JSON pointers.
pub fn from_json(json: &str) -> Result<ValidSession, Faults> {
    let source = Source { file: String::new(), text: json, syntax: Syntax::Json };
    read(&source, None).map(|noted| noted.session).map_err(|mut faults| {
        // Nobody sees the text that crossed the wire: its lines would tell nothing, unless it cannot be read at all.
        for fault in faults.0.iter_mut().filter(|fault| !matches!(fault.code, "syntax" | "duplicate_key")) {
            (fault.line, fault.column, fault.span) = (0, 0, None);
        }
        faults
    })
}

/// Validates a TOML document that carries its `assets`.
///
/// # Errors
/// Every fault at once, each with line and column.
pub fn from_toml(text: &str) -> Result<ValidSession, Faults> {
    read(&Source { file: String::new(), text, syntax: Syntax::Toml }, None).map(|noted| noted.session)
}

/// How much of a session's assets is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspection {
    /// What tells rate, channels and length. The file's name stands for its digest: enough where nothing is kept from one
    /// render for the next.
    Headers,
    /// All bytes, for the digest.
    Digests,
    /// And all audio, decoded to its end.
    Whole,
}

/// Reads a session file (TOML, or JSON by its extension), finds the assets beside it, and validates.
///
/// # Errors
/// Every fault at once, each with file, line and column.
pub fn load(path: &Path, inspection: Inspection) -> Result<ValidSession, Faults> {
    check(path, inspection).map(|(session, _)| session)
}

/// Reads a session file as [`load`] does, and tells beside the session what its engineer should know although nothing is
/// wrong: that a bus is a group of its own, say. Such notes are [`Fault`]s in form alone.
///
/// # Errors
/// Every fault at once, each with file, line and column.
pub fn check(path: &Path, inspection: Inspection) -> Result<(ValidSession, Vec<Fault>), Faults> {
    check_with(path, inspection, &|file| Digest::of_reader(File::open(file)?))
}

/// Gives the digest of a file: by reading it, or because it is known.
pub type DigestOf<'a> = &'a (dyn Fn(&Path) -> io::Result<Digest> + Sync);

/// [`check`] where [`Inspection::Digests`] asks `digest_of` for the digests of assets.
///
/// # Errors
/// Every fault at once, each with file, line and column.
pub fn check_with(
    path: &Path,
    inspection: Inspection,
    digest_of: DigestOf<'_>,
) -> Result<(ValidSession, Vec<Fault>), Faults> {
    let file = path.display().to_string();
    let text = source::read_file(path).map_err(|fault| Faults(vec![Fault { file: file.clone(), ..*fault }]))?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let syntax = if is_json { Syntax::Json } else { Syntax::Toml };
    let folder = path.parent().unwrap_or(Path::new(""));
    let noted = read(&Source { file, text: &text, syntax }, Some(Folder { path: folder, inspection, digest_of }))?;
    Ok((noted.session, noted.notes))
}

/// The canonical JSON of a document: what crosses the wire; its digest names the session.
///
/// Fields stand in the order of [`Document`], without whitespace; numbers are the shortest text that reads back as the
/// same number.
#[must_use]
pub fn to_json(document: &Document) -> String {
    serde_json::to_string(document).expect("because every key of a document is a text and none of its types refuses")
}

/// The JSON Schema (draft 2020-12) of the session document, as pretty JSON.
#[must_use]
pub fn schema() -> String {
    let mut schema = shape::document_schema();
    shape::plain_descriptions(&mut schema);
    format!("{schema:#}\n")
}

/// Defaults and facts of assets make the canonical JSON longer than what was written, at most by this factor.
const MAX_GROWTH: u64 = 32;

/// A document that was short enough as written, but would not be on the wire.
fn canonical_too_large(source: &Source<'_>, document: &Document) -> Option<Fault> {
    if source.text.len() as u64 <= MAX_DOCUMENT_BYTES / MAX_GROWTH {
        return None;
    }
    let bytes = to_json(document).len() as u64;
    (bytes > MAX_DOCUMENT_BYTES).then(|| source::too_large(bytes))
}

/// Where the files of clips are found.
struct Folder<'a> {
    path: &'a Path,
    inspection: Inspection,
    digest_of: DigestOf<'a>,
}

/// The whole way from text to session. Later steps run on what earlier ones could save of the document, so that one run
/// finds the faults of all of them.
fn read(source: &Source<'_>, folder: Option<Folder<'_>>) -> Result<Noted, Faults> {
    let report = |tree: Option<&tree::Tree>, mut faults: Vec<Fault>| {
        source.place(tree, &mut faults);
        Faults::report(faults)
    };
    let mut tree = source.read().map_err(|faults| report(None, faults))?;
    let checked = check::check(&mut tree, &shape::SESSION, source);
    let mut faults = checked.faults;
    preset::resolve(&mut tree);
    match serde_json::from_value::<Document>(tree.to_json()) {
        Ok(mut document) if !checked.cut => {
            let mut found = Vec::new();
            let unresolved = match folder {
                Some(folder) => resolve::resolve(&mut document, &folder, &mut found),
                None => BTreeSet::new(),
            };
            match validate::validate(document, &unresolved) {
                Ok(mut noted) if faults.is_empty() && found.is_empty() => {
                    match canonical_too_large(source, &noted.session.document) {
                        None => {
                            source.place(Some(&tree), &mut noted.notes);
                            return Ok(noted);
                        }
                        Some(fault) => found.push(fault),
                    }
                }
                Ok(_) => {}
                Err(more) => found.extend(more),
            }
            // What stands in for a broken value has no faults of its own.
            let is_real = |fault: &Fault| !checked.replaced.iter().any(|replaced| lies_in(&fault.pointer, replaced));
            faults.extend(found.into_iter().filter(is_real));
        }
        Ok(_) => {}
        Err(error) if faults.is_empty() => {
            faults.push(Fault::at("", "unreadable", format!("the document cannot be read: {error}"), "a session"));
        }
        Err(_) => {}
    }
    Err(report(Some(&tree), faults))
}

/// Whether a JSON pointer names what another names, or a part of it.
fn lies_in(pointer: &str, whole: &str) -> bool {
    pointer.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
