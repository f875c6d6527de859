//! A PostgreSQL of our own, for farms that have none: made in a folder, reached through a socket that only we can enter,
//! gone when we are.
//!
//! PostgreSQL runs below a small shell that waits at a pipe held by this process. When the pipe closes, because
//! [`PrivatePostgres::stop`] was called or because this process is dead however it died, the shell has PostgreSQL shut
//! down fast. So none is left behind, without a line of unsafe code.

mod account;
mod programs;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::Instant;

use account::Account;
pub use programs::FindError;
use programs::Programs;

/// The user and database that it is used with.
const NAME: &str = "mixdown";
/// The longest path of a socket on Linux is 107 bytes; its name there is `.s.PGSQL.5432`.
const MAX_SOCKET_DIR_BYTES: usize = 107 - 14;
/// Recovery after a crash replays at most a few checkpoints.
const START_TIMEOUT: Duration = Duration::from_secs(120);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How often readiness is looked at while it starts, or its end while it stops.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Runs PostgreSQL ("$@") until it ends or standard input does. The descriptor is passed on to the waiting half alone:
/// whoever else held it would keep the pipe open.
const KEEPER: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- &
postgres=$!
(read -r line <&3; kill -INT "$postgres") 2>/dev/null &
keeper=$!
exec 3<&-
wait "$postgres"
status=$?
kill "$keeper" 2>/dev/null
exit "$status"
"#;

/// How a private PostgreSQL is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its folder; made when it is missing.
    pub data_dir: PathBuf,
    /// Where `initdb` and `postgres` are; looked for in `search_path` and the usual places otherwise.
    pub programs_dir: Option<PathBuf>,
    /// The value of PATH.
    pub search_path: Option<OsString>,
    /// Where short socket paths can be made when the folder's own is too long: XDG_RUNTIME_DIR, or /tmp otherwise.
    pub runtime_dir: Option<PathBuf>,
    /// Whether commits survive a loss of power; tests need not wait for that.
    pub durable: bool,
}

