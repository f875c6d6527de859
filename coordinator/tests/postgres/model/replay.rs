//! The model beside the queue: random walks through the model, each step done to PostgreSQL by the real operations too,
//! alone or two at once, and the rows and answers compared after each. Of two at once the rows must be what one of the
//! two orders gives.

use std::collections::{BTreeMap, BTreeSet};

use mixdown_coordinator::queue::cancel::cancel;
use mixdown_coordinator::queue::claim::{Claim, claim};
use mixdown_coordinator::queue::expire::expire;
use mixdown_coordinator::queue::heartbeat::{Heartbeat, Progress, heartbeat};
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::retry_job::retry_job;
use mixdown_coordinator::queue::settle::{Outcome, Settled, Settlement, Success, settle};
use mixdown_coordinator::queue::workers::relinquish;
use mixdown_coordinator::state::{Failure, FailureKind, JobState};
use mixdown_dsp::plan::Plan;
use uuid::Uuid;

use super::farm::{Action, Call, Farm, Result, State};
use super::rows::Rows;
use crate::support::farm::LEASE;
use crate::support::{self, key, submission, two_stems_one_mix};

const STEPS: usize = 40;
/// More than steps: the walk decides how often something goes wrong.
const MISHAPS: u8 = u8::MAX;
const TASKS: [&str; 3] = ["vox", "bass", "master"];

/// What a call was told, as far as the model foretells it.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    Claimed(Option<usize>),
    Settled(Settled),
    Stopped(BTreeSet<(usize, usize)>),
}

/// A task's rows: state, failures, losses, whether its artifact is recorded; worker and outcome of every attempt; attempt
/// of the lease and whether it has run out.
#[derive(Debug, PartialEq, Eq)]
struct TaskSeen {
    state: String,
    counts: (i32, i32),
    stored: bool,
    attempts: Vec<(usize, String)>,
    lease: Option<(i32, bool)>,
}

/// The model and the database.
struct Twins {
    model: Farm,
    state: State,
    real: support::Farm,
    tasks: Vec<Uuid>,
    jobs: Vec<Uuid>,
    workers: Vec<Uuid>,
    /// The Lease call that gave each attempt of each task out.
    lease_calls: BTreeMap<(usize, usize), Uuid>,
    settle_calls: BTreeMap<Call, Uuid>,
    /// What was done so far.
    trace: Vec<Vec<Action>>,
}

impl Twins {
    async fn new(model: Farm, real: support::Farm) -> Self {
        let clean = "truncate project, token, worker cascade";
        sqlx::query(clean).execute(&real.pool).await.unwrap();
        sqlx::query("insert into project (project_id) values ('default')").execute(&real.pool).await.unwrap();
        let whole = real.submit(&submission("default"), two_stems_one_mix()).await;
        let mut stem = submission("default");
        stem.deliverables.clear();
        let stem = real.submit(&stem, Plan { tasks: Vec::new(), cached: vec![(key("vox"), "vox".into())] }).await;
        let mut workers = Vec::new();
        for _ in 0..model.workers {
            workers.push(real.worker(1).await);
        }
        let tasks = "select task_id from task order by array_position($1, display_name)";
        let tasks = sqlx::query_scalar(tasks).bind(TASKS.as_slice()).fetch_all(&real.pool).await.unwrap();
        let (lease_calls, settle_calls) = (BTreeMap::new(), BTreeMap::new());
        let state = model.begin();
        Self {
            model,
            state,
            real,
            tasks,
            jobs: vec![whole, stem],
            workers,
            lease_calls,
            settle_calls,
            trace: Vec::new(),
        }
    }

    fn request() -> Request {
        Request::new(Uuid::new_v4(), "test", &[])
    }

    async fn claim(&self, worker: usize, call: Uuid) -> Vec<(usize, usize)> {
        let claimed = claim(&self.real.pool, self.workers[worker], 1, call, LEASE).await.unwrap();
        let Claim::Assigned(assigned) = claimed else { panic!("{claimed:?}") };
        let place = |task_id| self.tasks.iter().position(|known| *known == task_id).unwrap();
        assigned.iter().map(|given| (place(given.task_id), given.attempt as usize)).collect()
    }

