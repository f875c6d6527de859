//! The queue's rows, and what each operation makes of them: pure, and every step of a task is one of
//! [`TaskState::after`].

use mixdown_coordinator::state::{JobState, TaskEvent, TaskState};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    Succeeded,
    Failed,
    WorkerLost,
    Relinquished,
    Cancelled,
}

impl Ended {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::WorkerLost => "worker_lost",
            Self::Relinquished => "relinquished",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A row of `attempt`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    pub worker: usize,
    pub ended: Option<Ended>,
}

/// A row of `lease`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    pub attempt: usize,
    /// Its time has run out.
    pub lapsed: bool,
}

/// A row of `task` with what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Task {
    pub state: TaskState,
    /// In order; the last is the newest.
    pub attempts: Vec<Attempt>,
    pub lease: Option<Lease>,
    pub failures: u8,
    pub losses: u8,
    /// What it makes is recorded.
    pub stored: bool,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rows {
    pub tasks: Vec<Task>,
    pub jobs: Vec<JobState>,
    /// A step that the table of states does not know was taken.
    pub illegal: bool,
}

/// What never changes: which tasks a job waits for, and which tasks a task waits for.
#[derive(Debug, Clone)]
pub struct Shape {
    pub jobs: Vec<Vec<usize>>,
    pub after: Vec<Vec<usize>>,
}

impl Rows {
    /// Freshly submitted.
    pub fn new(shape: &Shape) -> Self {
        let task = |after: &Vec<usize>| Task {
            state: if after.is_empty() { TaskState::Ready } else { TaskState::Blocked },
            attempts: Vec::new(),
            lease: None,
            failures: 0,
            losses: 0,
            stored: false,
        };
        Self {
            tasks: shape.after.iter().map(task).collect(),
            jobs: shape.jobs.iter().map(|_| JobState::Active).collect(),
            illegal: false,
        }
    }

    fn step(&mut self, task: usize, event: TaskEvent) {
        match self.tasks[task].state.after(event) {
            Some(state) => self.tasks[task].state = state,
            None => self.illegal = true,
        }
    }

    /// The worker whose newest attempt, of this number, holds the task.
    pub fn holder(&self, task: usize, attempt: usize) -> Option<usize> {
        let task = &self.tasks[task];
        let held = task.state == TaskState::Running && task.attempts.len() == attempt;
        task.attempts.last().filter(|_| held).map(|newest| newest.worker)
    }

    /// Attempts of a worker that have not ended.
    pub fn open_attempts(&self, worker: usize) -> usize {
        let attempts = self.tasks.iter().flat_map(|task| &task.attempts);
        attempts.filter(|attempt| attempt.worker == worker && attempt.ended.is_none()).count()
    }

    pub fn claim(&mut self, task: usize, worker: usize) {
        self.step(task, TaskEvent::Claimed);
        let row = &mut self.tasks[task];
        row.attempts.push(Attempt { worker, ended: None });
        row.lease = Some(Lease { attempt: row.attempts.len(), lapsed: false });
    }

    /// Ends the newest attempt and takes its lease away.
    pub fn end(&mut self, task: usize, ended: Ended) {
        let row = &mut self.tasks[task];
        row.lease = None;
        if let Some(newest) = row.attempts.last_mut().filter(|newest| newest.ended.is_none()) {
            newest.ended = Some(ended);
        }
    }

    pub fn try_again(&mut self, task: usize, ended: Ended) {
        self.end(task, ended);
        match ended {
            Ended::WorkerLost => self.tasks[task].losses += 1,
            Ended::Failed => self.tasks[task].failures += 1,
            _ => {}
        }
        self.step(task, TaskEvent::TriedAgain);
    }

    pub fn fail_for_good(&mut self, shape: &Shape, task: usize) {
        self.end(task, Ended::Failed);
        self.tasks[task].failures += 1;
        self.step(task, TaskEvent::FailedForGood);
        let waiting = self.active_jobs_waiting_for(shape, task);
        self.stop_jobs(shape, &waiting, JobState::Failed);
    }

