//! A farm of real processes on a real, private PostgreSQL: each can be killed on its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use mixdown_coordinator::private_postgres::{Options, PrivatePostgres};
use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use super::audit;
use super::command::{self, Ran, mixdown};
use super::postgres;
pub use super::process::{Process, Under};
use super::store::{Store, blob};

/// How long a lease lives here: short, so that a killed worker's tasks come back soon.
const LEASE: &str = "2s";
const HEARTBEAT: &str = "200ms";

/// A running farm; everything ends with it.
pub struct Farm {
    folder: tempfile::TempDir,
    postgres: Option<PrivatePostgres>,
    /// The database that it was given instead of one of its own.
    database: Option<String>,
    coordinator: Option<Process>,
    /// Coordinators beside the first.
    beside: Vec<Process>,
    /// The workers, in the order of their start.
    pub workers: Vec<Process>,
    address: String,
    store: Store,
}

impl Farm {
    /// A farm with so many workers of one slot each.
    pub async fn start(workers: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::of_tests(folder.path());
        Self::start_in(folder, store, None, workers).await
    }

    /// A farm on a store of this kind.
    pub async fn start_on(store: Store, workers: usize) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), store, None, workers).await
    }

    /// A farm without workers on this database.
    pub async fn start_on_database(url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::of_tests(folder.path());
        Self::start_in(folder, store, Some(url.to_owned()), 0).await
    }

    async fn start_in(folder: tempfile::TempDir, store: Store, database: Option<String>, workers: usize) -> Self {
        let postgres = match &database {
            Some(_) => None,
            None => {
                let started = PrivatePostgres::start(&options(folder.path())).await;
                Some(started.expect("PostgreSQL starts; `make test` installs it"))
            }
        };
        let mut farm = Self {
            folder,
            postgres,
            database,
            coordinator: None,
            beside: Vec::new(),
            workers: Vec::new(),
            address: "127.0.0.1:0".to_owned(),
            store,
        };
        farm.start_coordinator();
        for _ in 0..workers {
            farm.start_worker(&[]);
        }
        farm
    }

    /// What it keeps.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The log of every process.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn database_url(&self) -> String {
        let own = || self.postgres.as_ref().expect("PostgreSQL runs").url().to_owned();
        self.database.clone().unwrap_or_else(own)
    }

    /// Where the coordinator listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.address.parse().expect("it listens")
    }

    /// The coordinator's URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts a coordinator; a later one takes the address of the first.
    pub fn start_coordinator(&mut self) {
        self.start_coordinator_under(&Under::default());
    }

    /// Starts it under another command or with more environment.
    pub fn start_coordinator_under(&mut self, under: &Under) {
        let hurried = ["--lease", LEASE, "--heartbeat", HEARTBEAT];
        let (coordinator, address) = self.coordinator(under, &self.scratch(), &self.address, &hurried);
        (self.coordinator, self.address) = (Some(coordinator), address);
    }

    /// Starts another coordinator, with the lease and heartbeat of every farm; gives its address.
    pub fn start_coordinator_beside(&mut self) -> String {
        let scratch = self.folder.path().join("scratch beside");
        let (coordinator, address) = self.coordinator(&Under::default(), &scratch, "127.0.0.1:0", &[]);
        self.beside.push(coordinator);
        address
    }

    fn coordinator(&self, under: &Under, scratch: &Path, listen: &str, arguments: &[&str]) -> (Process, String) {
        let own = [
            OsStr::new("coordinator"),
            OsStr::new("--json"),
            OsStr::new("--database-url"),
            OsStr::new(&self.database_url()),
            OsStr::new("--store"),
            OsStr::new(&self.store.url),
            OsStr::new("--scratch"),
            scratch.as_os_str(),
            OsStr::new("--listen"),
            OsStr::new(listen),
        ]
        .map(OsStr::to_owned);
        let arguments = own.into_iter().chain(arguments.iter().map(OsString::from));
        let mut coordinator = Process::spawn_under(under, arguments, &self.store.environment, &self.log_path());
        let ready = coordinator.line().unwrap_or_else(|| panic!("the coordinator did not start:\n{}", self.log()));
        (coordinator, ready["listen"].as_str().expect("it says where it listens").to_owned())
    }

    /// The folder in which the coordinator gathers uploads.
    pub fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// Asks the coordinator to stop, and gives its exit code.
    pub fn stop_coordinator(&mut self) -> i32 {
        let mut coordinator = self.coordinator.take().expect("a coordinator runs");
        coordinator.signal(Signal::SIGTERM);
        coordinator.wait()
    }

    /// Kills the coordinator with SIGKILL.
    pub fn kill_coordinator(&mut self) {
        self.coordinator.take().expect("a coordinator runs").kill();
    }

    /// Starts a worker with more arguments; returns its place in `workers`.
    pub fn start_worker(&mut self, arguments: &[&str]) -> usize {
        self.start_worker_under(Under::default(), arguments)
    }

    /// The folder of the worker with this place in `workers`.
    pub fn cache_of(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("worker-{index}"))
    }

    /// Starts a worker on another store.
    pub fn start_worker_on(&mut self, store: &str, arguments: &[&str]) -> usize {
        let farms = std::mem::replace(&mut self.store.url, store.to_owned());
        let index = self.start_worker(arguments);
        self.store.url = farms;
        index
    }

    /// Starts a worker that calls another coordinator, or the first by another way.
    pub fn start_worker_at(&mut self, address: &str, arguments: &[&str]) -> usize {
        let farms = std::mem::replace(&mut self.address, address.to_owned());
        let index = self.start_worker(arguments);
        self.address = farms;
        index
    }

    /// Starts a worker under another command or with more environment.
    pub fn start_worker_under(&mut self, under: Under, arguments: &[&str]) -> usize {
        let index = self.workers.len();
        let name = format!("worker-{index}");
        let cache = self.cache_of(index);
        let own = [
            OsStr::new("worker"),
            OsStr::new("--coordinator"),
            OsStr::new(&self.url()),
            OsStr::new("--store"),
            OsStr::new(&self.store.url),
            OsStr::new("--cache"),
            cache.as_os_str(),
            OsStr::new("--name"),
            OsStr::new(&name),
        ]
        .map(OsStr::to_owned);
        let arguments = own.into_iter().chain(arguments.iter().map(|argument| OsStr::new(argument).to_owned()));
        self.workers.push(Process::spawn_under(&under, arguments, &self.store.environment, &self.log_path()));
        index
    }

    /// Stops PostgreSQL and starts it again on the same data.
    pub async fn restart_postgres(&mut self) {
        self.postgres.take().expect("PostgreSQL runs").stop().await.expect("PostgreSQL stops");
        self.postgres =
            Some(PrivatePostgres::start(&options(self.folder.path())).await.expect("PostgreSQL starts again"));
    }

    /// Ends PostgreSQL without warning and starts it again on the same data.
    pub async fn kill_postgres(&mut self, signal: Signal) {
        kill(postgres::process(&self.folder.path().join("postgres")), signal).expect("PostgreSQL is there");
        drop(self.postgres.take());
        self.postgres =
            Some(PrivatePostgres::start(&options(self.folder.path())).await.expect("PostgreSQL starts again"));
    }

    /// Runs a client command against this farm.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        let output = mixdown().args(arguments).env("MIXDOWN_COORDINATOR", self.url()).output().expect("mixdown starts");
        command::ran(output)
    }

    /// Submits a session, waits, and fetches the masters into `out`; gives the command's JSON.
    pub fn submit(&self, session: &Path, out: &Path, arguments: &[&str]) -> Value {
        let own = [
            OsStr::new("submit"),
            session.as_os_str(),
            OsStr::new("--wait"),
            OsStr::new("--json"),
            OsStr::new("--out"),
            out.as_os_str(),
        ];
        let ran = self.run(own.into_iter().chain(arguments.iter().map(OsStr::new)));
        assert_eq!(ran.code, 0, "{}\n{}\n{}", ran.stdout, ran.stderr, self.log());
        ran.json()
    }

    /// Submits a session without waiting; gives the job's id.
    pub fn queue(&self, session: &Path, arguments: &[&str]) -> String {
        let own = [OsStr::new("submit"), session.as_os_str(), OsStr::new("--json")];
        let ran = self.run(own.into_iter().chain(arguments.iter().map(OsStr::new))).succeeded();
        ran.json()["job"]["job_id"].as_str().expect("a job has an id").to_owned()
    }

    /// Follows a job: each line is an event as JSON, the last one the result.
    pub fn watch(&self, job: &str) -> Process {
        let arguments = ["jobs", "watch", job, "--json", "--coordinator", &self.url()].map(str::to_owned);
        Process::spawn(arguments, &self.store.environment, &self.log_path())
    }

    /// Waits until a task of the job runs and has got somewhere.
    pub fn wait_until_a_task_runs(&self, job: &str) {
        let mut watch = self.watch(job);
        let mut running = false;
        while let Some(event) = watch.line() {
            running |= event["task"]["state"] == "running";
            let progress = event["progress"].as_f64().unwrap_or(0.0);
            if running && progress > 0.0 && progress < 1.0 {
                return;
            }
        }
        panic!("the job ended before a task was seen running:\n{}", self.log());
    }

    /// Follows a job to its end and fetches its masters.
    pub async fn finish(&self, job: &str, out: &Path) -> Value {
        let ran = self.run([OsStr::new("jobs"), OsStr::new("watch"), OsStr::new(job)]);
        assert_eq!(ran.code, 0, "{}\n{}\n{}", ran.stdout, ran.stderr, self.log());
        let shown = self.run(["jobs", "show", job, "--json"]).succeeded().json();
        self.fetch(&shown, out).await;
        shown
    }

    /// Copies a job's masters out of the store, where they were delivered under their names.
    async fn fetch(&self, shown: &Value, out: &Path) {
        std::fs::create_dir_all(out).expect("the folder is made");
        for deliverable in shown["deliverables"].as_array().expect("a job has deliverables") {
            let digest = deliverable["digest"].as_str().expect("it is delivered");
            let file = deliverable["file"].as_str().expect("it has a name");
            let bytes = self.store.read(&blob(digest)).await.unwrap_or_else(|| panic!("no blob {digest} in the store"));
            std::fs::write(out.join(file), bytes).expect("the master is copied");
        }
    }

    /// Holds rows and bytes against all that must be true once every job has ended.
    pub async fn audit(&self) {
        let wrong = self.found_wrong().await;
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", self.log());
    }

    /// What the audit of rows and bytes tells.
    pub async fn found_wrong(&self) -> Vec<String> {
        let pool = sqlx::PgPool::connect(&self.database_url()).await.expect("the database answers");
        let mut wrong = audit::rows(&pool).await;
        audit::store(&pool, &self.store, &mut wrong).await;
        pool.close().await;
        wrong
    }

    /// Which of these rules are broken once the rows are changed by this; the change is taken back.
    pub async fn broken_by(&self, change: &'static str, rules: &[audit::rules::Rule]) -> Vec<String> {
        let pool = sqlx::PgPool::connect(&self.database_url()).await.expect("the database answers");
        let mut transaction = pool.begin().await.expect("a transaction begins");
        sqlx::raw_sql(change).execute(&mut *transaction).await.unwrap_or_else(|error| panic!("{change}: {error}"));
        let wrong = audit::broken(&mut transaction, rules).await.unwrap_or_else(|error| panic!("{change}: {error}"));
        transaction.rollback().await.expect("it is taken back");
        pool.close().await;
        wrong
    }

    /// One column of text from the database.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        let pool = sqlx::PgPool::connect(&self.database_url()).await.expect("the database answers");
        let texts = sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        pool.close().await;
        texts
    }

    /// Changes the database.
    pub async fn execute(&self, sql: &'static str) {
        let pool = sqlx::PgPool::connect(&self.database_url()).await.expect("the database answers");
        sqlx::query(sql).execute(&pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        pool.close().await;
    }

    /// One number from the database.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let pool = sqlx::PgPool::connect(&self.database_url()).await.expect("the database answers");
        let count = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        pool.close().await;
        count
    }
}

fn options(folder: &Path) -> Options {
    Options::new(folder.join("postgres"))
}
