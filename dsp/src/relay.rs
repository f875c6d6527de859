//! Blocks handed from where they are made through the hands of all that work on them, on as many threads as there are.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Blocks on their way at most: one for each thread, and as many again that wait where a leg takes longer now and then.
#[must_use]
pub fn on_the_way(threads: usize) -> usize {
    if threads <= 1 { 1 } else { 2 * threads + 2 }
}

/// What is done to every block, one after the other, at one place of its way.
pub type Leg<'a, B, E> = Box<dyn FnMut(&mut B) -> Result<(), E> + Send + 'a>;

/// A leg that listens to what `part` gives of a block, and never fails.
pub fn listening<'a, B: 'a, P: 'a, E>(mut listen: impl FnMut(&P) + Send + 'a, part: fn(&B) -> &P) -> Leg<'a, B, E> {
    Box::new(move |block| {
        listen(part(block));
        Ok(())
    })
}

/// Has `make` fill one block after the other until it says `false`, and runs each through the `legs` in their order. Every leg
/// sees all blocks, one at a time and in order, so that threads change nothing; different legs work on different blocks at
/// the same time, up to `threads` of them, and no more than `allowed` says, which is asked before every turn. `empty` makes the
/// first blocks: they come back to `make` as the last leg left them.
///
/// # Errors
/// The error that would have come first on one thread: of the earliest block, for each has but one.
pub fn relay<'a, B: Send + 'a, E: Send + 'a>(
    threads: usize,
    allowed: impl Fn() -> usize + Sync,
    empty: impl Fn() -> B,
    mut make: impl FnMut(&mut B) -> Result<bool, E> + Send + 'a,
    mut legs: Vec<Leg<'a, B, E>>,
) -> Result<(), E> {
    if threads <= 1 {
        let mut block = empty();
        while make(&mut block)? {
            legs.iter_mut().try_for_each(|leg| leg(&mut block))?;
        }
        return Ok(());
    }
    let first: Runner<'a, B, E> = Box::new(make);
    let others =
        legs.into_iter().map(|mut leg| -> Runner<'a, B, E> { Box::new(move |block| leg(block).map(|()| true)) });
    let mut places: Vec<Place<'a, B, E>> = std::iter::once(first)
        .chain(others)
        .map(|runner| Place { runner: Some(runner), waiting: VecDeque::new() })
        .collect();
    let threads = threads.min(places.len());
    places[0].waiting.extend((0..on_the_way(threads)).map(|_| (0, empty())));
    let track = Track { state: Mutex::new(State::new(places)), changed: Condvar::new(), allowed: &allowed };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| track.work())).collect();
        track.work();
        others.into_iter().for_each(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
    });
    let state = track.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.end.and_then(|(_, error)| error).map_or(Ok(()), Err)
}

/// A leg, and the maker before them, which alone may say that there is no block.
type Runner<'a, B, E> = Box<dyn FnMut(&mut B) -> Result<bool, E> + Send + 'a>;

/// A runner and the blocks that have come to it. Behind the last place lies the first: blocks go round.
struct Place<'a, B, E> {
    /// `None` while it runs.
    runner: Option<Runner<'a, B, E>>,
    /// Each with its number; without meaning before the maker, who gives them theirs.
    waiting: VecDeque<(u64, B)>,
}

struct State<'a, B, E> {
    places: Vec<Place<'a, B, E>>,
    /// Blocks made or being made.
    begun: u64,
    /// Of these, blocks that have not come round.
    under_way: usize,
    /// The first block that is not, and the error that is to blame, if one is.
    end: Option<(u64, Option<E>)>,
    /// Threads whose turn it is.
    working: usize,
    /// Threads with nothing to do, or not allowed to.
    idle: usize,
    /// A runner panicked: everyone goes home.
    fallen: bool,
}

/// What a thread does next: whose turn it is with which block.
struct Turn<'a, B, E> {
    place: usize,
    runner: Runner<'a, B, E>,
    number: u64,
    block: B,
}