impl Options {
    /// A durable one in a folder, with programs looked for in the usual places alone.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self { data_dir, programs_dir: None, search_path: None, runtime_dir: None, durable: true }
    }
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL is not installed.
    #[error(transparent)]
    Programs(#[from] FindError),
    /// A live process has it.
    #[error("the PostgreSQL in {} is in use by another mixdown", data_dir.display())]
    InUse {
        /// The folder.
        data_dir: PathBuf,
    },
    /// A file or folder cannot be used.
    #[error("cannot {what}")]
    File {
        /// What was being done.
        what: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// As root, there is no other user to run it as.
    #[error("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as")]
    NoUser,
    /// Running a program failed.
    #[error("{program} failed: {output}")]
    Program {
        /// The program.
        program: &'static str,
        /// What it said last.
        output: String,
    },
    /// It is still not ready.
    #[error("PostgreSQL was not ready after {} s: {output}", START_TIMEOUT.as_secs())]
    Timeout {
        /// What it said last.
        output: String,
    },
    /// The first connection failed.
    #[error("cannot make the database in the private PostgreSQL")]
    Database(#[from] sqlx::Error),
}

/// A running private PostgreSQL. Dropping it tells it to stop; [`PrivatePostgres::stop`] also waits until it has.
#[derive(Debug)]
pub struct PrivatePostgres {
    keeper: Child,
    /// Closing it stops PostgreSQL.
    pipe: Option<ChildStdin>,
    url: String,
    socket_dir: PathBuf,
    /// Held while it is ours; the system lets go of it whatever becomes of us.
    _lock: File,
}

impl PrivatePostgres {
    /// Starts it, made first if it is not there. What an earlier life left running is stopped before.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let programs = Programs::find(options.programs_dir.as_deref(), options.search_path.as_deref())?;
        let account = Account::choose()?;
        fs::create_dir_all(&options.data_dir).map_err(file(|| format!("make {}", options.data_dir.display())))?;
        let data_dir =
            fs::canonicalize(&options.data_dir).map_err(file(|| format!("find {}", options.data_dir.display())))?;
        let lock = lock(&data_dir)?;
        let home = account.home(&data_dir)?;
        let cluster = home.join("cluster");
        stop_left_over(&cluster).await?;
        if !cluster.join("PG_VERSION").exists() {
            initialise(&programs, &account, &cluster, options.durable).await?;
        }
        let socket_dir = socket_dir(options, &account, &home)?;
        let log = home.join("postgres.log");
        let (keeper, pipe) = spawn(&programs, &account, &cluster, &socket_dir, &log, options.durable)?;
        let url = url(&socket_dir, NAME);
        let mut postgres = Self { keeper, pipe: Some(pipe), url, socket_dir, _lock: lock };
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            match postgres.wait_until_ready(&log).await {
                // The first process of an earlier start was killed; its children hold their memory until they notice.
                Err(Error::Program { output, .. })
                    if output.contains("pre-existing shared memory block") && Instant::now() < deadline =>
                {
                    tokio::time::sleep(LOOK_EVERY).await;
                    let (keeper, pipe) =
                        spawn(&programs, &account, &cluster, &postgres.socket_dir, &log, options.durable)?;
                    postgres.keeper = keeper;
                    postgres.pipe = Some(pipe);
                }
                ready => return ready.map(|()| postgres),
            }
        }
    }

    /// Where the database is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where another database of it is; tests have one each.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        url(&self.socket_dir, database)
    }

    /// Stops it: open connections are cut, what was committed is kept.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.pipe.take());
        let deadline = Instant::now() + STOP_TIMEOUT;
        let ended = |source| Error::File { what: "wait for PostgreSQL to stop".into(), source };
        while self.keeper.try_wait().map_err(ended)?.is_none() {
            if Instant::now() > deadline {
                return Err(Error::Program { program: "postgres", output: "it does not stop".into() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self, log: &Path) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        let maintenance: sqlx::postgres::PgConnectOptions = url(&self.socket_dir, "postgres").parse()?;
        let maintenance = maintenance.disable_statement_logging();
        loop {
            match sqlx::PgConnection::connect_with(&maintenance).await {
                Ok(mut connection) => {
                    create_database(&mut connection).await?;
                    connection.close().await?;
                    return Ok(());
                }
                Err(error) => tracing::debug!(%error, "PostgreSQL is not ready yet"),
            }
            let ended = self.keeper.try_wait().map_err(file(|| "look after PostgreSQL".into()))?;
            if ended.is_some() {
                return Err(Error::Program { program: "postgres", output: last_lines(log) });
            }
            if Instant::now() > deadline {
                return Err(Error::Timeout { output: last_lines(log) });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if self.pipe.take().is_some() {
            // Waits until the connections are cut and the last checkpoint is written, so that what the folder lies in
            // may be removed. The keeper ends by itself: nothing is left to do about a failure.
            let _ = self.keeper.wait();
        }
    }
}

fn file(what: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File { what: what(), source }
}

/// Takes the folder for this process. There is never more than one owner, so whatever runs there without one is left over.
fn lock(data_dir: &Path) -> Result<File, Error> {
    let path = data_dir.join("postgres.lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(file(|| format!("open {}", path.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(Error::InUse { data_dir: data_dir.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(Error::File { what: format!("lock {}", path.display()), source }),
    }
}

/// Stops a server that outlived its owner, and waits until it is gone: its keeper may be at it already.
async fn stop_left_over(cluster: &Path) -> Result<(), Error> {
    let deadline = Instant::now() + STOP_TIMEOUT;
    while let Some(pid) = running_server(cluster) {
        // It may end between the look and the signal; the next look tells.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
        if Instant::now() > deadline {
            let output = format!("process {pid} of an earlier start does not stop");
            return Err(Error::Program { program: "postgres", output });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// The process of the server that runs in a cluster. The number in its file may have gone to another process since: ours
/// works in the cluster's folder.
fn running_server(cluster: &Path) -> Option<nix::unistd::Pid> {
    let content = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let pid: i32 = content.lines().next()?.trim().parse().ok()?;
    let works_in = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (works_in == fs::canonicalize(cluster).ok()?).then(|| nix::unistd::Pid::from_raw(pid))
}

/// Makes the cluster, whole or not at all.
async fn initialise(programs: &Programs, account: &Account, cluster: &Path, durable: bool) -> Result<(), Error> {
    let unfinished = cluster.with_file_name("cluster.new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(file(|| format!("remove {}", unfinished.display())))?;
    }
    let mut command = Command::new(programs.initdb());
    command
        .arg("--pgdata")
        .arg(&unfinished)
        .args(["--username", NAME, "--encoding", "UTF8", "--locale", "C.UTF-8"])
        // Nobody else can enter the socket's folder.
        .args(["--auth-local", "trust", "--auth-host", "reject"])
        .args((!durable).then_some("--no-sync"))
        .stdin(Stdio::null());
    account.run_as(&mut command);
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .map_err(file(|| format!("run {}", programs.initdb().display())))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Program { program: "initdb", output: said.trim().to_owned() });
    }
    fs::rename(&unfinished, cluster).map_err(file(|| format!("rename {}", unfinished.display())))
}

/// The folder of the socket: below the data folder, or where paths are short.
fn socket_dir(options: &Options, account: &Account, home: &Path) -> Result<PathBuf, Error> {
    let mut dir = home.join("socket");
    if dir.as_os_str().len() > MAX_SOCKET_DIR_BYTES {
        // The same at every start, so that the URL does not change.
        let name = blake3::hash(home.as_os_str().as_bytes()).to_hex();
        // The runtime folder is its user's alone; after dropping to another user it cannot be entered.
        let base = options.runtime_dir.as_deref().filter(|_| !account.is_other());
        dir = base.unwrap_or(Path::new("/tmp")).join(format!("mixdown-{}", &name[..24]));
    }
    match fs::DirBuilder::new().mode(0o700).create(&dir) {
        Ok(()) => account.give(&dir)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => account.check_ours(&dir)?,
        Err(source) => return Err(Error::File { what: format!("make {}", dir.display()), source }),
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))
        .map_err(file(|| format!("protect {}", dir.display())))?;
    Ok(dir)
}

fn spawn(
    programs: &Programs,
    account: &Account,
    cluster: &Path,
    socket_dir: &Path,
    log: &Path,
    durable: bool,
) -> Result<(Child, ChildStdin), Error> {
    // The last run's words are kept; more are of no use.
    let _ = fs::rename(log, log.with_extension("log.1"));
    let output = File::create(log).map_err(file(|| format!("make {}", log.display())))?;
    let errors = output.try_clone().map_err(file(|| format!("use {}", log.display())))?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", KEEPER, "sh"]).arg(programs.postgres()).arg("-D").arg(cluster).arg("-k").arg(socket_dir);
    let switch = if durable { "on" } else { "off" };
    for setting in [
        "listen_addresses=",
        "port=5432",
        "max_connections=200",
        "unix_socket_permissions=0700",
        // A farm that sleeps should not be woken by its database.
        "autovacuum_naptime=30s",
        &format!("fsync={switch}"),
        &format!("synchronous_commit={switch}"),
        &format!("full_page_writes={switch}"),
    ] {
        command.arg("-c").arg(setting);
    }
    // Ctrl-C at a terminal reaches the whole group; PostgreSQL must outlive the coordinator that drains.
    command.process_group(0).stdin(Stdio::piped()).stdout(output).stderr(errors);
    account.run_as(&mut command);
    let mut keeper = command.spawn().map_err(file(|| "start PostgreSQL".into()))?;
    let pipe = keeper.stdin.take().expect("because standard input is piped");
    Ok((keeper, pipe))
}

async fn create_database(connection: &mut sqlx::PgConnection) -> Result<(), Error> {
    let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(NAME)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        sqlx::query("create database mixdown").execute(connection).await?;
    }
    Ok(())
}

fn url(socket_dir: &Path, database: &str) -> String {
    let query: String = url::form_urlencoded::byte_serialize(socket_dir.as_os_str().as_bytes()).collect();
    format!("postgres:///{database}?host={query}&user={NAME}&port=5432")
}

/// What a program said last, for an error.
fn last_lines(log: &Path) -> String {
    const LINES: usize = 5;
    let Ok(content) = fs::read_to_string(log) else { return "it said nothing".into() };
    let lines: Vec<&str> = content.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}
