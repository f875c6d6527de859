//! From async to blocking: a render runs on a thread of its own, watched from outside, and its panic ends there.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::{ExecuteError, Files, Made, Options};
use mixdown_dsp::plan::Key;
use mixdown_dsp::progress::Monitor;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::engine::Rendering;
use crate::threads::Lent;

/// Why nothing was rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The task failed.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The render panicked.
    #[error("the render panicked: {0}")]
    Panicked(String),
    /// No thread could be had.
    #[error("cannot start a thread to render on")]
    Thread(#[source] std::io::Error),
}

/// Where a task finds its files.
#[derive(Debug)]
pub struct LocalFiles {
    /// Assets by digest.
    pub assets: BTreeMap<Digest, PathBuf>,
    /// Artifacts by key.
    pub artifacts: BTreeMap<Key, PathBuf>,
    /// The work folder.
    pub work_dir: PathBuf,
}

impl Files for LocalFiles {
    fn asset(&self, _: &str, digest: &Digest) -> PathBuf {
        // One that was not fetched gives the path of a file that is not there: the error then names it.
        self.assets.get(digest).cloned().unwrap_or_else(|| self.work_dir.join(format!("asset-{digest}")))
    }

    fn artifact(&self, key: &Key) -> PathBuf {
        self.artifacts.get(key).cloned().unwrap_or_else(|| self.work_dir.join(format!("artifact-{key}")))
    }

    fn work_dir(&self) -> &Path {
        &self.work_dir
    }
}

/// How far a render is, and whether it should stop. Shared between its threads and the heartbeat.
#[derive(Debug)]
pub struct Watch {
    cost: AtomicU64,
    done: AtomicU64,
    stop: CancellationToken,
    /// The worker ran out of memory: the render ends, and the attempt with it.
    out_of_memory: CancellationToken,
}

impl Watch {
    /// Watches a render that stops when `stop` is cancelled.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Self {
        // Told to stop by either.
        let out_of_memory = stop.child_token();
        Self { cost: AtomicU64::new(0), done: AtomicU64::new(0), stop, out_of_memory }
    }

    /// Ends the render because the worker runs out of memory.
    pub fn end_for_memory(&self) {
        self.out_of_memory.cancel();
    }

    /// Whether the render was told to end.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.out_of_memory.is_cancelled()
    }

    /// Whether the render was ended because the worker ran out of memory, and for no other reason.
    #[must_use]
    pub fn ran_out_of_memory(&self) -> bool {
        self.out_of_memory.is_cancelled() && !self.stop.is_cancelled()
    }

    /// Share that is done, 0 to 1; 0 before the render has begun.
    #[must_use]
    pub fn progress(&self) -> f64 {
        match self.cost.load(Ordering::Relaxed) {
            0 => 0.0,
            cost => (self.done.load(Ordering::Relaxed) as f64 / cost as f64).min(1.0),
        }
    }
}

/// A render as it sees those who watch it, and lend it threads.
struct Watched {
    watch: Arc<Watch>,
    threads: Lent,
}

impl Monitor for Watched {
    fn advance(&self, work: u64) {
        self.watch.done.fetch_add(work, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.watch.is_ending()
    }

    fn threads(&self) -> usize {
        self.threads.now()
    }
}

/// Runs a rendering on a thread of its own and waits for the thread's end, also after the watch's stop: only then is the
/// work folder free. The threads go back when it ends.
///
/// # Errors
/// See [`Error`].
pub async fn render(
    rendering: Arc<dyn Rendering>,
    files: LocalFiles,
    options: Options,
    watch: Arc<Watch>,
    threads: Lent,
) -> Result<Vec<Made>, Error> {
    watch.cost.store(rendering.cost(), Ordering::Relaxed);
    let (ended_tx, ended) = oneshot::channel();
    let span = tracing::Span::current();
    let watched = Watched { watch, threads };
    let body = move || {
        let _span = span.entered();
        let result = contained(|| rendering.run(&files, options, &watched));
        drop(watched);
        // Whoever waited may be gone.
        let _ = ended_tx.send(result);
    };
    thread::Builder::new().name("render".into()).spawn(body).map_err(Error::Thread)?;
    ended.await.unwrap_or_else(|_| Err(Error::Panicked("its thread ended without a result".into())))
}

/// The only place that catches a panic: nothing of what the closure touched is used again, but for its message.
fn contained(run: impl FnOnce() -> Result<Vec<Made>, ExecuteError>) -> Result<Vec<Made>, Error> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Ok(result?),
        Err(payload) => Err(Error::Panicked(panic_message(&*payload))),
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "no message".to_owned()
    }
}