impl<'a, B, E> State<'a, B, E> {
    fn new(places: Vec<Place<'a, B, E>>) -> Self {
        Self { places, begun: 0, under_way: 0, end: None, working: 0, idle: 0, fallen: false }
    }

    fn is_over(&self) -> bool {
        self.fallen || self.end.is_some() && self.under_way == 0
    }

    /// The place nearest to the goal that has its runner and a block: what is in the cache is taken further first.
    fn ready(&self) -> Option<usize> {
        let open = if self.end.is_some() { 1 } else { 0 };
        let ready = |place: &Place<'a, B, E>| place.runner.is_some() && !place.waiting.is_empty();
        (open..self.places.len()).rev().find(|place| ready(&self.places[*place]))
    }

    fn next(&mut self) -> Option<Turn<'a, B, E>> {
        let place = self.ready()?;
        let Place { runner, waiting } = &mut self.places[place];
        let (runner, (mut number, block)) = runner.take().zip(waiting.pop_front())?;
        if place == 0 {
            number = self.begun;
            self.begun += 1;
            self.under_way += 1;
        }
        self.working += 1;
        Some(Turn { place, runner, number, block })
    }

    fn end_turn(&mut self, turn: Turn<'a, B, E>, outcome: Result<bool, E>) {
        let Turn { place, runner, number, block } = turn;
        self.working -= 1;
        self.places[place].runner = Some(runner);
        let next = (place + 1) % self.places.len();
        let goes_on = matches!(outcome, Ok(true)) && self.is_run(number);
        if !goes_on || next == 0 {
            self.under_way -= 1;
        }
        if goes_on {
            self.places[next].waiting.push_back((number, block));
        } else if self.is_run(number) {
            self.end = Some((number, outcome.err()));
            // Those behind it would never have been.
            let places = &mut self.places[1..];
            let before: usize = places.iter().map(|place| place.waiting.len()).sum();
            places.iter_mut().for_each(|place| place.waiting.retain(|(behind, _)| *behind < number));
            self.under_way -= before - places.iter().map(|place| place.waiting.len()).sum::<usize>();
        }
    }

    /// Whether a block is one of those before the end.
    fn is_run(&self, number: u64) -> bool {
        self.end.as_ref().is_none_or(|(end, _)| number < *end)
    }
}

struct Track<'t, 'a, B, E> {
    state: Mutex<State<'a, B, E>>,
    changed: Condvar,
    allowed: &'t (dyn Fn() -> usize + Sync),
}

impl<'a, B, E> Track<'_, 'a, B, E> {
    fn lock(&self) -> MutexGuard<'_, State<'a, B, E>> {
        // Nothing that runs under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes turns until all blocks have come round.
    fn work(&self) {
        let _alarm = Alarm { track: self };
        let mut state = self.lock();
        while !state.is_over() {
            // Whoever works is allowed to, and calls the others when that changes: one thread always is.
            let allowed = (self.allowed)().max(1);
            let next = if state.working < allowed { state.next() } else { None };
            let Some(mut turn) = next else {
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            if state.idle > 0 && state.working < allowed && state.ready().is_some() {
                self.changed.notify_one();
            }
            drop(state);
            let outcome = (turn.runner)(&mut turn.block);
            state = self.lock();
            state.end_turn(turn, outcome);
        }
        self.changed.notify_all();
    }
}

/// Sends the others home where a runner panics: its block would never come round.
struct Alarm<'l, 't, 'a, B, E> {
    track: &'l Track<'t, 'a, B, E>,
}

