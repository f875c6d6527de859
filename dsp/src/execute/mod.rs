//! Runs one task of a plan: files in, files out. The only place where the parts of this crate meet.

mod decode;
mod run;
mod share;

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::graph;
use crate::plan::{Key, Keys, TaskSpec};
use crate::progress::Monitor;
use crate::session::ValidSession;

/// Where a task finds and leaves its files; all local.
pub trait Files: Sync {
    /// The asset with this digest (or of this name, for a farm of one that has not hashed it).
    fn asset(&self, name: &str, digest: &Digest) -> PathBuf;
    /// The stored artifact with this key.
    fn artifact(&self, key: &Key) -> PathBuf;
    /// A folder for what the task makes and its scratch; empty at the start.
    fn work_dir(&self) -> &Path;
}

/// How a task runs. Nothing here changes a bit of its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Threads that render, at least 1.
    pub threads: usize,
    /// Frames per block, 1 to 65536.
    pub block_frames: usize,
}

/// An artifact that a task has made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Its key.
    pub key: Key,
    /// The file, in the work folder.
    pub path: PathBuf,
    /// The file's digest, where it was hashed while it was written.
    pub digest: Option<Digest>,
    /// For masters: the file's name and report.
    pub master: Option<(String, serde_json::Value)>,
}

/// Why a task failed. Every one of these repeats when tried again, but for `Io` and `Cancelled`.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// An input file is broken, or is not what the session says.
    #[error("{0}")]
    BadMedia(String),
    /// The session asks for what cannot be done, an over in an integer print say.
    #[error("{0}")]
    BadSession(String),
    /// Reading or writing local files failed.
    #[error("{what}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The monitor asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl From<graph::Error> for ExecuteError {
    fn from(error: graph::Error) -> Self {
        match error {
            graph::Error::BadMedia { .. } => Self::BadMedia(error.to_string()),
            graph::Error::Io { what, source } => Self::Io { what, source },
            graph::Error::Cancelled => Self::Cancelled,
        }
    }
}

/// Runs a task and returns what it made, in the order of the spec's lists. `monitor` hears of the task's whole cost.
///
/// # Errors
/// See [`ExecuteError`]. Nothing is left half-written under a final name.
pub fn execute(
    session: &ValidSession,
    keys: &Keys,
    task: &TaskSpec,
    files: &dyn Files,
    options: Options,
    monitor: &dyn Monitor,
) -> Result<Vec<Made>, ExecuteError> {
    run::Run { session, keys, task, files, options, monitor }.all()
}
