//! A farm whose network delays and repeats every call and loses every answer, whose workers stop and wake at any
//! moment: what can happen next, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};

use mixdown_coordinator::state::{JobState, TaskEvent, TaskState};

use super::rows::{Ended, Rows, Shape};

/// What a settlement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Result {
    Made,
    /// Worth another attempt.
    Passing,
    /// The same everywhere.
    Lasting,
}

/// A Settle call on its way, for ever: it may arrive again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    pub worker: usize,
    pub task: usize,
    /// From 1.
    pub attempt: usize,
    pub result: Result,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A coordinator hands a task out; the worker has not heard yet.
    Claim {
        worker: usize,
        task: usize,
    },
    /// The answer arrives, however late.
    Hear {
        worker: usize,
        task: usize,
        attempt: usize,
    },
    /// A heartbeat with everything that the worker believes to hold.
    Beat {
        worker: usize,
    },
    /// The worker has finished and sends its settlement.
    Send(Call),
    /// A settlement arrives, perhaps again.
    Deliver(Call),
    /// The time of a lease runs out.
    Lapse {
        task: usize,
    },
    /// A coordinator takes away what ran out.
    Expire,
    Relinquish {
        worker: usize,
        task: usize,
        attempt: usize,
    },
    /// A worker dies, forgets everything and registers again.
    Restart {
        worker: usize,
    },
    Cancel {
        job: usize,
    },
    Retry {
        job: usize,
    },
    /// The second half of what a flawed queue does in two transactions.
    SecondHalf(usize),
}

/// How the queue is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A settlement counts for a running task whatever attempt it names.
    NoFence,
    /// Expiry looks for leases that ran out, and later ends whatever attempt then runs.
    ExpiryIgnoresTheAttempt,
    /// A settlement ends the attempt in one transaction and moves the task in the next.
    SettleOutsideItsTransaction,
    /// Two settlements may run side by side, each blind to the other.
    SettleWithoutTheQueueLock,
}

/// What a flawed queue has yet to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Half {
    Expire(Vec<usize>),
    Settle { task: usize, seen: Box<Rows> },
}

/// The whole farm at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub rows: Rows,
    /// By worker: what it believes to hold.
    pub believes: Vec<BTreeSet<(usize, usize)>>,
    /// Handed out, and not heard of yet by the worker.
    pub unheard: BTreeSet<(usize, usize, usize)>,
    /// Settlements sent, with whether each has arrived.
    pub calls: BTreeMap<Call, bool>,
    /// Settlements that were told that they count.
    pub accepted: BTreeSet<Call>,
    /// An attempt was taken from a worker whose lease had not run out.
    pub robbed: bool,
    pub halves: Vec<Half>,
    /// How often something may still go wrong.
    pub mishaps: u8,
}

/// A farm of a shape, with so many workers of one slot.
#[derive(Debug, Clone)]
pub struct Farm {
    pub shape: Shape,
    pub workers: usize,
    /// How often something may go wrong, so that there is an end to it.
    pub mishaps: u8,
    pub flaw: Option<Flaw>,
}

impl Farm {
    pub fn begin(&self) -> State {
        State {
            rows: Rows::new(&self.shape),
            believes: vec![BTreeSet::new(); self.workers],
            unheard: BTreeSet::new(),
            calls: BTreeMap::new(),
            accepted: BTreeSet::new(),
            robbed: false,
            halves: Vec::new(),
            mishaps: self.mishaps,
        }
    }

