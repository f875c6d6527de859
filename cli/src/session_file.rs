//! Session files, read to be rendered.

use std::path::Path;

use mixdown_dsp::session::{self, Inspection, ValidSession};

use crate::errors::CommandError;
use crate::known_digests::KnownDigests;
use crate::progress::say;

/// Reads and validates a session, and says on stderr what is right but may surprise, as `mixdown check` does.
///
/// # Errors
/// The session's faults.
pub fn open(path: &Path, inspection: Inspection) -> Result<ValidSession, CommandError> {
    let known = KnownDigests::of_this_user();
    let checked = session::check_with(path, inspection, &|file| known.of(file));
    let (session, notes) = checked.map_err(|faults| CommandError::faults(&path.display().to_string(), faults))?;
    known.keep();
    notes.iter().for_each(|note| say(&format!("note: {note}")));
    Ok(session)
}
