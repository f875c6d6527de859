//! The worker's one loop: register, lease, drain.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mixdown_proto::v1::{
    Assignment, LeaseRef, LeaseRequest, LeaseResponse, RegisterRequest, RegisterResponse, RelinquishRequest,
};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::admission::{admitted, give_back};
use crate::blobs::{self, BlobStore};
use crate::cache::Cache;
use crate::config::Config;
use crate::engine::{Dsp, Engine};
use crate::home::Home;
use crate::lease::{LeaseId, Leases, Share, heartbeat};
use crate::link::{Link, MOST_TASKS_PER_LEASE};
use crate::memory;
use crate::task::{self, Bench};

/// Why a worker could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot work.
    #[error("{0}")]
    Config(String),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] blobs::OpenError),
    /// It was given another store than its coordinator.
    #[error("{url} is not the store of the coordinator: it {found}, and blobs of the farm would not be found there")]
    WrongStore {
        /// As given.
        url: String,
        /// What is there instead.
        found: &'static str,
    },
    /// The coordinator does not take this worker: a wrong token, say.
    #[error("the coordinator at {url} refuses this worker: {}", status.message())]
    Refused {
        /// The coordinator.
        url: String,
        /// What it said.
        status: Box<Status>,
    },
    /// The cache folder cannot be used.
    #[error("cannot use the cache folder {path}")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Another worker uses the cache folder.
    #[error("another worker uses the cache folder {path}: give each worker one of its own")]
    CacheInUse {
        /// The folder.
        path: PathBuf,
    },
}

/// Runs a worker until `drain` completes and its tasks have ended, or an admin drains it.
///
/// With `drain` it takes no more leases, finishes its tasks within the grace period, relinquishes the rest and leaves.
/// With `halt` it relinquishes everything at once. A coordinator that is away is waited for.
///
/// # Errors
/// The configuration cannot work, or the coordinator refuses the worker.
pub async fn run(
    config: Config,
    drain: impl Future<Output = ()> + Send,
    halt: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let blobs = blobs::open(&config.store_url)?;
    run_with(config, blobs, Arc::new(Dsp), drain, halt).await
}

/// [`run`] with a store and an engine of the caller's: what tests script.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    blobs: Arc<dyn BlobStore>,
    engine: Arc<dyn Engine>,
    drain: impl Future<Output = ()> + Send,
    halt: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    config.check()?;
    let home = Home::open(&config.cache_dir)?;
    let cache = Cache::open(&home.blobs(), &home.partial(), config.cache_bytes)
        .map_err(|source| Error::Cache { path: config.cache_dir.clone(), source })?;
    let link = Link::open(&config)?;
    let bench = Arc::new(Bench { config, home, cache, blobs, engine, link, ailing: AtomicBool::new(false) });
    let mut worker = Worker { bench, leases: Leases::default(), tasks: JoinSet::new(), life: String::new() };
    let mut drain = pin!(drain);
    let mut halt = pin!(halt);

    let registered = tokio::select! {
        registered = worker.register() => registered?,
        () = &mut drain => return Ok(()),
        () = &mut halt => return Ok(()),
    };
    worker.check_store(&registered.store_id).await?;
    let told_to_drain = CancellationToken::new();
    let _beats = worker.beat(registered.heartbeat_seconds, told_to_drain.clone());
    let _guard = worker
        .bench
        .config
        .memory_limit_bytes
        .map(|limit| AbortOnDropHandle::new(tokio::spawn(memory::guard(limit, worker.leases.clone()))));
    let end = tokio::select! {
        refused = worker.lease_tasks(&told_to_drain) => return Err(refused),
        () = told_to_drain.cancelled() => End::Told,
        () = &mut drain => End::Asked,
        () = &mut halt => End::AtOnce,
    };
    tracing::info!(running = worker.leases.len(), ?end, "taking no more leases");
    let grace = worker.bench.config.drain_grace;
    let out_of_time = async {
        if end == End::Told {
            drain.await;
        }
        tokio::time::sleep(grace).await;
    };
    if end != End::AtOnce {
        tokio::select! {
            () = worker.finish_tasks() => {}
            () = out_of_time => {}
            () = halt => {}
        }
    }
    worker.leave().await;
    Ok(())
}

