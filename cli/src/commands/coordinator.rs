//! `mixdown coordinator`
use crate::errors::{CommandError, Exit};
use crate::output::Output;
/// Run a whole farm in this process: database, coordinator, workers.
#[derive(Debug, clap::Args)]
pub struct Arguments {}
/// Serves.
///
/// # Errors
/// What kept the farm from running.
pub async fn run(_: Arguments, _: Output) -> Result<(), CommandError> {
    Err(CommandError::new(Exit::Failed, "internal", "not built yet"))
}