    /// Does an action to the database.
    async fn really(&self, action: Action, call_id: Uuid) -> Answer {
        let pool = &self.real.pool;
        match action {
            Action::Claim { worker, .. } => {
                Answer::Claimed(self.claim(worker, call_id).await.first().map(|(task, _)| *task))
            }
            Action::Hear { worker, task, attempt } => {
                // Asked again: given again, as long as it is held.
                let again = self.claim(worker, self.lease_calls[&(task, attempt)]).await;
                let held = self.state.rows.holder(task, attempt) == Some(worker);
                assert_eq!(again, if held { vec![(task, attempt)] } else { Vec::new() }, "a repeated Lease call");
                Answer::Nothing
            }
            Action::Beat { worker } => {
                let progress = |(task, attempt): &(usize, usize)| Progress {
                    task_id: self.tasks[*task],
                    attempt: *attempt as i32,
                    progress: 0.5,
                };
                let leases: Vec<Progress> = self.state.believes[worker].iter().map(progress).collect();
                let heard = heartbeat(pool, self.workers[worker], &leases, LEASE).await.unwrap();
                let Heartbeat::Heard { stop, .. } = heard else { panic!("{heard:?}") };
                let place = |task_id| self.tasks.iter().position(|known| *known == task_id).unwrap();
                Answer::Stopped(stop.into_iter().map(|(task, attempt)| (place(task), attempt as usize)).collect())
            }
            Action::Deliver(call) => Answer::Settled(self.settle(call).await),
            Action::Lapse { task } => {
                let lapse = "update lease set expire_time = now() - interval '1 second' where task_id = $1";
                sqlx::query(lapse).bind(self.tasks[task]).execute(pool).await.unwrap();
                Answer::Nothing
            }
            Action::Expire => {
                expire(pool).await.unwrap();
                Answer::Nothing
            }
            Action::Relinquish { worker, task, attempt } => {
                let lease = [(self.tasks[task], attempt as i32)];
                relinquish(pool, self.workers[worker], &lease).await.unwrap();
                Answer::Nothing
            }
            Action::Restart { worker } => {
                self.real.register(self.workers[worker], 1, &[("gain", 1)]).await;
                Answer::Nothing
            }
            Action::Cancel { job } => {
                cancel(pool, "default", self.jobs[job], &Self::request()).await.unwrap();
                Answer::Nothing
            }
            Action::Retry { job } => {
                retry_job(pool, "default", self.jobs[job], &Self::request()).await.unwrap();
                Answer::Nothing
            }
            Action::Send(_) => Answer::Nothing,
            Action::SecondHalf(_) => unreachable!("because the real queue has no halves"),
        }
    }

    async fn settle(&self, call: Call) -> Settled {
        let failed = |kind| Outcome::Failure(Failure { kind, message: "it broke".into() });
        let outcome = match call.result {
            Result::Made => {
                let artifacts = self.real.make("default", self.tasks[call.task]).await;
                Outcome::Success(Success { artifacts, ..Success::default() })
            }
            Result::Passing => failed(FailureKind::Storage),
            Result::Lasting => failed(FailureKind::BadMedia),
        };
        let settlement = Settlement {
            worker_id: self.workers[call.worker],
            task_id: self.tasks[call.task],
            attempt: call.attempt as i32,
            request_id: self.settle_calls[&call],
            outcome,
        };
        settle(&self.real.pool, &self.real.store, &settlement).await.unwrap()
    }

    /// What the model makes of an action that was answered so; none when it could not have been.
    fn foretold(&self, state: &State, action: Action, answer: &Answer) -> Option<State> {
        let action = match (action, answer) {
            (Action::Claim { worker, .. }, Answer::Claimed(claimed)) => {
                let possible = self.model.possible(state);
                let claims = |task| possible.contains(&Action::Claim { worker, task });
                match claimed {
                    Some(task) if claims(*task) => Action::Claim { worker, task: *task },
                    None if !(0..TASKS.len()).any(claims) => return Some(state.clone()),
                    _ => return None,
                }
            }
            (action, _) => action,
        };
        let next = self.model.after(state, action);
        let expected = match action {
            Action::Deliver(call) if next.accepted.contains(&call) => Answer::Settled(Settled::Accepted),
            Action::Deliver(_) => Answer::Settled(Settled::LeaseLost),
            Action::Beat { worker } => {
                Answer::Stopped(state.believes[worker].difference(&next.believes[worker]).copied().collect())
            }
            _ => return Some(next),
        };
        (expected == *answer).then_some(next)
    }