impl<B, E> Drop for Alarm<'_, '_, '_, B, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.track.lock().fallen = true;
            self.track.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    type Seen = Vec<Vec<u64>>;

    /// Runs `blocks` blocks through three legs, each of which adds its number to what it sees; `fails_at` says which block
    /// fails where: 0 is the maker.
    fn run(threads: usize, blocks: u64, fails_at: &'static [(usize, u64)]) -> (Result<(), String>, Seen) {
        run_allowed(threads, || usize::MAX, blocks, fails_at)
    }

    fn run_allowed(
        threads: usize,
        allowed: impl Fn() -> usize + Sync,
        blocks: u64,
        fails_at: &'static [(usize, u64)],
    ) -> (Result<(), String>, Seen) {
        let fails = |place: usize, number: u64| match fails_at.contains(&(place, number)) {
            true => Err(format!("{number} at {place}")),
            false => Ok(()),
        };
        let mut seen: Seen = vec![Vec::new(); 3];
        let mut made = 0;
        let make = |block: &mut (u64, u64)| {
            fails(0, made)?;
            *block = (made, 0);
            made += 1;
            Ok(made <= blocks)
        };
        let legs = seen.iter_mut().enumerate().map(|(leg, seen)| -> Leg<'_, (u64, u64), String> {
            Box::new(move |block| {
                fails(leg + 1, block.0)?;
                assert_eq!(block.1, leg as u64, "each leg takes over from the one before");
                block.1 += 1;
                // One leg takes longer than the others, and not always the same.
                let busy = if block.0 / 50 % 3 == leg as u64 { 2000 } else { 0 };
                std::hint::black_box((0..busy).fold(0_u64, |sum, n| sum.wrapping_mul(3) + n));
                seen.push(block.0);
                Ok(())
            })
        });
        let result = relay(threads, allowed, || (0, 0), make, legs.collect());
        (result, seen)
    }

    #[test]
    fn every_leg_sees_every_block_once_and_in_order_on_any_number_of_threads() {
        for threads in [1, 2, 3, 4, 16] {
            for blocks in [0, 1, 5, 1000] {
                let (result, seen) = run(threads, blocks, &[]);
                assert_eq!(result, Ok(()));
                let expected: Vec<u64> = (0..blocks).collect();
                assert!(seen.iter().all(|seen| *seen == expected), "{threads} threads, {blocks} blocks");
            }
        }
    }

    #[test]
    fn no_more_threads_work_than_are_allowed_however_that_changes() {
        // By the count of the questions: 1, then up to 4, then 1 again, and so on; 0 counts as 1.
        let asked = AtomicUsize::new(0);
        let allowed = || [1, 4, 0, 2][asked.fetch_add(1, Ordering::Relaxed) / 100 % 4];
        let (result, seen) = run_allowed(4, allowed, 1000, &[]);
        assert_eq!(result, Ok(()));
        assert!(seen.iter().all(|seen| *seen == (0..1000).collect::<Vec<_>>()));

        // Allowed but one of four, no two are ever at work at the same time.
        let (working, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut made = 0;
        let make = |_: &mut u32| {
            made += 1;
            Ok::<_, ()>(made < 500)
        };
        let legs = (0..3).map(|_| -> Leg<'_, u32, ()> {
            Box::new(|_| {
                most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                working.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        });
        relay(4, || 1, || 0, make, legs.collect()).unwrap();
        assert_eq!(most.into_inner(), 1);
    }

    #[test]
    fn the_error_is_that_of_the_earliest_block_wherever_it_fails() {
        let cases: [(&'static [(usize, u64)], &str); 4] = [
            (&[(0, 300)], "300 at 0"),
            (&[(3, 300)], "300 at 3"),
            (&[(0, 303), (1, 302), (2, 301), (3, 300)], "300 at 3"),
            (&[(0, 300), (3, 301)], "300 at 0"),
        ];
        for (fails_at, expected) in cases {
            for threads in [1, 2, 4] {
                let (result, seen) = run(threads, 1000, fails_at);
                assert_eq!(result, Err(expected.to_owned()), "{threads} threads");
                assert_eq!(seen[2], (0..300).collect::<Vec<_>>(), "{threads} threads: those before have come home");
            }
        }
    }

    #[test]
    fn a_panic_of_a_leg_goes_on_in_the_caller_and_keeps_nobody_waiting() {
        for threads in [1, 2, 4] {
            let fall: Leg<'_, u32, ()> = Box::new(|_| panic!("fallen"));
            let make = |_: &mut u32| Ok(true);
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                relay(threads, || usize::MAX, || 0, make, vec![fall])
            }));
            assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"fallen"));
        }
    }
}
