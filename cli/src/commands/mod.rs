//! The commands, one file each.

mod analyze;
mod check;
mod completions;
mod coordinator;
mod gc;
mod jobs;
mod limits;
mod plot;
mod presets;
mod projects;
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

/// What to do. What each command is stands at its arguments, and is its help.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Render(render::Arguments),
    Check(check::Arguments),
    Schema(schema::Arguments),
    Presets(presets::Arguments),
    Plot(plot::Arguments),
    Analyze(analyze::Arguments),
    Serve(serve::Arguments),
    Coordinator(coordinator::Arguments),
    Worker(worker::Arguments),
    Submit(submit::Arguments),
    Jobs(jobs::Arguments),
    Workers(workers::Arguments),
    Projects(projects::Arguments),
    Limits(limits::Arguments),
    Tokens(tokens::Arguments),
    Gc(gc::Arguments),
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
        Command::Plot(arguments) => plot::run(&arguments, output),
        Command::Presets(arguments) => presets::run(&arguments, output),
        Command::Schema(arguments) => schema::run(&arguments, output),
        Command::Analyze(arguments) => analyze::run(&arguments, output),
        Command::Serve(arguments) => block_on(serve::run(arguments, output)),
        Command::Coordinator(arguments) => block_on(coordinator::run(arguments, output)),
        Command::Worker(arguments) => block_on(worker::run(arguments)),
        Command::Submit(arguments) => block_on(submit::run(arguments, output)),
        Command::Jobs(arguments) => block_on(jobs::run(arguments, output)),
        Command::Workers(arguments) => block_on(workers::run(arguments, output)),
        Command::Projects(arguments) => block_on(projects::run(arguments, output)),
        Command::Limits(arguments) => block_on(limits::run(arguments, output)),
        Command::Tokens(arguments) => block_on(tokens::run(arguments, output)),
        Command::Gc(arguments) => block_on(gc::run(arguments, output)),
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
