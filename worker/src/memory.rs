//! What memory the worker uses against what it may: a render that would bring the process down is ended before, as the one
//! thing that can be told apart from all other deaths.
//!
//! Renders are threads of one process, and the system ends a process whole. So the worker looks at its own resident size
//! several times a second; close to the limit it ends the attempt that began last, until the rest fits.

use std::path::Path;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::lease::Leases;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Share of the limit from which on an attempt is ended: what is allocated between two looks must fit above it.
const FULL: f64 = 0.95;

/// Ends attempts for ever, whenever the process comes close to its limit.
pub(crate) async fn guard(limit_bytes: u64, leases: Leases) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(resident_bytes) = resident_bytes() else { return };
        if resident_bytes as f64 > FULL * limit_bytes as f64
            && let Some(id) = leases.end_newest_for_memory()
        {
            tracing::warn!(
                task.id = id.task_id,
                task.attempt = id.attempt,
                resident_bytes,
                limit_bytes,
                "out of memory; ending the attempt that began last"
            );
        }
    }
}

/// What this process holds in memory, as Linux tells it; `None` elsewhere.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    // "Rss: 1234 kB", exact, where /proc/self/statm may lag behind by pages per thread.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What this process may use: the limit of its control group, or else the memory of the machine; `None` where neither can
/// be read.
#[must_use]
pub fn limit_bytes() -> Option<u64> {
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .find_map(|path| std::fs::read_to_string(Path::new(path)).ok()?.trim().parse::<u64>().ok());
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    });
    match (group, machine) {
        (Some(group), Some(machine)) => Some(group.min(machine)),
        (group, machine) => group.or(machine),
    }
}
