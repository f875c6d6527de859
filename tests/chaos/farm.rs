//! The farm that suffers: coordinators and workers as processes, each in its place of the network and behind ways of its
//! own to everything it calls.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mixdown_coordinator::private_postgres::{Options, PrivatePostgres};
use nix::sys::signal::{Signal, kill};

use crate::machine::Machine;
use crate::network::{Network, Place};
use crate::relay::Relay;
use crate::support::postgres::{process, socket};
use crate::support::s3_server::{Kind, S3Server};
use crate::support::store::Store;
use crate::support::way::{Target, Way};

pub const LEASE: Duration = Duration::from_secs(5);
pub const COORDINATORS: usize = 2;
pub const WORKERS: usize = 3;
/// The worker whose calls are all made twice, among the machines.
pub const RELAYED: usize = COORDINATORS + WORKERS - 1;
const PORT: u16 = 7401;

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
    /// Starts it; whatever chance decides on its ways follows from the seed.
    pub async fn start(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut network = Network::new();
        let s3 = S3Server::start(Kind::Ceph);
        let postgres = PrivatePostgres::start(&options(folder.path())).await.expect("PostgreSQL starts");
        let places: Vec<Place> = (0..COORDINATORS + WORKERS).map(|_| network.place()).collect();
        let listen: Vec<SocketAddr> =
            places[..COORDINATORS].iter().map(|place| place.socket(free_port(place))).collect();
        let mut roads = Roads { hub: network.hub(), listen, seeds: fastrand::Rng::with_seed(seed) };
        let client = roads.lead_to_any_coordinator().await;
        let store = s3.address.parse().expect("an address");
        let mut machines = Vec::new();
        for (index, place) in places.into_iter().enumerate() {
            let to_store = roads.open(Target::Tcp(store)).await;
            let own = |name: &str| folder.path().join(name.replace(' ', "-")).display().to_string();
            machines.push(if index < COORDINATORS {
                let name = format!("coordinator {}", index + 1);
                let upstream = roads.open(Target::Unix(socket(&postgres))).await;
                let arguments = coordinator(&upstream, &own(&name), roads.listen[index]);
                Machine::new(name, place, upstream, to_store, arguments)
            } else {
                let name = format!("worker {}", index - COORDINATORS + 1);
                let legs = roads.lead_to_each_coordinator().await;
                let relay = match index {
                    RELAYED => Some(Relay::open(&legs, roads.seeds.u64(..)).await),
                    _ => None,
                };
                let target = relay.as_ref().map_or_else(|| Target::Any(legs.clone()), |it| Target::Tcp(it.address));
                let upstream = roads.open(target).await;
                let arguments = worker(&upstream, &own(&name), &name);
                let mut machine = Machine::new(name, place, upstream, to_store, arguments);
                (machine.legs, machine.relay) = (legs, relay);
                machine
            });
        }
        let mut farm = Self { machines, postgres: Some(postgres), s3, network, client, folder };
        farm.keep_up();
        farm
    }

    /// What makes the calls of a worker twice.
    pub fn relay(&self) -> &Relay {
        self.machines[RELAYED].relay.as_ref().expect("it has one")
    }

    /// The database, past every way.
    pub fn database_url(&self) -> String {
        self.postgres.as_ref().expect("PostgreSQL runs").url().to_owned()
    }

    /// The store, past every way.
    pub fn store(&self) -> Store {
        self.s3.store("farm")
    }

    /// What a supervisor does.
    pub fn keep_up(&mut self) {
        self.machines.iter_mut().for_each(|machine| machine.keep_up(self.folder.path()));
    }

    /// Starts the coordinators anew, as ones whose collection of garbage spares nothing for being young: once no worker has
    /// anything to do.
    pub fn spare_nothing(&mut self) {
        for coordinator in &mut self.machines[..COORDINATORS] {
            coordinator.kill();
            coordinator.arguments.extend(["--orphan-grace", "0s"].map(str::to_owned));
            coordinator.down = false;
        }
        self.keep_up();
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
        self.machines.iter().map(|machine| machine.log(self.folder.path())).collect()
    }
}

/// Lays the ways.
struct Roads {
    hub: &'static str,
    /// Where the coordinators listen.
    listen: Vec<SocketAddr>,
    /// Each way has one of its own.
    seeds: fastrand::Rng,
}

impl Roads {
    async fn open(&mut self, target: Target) -> Way {
        Way::open(self.hub, target, self.seeds.u64(..)).await
    }

    async fn lead_to_each_coordinator(&mut self) -> Vec<Way> {
        let mut legs = Vec::new();
        for address in self.listen.clone() {
            legs.push(self.open(Target::Tcp(address)).await);
        }
        legs
    }

    async fn lead_to_any_coordinator(&mut self) -> Way {
        let legs = self.lead_to_each_coordinator().await;
        self.open(Target::Any(legs)).await
    }
}

/// What a coordinator is started with.
fn coordinator(upstream: &Way, own: &str, listen: SocketAddr) -> Vec<String> {
    let database = format!("postgres://mixdown@{}/mixdown", upstream.address);
    let (lease, listen) = (format!("{}s", LEASE.as_secs()), listen.to_string());
    ["coordinator", "--database-url", &database, "--scratch", own, "--listen", &listen, "--insecure"]
        .into_iter()
        .chain(["--lease", &lease, "--heartbeat", "500ms"])
        .map(str::to_owned)
        .collect()
}

/// What a worker is started with. It ends within its grace what it can, and gives back the rest.
fn worker(upstream: &Way, own: &str, name: &str) -> Vec<String> {
    let coordinators = format!("http://{}", upstream.address);
    ["worker", "--coordinator", &coordinators, "--cache", own, "--name", name, "--drain-grace", "1s"]
        .into_iter()
        .chain(["--slots", "2", "--threads", "1", "--block-frames", "1"])
        .map(str::to_owned)
        .collect()
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
