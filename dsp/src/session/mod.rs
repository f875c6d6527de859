//! The session document: read, resolved, validated.
//!
//! ```text
//! text ──parse──▶ Document (+ places) ──resolve──▶ Document with asset facts ──validate──▶ ValidSession
//! ```

pub mod document;
pub mod fault;
pub mod time;
pub mod valid;

pub use document::Document;
pub use fault::{Fault, Faults};
pub use valid::ValidSession;

/// Validates a document that carries its `assets`: what the coordinator and the workers do with `session_json`.
///
/// # Errors
/// Every fault at once; places are JSON pointers.
pub fn from_json(json: &str) -> Result<ValidSession, Faults> {
    let _ = json;
    unimplemented!("session agent")
}

/// Reads a session file (TOML, or JSON by its extension), finds the assets beside it, and validates.
/// With `thorough`, every asset is decoded to its end.
///
/// # Errors
/// Every fault at once, each with file, line and column.
pub fn load(path: &std::path::Path, thorough: bool) -> Result<ValidSession, Faults> {
    let _ = (path, thorough);
    unimplemented!("session agent")
}

/// The canonical JSON of a document: what crosses the wire; its digest names the session.
#[must_use]
pub fn to_json(document: &Document) -> String {
    let _ = document;
    unimplemented!("session agent")
}

/// The JSON Schema (draft 2020-12) of the session document, as pretty JSON.
#[must_use]
pub fn schema() -> String {
    unimplemented!("session agent")
}