    pub fn succeed(&mut self, shape: &Shape, task: usize) {
        self.end(task, Ended::Succeeded);
        self.tasks[task].stored = true;
        self.step(task, TaskEvent::Succeeded);
        self.unblock(shape, &self.clone());
        let waiting = self.active_jobs_waiting_for(shape, task);
        self.finish_jobs(shape, &waiting);
    }

    /// Makes ready what waits for nothing more, as far as `seen` shows it.
    pub fn unblock(&mut self, shape: &Shape, seen: &Self) {
        for (task, after) in shape.after.iter().enumerate() {
            let free = after.iter().all(|on| seen.tasks[*on].state == TaskState::Succeeded);
            if free && seen.tasks[task].state == TaskState::Blocked {
                self.step(task, TaskEvent::Unblocked);
            }
        }
    }

    pub fn finish_jobs(&mut self, shape: &Shape, jobs: &[usize]) {
        for job in jobs {
            let done = shape.jobs[*job].iter().all(|task| self.tasks[*task].state == TaskState::Succeeded);
            if done && self.jobs[*job] == JobState::Active {
                self.jobs[*job] = JobState::Succeeded;
            }
        }
    }

    pub fn active_jobs_waiting_for(&self, shape: &Shape, task: usize) -> Vec<usize> {
        let waits = |job: &usize| self.jobs[*job] == JobState::Active && shape.jobs[*job].contains(&task);
        (0..self.jobs.len()).filter(waits).collect()
    }

    fn stop_jobs(&mut self, shape: &Shape, jobs: &[usize], state: JobState) {
        for task in 0..self.tasks.len() {
            let unfinished =
                matches!(self.tasks[task].state, TaskState::Blocked | TaskState::Ready | TaskState::Running);
            let of_these = jobs.iter().any(|job| shape.jobs[*job].contains(&task));
            let wanted = self.active_jobs_waiting_for(shape, task).iter().any(|job| !jobs.contains(job));
            if unfinished && of_these && !wanted {
                self.end(task, Ended::Cancelled);
                self.step(task, TaskEvent::Cancelled);
            }
        }
        jobs.iter().for_each(|job| self.jobs[*job] = state);
    }

    pub fn cancel(&mut self, shape: &Shape, job: usize) {
        if self.jobs[job] == JobState::Active {
            self.stop_jobs(shape, &[job], JobState::Cancelled);
        }
    }

    pub fn retry(&mut self, shape: &Shape, job: usize) {
        if !matches!(self.jobs[job], JobState::Failed | JobState::Cancelled) {
            return;
        }
        let failed = |task: &usize| matches!(self.tasks[*task].state, TaskState::Failed | TaskState::Cancelled);
        let again: Vec<usize> = shape.jobs[job].iter().copied().filter(failed).collect();
        let before = self.clone();
        for task in &again {
            let obstacle = |on: &usize| again.contains(on) || before.tasks[*on].state != TaskState::Succeeded;
            let blocked = shape.after[*task].iter().any(obstacle);
            self.step(*task, if blocked { TaskEvent::RetriedBlocked } else { TaskEvent::RetriedReady });
            (self.tasks[*task].failures, self.tasks[*task].losses) = (0, 0);
        }
        self.jobs[job] = JobState::Active;
        self.finish_jobs(shape, &[job]);
    }

    /// Ends as lost what a worker holds that has begun a new life.
    pub fn restart(&mut self, worker: usize) {
        for task in 0..self.tasks.len() {
            if self.holder(task, self.tasks[task].attempts.len()) == Some(worker) {
                self.try_again(task, Ended::WorkerLost);
            }
        }
    }

    /// The tasks whose leases have run out.
    pub fn lapsed(&self) -> Vec<usize> {
        let lapsed = |task: &usize| self.tasks[*task].lease.as_ref().is_some_and(|lease| lease.lapsed);
        (0..self.tasks.len()).filter(lapsed).collect()
    }
}
