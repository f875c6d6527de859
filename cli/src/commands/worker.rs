//! `mixdown worker`
use crate::errors::{CommandError, Exit};
/// Run a whole farm in this process: database, coordinator, workers.
#[derive(Debug, clap::Args)]
pub struct Arguments {}
/// Serves.
///
/// # Errors
/// What kept the farm from running.
pub async fn run(_: Arguments) -> Result<(), CommandError> {
    Err(CommandError::new(Exit::Failed, "internal", "not built yet"))
}
