//! The `mixdown` command: reads the command line, runs one command, ends with its exit code.
//!
//! ```text
//! commands/                                     one file per command
//! follow · result                               a job on the farm, to its end, and what came of it
//! upload · download                             blobs to and from the farm
//! client · farm_database                        the connection to a coordinator, to a farm's database
//! analysis                                      a file measured on this machine
//! deliverables · tables · progress · output     what is shown, and where
//! plot/                                         processors measured and drawn
//! page/                                         the quality report: one page with a player
//! errors · report                               what failed, with code, cause, place, remedy
//! ```

#![forbid(unsafe_code)]

mod analysis;
mod client;
mod commands;
mod deliverables;
mod download;
mod errors;
mod farm_database;
mod follow;
mod home;
mod interrupt;
mod known_digests;
mod listening;
mod logging;
mod output;
mod page;
mod plot;
mod progress;
mod quantity;
mod report;
mod result;
mod session_file;
mod tables;
mod upload;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use mixdown_dsp::simd;

use crate::commands::Command;
use crate::errors::{CommandError, Exit};
use crate::output::Output;

/// A render farm for mixes and masters.
///
/// A session file says which tracks, clips, processors, buses and mixes there are and which files to deliver. `render`
/// makes them on this machine; `serve` starts a farm and `submit` hands it the session: the same bytes either way.
///
/// Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 the work failed, 2 bad usage or bad input,
/// 3 cancelled or timed out, 4 not allowed, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "mixdown", version, max_term_width = 100)]
#[command(after_long_help = "Example:\n  mixdown check song.toml\n  mixdown render song.toml --out masters/\n\n  \
    mixdown serve --data farm/ &\n  mixdown submit song.toml --wait --out masters/")]
struct Cli {
    /// Print results and errors as JSON on stdout, for programs.
    #[arg(long, global = true)]
    json: bool,
    /// Vector instructions to render with, baseline or avx2: another speed, the same bytes. Default: the widest this
    /// machine has.
    #[arg(long, global = true, env = "MIXDOWN_SIMD", value_name = "LEVEL", hide_short_help = true)]
    simd: Option<simd::Level>,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    // One provider for the whole process: with two compiled in, rustls picks none by itself. A second call is refused
    // and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = Output { json: cli.json, records: false };
    if let Some(level) = cli.simd.filter(|level| !level.force()) {
        let error = CommandError::new(Exit::BadInput, "usage", format!("this machine lacks {level} instructions"));
        return fail(&error, output);
    }
    // Nothing of the command's state is looked at after a panic.
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| commands::run(cli.command, output)));
    match ran {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&error, output),
        Err(_) => {
            let error = CommandError::new(Exit::Failed, "internal", "a fault of this program, told above, ended it")
                .remedy("report it, with the session if there is one");
            fail(&error, output)
        }
    }
}

/// Help and version are results; everything else that clap stops at is bad usage.
fn usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if json && !asked_for {
        let text = error.render().to_string();
        let message = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ").trim();
        let error = CommandError::new(Exit::BadInput, "usage", message).remedy("see `mixdown help COMMAND`");
        return fail(&error, Output { json, records: false });
    }
    // A reader that went away has nothing to be told.
    let _ = error.print();
    if asked_for { ExitCode::SUCCESS } else { ExitCode::from(Exit::BadInput as u8) }
}

fn fail(error: &CommandError, output: Output) -> ExitCode {
    report::print(error);
    if output.json && !error.in_result {
        // What could not be printed has been told on stderr.
        let _ = output.record(&serde_json::json!({ "error": error.to_json() }));
    }
    ExitCode::from(error.exit as u8)
}
