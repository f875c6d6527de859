//! How long tasks wait, by what they ask for.

use std::collections::BTreeMap;

use mixdown_coordinator::queue::submit::Requirements;
use mixdown_coordinator::state::Priority;

use super::{CAPPED, GIB};

/// What tells tasks apart when they wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    pub priority: i16,
    pub what: &'static str,
}

/// What any worker with a slot free can run.
pub const ANYTHING: &str = "one slot";
pub const PLUGIN: &str = "plugin-x";
pub const WHOLE: &str = "a whole worker";
pub const CAPPED_PROJECT: &str = "a project at its limit";
/// Work that comes all the time, and a bulk job behind it.
pub const STREAM: &str = "the stream";

impl Demand {
    pub fn of(project: &str, priority: Priority, asked: &Requirements) -> Self {
        let what = match asked {
            _ if project == CAPPED => CAPPED_PROJECT,
            _ if project == "stream" => STREAM,
            Requirements { whole_worker: true, .. } => WHOLE,
            Requirements { limits, .. } if !limits.is_empty() => PLUGIN,
            Requirements { labels, .. } if !labels.is_empty() => "gpu",
            Requirements { slots: 2.., .. } => "two slots",
            Requirements { memory_bytes, .. } if *memory_bytes >= 7 * GIB => "7 GiB",
            _ => ANYTHING,
        };
        Self { priority: priority as i16, what }
    }
}

#[derive(Debug, Default)]
pub struct Waits {
    /// The longest, in virtual seconds.
    pub longest: BTreeMap<Demand, i64>,
    /// How long they ran, together.
    pub worked: BTreeMap<&'static str, i64>,
}

impl Waits {
    pub fn add(&mut self, demand: &Demand, seconds: i64) {
        let longest = self.longest.entry(*demand).or_default();
        *longest = seconds.max(*longest);
    }

    pub fn work(&mut self, demand: &Demand, seconds: i64) {
        *self.worked.entry(demand.what).or_default() += seconds;
    }
}
