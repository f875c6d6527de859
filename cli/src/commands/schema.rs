//! `mixdown schema`

use mixdown_dsp::{finish, session};

use crate::analysis;
use crate::errors::CommandError;
use crate::output::Output;

/// Print the JSON Schema (draft 2020-12) of the session document, of the report of a finished file, or of what `analyze` prints.
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
    /// The schema of what `analyze --json` prints.
    #[arg(long, conflicts_with = "report")]
    analysis: bool,
}

/// Prints the schema.
///
/// # Errors
/// If stdout cannot be written.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let schema = match (arguments.report, arguments.analysis) {
        (true, _) => finish::report::schema(),
        (_, true) => analysis::schema(),
        _ => session::schema(),
    };
    output.line(schema.trim_end())
}