/// Why a worker takes no more leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// By its coordinator: it has all the time it needs.
    Told,
    /// By its own machine: it has the grace period.
    Asked,
    /// By its own machine, at once.
    AtOnce,
}

struct Worker {
    bench: Arc<Bench>,
    leases: Leases,
    tasks: JoinSet<()>,
    /// The Register call that made it known last: whose goodbye it says.
    life: String,
}

/// How long a worker waits for a task in one call, and for the answer beyond that.
const POLL: Duration = Duration::from_secs(20);
pub(crate) const ANSWER: Duration = Duration::from_secs(15);

/// How long a leaving worker waits for its renders to notice, and for its coordinator to hear of it. Leases that it could
/// not give back run out by themselves.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

impl Worker {
    fn worker_id(&self) -> String {
        self.bench.home.worker_id.to_string()
    }

    async fn register(&mut self) -> Result<RegisterResponse, Error> {
        let mut known = 0;
        loop {
            let life = self
                .bench
                .home
                .begin_life(known)
                .map_err(|source| Error::Cache { path: self.bench.config.cache_dir.clone(), source })?;
            let registered = self.register_life(life).await?;
            if registered.life <= life {
                tracing::info!(worker.id = %self.bench.home.worker_id, lease_seconds = registered.lease_seconds, "registered");
                return Ok(registered);
            }
            // The folder was put back to what it was earlier, say.
            tracing::warn!(
                life,
                known = registered.life,
                "the farm knows later lives of this worker; counting on from there"
            );
            known = registered.life;
        }
    }

    async fn register_life(&mut self, life: i64) -> Result<RegisterResponse, Error> {
        let request = RegisterRequest {
            worker_id: self.worker_id(),
            name: self.bench.config.name.clone(),
            slots: i32::try_from(self.bench.config.slots).unwrap_or(i32::MAX),
            revisions: self.bench.engine.revisions().into_iter().collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            request_id: Uuid::new_v4().to_string(),
            memory_bytes: i64::try_from(self.bench.config.memory_bytes).unwrap_or(i64::MAX),
            labels: self.bench.config.labels.clone(),
            life,
        };
        self.life.clone_from(&request.request_id);
        let link = &self.bench.link;
        let registered = link
            .call("register", ANSWER, request, |mut client, request| async move { client.register(request).await })
            .await;
        registered.map_err(|status| Error::Refused {
            url: self.bench.config.coordinator_url.clone(),
            status: Box::new(status),
        })
    }

    /// Ends a worker that was given another store: it would fail every task.
    async fn check_store(&self, store_id: &str) -> Result<(), Error> {
        if store_id.is_empty() {
            return Ok(());
        }
        let found = match self.bench.blobs.identity().await {
            Ok(Some(found)) if found == store_id => return Ok(()),
            Ok(Some(_)) => "belongs to another farm",
            Ok(None) => "was never used by a coordinator",
            Err(error) => {
                // Tasks say so if it lasts.
                tracing::warn!(%error, "cannot tell whether this is the farm's store");
                return Ok(());
            }
        };
        Err(Error::WrongStore { url: self.bench.config.store_url.clone(), found })
    }

    /// Beats until the handle is dropped.
    fn beat(&self, every_seconds: f64, told_to_drain: CancellationToken) -> AbortOnDropHandle<()> {
        let every = Duration::try_from_secs_f64(every_seconds).unwrap_or_default().max(Duration::from_millis(1));
        let beats = heartbeat(self.bench.link.clone(), self.worker_id(), self.leases.clone(), every, told_to_drain);
        AbortOnDropHandle::new(tokio::spawn(beats))
    }

