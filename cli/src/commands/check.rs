//! `mixdown check`

use std::path::PathBuf;

use mixdown_dsp::session::{self, Inspection};
use serde_json::json;

use crate::errors::CommandError;
use crate::output::Output;
use crate::tables;

/// Find everything that is wrong with a session, at once.
///
/// Every fault comes with file, line and column, what was found and what was expected. All audio files are decoded to
/// their end, so that a broken one is found here and not in the middle of a render; `--quick` reads only their headers.
/// Ends with 0 when the session holds together, with 2 when it does not. Notes tell what is right but may surprise, that a
/// bus which groups share is printed as a group of its own, say; they change nothing of that.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  mixdown check song.toml\n  mixdown check song.toml --json | jq '.faults[].message'"
)]
pub struct Arguments {
    /// The session file: TOML, or JSON by its extension.
    session: PathBuf,
    /// Read only the headers of the audio files.
    #[arg(long)]
    quick: bool,
}

/// Checks a session.
///
/// # Errors
/// Its faults.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let file = arguments.session.display().to_string();
    let inspection = if arguments.quick { Inspection::Headers } else { Inspection::Whole };
    let (session, notes) = match session::check(&arguments.session, inspection) {
        Ok(checked) => checked,
        Err(faults) => {
            if output.json {
                output.document(&json!({ "file": file, "valid": false, "faults": faults.0, "notes": [] }))?;
            }
            return Err(CommandError::faults(&file, faults).told_in_result());
        }
    };
    let seconds = session.length_frames as f64 / f64::from(session.sample_rate_hz);
    if output.json {
        return output.document(&json!({
            "file": file,
            "valid": true,
            "faults": [],
            "notes": notes,
            "sample_rate_hz": session.sample_rate_hz,
            "length_frames": session.length_frames,
            "duration_seconds": seconds,
            "tracks": session.tracks.len(),
            "buses": session.buses.len(),
            "mixes": session.mixes.iter().map(|mix| &mix.name).collect::<Vec<_>>(),
            "deliverables": session.deliverables.iter().map(|file| &file.file_name).collect::<Vec<_>>(),
            "assets": session.assets.len(),
        }));
    }
    let mut text = format!(
        "{file}: no faults ({} at {} Hz; {}, {}, {}, {}, {})",
        tables::length(seconds),
        session.sample_rate_hz,
        counted(session.tracks.len(), "track", "tracks"),
        counted(session.buses.len(), "bus", "buses"),
        counted(session.mixes.len(), "mix", "mixes"),
        counted(session.deliverables.len(), "deliverable", "deliverables"),
        counted(session.assets.len(), "audio file", "audio files"),
    );
    for note in &notes {
        text.push_str(&format!("\nnote: {note}"));
    }
    output.line(&text)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