    /// Everything that may happen next.
    pub fn possible(&self, state: &State) -> Vec<Action> {
        let mut actions = Vec::new();
        for worker in 0..self.workers {
            let tasks = state.rows.tasks.iter().enumerate();
            let ready = tasks.filter(|(_, row)| row.state == TaskState::Ready).map(|(task, _)| task);
            if state.rows.open_attempts(worker) == 0 {
                actions.extend(ready.map(|task| Action::Claim { worker, task }));
            }
            actions.push(Action::Beat { worker });
            actions.push(Action::Restart { worker });
            for (task, attempt) in state.believes[worker].iter().copied() {
                actions.push(Action::Relinquish { worker, task, attempt });
                let sent = |call: &Call| (call.worker, call.task, call.attempt) == (worker, task, attempt);
                if !state.calls.keys().any(sent) {
                    let results = [Result::Made, Result::Passing, Result::Lasting];
                    actions.extend(results.map(|result| Action::Send(Call { worker, task, attempt, result })));
                }
            }
        }
        let unheard = state.unheard.iter().copied();
        actions.extend(unheard.map(|(worker, task, attempt)| Action::Hear { worker, task, attempt }));
        actions.extend(state.calls.keys().map(|call| Action::Deliver(*call)));
        let live = |task: &usize| state.rows.tasks[*task].lease.as_ref().is_some_and(|lease| !lease.lapsed);
        actions.extend((0..state.rows.tasks.len()).filter(live).map(|task| Action::Lapse { task }));
        actions.push(Action::Expire);
        for (job, job_state) in state.rows.jobs.iter().enumerate() {
            match job_state {
                JobState::Active => actions.push(Action::Cancel { job }),
                JobState::Failed | JobState::Cancelled => actions.push(Action::Retry { job }),
                JobState::Succeeded => {}
            }
        }
        actions.extend((0..state.halves.len()).map(Action::SecondHalf));
        actions.retain(|action| state.mishaps > 0 || !self.goes_wrong(state, *action));
        actions
    }

    /// Whether an action is one of those that are counted.
    fn goes_wrong(&self, state: &State, action: Action) -> bool {
        match action {
            Action::Claim { .. }
            | Action::Hear { .. }
            | Action::Beat { .. }
            | Action::Expire
            | Action::SecondHalf(_) => false,
            Action::Send(call) => call.result != Result::Made,
            // Twice.
            Action::Deliver(call) => state.calls[&call],
            Action::Lapse { .. }
            | Action::Relinquish { .. }
            | Action::Restart { .. }
            | Action::Cancel { .. }
            | Action::Retry { .. } => true,
        }
    }

    /// What comes of it.
    pub fn after(&self, state: &State, action: Action) -> State {
        let mut next = state.clone();
        next.mishaps -= u8::from(self.goes_wrong(state, action));
        match action {
            Action::Claim { worker, task } => {
                next.rows.claim(task, worker);
                next.unheard.insert((worker, task, next.rows.tasks[task].attempts.len()));
            }
            Action::Hear { worker, task, attempt } => {
                next.unheard.remove(&(worker, task, attempt));
                next.believes[worker].insert((task, attempt));
            }
            Action::Beat { worker } => self.beat(&mut next, worker),
            Action::Send(call) => drop(next.calls.insert(call, false)),
            Action::Deliver(call) => self.deliver(&mut next, call),
            Action::Lapse { task } => {
                next.rows.tasks[task].lease.iter_mut().for_each(|lease| lease.lapsed = true);
            }
            Action::Expire if self.flaw == Some(Flaw::ExpiryIgnoresTheAttempt) => {
                next.halves.push(Half::Expire(next.rows.lapsed()));
            }
            Action::Expire => {
                for task in next.rows.lapsed() {
                    next.rows.try_again(task, Ended::WorkerLost);
                }
            }
            Action::Relinquish { worker, task, attempt } => {
                next.believes[worker].remove(&(task, attempt));
                if next.rows.holder(task, attempt) == Some(worker) {
                    next.rows.try_again(task, Ended::Relinquished);
                }
            }
            Action::Restart { worker } => {
                next.believes[worker].clear();
                next.unheard.retain(|(of, ..)| *of != worker);
                next.rows.restart(worker);
            }
            Action::Cancel { job } => {
                next.rows.cancel(&self.shape, job);
            }
            Action::Retry { job } => {
                next.rows.retry(&self.shape, job);
            }
            Action::SecondHalf(index) => {
                let half = next.halves.remove(index);
                self.finish(&mut next, half);
            }
        }
        next
    }

