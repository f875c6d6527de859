//! What the worker's tests share: a coordinator that follows a script, an engine that does, and stores with faults.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

pub mod coordinator;
pub mod engine;
pub mod store;

use std::sync::Arc;
use std::time::Duration;

use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::Assignment;
use mixdown_worker::backoff::Backoff;
use mixdown_worker::blobs::{BlobName, BlobStore};
use mixdown_worker::{Config, Error, run_with};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use coordinator::Coordinator;
use engine::Script;

pub const PROJECT: &str = "p1";

/// A hang is a failure, and should not take the whole suite with it.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Waits for something that must happen.
pub async fn in_time<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, awaited).await.expect("what the test waits for did not happen")
}

pub fn blob(bytes: &[u8]) -> BlobName {
    BlobName { project_id: PROJECT.into(), digest: Digest::of(bytes) }
}

pub fn assignment(task: &str, attempt: i32) -> Assignment {
    Assignment {
        task_id: task.into(),
        attempt,
        job_id: "j1".into(),
        project_id: PROJECT.into(),
        task_json: task.into(),
        ..Assignment::default()
    }
}

/// A worker in this process, its coordinator, and the signals it can be sent.
pub struct Farm {
    pub coordinator: Coordinator,
    pub drain: CancellationToken,
    pub halt: CancellationToken,
    pub worker: JoinHandle<Result<(), Error>>,
    pub cache: TempDir,
}

impl Farm {
    pub async fn start(script: Script, blobs: Arc<dyn BlobStore>, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(Coordinator::start().await, script, blobs, adjust)
    }

    pub fn start_with(
        coordinator: Coordinator,
        script: Script,
        blobs: Arc<dyn BlobStore>,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut config = Config::new(&coordinator.url, "unused", cache.path());
        config.backoff = Backoff { first: Duration::from_millis(1), most: Duration::from_millis(10) };
        adjust(&mut config);
        let (drain, halt) = (CancellationToken::new(), CancellationToken::new());
        let signals = (drain.clone().cancelled_owned(), halt.clone().cancelled_owned());
        let worker = tokio::spawn(run_with(config, blobs, Arc::new(script), signals.0, signals.1));
        Self { coordinator, drain, halt, worker, cache }
    }

    /// Waits for the worker's own end.
    pub async fn ended(&mut self) -> Result<(), Error> {
        in_time(&mut self.worker).await.unwrap()
    }
}
