//! `mixdown schema`

use mixdown_dsp::{finish, session};

use crate::errors::CommandError;
use crate::output::Output;

/// Print the JSON Schema (draft 2020-12) of the session document, or of the report of a finished file.
///
/// Editors that know JSON Schema complete and check session files with it.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Example:\n  mixdown schema > session.schema.json\n  mixdown schema --report > report.schema.json"
)]
pub struct Arguments {
    /// The schema of reports: what `render --json` and `jobs show --json` tell of a file.
    #[arg(long)]
    report: bool,
}

/// Prints the schema.
///
/// # Errors
/// If stdout cannot be written.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let schema = if arguments.report { finish::report::schema() } else { session::schema() };
    output.line(schema.trim_end())
}
