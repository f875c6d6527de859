//! What the seed decides, all of it drawn before anything happens: the same seed gives the same faults in the same order.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

use crate::faults::Fault;

/// How much chaos.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    pub seed: u64,
    /// At least so many; clients go on submitting until the faults are over.
    pub jobs: usize,
    pub faults: usize,
}

/// From so many faults on, times are held to their bound.
const LONG_RUN_FAULTS: usize = 100;

impl Extent {
    pub fn of_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let faults = number("MIXDOWN_CHAOS_FAULTS").unwrap_or(15) as usize;
        // The short run is one of many tests: it should not fail by the luck of its seed on somebody else's change.
        let seed = || if faults < LONG_RUN_FAULTS { 1 } else { fastrand::u64(..1_000_000) };
        Self {
            seed: number("MIXDOWN_CHAOS_SEED").unwrap_or_else(seed),
            jobs: number("MIXDOWN_CHAOS_JOBS").unwrap_or(10) as usize,
            faults,
        }
    }

    /// Whether it has the machine to itself, so that times say something.
    pub fn is_long(&self) -> bool {
        self.faults >= LONG_RUN_FAULTS
    }
}

/// A fault, how long it lasts, and what somebody does when it is over.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    pub fault: Fault,
    pub duration: Duration,
    pub aside: Option<Aside>,
}

/// What happens beside.
#[derive(Debug, Clone, Copy)]
pub enum Aside {
    /// Attempts that have ended are settled again.
    SettleAgain,
    /// Garbage is collected.
    CollectGarbage,
}

/// The faults in their order: every kind comes before any comes more often than its share.
pub fn scenes(extent: &Extent) -> Vec<Scene> {
    let mut random = Rng::with_seed(extent.seed);
    let mut faults = Vec::new();
    while faults.len() < extent.faults {
        faults.extend(Fault::deck(&mut random));
    }
    faults.truncate(extent.faults);
    let mut scene = |fault: Fault| {
        let aside = match random.u8(..10) {
            0..3 => Some(Aside::SettleAgain),
            3 => Some(Aside::CollectGarbage),
            _ => None,
        };
        Scene { fault, duration: fault.duration(&mut random), aside }
    };
    faults.into_iter().map(&mut scene).collect()
}

/// What a client does with a job.
#[derive(Debug, Clone, Copy)]
pub struct Mind {
    /// It is submitted twice at once.
    pub twice: bool,
    /// It is cancelled after so long, and run again after so long.
    pub cancels: Option<(Duration, Duration)>,
}

/// What the client of the job with this number does: any number, for clients go on until the faults are over.
pub fn mind(extent: &Extent, job: usize) -> Mind {
    let mut random = Rng::with_seed(extent.seed ^ ((job as u64 + 1) << 32));
    let mut millis = |range: Range<u64>| Duration::from_millis(random.u64(range));
    let cancels = (millis(100..3000), millis(0..1000));
    Mind { twice: random.u8(..10) < 3, cancels: (random.u8(..10) < 2).then_some(cancels) }
}
