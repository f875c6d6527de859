//! Independent work on several threads.

use std::sync::{Mutex, PoisonError};

/// Runs every job on up to `threads` threads, taken in order. Returns the error of the earliest job that failed; jobs
/// after a failed one may not have run. A panic of a job goes on in the caller.
///
/// # Errors
/// What the jobs fail with.
pub fn in_parallel<J: Send, E: Send>(
    threads: usize,
    jobs: Vec<J>,
    run: impl Fn(J) -> Result<(), E> + Sync,
) -> Result<(), E> {
    if threads <= 1 || jobs.len() <= 1 {
        return jobs.into_iter().try_for_each(run);
    }
    let threads = threads.min(jobs.len());
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let failure: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let work = || {
        loop {
            // A poisoned lock only says that another thread panicked; the scope passes that on.
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, job)) = next else { return };
            if let Err(error) = run(job) {
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                if failure.as_ref().is_none_or(|(earliest, _)| index < *earliest) {
                    *failure = Some((index, error));
                }
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}
