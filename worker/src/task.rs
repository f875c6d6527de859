//! One task, from its assignment to its settlement: fetch → render → upload → settle.
//!
//! Whenever the lease is to stop, the attempt ends where it is and nothing is settled. Bytes are stored before they are
//! settled, so a settled artifact is always there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::{ExecuteError, Made, Options};
use mixdown_dsp::plan::Key;
use mixdown_proto::v1::{Assignment, FailureKind, MadeArtifact, SettleRequest, TaskSuccess, settle_request::Outcome};
use uuid::Uuid;

use crate::blobs::{self, BlobName, BlobStore, Durability};
use crate::cache::{self, Cache, Fetched, Hold};
use crate::config::Config;
use crate::engine::{Engine, NeededAsset, Rendering};
use crate::failure::Failure;
use crate::home::Home;
use crate::lease::{Lease, Stopped};
use crate::link::Link;
use crate::render::{self, LocalFiles, render};

/// What tasks of one worker share.
pub(crate) struct Bench {
    pub config: Config,
    pub home: Home,
    pub cache: Cache,
    pub blobs: Arc<dyn BlobStore>,
    pub engine: Arc<dyn Engine>,
    pub link: Link,
    /// An attempt lacked disk or the like: no more tasks before the folder has been tried.
    pub ailing: AtomicBool,
}

/// Blobs of one task moved at once.
const TRANSFERS_AT_ONCE: usize = 4;

/// How long a settlement waits for its answer before it is sent again.
const SETTLE_PATIENCE: Duration = Duration::from_secs(30);

/// Runs one task to its end.
pub(crate) async fn run(bench: Arc<Bench>, assignment: Assignment, lease: Lease) {
    let begun = Instant::now();
    let mut damaged = Vec::new();
    let outcome = match attempt(&bench, &assignment, &lease).await {
        Ok(success) => Outcome::Success(success),
        Err(Ended::Failed(failure)) => {
            damaged = failure.damaged.iter().map(Digest::to_string).collect();
            Outcome::Failure(failure.into())
        }
        Err(Ended::Stopped) => {
            tracing::info!("stopped");
            return;
        }
    };
    match &outcome {
        Outcome::Success(made) => {
            tracing::info!(seconds = begun.elapsed().as_secs_f64(), realtime = made.realtime_factor, "rendered");
        }
        Outcome::Failure(failure) if failure.kind() == FailureKind::Resource => {
            bench.ailing.store(true, Ordering::Relaxed);
            tracing::warn!(kind = ?failure.kind(), message = failure.message, "failed");
        }
        Outcome::Failure(failure) => tracing::warn!(kind = ?failure.kind(), message = failure.message, "failed"),
    }
    settle(&bench, &lease, outcome, damaged).await;
}