    /// The state after a claim and a cancel at once, where the claimed attempt had ended when the claim's answer was put together:
    /// it tells of nothing.
    fn cancelled_before_told(
        &self,
        actions: &[Action],
        answers: &[Answer],
        found: &(Vec<TaskSeen>, Vec<String>),
    ) -> Option<State> {
        let claimed = |index: &usize| matches!(answers[*index], Answer::Claimed(None));
        let claim = (0..actions.len()).find(claimed)?;
        let cancel = (0..actions.len()).find(|index| matches!(actions[*index], Action::Cancel { .. }))?;
        let Action::Claim { worker, .. } = actions[claim] else { return None };
        let claims = self.model.possible(&self.state).into_iter();
        claims
            .filter(|action| matches!(action, Action::Claim { worker: claimant, .. } if *claimant == worker))
            .find_map(|action| {
                let after = self.model.after(&self.model.after(&self.state, action), actions[cancel]);
                (self.expected(&after.rows) == *found).then_some(after)
            })
    }

    /// Does one action, or two at once, and compares.
    async fn step(&mut self, actions: &[Action]) {
        for action in actions {
            if let Action::Send(call) = action {
                self.settle_calls.insert(*call, Uuid::new_v4());
            }
        }
        let ids: Vec<Uuid> = actions.iter().map(|_| Uuid::new_v4()).collect();
        let begun = actions.iter().zip(&ids).map(|(action, id)| self.really(*action, *id));
        let answers = futures::future::join_all(begun).await;
        self.real.let_delays_pass().await;
        self.real.deliver_all().await;
        let found = self.seen().await;
        let mut orders = vec![(0..actions.len()).collect::<Vec<_>>()];
        orders.push(orders[0].iter().rev().copied().collect());
        let fits = orders.into_iter().find_map(|order| {
            let foretold = order
                .into_iter()
                .try_fold(self.state.clone(), |state, index| self.foretold(&state, actions[index], &answers[index]))?;
            (self.expected(&foretold.rows) == found).then_some(foretold)
        });
        let Some(next) = fits.or_else(|| self.cancelled_before_told(actions, &answers, &found)) else {
            let expected = self.expected(&self.model.after(&self.state, actions[0]).rows);
            let trace = &self.trace;
            panic!("{answers:?} and\n{found:#?}\ninstead of\n{expected:#?}\nat the end of {trace:#?}");
        };
        for (action, id) in actions.iter().zip(ids) {
            let Action::Claim { worker, .. } = action else { continue };
            // The attempt that this call has begun, told or not, is the one whose answer has not arrived before.
            let begun = next.unheard.difference(&self.state.unheard).find(|(claimant, ..)| claimant == worker);
            self.lease_calls.extend(begun.map(|(_, task, attempt)| ((*task, *attempt), id)));
        }
        self.state = next;
    }

    fn expected(&self, rows: &Rows) -> (Vec<TaskSeen>, Vec<String>) {
        let tasks = rows.tasks.iter().map(|task| TaskSeen {
            state: task.state.as_str().to_owned(),
            counts: (task.failures.into(), task.losses.into()),
            stored: task.stored,
            attempts: task
                .attempts
                .iter()
                .map(|attempt| (attempt.worker, attempt.ended.map_or("-", |ended| ended.as_str()).to_owned()))
                .collect(),
            lease: task.lease.as_ref().map(|lease| (lease.attempt as i32, lease.lapsed)),
        });
        let job = |state: &JobState| match state {
            JobState::Active => "active",
            JobState::Succeeded => "succeeded",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        };
        (tasks.collect(), rows.jobs.iter().map(|state| job(state).to_owned()).collect())
    }

