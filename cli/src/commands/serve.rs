//! `mixdown serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use mixdown_coordinator::tokens::{self, Role};
use mixdown_coordinator::{database, server};
use mixdown_worker::config::host_name;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::worker;
use crate::client::{self, Client, DEFAULT_LISTEN};
use crate::errors::{CommandError, Exit};
use crate::home::Home;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::say;
use crate::{listening, logging, quantity};

/// Run a whole farm in this process: database, coordinator, workers.
///
/// Nothing to configure: DIR holds a private PostgreSQL, the store and the workers' caches, and is made at the first start.
/// With --database-url and --store the same process is one part of a larger farm. SIGTERM or Ctrl-C drains the workers and
/// stops everything in good order; a second one gives running tasks back at once. Jobs go on at the next start.
///
/// With --json: one line on stdout when the farm is ready, {"ready":true,"listen":"ADDR","url":"URL"}.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown serve --data farm/\n  \
    mixdown serve --data farm/ --listen 127.0.0.1:0 --workers 4\n  \
    mixdown serve --data farm/ --listen 0.0.0.0:7401 --tls-cert farm.pem --tls-key farm.key --ca-cert ca.pem \\\n    \
    --public-url https://farm:7401\n\n\
    Beyond the loopback it listens only with TLS and a token in the database, or --insecure:\n  \
    mixdown tokens create --data farm/ --role client")]
pub struct Arguments {
    /// Folder of the farm; one farm at a time.
    #[arg(long, value_name = "DIR", env = "MIXDOWN_DATA")]
    data: PathBuf,
    /// Workers in this process, each with a cache of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=256))]
    workers: u16,
    /// Tasks that each worker runs side by side; by default the cores shared between the workers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    slots: Option<u16>,
    /// Threads that render one task, for each slot that it takes; by default the tasks that run share the cores, and one alone
    /// has them all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Most bytes of blobs that each worker keeps in its cache.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = quantity::bytes)]
    cache_bytes: u64,
    /// A PostgreSQL of yours instead of the private one: postgres://USER:PASSWORD@HOST:PORT/DATABASE.
    #[arg(long, value_name = "URL", env = "MIXDOWN_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Where blobs lie instead of DIR/store: a folder, file:///PATH or s3://BUCKET/PREFIX.
    #[arg(long, value_name = "URL", env = "MIXDOWN_STORE")]
    store: Option<String>,
    /// Folder with PostgreSQL's programs, if they are not on PATH or in the usual places.
    #[arg(long, value_name = "DIR", env = "MIXDOWN_POSTGRES_BIN")]
    postgres_bin: Option<PathBuf>,
    /// Address under which others, and with TLS also the workers in this process, reach the farm.
    #[arg(long, value_name = "URL", env = "MIXDOWN_PUBLIC_URL")]
    public_url: Option<String>,
    /// PEM file with the certificate authority that the workers in this process trust.
    #[arg(long, value_name = "FILE", env = "MIXDOWN_CA_CERT")]
    ca_cert: Option<PathBuf>,
    #[arg(long, hide = true, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    block_frames: u32,
    #[command(flatten)]
    listening: listening::Arguments,
    #[command(flatten)]
    logging: logging::Arguments,
}

/// Runs the farm until it is asked to stop.
///
/// # Errors
/// The port is taken, another farm runs on the folder, the database or the store cannot be used.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    logging::start(&arguments.logging);
    let interrupt = Interrupt::listen_while_serving()?;
    let home = Home::open(&arguments.data)?;
    let _held = home.hold()?;
    let (listener, address) = arguments.listening.bind().await?;
    let store_url = match &arguments.store {
        Some(url) => url.clone(),
        None => {
            let folder = home.store();
            std::fs::create_dir_all(&folder).map_err(|error| CommandError::io("make", &folder, &error))?;
            folder.display().to_string()
        }
    };
    listening::check_store(&store_url).await?;
    let postgres = match &arguments.database_url {
        Some(_) => None,
        None => Some(tokio::select! {
            started = home.start_database(arguments.postgres_bin.as_deref()) => started?,
            () = interrupt.raised() => return Ok(()),
        }),
    };
    let database_url = match (&arguments.database_url, &postgres) {
        (Some(url), _) => url.clone(),
        (None, Some(postgres)) => postgres.url().to_owned(),
        (None, None) => return Err(CommandError::new(Exit::Failed, "internal", "there is no database")),
    };
    home.note_database(&database_url)?;
    let farm = Farm { arguments: &arguments, home: &home, database_url, store_url, address };
    let ended = farm.run(listener, &interrupt, output).await;
    if let Some(postgres) = postgres {
        let stopped = postgres.stop().await;
        stopped.map_err(|error| {
            CommandError::new(Exit::Failed, "postgres_failed", "the private PostgreSQL does not stop").because(&error)
        })?;
    }
    ended
}

/// A farm whose database runs and whose port is taken.
struct Farm<'a> {
    arguments: &'a Arguments,
    home: &'a Home,
    database_url: String,
    store_url: String,
    address: SocketAddr,
}

