//! The commands, one file each.

mod analyze;
mod check;
mod completions;
mod coordinator;
mod jobs;
mod render;
mod schema;
mod serve;
mod submit;
mod tokens;
mod worker;
mod workers;

use std::future::Future;

use crate::errors::{CommandError, Exit};
use crate::output::Output;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Render a session on this machine: no farm, no network.
    Render(render::Arguments),
    /// Find everything that is wrong with a session.
    Check(check::Arguments),
    /// Print the JSON Schema of the session document.
    Schema(schema::Arguments),
    /// Measure loudness, peaks and length of audio files.
    Analyze(analyze::Arguments),
    /// Run a whole farm in this process: database, coordinator, workers.
    Serve(serve::Arguments),
    /// Run a coordinator on a PostgreSQL of yours.
    Coordinator(coordinator::Arguments),
    /// Run a worker.
    Worker(worker::Arguments),
    /// Hand a session to a farm.
    Submit(submit::Arguments),
    /// List, show, watch, cancel and retry jobs.
    Jobs(jobs::Arguments),
    /// List and drain workers.
    Workers(workers::Arguments),
    /// Create, list and revoke access tokens, directly on the farm's database.
    Tokens(tokens::Arguments),
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
}

/// Runs a command.
///
/// # Errors
/// Whatever kept the command from doing what was asked.
pub fn run(command: Command, output: Output) -> Result<(), CommandError> {
    match command {
        Command::Render(arguments) => render::run(&arguments, output),
        Command::Check(arguments) => check::run(&arguments, output),
        Command::Schema(arguments) => schema::run(&arguments, output),
        Command::Analyze(arguments) => analyze::run(&arguments, output),
        Command::Serve(arguments) => block_on(serve::run(arguments, output)),
        Command::Coordinator(arguments) => block_on(coordinator::run(arguments, output)),
        Command::Worker(arguments) => block_on(worker::run(arguments)),
        Command::Submit(arguments) => block_on(submit::run(arguments, output)),
        Command::Jobs(arguments) => block_on(jobs::run(arguments, output)),
        Command::Workers(arguments) => block_on(workers::run(arguments, output)),
        Command::Tokens(arguments) => block_on(tokens::run(arguments, output)),
        Command::Completions(arguments) => completions::run(&arguments, output),
    }
}

fn block_on(command: impl Future<Output = Result<(), CommandError>>) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::new(Exit::Failed, "internal", "cannot start the runtime").because(&error))?;
    runtime.block_on(command)
}
