//! From async to blocking: a render runs on a thread of its own, watched from outside, and its panic ends there.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::{ExecuteError, Files, Made, Options};
use mixdown_dsp::plan::Key;
use mixdown_dsp::progress::Monitor;
use nix::sys::resource::{UsageWho, getrusage};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::engine::Rendering;

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

/// What was rendered.
#[derive(Debug)]
pub struct Rendered {
    /// The artifacts, in the work folder.
    pub made: Vec<Made>,
    /// CPU time of the threads that rendered: exact for the first thread; for others as of the last time they reported
    /// progress.
    pub cpu: Duration,
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
    total_frames: AtomicU64,
    done_frames: AtomicU64,
    stop: CancellationToken,
    cpu: Mutex<HashMap<ThreadId, ThreadCpu>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct ThreadCpu {
    used: Duration,
    frames_since: u64,
}

/// Frames of progress between two looks at a thread's clock, so that tiny blocks do not pay for it.
const CPU_SAMPLE_FRAMES: u64 = 4096;

impl Watch {
    /// Watches a render that stops when `stop` is cancelled.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Self {
        Self { total_frames: AtomicU64::new(0), done_frames: AtomicU64::new(0), stop, cpu: Mutex::default() }
    }

    /// Share that is done, 0 to 1; 0 before the render has begun.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let total = self.total_frames.load(Ordering::Relaxed);
        if total == 0 {
            return 0.0;
        }
        (self.done_frames.load(Ordering::Relaxed) as f64 / total as f64).min(1.0)
    }

    fn cpu(&self) -> Duration {
        let threads = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        threads.values().map(|thread| thread.used).sum()
    }

    fn sample_cpu(&self, frames: u64, at_least: u64) {
        let mut threads = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = threads.entry(thread::current().id()).or_default();
        thread.frames_since += frames;
        if thread.frames_since >= at_least {
            *thread = ThreadCpu { used: thread_cpu(), frames_since: 0 };
        }
    }
}

impl Monitor for Watch {
    fn advance(&self, frames: u64) {
        self.done_frames.fetch_add(frames, Ordering::Relaxed);
        self.sample_cpu(frames, CPU_SAMPLE_FRAMES);
    }

    fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// Runs a rendering on a thread of its own and waits for the thread's end, also after the watch's stop: only then is the
/// work folder free.
///
/// # Errors
/// See [`Error`].
pub async fn render(
    rendering: Arc<dyn Rendering>,
    files: LocalFiles,
    options: Options,
    watch: Arc<Watch>,
) -> Result<Rendered, Error> {
    watch.total_frames.store(rendering.work_frames(), Ordering::Relaxed);
    let (ended_tx, ended) = oneshot::channel();
    let span = tracing::Span::current();
    let body = move || {
        let _span = span.entered();
        let result = contained(|| rendering.run(&files, options, &*watch));
        watch.sample_cpu(0, 0);
        // Whoever waited may be gone.
        let _ = ended_tx.send(result.map(|made| Rendered { made, cpu: watch.cpu() }));
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

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else { return Duration::ZERO };
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or(0))
            + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
    };
    of(usage.user_time()) + of(usage.system_time())
}
