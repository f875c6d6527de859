//! `mixdown worker`

use std::path::PathBuf;
use std::time::Duration;

use mixdown_worker::blobs::OpenError;
use mixdown_worker::config::host_name;
use mixdown_worker::threads::Threads;
use mixdown_worker::{Config, Error};

use crate::errors::{CommandError, Exit};
use crate::interrupt::Interrupt;
use crate::{client, listening, logging, quantity};

/// Run a worker: it leases tasks from a coordinator, renders them and stores what it made.
///
/// A worker listens on nothing and holds no database connection. Start as many as there are machines; they may come and
/// go. SIGTERM or Ctrl-C drains: running tasks end (or are given back after --drain-grace), then the worker leaves. A
/// second signal gives everything back at once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  \
    mixdown worker --coordinator http://farm:7401 --store /mnt/farm/store --cache /var/cache/mixdown\n  \
    mixdown worker --coordinator https://farm:7401 --store s3://masters/mixdown --cache /var/cache/mixdown --slots 4\n\n\
    An S3 store takes AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT from the environment.")]
pub struct Arguments {
    /// Where blobs lie: a folder, file:///PATH or s3://BUCKET/PREFIX; the same for the whole farm.
    #[arg(long, value_name = "URL", env = "MIXDOWN_STORE")]
    store: String,
    /// Folder of the worker's own, for its cache, scratch and identity. One worker at a time.
    #[arg(long, value_name = "DIR", env = "MIXDOWN_CACHE")]
    cache: PathBuf,
    /// Most bytes of blobs kept in the cache, 20GiB say; running tasks take scratch space on top.
    #[arg(long, value_name = "SIZE", env = "MIXDOWN_CACHE_BYTES", default_value = "20GiB", value_parser = quantity::bytes)]
    cache_bytes: u64,
    /// Tasks run side by side.
    #[arg(long, value_name = "N", env = "MIXDOWN_SLOTS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    slots: u16,
    /// Memory for running tasks together, 32GiB say; by default what this machine has, or what its container is allowed.
    #[arg(long, value_name = "SIZE", env = "MIXDOWN_MEMORY", value_parser = quantity::bytes)]
    memory: Option<u64>,
    /// What this machine has beside slots and memory, `gpu` say; jobs may require it. Repeat it, or separate with commas.
    #[arg(long = "label", value_name = "NAME", env = "MIXDOWN_LABELS", value_delimiter = ',')]
    labels: Vec<String>,
    /// Threads that render one task, for each slot that it takes; by default the tasks that run share the cores, and one alone
    /// has them all.
    #[arg(long, value_name = "N", env = "MIXDOWN_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// A name for people; by default the host's.
    #[arg(long, env = "MIXDOWN_WORKER_NAME")]
    name: Option<String>,
    /// Most memory that the worker is to use, 8GiB say; close to it the attempt that began last is ended and tried again with
    /// more memory reserved. By default what the machine or its control group has.
    #[arg(long, value_name = "SIZE", env = "MIXDOWN_MEMORY_LIMIT", value_parser = quantity::bytes)]
    memory_limit: Option<u64>,
    /// How long running tasks may go on once the worker is asked to stop.
    #[arg(long, value_name = "DURATION", env = "MIXDOWN_DRAIN_GRACE", default_value = "60s", value_parser = quantity::duration)]
    drain_grace: Duration,
    /// How long a store that fails is tried again before the attempt at a task counts as failed.
    #[arg(long, value_name = "DURATION", env = "MIXDOWN_STORAGE_PATIENCE", default_value = "120s", value_parser = quantity::duration)]
    storage_patience: Duration,
    #[arg(long, hide = true, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    block_frames: u32,
    #[command(flatten)]
    connection: client::Arguments,
    #[command(flatten)]
    logging: logging::Arguments,
}

/// Runs the worker until it is asked to stop or an admin drains it.
///
/// # Errors
/// It cannot start, or the coordinator refuses it.
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    logging::start(&arguments.logging);
    let interrupt = Interrupt::listen_while_serving()?;
    // A worker that cannot reach the store would hold tasks that others could render. A folder is looked for when it is opened.
    if arguments.store.starts_with("s3://") {
        listening::check_store(&arguments.store).await?;
    }
    let slots = usize::from(arguments.slots);
    let config = Config {
        token: arguments.connection.token,
        tls_ca: arguments.connection.ca_cert,
        cache_bytes: arguments.cache_bytes,
        slots,
        memory_bytes: arguments.memory.or_else(mixdown_worker::memory::limit_bytes).unwrap_or(0),
        labels: arguments.labels,
        threads: threads(arguments.threads),
        block_frames: arguments.block_frames as usize,
        name: arguments.name.unwrap_or_else(host_name),
        drain_grace: arguments.drain_grace,
        storage_patience: arguments.storage_patience,
        ..Config::new(&arguments.connection.coordinator, &arguments.store, &arguments.cache)
    };
    let config = Config { memory_limit_bytes: arguments.memory_limit.or(config.memory_limit_bytes), ..config };
    mixdown_worker::run(config, interrupt.raised(), interrupt.insisted()).await.map_err(|error| describe(&error))
}

/// So many threads for each slot of a task, or the cores of this machine for all tasks.
#[must_use]
pub fn threads(of_each: Option<u16>) -> Threads {
    of_each.map_or_else(Threads::of_this_machine, |count| Threads::per_slot(usize::from(count)))
}

/// Why a worker could not start.
#[must_use]
pub fn describe(error: &Error) -> CommandError {
    match error {
        Error::Config(message) => CommandError::new(Exit::BadInput, "bad_config", message),
        Error::Refused { .. } => CommandError::new(Exit::NotAllowed, "worker_refused", error.to_string())
            .remedy("give a token of the worker role; `mixdown tokens create --role worker` makes one"),
        Error::Store(open @ OpenError::Unknown { .. }) => {
            CommandError::new(Exit::BadInput, "bad_url", open.to_string())
                .remedy("give the store that the coordinator uses")
        }
        Error::Store(open) => CommandError::new(Exit::Failed, "store_unreachable", open.to_string())
            .because(open)
            .remedy("check the store's address and credentials; it is the one that the coordinator uses"),
        Error::WrongStore { .. } => CommandError::new(Exit::BadInput, "wrong_store", error.to_string())
            .remedy("give the store that the coordinator was given with --store"),
        Error::CacheInUse { .. } => CommandError::new(Exit::BadInput, "cache_in_use", error.to_string())
            .remedy("name another folder with --cache"),
        Error::Cache { path, source } => CommandError::io("use the cache folder", path, source),
    }
}
