//! What tasks cost in CPU time.
//!
//! The sound engine starts and ends threads as it likes, so a task cannot be told from its threads. What the process spent
//! while tasks ran is shared equally between those that ran at the same time: exact for one task at a time, fair for many
//! of a kind, and never more in sum than was spent. Whatever else the process does while a task runs counts as the task's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// The process's meter. Workers that live in one process share one, by clones of their configuration, or they would each
/// count the other's work as well.
#[derive(Debug, Clone, Default)]
pub struct CpuMeter {
    books: Arc<Mutex<Books>>,
}

#[derive(Debug, Default)]
struct Books {
    /// Of the process, when the books were last brought up to date.
    seen: Duration,
    running: u32,
    /// What each task that ran from the beginning on would have been given so far; a task's share is the difference
    /// between two readings.
    each: Duration,
}

impl CpuMeter {
    /// Begins to count a task.
    pub(crate) fn begin(&self) -> RunningTask {
        let mut books = self.lock();
        books.update(process_cpu());
        books.running += 1;
        RunningTask { meter: self.clone(), since: books.each }
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that is being counted, until dropped.
#[derive(Debug)]
pub(crate) struct RunningTask {
    meter: CpuMeter,
    since: Duration,
}

impl RunningTask {
    /// Its share so far.
    pub fn used(&self) -> Duration {
        let mut books = self.meter.lock();
        books.update(process_cpu());
        books.each - self.since
    }
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        let mut books = self.meter.lock();
        books.update(process_cpu());
        books.running -= 1;
    }
}

impl Books {
    fn update(&mut self, now: Duration) {
        let spent = now.saturating_sub(self.seen);
        self.seen = now;
        if self.running > 0 {
            self.each += spent / self.running;
        }
    }
}

/// CPU time of this process, all its threads, those that have ended among them.
fn process_cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Duration::ZERO };
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or(0))
            + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
    };
    of(usage.user_time()) + of(usage.system_time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_run_together_share_equally_and_nothing_is_counted_twice() {
        let seconds = Duration::from_secs;
        let mut books = Books::default();
        books.update(seconds(5)); // nobody runs: nobody pays
        let first = books.each;
        books.running = 1;
        books.update(seconds(7));
        let second = books.each;
        books.running = 2;
        books.update(seconds(13));
        assert_eq!(books.each - second, seconds(3), "half of 6");
        assert_eq!(books.each - first, seconds(2 + 3));
    }

    #[test]
    fn a_task_pays_for_the_threads_it_started() {
        let task = CpuMeter::default().begin();
        // 20 ms of CPU on another thread; counted by its own clock, so that a busy machine changes nothing.
        let burn = || {
            let of_thread = || getrusage(UsageWho::RUSAGE_THREAD).unwrap().user_time();
            while of_thread().tv_sec() == 0 && of_thread().tv_usec() < 20_000 {}
        };
        std::thread::scope(|scope| {
            scope.spawn(burn);
        });
        assert!(task.used() >= Duration::from_millis(20));
    }
}
