//! `mixdown schema`

use mixdown_dsp::session;

use crate::errors::CommandError;
use crate::output::Output;

/// Print the JSON Schema (draft 2020-12) of the session document.
///
/// Editors that know JSON Schema complete and check session files with it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  mixdown schema > session.schema.json")]
pub struct Arguments {}

/// Prints the schema.
///
/// # Errors
/// If stdout cannot be written.
pub fn run(_: &Arguments, output: Output) -> Result<(), CommandError> {
    output.line(session::schema().trim_end())
}