    fn beat(&self, next: &mut State, worker: usize) {
        let State { rows, believes, .. } = next;
        believes[worker].retain(|(task, attempt)| {
            let held = rows.holder(*task, *attempt) == Some(worker);
            if held {
                rows.tasks[*task].lease.iter_mut().for_each(|lease| lease.lapsed = false);
            }
            held
        });
    }

    fn deliver(&self, next: &mut State, call: Call) {
        let Call { worker, task, attempt, result } = call;
        next.calls.insert(call, true);
        // Whatever the answer, the worker is done with it.
        next.believes[worker].remove(&(task, attempt));
        let holds = match self.flaw {
            Some(Flaw::NoFence) => next.rows.tasks[task].state == TaskState::Running,
            _ => next.rows.holder(task, attempt) == Some(worker),
        };
        if !holds {
            return;
        }
        next.accepted.insert(call);
        match (result, self.flaw) {
            (Result::Made, Some(Flaw::SettleOutsideItsTransaction)) => {
                next.rows.end(task, Ended::Succeeded);
                next.halves.push(Half::Settle { task, seen: Box::new(next.rows.clone()) });
            }
            (Result::Made, Some(Flaw::SettleWithoutTheQueueLock)) => {
                next.halves.push(Half::Settle { task, seen: Box::new(next.rows.clone()) });
            }
            (Result::Made, _) => next.rows.succeed(&self.shape, task),
            (Result::Passing, _) => next.rows.try_again(task, Ended::Failed),
            (Result::Lasting, _) => next.rows.fail_for_good(&self.shape, task),
        }
    }

    fn finish(&self, next: &mut State, half: Half) {
        match half {
            Half::Expire(tasks) => {
                for task in tasks {
                    if next.rows.tasks[task].state == TaskState::Running {
                        next.robbed |= next.rows.tasks[task].lease.as_ref().is_some_and(|lease| !lease.lapsed);
                        next.rows.try_again(task, Ended::WorkerLost);
                    }
                }
            }
            Half::Settle { task, .. } if next.rows.tasks[task].state != TaskState::Running => {}
            Half::Settle { task, .. } if self.flaw == Some(Flaw::SettleOutsideItsTransaction) => {
                next.rows.succeed(&self.shape, task);
            }
            Half::Settle { task, mut seen } => {
                next.rows.end(task, Ended::Succeeded);
                next.rows.tasks[task].stored = true;
                let moved = next.rows.tasks[task].state.after(TaskEvent::Succeeded);
                next.rows.tasks[task].state = moved.expect("because it runs");
                // It sees its own writes, and of others what was there when it began.
                seen.tasks[task] = next.rows.tasks[task].clone();
                next.rows.unblock(&self.shape, &seen);
                let waiting = next.rows.active_jobs_waiting_for(&self.shape, task);
                next.rows.finish_jobs(&self.shape, &waiting);
            }
        }
    }

    /// What becomes of the farm when nothing more goes wrong: every lease runs out, then one worker does all there is.
    pub fn calmed(&self, state: &State) -> State {
        let mut calm = state.clone();
        while let Some(half) = calm.halves.pop() {
            self.finish(&mut calm, half);
        }
        for task in 0..calm.rows.tasks.len() {
            if calm.rows.tasks[task].lease.is_some() {
                calm.rows.try_again(task, Ended::WorkerLost);
            }
        }
        let ready = |rows: &Rows| rows.tasks.iter().position(|task| task.state == TaskState::Ready);
        while let Some(task) = ready(&calm.rows) {
            calm.rows.claim(task, 0);
            calm.rows.succeed(&self.shape, task);
        }
        calm
    }
}
