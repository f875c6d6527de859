//! What goes wrong, chosen by the seed: a fault begins, lasts for a while, and is made good.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::farm::{Farm, LEASE};
use crate::network::Trouble;
use crate::proxy::StoreFault;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL to a machine's process.
    Kill(usize),
    /// SIGSTOP, and SIGCONT when it is over: a zombie, when its lease was shorter.
    Freeze(usize),
    /// No packet between a machine and what it calls: the coordinators or the database.
    CutUpstream(usize),
    /// No packet between a machine and the store.
    CutStore(usize),
    /// No packet between a machine and anybody.
    Isolate(usize),
    /// Packets are lost; without namespaces, pieces are delayed.
    Loss(usize, u8),
    /// Everything that a machine calls answers late.
    Slow(usize, u16),
    /// The store errs towards everybody, with a chance in percent.
    Store(StoreFault, u8),
    /// PostgreSQL's immediate shutdown.
    PostgresImmediate,
    /// SIGKILL to PostgreSQL's first process.
    PostgresKill,
}

impl Fault {
    /// One of those possible on this farm.
    pub fn choose(random: &mut fastrand::Rng, machines: usize) -> Self {
        let machine = random.usize(..machines);
        let store = [
            StoreFault::Status(500),
            StoreFault::Status(503),
            StoreFault::Status(429),
            StoreFault::Stall,
            StoreFault::Truncate,
            StoreFault::WrongBytes,
        ];
        match random.u8(..20) {
            0..5 => Self::Kill(machine),
            5..8 => Self::Freeze(machine),
            8 | 9 => Self::CutUpstream(machine),
            10 => Self::CutStore(machine),
            11 => Self::Isolate(machine),
            12 | 13 => Self::Loss(machine, random.u8(5..40)),
            14 => Self::Slow(machine, random.u16(20..300)),
            15..18 => Self::Store(store[random.usize(..store.len())], random.u8(10..60)),
            18 => Self::PostgresImmediate,
            _ => Self::PostgresKill,
        }
    }

    /// How long it lasts: kills are made good soon; the rest lasts up to half again as long as a lease.
    pub fn duration(self, random: &mut fastrand::Rng) -> Duration {
        let longest = match self {
            Self::Kill(_) | Self::PostgresImmediate | Self::PostgresKill => 0.2,
            Self::Store(..) => 0.6,
            _ => 1.5,
        };
        LEASE.mul_f64(0.05 + longest * random.f64())
    }

    /// For counting.
    pub fn kind(self, farm: &Farm) -> String {
        let machine = |index: usize| if farm.machines[index].is_worker() { "worker" } else { "coordinator" };
        match self {
            Self::Kill(index) => format!("kill -9 of a {}", machine(index)),
            Self::Freeze(index) => format!("stop and continue a {}", machine(index)),
            Self::CutUpstream(index) if farm.machines[index].is_worker() => "cut worker from coordinators".into(),
            Self::CutUpstream(_) => "cut coordinator from PostgreSQL".into(),
            Self::CutStore(index) => format!("cut {} from the store", machine(index)),
            Self::Isolate(index) => format!("cut {} from everybody", machine(index)),
            Self::Loss(index, _) => format!("packet loss at a {}", machine(index)),
            Self::Slow(index, _) => format!("delays at a {}", machine(index)),
            Self::Store(StoreFault::Status(status), _) => format!("store answers {status}"),
            Self::Store(fault, _) => format!("store: {fault:?}"),
            Self::PostgresImmediate => "PostgreSQL: immediate".into(),
            Self::PostgresKill => "PostgreSQL: kill -9".into(),
        }
    }

    /// The worker that may lose what it holds, if it is one.
    pub fn worker(self, farm: &Farm) -> Option<usize> {
        match self {
            Self::Kill(index) | Self::Freeze(index) | Self::CutUpstream(index) | Self::Isolate(index) => {
                Some(index).filter(|index| farm.machines[*index].is_worker())
            }
            _ => None,
        }
    }

    /// Whether it holds up coordinators or the database.
    pub fn is_upstream(self, farm: &Farm) -> bool {
        match self {
            Self::PostgresImmediate | Self::PostgresKill => true,
            Self::Store(..) => false,
            _ => self.machine().is_some_and(|index| !farm.machines[index].is_worker()),
        }
    }

    fn machine(self) -> Option<usize> {
        match self {
            Self::Kill(index)
            | Self::Freeze(index)
            | Self::CutUpstream(index)
            | Self::CutStore(index)
            | Self::Isolate(index)
            | Self::Loss(index, _)
            | Self::Slow(index, _) => Some(index),
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

    /// Lets it happen.
    pub async fn begin(self, farm: &mut Farm) {
        match self {
            Self::Kill(index) => farm.machines[index].kill(),
            Self::Freeze(index) => farm.machines[index].signal(Signal::SIGSTOP),
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
            Self::Freeze(index) => farm.machines[index].signal(Signal::SIGCONT),
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