/// How an attempt ends without success.
enum Ended {
    Failed(Failure),
    /// The lease is to stop: nobody wants to hear of it.
    Stopped,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn attempt(bench: &Arc<Bench>, assignment: &Assignment, lease: &Lease) -> Result<TaskSuccess, Ended> {
    let begun = Instant::now();
    let cpu = bench.config.cpu.begin();
    let rendering = prepare(bench, assignment).await?;
    let inputs = lease.unless_stopped(fetch(bench, assignment, &*rendering)).await??;
    let work = bench.home.work_dir().map_err(|error| {
        Failure::new(
            FailureKind::Resource,
            format!("cannot make a work folder in {}: {error}", bench.config.cache_dir.display()),
        )
    })?;
    let files = LocalFiles { assets: inputs.assets, artifacts: inputs.artifacts, work_dir: work.path().to_owned() };
    let slots = usize::try_from(assignment.slots).unwrap_or(0).max(1);
    let threads = bench.config.threads.lend(slots);
    let options = Options { threads: threads.most(), block_frames: bench.config.block_frames };
    let rendered = render(Arc::clone(&rendering), files, options, Arc::clone(&lease.watch), threads).await;
    let made = match rendered {
        Err(render::Error::Execute(ExecuteError::Cancelled)) if lease.stop.is_cancelled() => {
            return Err(Ended::Stopped);
        }
        Err(render::Error::Execute(ExecuteError::Cancelled)) if lease.watch.ran_out_of_memory() => {
            let message = "the worker came close to its memory limit, and this was the attempt that began last";
            return Err(Failure::new(FailureKind::OutOfMemory, message).into());
        }
        rendered => rendered.map_err(Failure::from)?,
    };
    // Made good use of; room for others while this task uploads.
    drop(inputs.hold);
    let (artifacts, stored_bytes) = lease.unless_stopped(upload(bench, assignment, made)).await??;
    Ok(TaskSuccess {
        artifacts,
        cpu_seconds: cpu.used().as_secs_f64(),
        fetched_bytes: inputs.fetched_bytes.try_into().unwrap_or(i64::MAX),
        stored_bytes: stored_bytes.try_into().unwrap_or(i64::MAX),
        realtime_factor: rendering.audio_seconds() / begun.elapsed().as_secs_f64().max(1e-6),
    })
}

impl From<Stopped> for Ended {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// Reads what the coordinator sent, away from the async threads: a session may be large.
async fn prepare(bench: &Bench, assignment: &Assignment) -> Result<Arc<dyn Rendering>, Failure> {
    let engine = Arc::clone(&bench.engine);
    let (session, task) = (assignment.session_json.clone(), assignment.task_json.clone());
    let read = tokio::task::spawn_blocking(move || engine.prepare(&session, &task)).await;
    read.unwrap_or_else(|panic| Err(Failure::new(FailureKind::Internal, format!("reading the task panicked: {panic}"))))
}

/// Everything a task reads, on the local disk.
struct Inputs {
    assets: BTreeMap<Digest, PathBuf>,
    artifacts: BTreeMap<Key, PathBuf>,
    fetched_bytes: u64,
    hold: Hold,
}

async fn fetch(bench: &Bench, assignment: &Assignment, rendering: &dyn Rendering) -> Result<Inputs, Failure> {
    let name = |digest| BlobName { project_id: assignment.project_id.clone(), digest };
    let artifacts = artifact_digests(assignment)?;
    let mut sizes: BTreeMap<BlobName, u64> = BTreeMap::new();
    for NeededAsset { digest, size_bytes } in rendering.assets() {
        sizes.insert(name(digest), size_bytes);
    }
    for digest in artifacts.values() {
        let blob = name(*digest);
        let size = patiently(bench, blobs::Error::may_pass, || bench.blobs.size(&blob)).await;
        let size = size.map_err(|error| told(error, blobs::Error::is_damage, *digest))?;
        sizes.insert(blob, size);
    }
    let blobs: Vec<BlobName> = sizes.keys().cloned().collect();
    let hold = bench.cache.hold(sizes).await?;
    let fetches = blobs.into_iter().map(|blob| {
        let hold = &hold;
        async move {
            let fetched = patiently(bench, cache::Error::may_pass, || hold.fetch(&*bench.blobs, &blob)).await;
            let fetched = fetched.map_err(|error| told(error, cache::Error::is_damage, blob.digest))?;
            Ok::<_, Failure>((blob.digest, fetched))
        }
    });
    let fetched: BTreeMap<Digest, Fetched> =
        stream::iter(fetches).buffer_unordered(TRANSFERS_AT_ONCE).try_collect().await?;
    let fetched_bytes = fetched.values().map(|blob| blob.fetched_bytes).sum();
    let paths: BTreeMap<Digest, PathBuf> = fetched.into_iter().map(|(digest, blob)| (digest, blob.path)).collect();
    let artifacts = artifacts.into_iter().map(|(key, digest)| (key, paths[&digest].clone())).collect();
    Ok(Inputs { assets: paths, artifacts, fetched_bytes, hold })
}

/// An error over a blob as a failure that names it if the store has damaged it.
fn told<E: Into<Failure>>(error: E, is_damage: impl Fn(&E) -> bool, blob: Digest) -> Failure {
    let damaged = is_damage(&error);
    error.into().over(blob, damaged)
}

fn artifact_digests(assignment: &Assignment) -> Result<BTreeMap<Key, Digest>, Failure> {
    let parse = |text: &str| {
        text.parse::<Digest>()
            .map_err(|error| Failure::new(FailureKind::Internal, format!("unreadable assignment: {error}")))
    };
    assignment.artifact_digests.iter().map(|(key, digest)| Ok((Key(parse(key)?), parse(digest)?))).collect()
}

/// The one place that decides about trying the store again.
async fn patiently<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(
    bench: &Bench,
    may_pass: impl Fn(&E) -> bool,
    attempt: impl FnMut() -> F,
) -> Result<T, E> {
    bench.config.backoff.persist(bench.config.storage_patience, may_pass, attempt).await
}

/// Stores what was made. The coordinator puts masters under their names, once it has accepted the settlement.
async fn upload(bench: &Bench, assignment: &Assignment, made: Vec<Made>) -> Result<(Vec<MadeArtifact>, u64), Failure> {
    let mut seen = BTreeSet::new();
    let uploads = made.into_iter().filter(|made| seen.insert(made.key)).map(|made| upload_one(bench, assignment, made));
    let artifacts: Vec<MadeArtifact> = stream::iter(uploads).buffered(TRANSFERS_AT_ONCE).try_collect().await?;
    let stored_bytes = artifacts.iter().map(|artifact| artifact.size_bytes.unsigned_abs()).sum();
    Ok((artifacts, stored_bytes))
}

async fn upload_one(bench: &Bench, assignment: &Assignment, made: Made) -> Result<MadeArtifact, Failure> {
    let (digest, size_bytes) = digest_of(&made).await?;
    let blob = BlobName { project_id: assignment.project_id.clone(), digest };
    let durability = if made.master.is_some() { Durability::Durable } else { Durability::Renderable };
    patiently(bench, blobs::Error::may_pass, || bench.blobs.put(&blob, &made.path, durability)).await?;
    let report_json = match &made.master {
        None => {
            // A later task of this worker may read it.
            bench.cache.adopt(&blob, &made.path);
            String::new()
        }
        Some((_, report)) => report.to_string(),
    };
    Ok(MadeArtifact {
        key: made.key.to_string(),
        digest: digest.to_string(),
        size_bytes: size_bytes.try_into().unwrap_or(i64::MAX),
        report_json,
    })
}

async fn digest_of(made: &Made) -> Result<(Digest, u64), Failure> {
    let (path, known) = (made.path.clone(), made.digest);
    let read = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        Ok::<_, std::io::Error>((known.map_or_else(|| Digest::of_reader(file), Ok)?, size))
    });
    let path = &made.path;
    let unreadable =
        |cause: String| Failure::new(FailureKind::Resource, format!("cannot read {}: {cause}", path.display()));
    read.await.map_err(|error| unreadable(error.to_string()))?.map_err(|error| unreadable(error.to_string()))
}

/// Settles until it is answered, or the lease is to stop: then somebody else holds the task, or the answer was lost and
/// the attempt is settled already.
async fn settle(bench: &Bench, lease: &Lease, outcome: Outcome, damaged_digests: Vec<String>) {
    let request = SettleRequest {
        worker_id: bench.home.worker_id.to_string(),
        task_id: lease.id.task_id.clone(),
        attempt: lease.id.attempt,
        request_id: Uuid::new_v4().to_string(),
        outcome: Some(outcome),
        damaged_digests,
    };
    let call = bench
        .link
        .call("settle", SETTLE_PATIENCE, request, |mut client, request| async move { client.settle(request).await });
    match lease.unless_stopped(call).await {
        Ok(Ok(answer)) if answer.lease_lost => tracing::info!("the lease was lost; the attempt does not count"),
        Ok(Ok(_)) => {}
        // Nothing more can be done: the lease runs out, and the task is tried again.
        Ok(Err(status)) => tracing::error!(code = ?status.code(), message = status.message(), "settlement refused"),
        Err(Stopped) => tracing::info!("stopped before the settlement was answered"),
    }
}
