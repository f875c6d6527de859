//! What goes wrong, chosen by the seed: a fault begins, lasts for a while, and is made good.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use crate::farm::{COORDINATORS, Farm, LEASE, RELAYED, WORKERS};
use crate::network::Trouble;
use crate::support::way::StoreFault;

/// One thing that goes wrong; machines are named by their place in the farm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL to a machine's process.
    Kill(usize),
    /// SIGTERM to it.
    Leave(usize),
    /// SIGSTOP, and SIGCONT when it is over: a zombie, when its lease was shorter.
    Freeze(usize),
    /// No packet between a machine and what it calls: the coordinators or the database.
    CutUpstream(usize),
    /// Nothing passes between a worker and one of the coordinators.
    CutLeg(usize, usize),
    /// No packet between a machine and the store.
    CutStore(usize),
    /// No packet between a machine and anybody.
    Isolate(usize),
    /// Packets are lost; without namespaces, pieces are delayed.
    Loss(usize, u8),
    /// Everything that a machine calls answers late.
    Slow(usize, u16),
    /// The calls of the relayed worker are held until its leases have run out, and then passed on.
    Hold,
    /// The store errs towards everybody, with a chance in percent.
    Store(StoreFault, u8),
    /// PostgreSQL's immediate shutdown.
    PostgresImmediate,
    /// SIGKILL to PostgreSQL's first process.
    PostgresKill,
}

fn worker(random: &mut Rng) -> usize {
    COORDINATORS + random.usize(..WORKERS)
}

fn coordinator(random: &mut Rng) -> usize {
    random.usize(..COORDINATORS)
}

fn loss(random: &mut Rng) -> u8 {
    random.u8(5..40)
}

/// A stalled connection breaks in the end.
const STALL: Duration = Duration::from_secs(10);

fn millis(random: &mut Rng) -> u16 {
    random.u16(20..300)
}

fn store(fault: StoreFault, random: &mut Rng) -> Fault {
    Fault::Store(fault, random.u8(10..60))
}

/// How a fault is made, of which the seed decides the rest.
type Card = fn(&mut Rng) -> Fault;

/// All that can go wrong, each as often as it comes among so many.
const CARDS: [(usize, Card); 26] = [
    (6, |random| Fault::Kill(worker(random))),
    (3, |random| Fault::Kill(coordinator(random))),
    (2, |random| Fault::Leave(worker(random))),
    (1, |random| Fault::Leave(coordinator(random))),
    (3, |random| Fault::Freeze(worker(random))),
    (2, |random| Fault::Freeze(coordinator(random))),
    (2, |random| Fault::CutUpstream(worker(random))),
    (1, |random| Fault::CutUpstream(coordinator(random))),
    (2, |random| Fault::CutLeg(worker(random), coordinator(random))),
    (1, |random| Fault::CutStore(worker(random))),
    (1, |random| Fault::CutStore(coordinator(random))),
    (1, |random| Fault::Isolate(worker(random))),
    (1, |random| Fault::Isolate(coordinator(random))),
    (1, |random| Fault::Loss(worker(random), loss(random))),
    (1, |random| Fault::Loss(coordinator(random), loss(random))),
    (1, |random| Fault::Slow(worker(random), millis(random))),
    (1, |random| Fault::Slow(coordinator(random), millis(random))),
    (2, |_| Fault::Hold),
    (1, |random| store(StoreFault::Status(500), random)),
    (1, |random| store(StoreFault::Status(503), random)),
    (1, |random| store(StoreFault::Status(429), random)),
    (1, |random| store(StoreFault::Stall(STALL), random)),
    (1, |random| store(StoreFault::Truncate, random)),
    (1, |random| store(StoreFault::WrongBytes, random)),
    (1, |_| Fault::PostgresImmediate),
    (1, |_| Fault::PostgresKill),
];

impl Fault {
    /// Everything that can go wrong, shuffled: whoever goes through all of it has met every kind of fault.
    pub fn deck(random: &mut Rng) -> Vec<Self> {
        let mut deck: Vec<Self> =
            CARDS.iter().flat_map(|(times, card)| (0..*times).map(move |_| card)).map(|card| card(random)).collect();
        random.shuffle(&mut deck);
        deck
    }

