//! Session files, read to be rendered.

use std::path::Path;

use mixdown_dsp::session::{self, Inspection, ValidSession};

use crate::errors::CommandError;
use crate::progress::say;

/// Reads and validates a session, and says on stderr what is right but may surprise, as `mixdown check` does.
///
/// # Errors
/// The session's faults.
pub fn open(path: &Path, inspection: Inspection) -> Result<ValidSession, CommandError> {
    let (session, notes) =
        session::check(path, inspection).map_err(|faults| CommandError::faults(&path.display().to_string(), faults))?;
    notes.iter().for_each(|note| say(&format!("note: {note}")));
    Ok(session)
}