impl Farm<'_> {
    async fn run(&self, listener: TcpListener, interrupt: &Interrupt, output: Output) -> Result<(), CommandError> {
        let listening = &self.arguments.listening;
        let config = listening.config(&self.database_url, &self.store_url, &self.home.scratch());
        // The coordinator outlives the workers, which settle and give back while they drain.
        let stop = CancellationToken::new();
        let serving = server::serve(config, listener, stop.clone().cancelled_owned());
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map_err(|error| listening::describe(&error)),
            () = interrupt.raised() => {
                stop.cancel();
                return serving.await.map_err(|error| listening::describe(&error));
            }
            checked = self.check_certificate() => if let Err(distrusted) = checked {
                stop.cancel();
                return serving.await.map_err(|error| listening::describe(&error)).and(Err(distrusted));
            }
        }
        let token = self.worker_token().await?;
        let mut workers = self.start_workers(token.as_deref(), interrupt);
        self.say_ready(output)?;

        let ended = tokio::select! {
            ended = &mut serving => return ended.map_err(|error| listening::describe(&error)),
            failed = first_failure(&mut workers) => Err(failed),
            () = interrupt.raised() => Ok(()),
        };
        if ended.is_ok() {
            say("stopping: running tasks end first; a second Ctrl-C gives them back at once");
        }
        tokio::select! {
            () = all_ended(&mut workers), if ended.is_ok() => {}
            _ = &mut serving => {}
            else => {}
        }
        stop.cancel();
        let served = serving.await.map_err(|error| listening::describe(&error));
        ended.and(served)
    }

    /// Once it answers: workers that do not trust the certificate would ask for ever. An address that nobody can reach yet is another matter:
    /// what leads there may wait for this farm to be ready.
    async fn check_certificate(&self) -> Result<(), CommandError> {
        listening::answers(self.address).await;
        if self.arguments.workers == 0 || !self.arguments.listening.uses_tls() {
            return Ok(());
        }
        let way =
            client::Arguments { coordinator: self.worker_url(), token: None, ca_cert: self.arguments.ca_cert.clone() };
        match Client::connect(&way).await {
            Err(error) if client::is_distrust(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// A token for the workers in this process, where calls need one.
    async fn worker_token(&self) -> Result<Option<String>, CommandError> {
        if self.address.ip().is_loopback() || self.arguments.listening.insecure {
            return Ok(None);
        }
        let pool = database::open(&self.database_url, 1).await.map_err(|error| listening::describe_database(&error))?;
        let name = format!("serve on {}", host_name());
        let failed = |error: &dyn std::error::Error| {
            CommandError::new(Exit::Failed, "database", "cannot make a token for the workers").because(error)
        };
        for old in tokens::list(&pool).await.map_err(|error| failed(&error))? {
            if old.name == name && old.role == Role::Worker && !old.revoked {
                tokens::revoke(&pool, old.token_id).await.map_err(|error| failed(&error))?;
            }
        }
        let (_, token) = tokens::create(&pool, Role::Worker, None, &name).await.map_err(|error| failed(&error))?;
        pool.close().await;
        Ok(Some(token))
    }

    fn start_workers(&self, token: Option<&str>, interrupt: &Interrupt) -> JoinSet<Result<(), mixdown_worker::Error>> {
        let count = usize::from(self.arguments.workers);
        let mut workers = JoinSet::new();
        // One for all: they share the process whose CPU time is counted, and the cores that it runs on.
        let threads = worker::threads(self.arguments.threads);
        let cpu = mixdown_worker::cpu::CpuMeter::default();
        for number in 1..=count {
            let config = mixdown_worker::Config {
                token: token.map(str::to_owned),
                tls_ca: self.arguments.ca_cert.clone(),
                cache_bytes: self.arguments.cache_bytes,
                slots: self.arguments.slots.map_or_else(|| (cores() / count).max(1), usize::from),
                threads: threads.clone(),
                block_frames: self.arguments.block_frames as usize,
                name: format!("{}-{number}", host_name()),
                cpu: cpu.clone(),
                ..mixdown_worker::Config::new(&self.worker_url(), &self.store_url, &self.home.worker(number))
            };
            let interrupt = interrupt.clone();
            workers.spawn(async move { mixdown_worker::run(config, interrupt.raised(), interrupt.insisted()).await });
        }
        workers
    }

    /// Where the workers in this process find the coordinator. With TLS under the name in its certificate.
    fn worker_url(&self) -> String {
        let port = self.address.port();
        match (&self.arguments.public_url, self.arguments.listening.uses_tls()) {
            (Some(url), true) => url.clone(),
            (None, true) => format!("https://localhost:{port}"),
            (_, false) if self.address.ip().is_unspecified() => format!("http://localhost:{port}"),
            (_, false) => format!("http://{}", self.address),
        }
    }

    fn say_ready(&self, output: Output) -> Result<(), CommandError> {
        let url = self.arguments.public_url.clone().unwrap_or_else(|| {
            let scheme = if self.arguments.listening.uses_tls() { "https" } else { "http" };
            format!("{scheme}://{}", self.address)
        });
        if output.json {
            return output.record(&json!({ "ready": true, "listen": self.address.to_string(), "url": url }));
        }
        let workers = match self.arguments.workers {
            1 => "1 worker".to_owned(),
            count => format!("{count} workers"),
        };
        say(&format!("ready: the farm listens on {url} with {workers}; Ctrl-C stops it"));
        let coordinator =
            if url == format!("http://{DEFAULT_LISTEN}") { String::new() } else { format!(" --coordinator {url}") };
        say(&format!("submit a session with: mixdown submit SESSION --wait --out DIR{coordinator}"));
        Ok(())
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Waits for a worker that cannot work. One that an admin drained has left in good order.
async fn first_failure(workers: &mut JoinSet<Result<(), mixdown_worker::Error>>) -> CommandError {
    while let Some(ended) = workers.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return worker::describe(&error),
            Err(error) => {
                return CommandError::new(Exit::Failed, "internal", "a worker fell over").because(&error);
            }
        }
    }
    std::future::pending().await
}

async fn all_ended(workers: &mut JoinSet<Result<(), mixdown_worker::Error>>) {
    while workers.join_next().await.is_some() {}
}