    /// How often each kind comes in a deck.
    pub fn kinds() -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        Self::deck(&mut Rng::with_seed(0)).into_iter().for_each(|fault| *kinds.entry(fault.kind()).or_default() += 1);
        kinds
    }

    /// How long it lasts: kills are made good soon; the rest lasts up to half again as long as a lease.
    pub fn duration(self, random: &mut Rng) -> Duration {
        let (shortest, longest) = match self {
            Self::Kill(_) | Self::Leave(_) | Self::PostgresImmediate | Self::PostgresKill => (0.05, 0.25),
            Self::Store(..) => (0.05, 0.65),
            Self::Hold => (1.2, 1.6),
            _ => (0.05, 1.55),
        };
        LEASE.mul_f64(shortest + (longest - shortest) * random.f64())
    }

    /// For counting.
    pub fn kind(self) -> String {
        let machine = |index: usize| if is_worker(index) { "worker" } else { "coordinator" };
        match self {
            Self::Kill(index) => format!("kill -9 of a {}", machine(index)),
            Self::Leave(index) => format!("SIGTERM to a {}", machine(index)),
            Self::Freeze(index) => format!("stop and continue a {}", machine(index)),
            Self::CutUpstream(index) if is_worker(index) => "cut worker from coordinators".into(),
            Self::CutUpstream(_) => "cut coordinator from PostgreSQL".into(),
            Self::CutLeg(..) => "cut worker from one coordinator".into(),
            Self::CutStore(index) => format!("cut {} from the store", machine(index)),
            Self::Isolate(index) => format!("cut {} from everybody", machine(index)),
            Self::Loss(index, _) => format!("packet loss at a {}", machine(index)),
            Self::Slow(index, _) => format!("delays at a {}", machine(index)),
            Self::Hold => "calls of a worker held beyond its leases".into(),
            Self::Store(StoreFault::Status(status), _) => format!("store answers {status}"),
            Self::Store(fault, _) => format!("store: {fault:?}"),
            Self::PostgresImmediate => "PostgreSQL: immediate".into(),
            Self::PostgresKill => "PostgreSQL: kill -9".into(),
        }
    }

    /// The worker that may lose what it holds, if it is one.
    pub fn worker(self) -> Option<usize> {
        match self {
            Self::Store(..) | Self::CutStore(_) => None,
            _ => self.machine().filter(|index| is_worker(*index)),
        }
    }

    /// Whether a worker is not heard from its beginning on, for certain.
    pub fn silences(self) -> bool {
        match self {
            Self::Kill(_) | Self::Freeze(_) | Self::CutUpstream(_) | Self::Isolate(_) | Self::Hold => {
                self.worker().is_some()
            }
            _ => false,
        }
    }

    /// Whether it holds up coordinators or the database.
    pub fn is_upstream(self) -> bool {
        match self {
            Self::PostgresImmediate | Self::PostgresKill => true,
            // A claim asks for nothing in the store.
            Self::CutStore(_) => false,
            _ => self.machine().is_some_and(|index| !is_worker(index)),
        }
    }

    fn machine(self) -> Option<usize> {
        match self {
            Self::Kill(index)
            | Self::Leave(index)
            | Self::Freeze(index)
            | Self::CutUpstream(index)
            | Self::CutLeg(index, _)
            | Self::CutStore(index)
            | Self::Isolate(index)
            | Self::Loss(index, _)
            | Self::Slow(index, _) => Some(index),
            Self::Hold => Some(RELAYED),
            Self::Store(..) | Self::PostgresImmediate | Self::PostgresKill => None,
        }
    }

    /// Whether it cannot happen while another one lasts: they concern the same thing.
    pub fn clashes(self, other: Self) -> bool {
        let is_postgres = |fault| matches!(fault, Self::PostgresImmediate | Self::PostgresKill);
        let is_store = |fault| matches!(fault, Self::Store(..));
        match (self.machine(), other.machine()) {
            (Some(one), Some(two)) => one == two,
            _ => is_postgres(self) && is_postgres(other) || is_store(self) && is_store(other),
        }
    }

    /// Whether it has come to its end by itself, whatever its duration.
    pub fn may_end(self, farm: &Farm) -> bool {
        match self {
            Self::Leave(index) => !farm.machines[index].is_leaving(),
            _ => true,
        }
    }

    /// Lets it happen.
    pub async fn begin(self, farm: &mut Farm) {
        match self {
            Self::Kill(index) => farm.machines[index].kill(),
            Self::Leave(index) => farm.machines[index].ask_to_leave(),
            Self::Freeze(index) => farm.machines[index].signal(Signal::SIGSTOP),
            Self::CutLeg(index, leg) => farm.machines[index].legs[leg].change(|weather| weather.cut = true),
            Self::Hold => farm.relay().hold(true),
            Self::Store(fault, percent) => {
                farm.machines.iter().for_each(|it| it.store.change(|weather| weather.store = Some((fault, percent))));
            }
            Self::PostgresImmediate => farm.strike_postgres(Signal::SIGQUIT),
            Self::PostgresKill => farm.strike_postgres(Signal::SIGKILL),
            _ => self.network(farm, true),
        }
    }

    /// Makes it good again.
    pub async fn end(self, farm: &mut Farm) {
        match self {
            Self::Kill(index) => farm.machines[index].down = false,
            Self::Leave(_) => {}
            Self::Freeze(index) => farm.machines[index].signal(Signal::SIGCONT),
            Self::CutLeg(index, leg) => farm.machines[index].legs[leg].change(|weather| weather.cut = false),
            Self::Hold => farm.relay().hold(false),
            Self::Store(..) => {
                farm.machines.iter().for_each(|it| it.store.change(|weather| weather.store = None));
            }
            Self::PostgresImmediate | Self::PostgresKill => farm.restart_postgres().await,
            _ => self.network(farm, false),
        }
        farm.keep_up();
    }

    fn network(self, farm: &mut Farm, begins: bool) {
        let drops_packets = farm.network.drops_packets();
        let (index, trouble) = match self {
            Self::CutUpstream(index) => (index, Trouble::Port(farm.machines[index].upstream.address.port())),
            Self::CutStore(index) => (index, Trouble::Port(farm.machines[index].store.address.port())),
            Self::Isolate(index) => (index, Trouble::Everything),
            Self::Loss(index, percent) if drops_packets => (index, Trouble::Loss(percent)),
            Self::Loss(index, millis) => return delay(farm, index, begins.then_some(u16::from(millis) * 10)),
            Self::Slow(index, millis) => return delay(farm, index, begins.then_some(millis)),
            _ => return,
        };
        let machine = &mut farm.machines[index];
        machine.troubles.retain(|known| *known != trouble);
        machine.troubles.extend(begins.then_some(trouble));
        machine.apply(drops_packets);
    }
}

fn delay(farm: &Farm, index: usize, millis: Option<u16>) {
    let machine = &farm.machines[index];
    for way in [&machine.upstream, &machine.store] {
        way.change(|weather| weather.delay = Duration::from_millis(millis.unwrap_or(0).into()));
    }
}

fn is_worker(machine: usize) -> bool {
    machine >= COORDINATORS
}
