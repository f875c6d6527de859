//! Progress of one part of a task in the task's units.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::progress::Monitor;

/// Turns the frames that a part of a task tells of into its share of the task's cost. A part that takes more passes than
/// expected stands still at its share.
pub(super) struct Share<'a> {
    monitor: &'a dyn Monitor,
    cost: u64,
    expected_frames: u64,
    frames: AtomicU64,
}

impl<'a> Share<'a> {
    /// A part that costs `cost` and is expected to tell of `expected_frames` frames.
    pub(super) fn new(monitor: &'a dyn Monitor, cost: u64, expected_frames: u64) -> Self {
        Self { monitor, cost, expected_frames: expected_frames.max(1), frames: AtomicU64::new(0) }
    }

    /// Tells of what is left of the share.
    pub(super) fn finish(self) {
        self.advance(self.expected_frames);
    }

    fn cost_of(&self, frames: u64) -> u64 {
        let frames = u128::from(frames.min(self.expected_frames));
        (u128::from(self.cost) * frames / u128::from(self.expected_frames)) as u64
    }
}

impl Monitor for Share<'_> {
    fn advance(&self, frames: u64) {
        let before = self.frames.fetch_add(frames, Ordering::Relaxed);
        self.monitor.advance(self.cost_of(before.saturating_add(frames)) - self.cost_of(before));
    }

    fn is_cancelled(&self) -> bool {
        self.monitor.is_cancelled()
    }

    fn threads(&self) -> usize {
        self.monitor.threads()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Total(AtomicU64);

    impl Monitor for Total {
        fn advance(&self, cost: u64) {
            self.0.fetch_add(cost, Ordering::Relaxed);
        }

        fn is_cancelled(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_part_tells_exactly_of_its_cost_whatever_its_passes() {
        for blocks in [0, 1, 3, 7, 40] {
            let total = Total::default();
            let share = Share::new(&total, 1001, 700);
            (0..blocks).for_each(|_| share.advance(100));
            share.finish();
            assert_eq!(total.0.into_inner(), 1001);
        }
    }
}
