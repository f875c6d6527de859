//! A model of claim, heartbeat, settle, expire, cancel, retry: every interleaving of a small farm's calls is walked
//! through, and the rules below hold in every state. Broken on purpose, it breaks them. That the model is the queue is
//! held by [`replay`], which walks it side by side with the real operations on PostgreSQL and compares the rows.

mod farm;
mod replay;
mod rows;

use mixdown_coordinator::state::{JobState, TaskState};
use stateright::{Checker as _, HasDiscoveries, Model, Property};

use farm::{Action, Farm, Flaw, Result, State};
use rows::{Ended, Shape};

impl Model for Farm {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.begin()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.possible(state));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.after(state, action)).filter(|next| next != state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(EVERY_STEP_IS_IN_THE_TABLE, |_, state: &State| !state.rows.illegal),
            Property::always(RUNNING_HAS_ONE_LEASE, |_, state: &State| {
                state.rows.tasks.iter().all(running_has_one_lease)
            }),
            Property::always(ONE_ACCEPTED_ATTEMPT, |_, state: &State| {
                state.rows.tasks.iter().all(one_accepted_attempt)
            }),
            Property::always(TOLD_IS_TRUE, |_, state: &State| told_is_true(state)),
            Property::always(NOBODY_IS_ROBBED, |_, state: &State| !state.robbed),
            Property::always(READY_WAITS_FOR_NOTHING, ready_waits_for_nothing),
            Property::always(JOBS_END_WITH_THEIR_TASKS, jobs_end_with_their_tasks),
            Property::always(CALM_ENDS_EVERYTHING, |farm: &Farm, state: &State| {
                farm.calmed(state).rows.jobs.iter().all(|job| *job != JobState::Active)
            }),
            Property::sometimes("a stale worker settles in vain", |_, state: &State| {
                state.calls.iter().any(|(call, arrived)| *arrived && !state.accepted.contains(call))
            }),
            Property::sometimes("every job succeeds after a loss", |_, state: &State| {
                state.rows.jobs.iter().all(|job| *job == JobState::Succeeded)
                    && state.rows.tasks.iter().any(|task| task.losses > 0)
            }),
        ]
    }
}

const EVERY_STEP_IS_IN_THE_TABLE: &str = "every step of a task is in the table of states";
const RUNNING_HAS_ONE_LEASE: &str =
    "a running task has one open attempt, the newest, and its lease; no other task has either";
const ONE_ACCEPTED_ATTEMPT: &str = "a task has succeeded if and only if its newest attempt has, and no other has";
const TOLD_IS_TRUE: &str = "a settlement that was told that it counts has ended its own attempt as it said";
const NOBODY_IS_ROBBED: &str = "no attempt is taken away before its lease has run out";
const READY_WAITS_FOR_NOTHING: &str = "a ready task waits for nothing, a blocked one for something";
const JOBS_END_WITH_THEIR_TASKS: &str =
    "a job has succeeded if and only if all its tasks have; an active one wants them";
const CALM_ENDS_EVERYTHING: &str = "once nothing more goes wrong, every job ends";

fn running_has_one_lease(task: &rows::Task) -> bool {
    let newest = task.attempts.len();
    let open: Vec<usize> = (1..=newest).filter(|attempt| task.attempts[attempt - 1].ended.is_none()).collect();
    let lease = task.lease.as_ref().map(|lease| lease.attempt);
    match task.state {
        TaskState::Running => open == [newest] && lease == Some(newest),
        _ => open.is_empty() && lease.is_none(),
    }
}

fn one_accepted_attempt(task: &rows::Task) -> bool {
    let succeeded = |attempt: &&rows::Attempt| attempt.ended == Some(Ended::Succeeded);
    let accepted = task.attempts.iter().filter(succeeded).count();
    let done = task.state == TaskState::Succeeded;
    accepted == usize::from(done) && task.stored == done && task.attempts.last().filter(succeeded).is_some() == done
}

fn told_is_true(state: &State) -> bool {
    state.accepted.iter().all(|call| {
        let attempt = &state.rows.tasks[call.task].attempts[call.attempt - 1];
        // One that is being ended in two halves has not ended yet.
        let ended = if call.result == Result::Made { Ended::Succeeded } else { Ended::Failed };
        attempt.worker == call.worker && attempt.ended.is_none_or(|found| found == ended)
    })
}

fn ready_waits_for_nothing(farm: &Farm, state: &State) -> bool {
    state.rows.tasks.iter().zip(&farm.shape.after).all(|(task, after)| {
        let free = after.iter().all(|on| state.rows.tasks[*on].state == TaskState::Succeeded);
        match task.state {
            TaskState::Ready | TaskState::Running | TaskState::Succeeded => free,
            TaskState::Blocked => !free,
            TaskState::Failed | TaskState::Cancelled => true,
        }
    })
}

fn jobs_end_with_their_tasks(farm: &Farm, state: &State) -> bool {
    state.rows.jobs.iter().zip(&farm.shape.jobs).all(|(job, tasks)| {
        let is = |state_of: TaskState| move |task: &usize| state.rows.tasks[*task].state == state_of;
        let done = tasks.iter().all(is(TaskState::Succeeded));
        let unwanted = tasks.iter().any(is(TaskState::Failed)) || tasks.iter().any(is(TaskState::Cancelled));
        match job {
            JobState::Active => !done && !unwanted,
            JobState::Succeeded => done,
            JobState::Failed | JobState::Cancelled => true,
        }
    })
}

/// Two stems and the master of their mix; another job waits for the first stem alone.
fn shape() -> Shape {
    Shape { jobs: vec![vec![0, 1, 2], vec![0]], after: vec![vec![], vec![], vec![0, 1]] }
}

fn farm(mishaps: u8, flaw: Option<Flaw>) -> Farm {
    Farm { shape: shape(), workers: 2, mishaps, flaw }
}

/// Walks through the broken farm until it breaks the rule.
fn breaks(flaw: Flaw, rule: &'static str) {
    let broken = farm(2, Some(flaw)).checker().finish_when(HasDiscoveries::AllOf([rule].into())).spawn_bfs().join();
    broken.assert_any_discovery(rule);
}

#[test]
fn every_interleaving_of_a_small_farm_keeps_the_rules() {
    let mishaps = if std::env::var_os("MIXDOWN_LONG").is_some() { 3 } else { 2 };
    let checked = farm(mishaps, None).checker().threads(2).spawn_bfs().join();
    println!("{} states, up to {} steps deep", checked.unique_state_count(), checked.max_depth());
    checked.assert_properties();
}

#[test]
fn a_queue_without_the_fence_tells_a_stale_worker_that_it_counts() {
    breaks(Flaw::NoFence, TOLD_IS_TRUE);
}

#[test]
fn expiry_that_ignores_the_attempt_robs_a_live_worker() {
    breaks(Flaw::ExpiryIgnoresTheAttempt, NOBODY_IS_ROBBED);
}

#[test]
fn settling_outside_its_transaction_leaves_a_task_running_without_a_lease() {
    breaks(Flaw::SettleOutsideItsTransaction, RUNNING_HAS_ONE_LEASE);
}

#[test]
fn settling_without_the_queue_lock_blocks_a_task_for_ever() {
    breaks(Flaw::SettleWithoutTheQueueLock, CALM_ENDS_EVERYTHING);
}