    async fn seen(&self) -> (Vec<TaskSeen>, Vec<String>) {
        type Row = (String, i32, i32, bool, Vec<Uuid>, Vec<String>, Option<i32>, Option<bool>);
        let rows: Vec<Row> = sqlx::query_as(
            "select task.state, failures + storage_failures, losses,
                exists (
                    select from artifact join task_output using (project_id, artifact_key)
                    where task_output.task_id = task.task_id),
                array(select attempt.worker_id from attempt where attempt.task_id = task.task_id order by attempt),
                array(select coalesce(outcome, '-') from attempt where attempt.task_id = task.task_id order by attempt),
                lease.attempt, lease.expire_time <= now()
             from task left join lease using (project_id, task_id)
             order by array_position($1, task.task_id)",
        )
        .bind(&self.tasks)
        .fetch_all(&self.real.pool)
        .await
        .unwrap();
        let place = |worker_id: Uuid| self.workers.iter().position(|known| *known == worker_id).unwrap();
        let tasks =
            rows.into_iter().map(|(state, failures, losses, stored, workers, outcomes, attempt, lapsed)| TaskSeen {
                state,
                counts: (failures, losses),
                stored,
                attempts: workers.into_iter().map(place).zip(outcomes).collect(),
                lease: attempt.zip(lapsed),
            });
        let jobs = "select state from job order by array_position($1, job_id)";
        let jobs = sqlx::query_scalar(jobs).bind(&self.jobs).fetch_all(&self.real.pool).await.unwrap();
        (tasks.collect(), jobs)
    }
}

/// The worker at the other end of a call that carries what the worker believes.
fn caller(action: Action) -> Option<usize> {
    match action {
        Action::Claim { worker, .. }
        | Action::Beat { worker }
        | Action::Relinquish { worker, .. }
        | Action::Restart { worker } => Some(worker),
        Action::Deliver(call) => Some(call.worker),
        _ => None,
    }
}

/// Whether two actions may be under way at the same time: calls, of different workers.
fn side_by_side(one: Action, other: Action) -> bool {
    let is_call = |action| !matches!(action, Action::Send(_) | Action::Hear { .. } | Action::Lapse { .. });
    let repeated = one == other && matches!(one, Action::Deliver(_) | Action::Expire);
    is_call(one)
        && is_call(other)
        && (repeated || one != other && (caller(one).is_none() || caller(one) != caller(other)))
}

/// What an action is, for counting.
fn kind(action: Action) -> String {
    let text = format!("{action:?}");
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// The next action: usually one that brings the work on, or a lease to its end, else anything.
fn choose(random: &mut fastrand::Rng, twins: &Twins) -> Action {
    let possible = twins.model.possible(&twins.state);
    let brings_on = |action: &&Action| match action {
        Action::Claim { .. } | Action::Hear { .. } | Action::Lapse { .. } => true,
        Action::Send(call) => call.result == Result::Made,
        Action::Deliver(call) => !twins.state.calls[call],
        _ => false,
    };
    let work: Vec<&Action> = possible.iter().filter(brings_on).collect();
    match work.len() {
        0 => possible[random.usize(..possible.len())],
        _ if random.u8(..10) < 3 => possible[random.usize(..possible.len())],
        most => *work[random.usize(..most)],
    }
}

async fn walk(seed: u64, real: support::Farm, seen: &mut BTreeMap<String, usize>) -> support::Farm {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut twins = Twins::new(Farm { mishaps: MISHAPS, ..super::farm(0, None) }, real).await;
    for _ in 0..STEPS {
        let one = choose(&mut random, &twins);
        let possible = twins.model.possible(&twins.state);
        let other = possible[random.usize(..possible.len())];
        let together = side_by_side(one, other) && random.bool();
        let actions = if together { vec![one, other] } else { vec![one] };
        twins.trace.push(actions.clone());
        twins.step(&actions).await;
        actions.into_iter().for_each(|action| *seen.entry(kind(action)).or_default() += 1);
        *seen.entry("two at once".into()).or_default() += usize::from(together);
    }
    let done = twins.state.rows.jobs.iter().filter(|job| **job == JobState::Succeeded).count();
    *seen.entry("jobs that succeeded".into()).or_default() += done;
    twins.real
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_on_postgresql_does_what_the_model_does_also_two_calls_at_once() {
    let walks = std::env::var("MIXDOWN_LONG").ok().and_then(|times| times.parse().ok()).unwrap_or(1) * 20;
    let mut real = support::Farm::new().await;
    let mut seen = BTreeMap::new();
    for seed in 0..walks {
        real = walk(seed, real, &mut seen).await;
    }
    println!("{seen:?}");
    let kinds =
        ["Claim", "Hear", "Beat", "Send", "Deliver", "Lapse", "Expire", "Relinquish", "Restart", "Cancel", "Retry"];
    for kind in kinds.into_iter().chain(["two at once", "jobs that succeeded"]) {
        assert!(seen.get(kind).is_some_and(|times| *times > 0), "no walk came past {kind}");
    }
}
