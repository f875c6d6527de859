//! The threads that renders work on, shared by all that run at the time: one alone has all of them, and lends what is asked
//! for as soon as another begins. What is rendered does not depend on it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// No machine is asked for more.
pub(crate) const MOST: usize = 1024;

/// The threads of a process. Workers that live in one process share them, by clones of their configuration.
#[derive(Debug, Clone)]
pub struct Threads {
    policy: Policy,
}

#[derive(Debug, Clone)]
enum Policy {
    /// So many for each slot that a task takes, whoever else runs.
    PerSlot(usize),
    Shared(Arc<Shared>),
}

#[derive(Debug)]
struct Shared {
    count: usize,
    /// In the order in which they began.
    renders: Mutex<Vec<Arc<Place>>>,
}

/// One render among those that run.
#[derive(Debug)]
struct Place {
    slots: usize,
    /// Threads that it may use now.
    now: AtomicUsize,
}

impl Threads {
    /// So many threads for each slot that a task takes, never more and never fewer.
    #[must_use]
    pub fn per_slot(count: usize) -> Self {
        Self { policy: Policy::PerSlot(count) }
    }

    /// So many threads for all tasks together, in proportion to their slots; each has one at least.
    #[must_use]
    pub fn shared(count: usize) -> Self {
        Self { policy: Policy::Shared(Arc::new(Shared { count, renders: Mutex::default() })) }
    }

    /// The cores of this machine, shared.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::shared(std::thread::available_parallelism().map_or(1, usize::from).min(MOST))
    }

    /// How many were given, for each slot or in all.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.policy {
            Policy::PerSlot(count) => *count,
            Policy::Shared(shared) => shared.count,
        }
    }

    /// Takes part, with a task of so many slots, until what is returned is dropped.
    #[must_use]
    pub fn lend(&self, slots: usize) -> Lent {
        match &self.policy {
            Policy::PerSlot(count) => {
                let count = count * slots;
                Lent { most: count, place: Arc::new(Place { slots, now: AtomicUsize::new(count) }), shared: None }
            }
            Policy::Shared(shared) => {
                let place = Arc::new(Place { slots, now: AtomicUsize::new(1) });
                let mut renders = shared.lock();
                renders.push(Arc::clone(&place));
                shared.divide(&renders);
                drop(renders);
                Lent { most: shared.count, place, shared: Some(Arc::clone(shared)) }
            }
        }
    }
}

impl Shared {
    /// Gives every render its part; what does not divide goes to those that began first.
    fn divide(&self, renders: &[Arc<Place>]) {
        let slots: usize = renders.iter().map(|render| render.slots).sum();
        let part = |render: &Place| (self.count * render.slots / slots.max(1)).max(1);
        let mut left = self.count.saturating_sub(renders.iter().map(|render| part(render)).sum());
        for render in renders {
            let more = left.min(1);
            left -= more;
            render.now.store(part(render) + more, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Place>>> {
        // Nothing under the lock panics halfway through a change.
        self.renders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads of one render.
#[derive(Debug)]
pub struct Lent {
    most: usize,
    place: Arc<Place>,
    /// Where they go back to.
    shared: Option<Arc<Shared>>,
}

impl Lent {
    /// As many as there may ever be.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// As many as may work at this moment, at least 1.
    #[must_use]
    pub fn now(&self) -> usize {
        self.place.now.load(Ordering::Relaxed)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            let mut renders = shared.lock();
            renders.retain(|render| !Arc::ptr_eq(render, &self.place));
            shared.divide(&renders);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_has_all_threads_and_lends_them_while_others_run() {
        let threads = Threads::shared(4);
        let first = threads.lend(1);
        assert_eq!((first.most(), first.now()), (4, 4));
        let second = threads.clone().lend(1);
        assert_eq!((first.now(), second.now()), (2, 2));
        let third = threads.lend(1);
        assert_eq!((first.now(), second.now(), third.now()), (2, 1, 1));
        drop(first);
        assert_eq!((second.now(), third.now()), (2, 2));
        drop(third);
        assert_eq!(second.now(), 4);
    }

    #[test]
    fn threads_follow_slots_and_nobody_is_left_without_one() {
        let threads = Threads::shared(8);
        let (wide, narrow) = (threads.lend(3), threads.lend(1));
        assert_eq!((wide.now(), narrow.now()), (6, 2));
        let many: Vec<Lent> = (0..20).map(|_| threads.lend(1)).collect();
        assert!(many.iter().chain([&wide, &narrow]).all(|lent| lent.now() == 1));
    }

    #[test]
    fn a_number_for_each_slot_is_kept_whoever_else_runs() {
        let threads = Threads::per_slot(3);
        let (one, two) = (threads.lend(1), threads.lend(2));
        assert_eq!((one.most(), one.now(), two.most(), two.now()), (3, 3, 6, 6));
    }
}
