//! The farm that suffers: coordinators and workers as processes, each in its place of the network and behind ways of its
//! own to everything it calls.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mixdown_coordinator::private_postgres::{Options, PrivatePostgres};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::network::{Network, Place, Trouble};
use crate::proxy::{Target, Way};
use crate::support::command::mixdown;
use crate::support::postgres::{process, socket};
use crate::support::s3_server::{Kind, S3Server};
use crate::support::store::Store;

pub const LEASE: Duration = Duration::from_secs(5);
pub const COORDINATORS: usize = 2;
pub const WORKERS: usize = 3;
const PORT: u16 = 7401;

/// A coordinator or a worker.
pub struct Machine {
    pub name: String,
    place: Place,
    /// To the database or to the coordinators.
    pub upstream: Way,
    /// To the store.
    pub store: Way,
    /// The port that callers reach it at, if any do.
    port: Option<u16>,
    arguments: Vec<String>,
    process: Option<Child>,
    /// It is dead on purpose.
    pub down: bool,
    pub troubles: Vec<Trouble>,
}

/// Everything; ends with this.
pub struct Farm {
    // Dropped in this order: processes, database, store, network, folder.
    pub machines: Vec<Machine>,
    postgres: Option<PrivatePostgres>,
    s3: S3Server,
    pub network: Network,
    /// The test's own way to the coordinators.
    pub client: Way,
    pub folder: tempfile::TempDir,
}

impl Farm {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut network = Network::new();
        let s3 = S3Server::start(Kind::Ceph);
        let postgres = PrivatePostgres::start(&options(folder.path())).await.expect("PostgreSQL starts");
        let database = socket(&postgres);
        let places: Vec<Place> = (0..COORDINATORS + WORKERS).map(|_| network.place()).collect();
        let listen: Vec<SocketAddr> =
            places[..COORDINATORS].iter().map(|place| place.socket(free_port(place))).collect();
        let client = Way::open("127.0.0.1", Target::Tcp(listen.clone())).await;
        let store: SocketAddr = s3.address.parse().expect("an address");
        let mut machines = Vec::new();
        for (index, place) in places.into_iter().enumerate() {
            let to_store = Way::open(network.hub(), Target::Tcp(vec![store])).await;
            let is_worker = index >= COORDINATORS;
            let target = if is_worker { Target::Tcp(listen.clone()) } else { Target::Unix(database.clone()) };
            let upstream = Way::open(network.hub(), target).await;
            let name = match is_worker {
                true => format!("worker {}", index - COORDINATORS + 1),
                false => format!("coordinator {}", index + 1),
            };
            let own = folder.path().join(name.replace(' ', "-")).display().to_string();
            let up = upstream.address;
            let arguments = if is_worker {
                vec!["worker", "--coordinator", &format!("http://{up}"), "--cache", &own, "--name", &name]
                    .into_iter()
                    .chain(["--slots", "2", "--threads", "1", "--block-frames", "4"])
                    .map(str::to_owned)
                    .collect()
            } else {
                let database = format!("postgres://mixdown@{up}/mixdown");
                let (lease, heartbeat) = (format!("{}s", LEASE.as_secs()), "500ms");
                ["coordinator", "--database-url", &database, "--scratch", &own, "--listen", &listen[index].to_string()]
                    .into_iter()
                    .chain(["--lease", &lease, "--heartbeat", heartbeat, "--insecure"])
                    .map(str::to_owned)
                    .collect()
            };
            let port = (!is_worker).then(|| listen[index].port());
            machines.push(Machine {
                name,
                place,
                upstream,
                store: to_store,
                port,
                arguments,
                process: None,
                down: false,
                troubles: Vec::new(),
            });
        }
        let mut farm = Self { machines, postgres: Some(postgres), s3, network, client, folder };
        farm.keep_up();
        farm
    }

    /// The database, past every way.
    pub fn database_url(&self) -> String {
        self.postgres.as_ref().expect("PostgreSQL runs").url().to_owned()
    }

    /// The store, past every way.
    pub fn store(&self) -> Store {
        self.s3.store("farm")
    }

    /// What a supervisor does: starts what has ended and is not down on purpose.
    pub fn keep_up(&mut self) {
        for machine in &mut self.machines {
            let ended = match &mut machine.process {
                None => true,
                Some(process) => process.try_wait().expect("it is waited for").is_some(),
            };
            if ended && !machine.down {
                machine.start(self.folder.path());
            }
        }
    }

    /// Ends PostgreSQL at once, by this signal to its postmaster; the rest of it notices by itself.
    pub fn strike_postgres(&mut self, signal: Signal) {
        kill(process(&self.folder.path().join("postgres")), signal).expect("PostgreSQL runs");
    }

    /// Starts PostgreSQL again on what it left.
    pub async fn restart_postgres(&mut self) {
        drop(self.postgres.take());
        let started = PrivatePostgres::start(&options(self.folder.path())).await;
        self.postgres = Some(started.expect("PostgreSQL starts again"));
    }

    /// The last lines of every log.
    pub fn logs(&self) -> String {
        let tail = |machine: &Machine| {
            let log = std::fs::read_to_string(self.folder.path().join(log_name(&machine.name))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            format!("--- {}\n{}\n", machine.name, lines[lines.len().saturating_sub(15)..].join("\n"))
        };
        self.machines.iter().map(tail).collect()
    }
}

impl Machine {
    pub fn is_worker(&self) -> bool {
        self.port.is_none()
    }

    fn start(&mut self, folder: &Path) {
        let log = File::options().create(true).append(true).open(folder.join(log_name(&self.name)));
        let store = S3Server::store_at(&self.store.address.to_string(), "farm");
        let program = mixdown();
        let mut command: Command = self.place.command(program.get_program().to_str().expect("its path is text"));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(&self.arguments).args(["--store", &store.url]).envs(store.environment);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("the log opens"));
        self.process = Some(command.spawn().expect("mixdown starts"));
    }

    pub fn signal(&self, signal: Signal) {
        let Some(process) = &self.process else { return };
        // It may have ended by itself: a supervisor's case.
        let _ = kill(Pid::from_raw(process.id() as i32), signal);
    }

    /// SIGKILL; it stays down until [`Farm::keep_up`] may start it again.
    pub fn kill(&mut self) {
        self.down = true;
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Makes the troubles come true, by packets or by the ways.
    pub fn apply(&self, drops_packets: bool) {
        if drops_packets {
            return self.place.suffer(&self.troubles);
        }
        let all = self.troubles.contains(&Trouble::Everything);
        for way in [&self.upstream, &self.store] {
            let cut = all || self.troubles.contains(&Trouble::Port(way.address.port()));
            way.change(|weather| weather.cut = cut);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

fn log_name(machine: &str) -> String {
    format!("{}.log", machine.replace(' ', "-"))
}

/// In a namespace of its own every machine may take the same port.
fn free_port(place: &Place) -> u16 {
    if !place.address.is_loopback() {
        return PORT;
    }
    let listener = std::net::TcpListener::bind((place.address, 0)).expect("a free port");
    listener.local_addr().expect("it listens").port()
}

/// PostgreSQL as durable as anywhere: it is killed.
fn options(folder: &Path) -> Options {
    Options::new(folder.join("postgres"))
}
