//! How a long operation tells how far it is, and learns that it is no longer wanted.

/// Hears of progress and may ask to stop. Implementations are cheap: they are called once per block.
pub trait Monitor: Sync {
    /// `frames` more frames of work are done, of the total that the operation's cost names.
    fn advance(&self, frames: u64);
    /// Whether the operation should stop with its `Cancelled` error at the next block.
    fn is_cancelled(&self) -> bool;
    /// How many of the operation's threads may work at this moment, at least 1; more than it has are as good as all. It asks again
    /// at every block: threads that it does not use meanwhile are free for others.
    fn threads(&self) -> usize {
        usize::MAX
    }
}

/// A monitor that hears nothing and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Monitor for Unwatched {
    fn advance(&self, _: u64) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}