    /// Keeps the slots filled; ends only when the coordinator no longer takes this worker.
    async fn lease_tasks(&mut self, told_to_drain: &CancellationToken) -> Error {
        let mut refusals = 0;
        loop {
            while let Some(ended) = self.tasks.try_join_next() {
                log_end(ended);
            }
            let free = self.bench.config.slots.saturating_sub(self.leases.share().slots.max(self.tasks.len()));
            if free == 0 {
                self.tasks.join_next().await.into_iter().for_each(log_end);
                continue;
            }
            self.until_well().await;
            match self.lease(free.min(MOST_TASKS_PER_LEASE)).await {
                Ok(LeaseResponse { assignments, drain }) => {
                    refusals = 0;
                    assignments.into_iter().for_each(|assignment| self.start(assignment));
                    if drain {
                        told_to_drain.cancel();
                        // The caller has heard, and drops this.
                        std::future::pending::<()>().await;
                    }
                }
                Err(status) if status.code() == Code::NotFound => {
                    tracing::warn!("the coordinator does not know this worker; registering again");
                    if let Err(refused) = self.register().await {
                        return refused;
                    }
                }
                Err(status) => {
                    // A revoked token, a coordinator of another version: running tasks may still end well.
                    refusals += 1;
                    tracing::warn!(code = ?status.code(), message = status.message(), "no leases for this worker");
                    self.bench.link.backoff().sleep(refusals).await;
                }
            }
        }
    }

    /// After an attempt that lacked disk: waits until the worker's folder can be written again. Asking for tasks before
    /// would fail one after another.
    async fn until_well(&self) {
        let mut failures = 0;
        while self.bench.ailing.load(Ordering::Relaxed) {
            match self.bench.home.probe() {
                Ok(()) => {
                    self.bench.ailing.store(false, Ordering::Relaxed);
                    if failures > 0 {
                        tracing::info!("the worker's folder can be written again; taking tasks");
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        let folder = self.bench.config.cache_dir.display();
                        tracing::error!("taking no tasks until {folder} can be written: {error}");
                    }
                    self.bench.link.backoff().sleep(failures).await;
                }
            }
        }
    }

    async fn lease(&self, most: usize) -> Result<LeaseResponse, Status> {
        // One request id for all repetitions: should an answer be lost, the same attempts are handed out again.
        let request = LeaseRequest {
            worker_id: self.worker_id(),
            max_tasks: i32::try_from(most).unwrap_or(i32::MAX),
            wait_seconds: POLL.as_secs_f64(),
            request_id: Uuid::new_v4().to_string(),
        };
        self.bench
            .link
            .call("lease", POLL + ANSWER, request, |mut client, request| async move { client.lease(request).await })
            .await
    }

    fn start(&mut self, assignment: Assignment) {
        let id = LeaseId { task_id: assignment.task_id.clone(), attempt: assignment.attempt };
        let span =
            tracing::info_span!("task", job.id = assignment.job_id, task.id = id.task_id, task.attempt = id.attempt);
        let share = Share {
            slots: usize::try_from(assignment.slots).unwrap_or(0).max(1),
            memory_bytes: u64::try_from(assignment.memory_bytes).unwrap_or(0),
        };
        let (bench, leases) = (Arc::clone(&self.bench), self.leases.clone());
        let Some(lease) = leases.take(id, share) else { return };
        let run = async move {
            if admitted(&bench.config, &leases).await {
                task::run(bench, assignment, lease).await;
            } else {
                give_back(&bench, lease).await;
            }
        };
        self.tasks.spawn(run.instrument(span));
    }

    async fn finish_tasks(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            log_end(ended);
        }
    }

    /// Stops what still runs, gives it back and says goodbye.
    async fn leave(&mut self) {
        let leases: Vec<LeaseRef> = self.leases.stop_all();
        if tokio::time::timeout(LEAVE_PATIENCE, self.finish_tasks()).await.is_err() {
            tracing::warn!("a render does not stop; leaving without it");
        }
        let given_back = leases.len();
        let request = RelinquishRequest {
            worker_id: self.worker_id(),
            leases,
            leaving: true,
            request_id: Uuid::new_v4().to_string(),
            register_request_id: self.life.clone(),
        };
        let link = &self.bench.link;
        let goodbye = link
            .call("relinquish", ANSWER, request, |mut client, request| async move { client.relinquish(request).await });
        match tokio::time::timeout(LEAVE_PATIENCE, goodbye).await {
            Ok(Ok(_)) => tracing::info!(given_back, "left"),
            Ok(Err(status)) => {
                tracing::warn!(code = ?status.code(), message = status.message(), "could not say goodbye")
            }
            Err(_) => tracing::warn!(given_back, "left without an answer; leases run out by themselves"),
        }
    }
}

fn log_end(ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        // Its lease is no longer extended: it runs out, and the task is tried again.
        tracing::error!(%panic, "a task of the worker panicked outside its render");
    }
}
