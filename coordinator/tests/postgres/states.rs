//! Every state of a task against every operation: the database allows what the pure table allows, and nothing else.

use mixdown_coordinator::queue::cancel::cancel;
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::retry_job::retry_job;
use mixdown_coordinator::queue::settle::{Outcome, Settled, Settlement, Success, settle};
use mixdown_coordinator::state::{Failure, FailureKind, TaskEvent, TaskState};
use mixdown_dsp::plan::Plan;
use uuid::Uuid;

use crate::support::{Farm, planned, submission};

struct Case {
    farm: Farm,
    worker: Uuid,
    job_id: Uuid,
    /// The task in question, which waits for `first`.
    task_id: Uuid,
}

fn request() -> Request {
    Request::new(Uuid::new_v4(), "test", &[])
}

impl Case {
    /// A job of two tasks in a row, the second in the state asked for.
    async fn in_state(state: TaskState) -> Self {
        let farm = Farm::new().await;
        let plan =
            Plan { tasks: vec![planned("vox", &[], &[]), planned("master", &["vox"], &[0])], cached: Vec::new() };
        let job_id = farm.submit(&submission("default"), plan).await;
        let worker = farm.worker(4).await;
        let task_id = sqlx::query_scalar("select task_id from task where display_name = 'master'")
            .fetch_one(&farm.pool)
            .await
            .unwrap();
        let case = Self { farm, worker, job_id, task_id };
        if state == TaskState::Blocked {
            return case;
        }
        let first = case.farm.claim_one(worker).await;
        case.farm.succeed(worker, &first).await;
        match state {
            TaskState::Blocked | TaskState::Ready => {}
            TaskState::Running => drop(case.farm.claim_one(worker).await),
            TaskState::Succeeded => assert_eq!(case.farm.run_all(worker).await, 1),
            TaskState::Failed => {
                let held = case.farm.claim_one(worker).await;
                let failure = Failure { kind: FailureKind::BadSession, message: "no".into() };
                case.farm.fail(worker, &held, failure).await;
            }
            TaskState::Cancelled => {
                cancel(&case.farm.pool, "default", job_id, &request()).await.unwrap();
            }
        }
        assert_eq!(case.state().await, state.as_str());
        case
    }

    async fn state(&self) -> String {
        sqlx::query_scalar("select state from task where task_id = $1")
            .bind(self.task_id)
            .fetch_one(&self.farm.pool)
            .await
            .unwrap()
    }

    async fn settle(&self, outcome: Outcome) -> Settled {
        let attempt: i32 = sqlx::query_scalar("select attempt from task where task_id = $1")
            .bind(self.task_id)
            .fetch_one(&self.farm.pool)
            .await
            .unwrap();
        let settlement =
            Settlement { worker_id: self.worker, task_id: self.task_id, attempt, request_id: Uuid::new_v4(), outcome };
        settle(&self.farm.pool, &self.farm.store, &settlement).await.unwrap()
    }

    async fn apply(&self, event: TaskEvent) {
        let failed = |kind| Outcome::Failure(Failure { kind, message: "no".into() });
        match event {
            TaskEvent::Claimed => {
                drop(self.farm.claim(self.worker, 1).await.into_iter().find(|task| task.task_id == self.task_id))
            }
            TaskEvent::Succeeded => {
                let artifacts = self.farm.make("default", self.task_id).await;
                self.settle(Outcome::Success(Success { artifacts, ..Success::default() })).await;
            }
            TaskEvent::TriedAgain => {
                self.settle(failed(FailureKind::Storage)).await;
            }
            TaskEvent::FailedForGood => {
                self.settle(failed(FailureKind::BadMedia)).await;
            }
            TaskEvent::Cancelled => {
                cancel(&self.farm.pool, "default", self.job_id, &request()).await.unwrap();
            }
            TaskEvent::RetriedReady | TaskEvent::RetriedBlocked => {
                retry_job(&self.farm.pool, "default", self.job_id, &request()).await.unwrap();
            }
            TaskEvent::Unblocked => {
                if let Some(first) = self.farm.claim(self.worker, 1).await.first()
                    && first.task_id != self.task_id
                {
                    self.farm.succeed(self.worker, first).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn every_operation_moves_a_task_as_the_table_says_and_never_otherwise() {
    let events = [
        TaskEvent::Claimed,
        TaskEvent::Succeeded,
        TaskEvent::TriedAgain,
        TaskEvent::FailedForGood,
        TaskEvent::Cancelled,
        TaskEvent::RetriedReady,
    ];
    for state in TaskState::ALL {
        for event in events {
            let case = Case::in_state(state).await;
            case.apply(event).await;
            // RetryJob is for jobs that failed or were cancelled: what succeeded stays.
            let retried_success = state == TaskState::Succeeded && event == TaskEvent::RetriedReady;
            let expected = if retried_success { state } else { state.after(event).unwrap_or(state) };
            assert_eq!(case.state().await, expected.as_str(), "{state:?} after {event:?}");
        }
    }
}

#[tokio::test]
async fn a_blocked_task_becomes_ready_when_its_last_obstacle_succeeds() {
    let case = Case::in_state(TaskState::Blocked).await;
    case.apply(TaskEvent::Unblocked).await;
    assert_eq!(case.state().await, "ready");
}

#[tokio::test]
async fn the_tables_refuse_rows_that_break_a_rule() {
    let case = Case::in_state(TaskState::Ready).await;
    let broken = [
        ("update task set state = 'running' where display_name = 'master'", "running_was_attempted"),
        ("update task set state = 'succeeded' where state = 'ready'", "ended_iff_terminal"),
        ("update task set end_time = now() where state = 'ready'", "ended_iff_terminal"),
        ("update task set state = 'failed', end_time = now() where state = 'ready'", "failure_iff_failed"),
        ("update task set state = 'lost' where state = 'ready'", "state_is_known"),
        ("update task set cached = true where state = 'succeeded'", "cached_has_succeeded"),
        ("update task set spec = null where state = 'ready'", "cached_iff_nothing_to_do"),
        ("update job set state = 'succeeded'", "ended_iff_not_active"),
        ("update attempt set outcome = null", "outcome_iff_ended"),
        ("insert into task_dependency select project_id, task_id, task_id from task", "no_task_waits_for_itself"),
        ("insert into project (project_id) values ('../x')", "project_id_is_a_path_segment"),
        ("delete from job", "deliverable_project_id_job_id_fkey"),
    ];
    for (statement, constraint) in broken {
        let error = sqlx::query(statement).execute(&case.farm.pool).await.unwrap_err();
        let named = error.as_database_error().and_then(|error| error.constraint().map(str::to_owned));
        assert_eq!(named.as_deref(), Some(constraint), "{statement}: {error}");
    }
}
