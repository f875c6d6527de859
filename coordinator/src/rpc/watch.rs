//! WatchJob: the events of a job, then their successors, until the job has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _};
use mixdown_proto::v1;
use tokio::sync::mpsc;
use tonic::Status;
use uuid::Uuid;

use super::{Farm, status, views};
use crate::queue::archive::Archived;
use crate::queue::events::{self, Event};
use crate::queue::view;
use crate::state::{JobState, TaskState};
use crate::wakeup::Hint;

/// Events read at once.
const PAGE: i64 = 500;
/// Also the most often that mere progress is told.
const POLL: Duration = Duration::from_millis(500);

/// Follows a job from the event after a sequence on.
pub(super) fn watch(
    farm: Farm,
    project_id: String,
    job_id: Uuid,
    after_sequence: i64,
) -> BoxStream<'static, Result<v1::WatchJobResponse, Status>> {
    let (updates, told) = mpsc::channel(16);
    let watcher = Watcher { farm, project_id, job_id, sequence: after_sequence, progress: -1.0, updates };
    // Ends when the job has, or when the caller is gone: sending then fails.
    tokio::spawn(watcher.run());
    tokio_stream::wrappers::ReceiverStream::new(told).boxed()
}

/// The events of an archived job after a sequence; nothing more will happen to it.
pub(super) fn archived(job: Archived, after_sequence: i64) -> BoxStream<'static, Result<v1::WatchJobResponse, Status>> {
    let tasks: BTreeMap<Uuid, v1::Task> =
        job.tasks.into_iter().map(|task| (task.task_id, views::archived_task(task))).collect();
    let events = job.events.into_iter().filter(move |event| event.sequence > after_sequence);
    let told = events.map(move |event| {
        let task = event.task_id.and_then(|task_id| tasks.get(&task_id));
        Ok(response(&event, task.map(|task| snapshot(task, &event))))
    });
    futures::stream::iter(told).boxed()
}

struct Watcher {
    farm: Farm,
    project_id: String,
    job_id: Uuid,
    /// The last one told.
    sequence: i64,
    /// The last one told.
    progress: f64,
    updates: mpsc::Sender<Result<v1::WatchJobResponse, Status>>,
}

/// Whether to go on.
enum Next {
    Wait,
    Stop,
}

impl Watcher {
    async fn run(mut self) {
        // Before the first look, so that what happens after it is not missed.
        let mut wakeups = self.farm.wakeups.subscribe();
        loop {
            match self.tell().await {
                Ok(Next::Wait) => {}
                Ok(Next::Stop) => return,
                Err(status) => {
                    // The caller asks again from the last sequence it saw; one that is gone need not know.
                    let _ = self.updates.send(Err(status)).await;
                    return;
                }
            }
            let job_id = self.job_id;
            tokio::select! {
                () = wakeups.wait(POLL, |hint| hint == Hint::Job(job_id)) => {}
                () = self.updates.closed() => return,
            }
        }
    }

    /// Tells everything that is new.
    async fn tell(&mut self) -> Result<Next, Status> {
        // Read first: when it says that the job has ended, its last event can be read below.
        let Some(job) = view::job(&self.farm.pool, &self.project_id, self.job_id).await? else {
            return Err(status::not_found("job", &self.job_id.to_string()));
        };
        loop {
            let page = events::after(&self.farm.pool, &self.project_id, self.job_id, self.sequence, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let mut tasks = self.tasks(&page).await?;
            for event in page {
                self.sequence = event.sequence;
                // An event tells what is done; what runs has been told beyond it.
                self.progress = self.progress.max(event.progress);
                let event = Event { progress: self.progress, ..event };
                let task = event.task_id.and_then(|task_id| tasks.get_mut(&task_id));
                if self.updates.send(Ok(response(&event, task.map(|task| snapshot(task, &event))))).await.is_err() {
                    return Ok(Next::Stop);
                }
            }
        }
        if job.state != JobState::Active && self.sequence >= job.last_sequence {
            return Ok(Next::Stop);
        }
        if job.state == JobState::Active && job.progress > self.progress && self.sequence == job.last_sequence {
            self.progress = job.progress;
            let progress_alone = v1::WatchJobResponse {
                sequence: self.sequence,
                create_time: None,
                job_state: views::job_state(job.state).into(),
                task: None,
                message: String::new(),
                progress: job.progress,
            };
            if self.updates.send(Ok(progress_alone)).await.is_err() {
                return Ok(Next::Stop);
            }
        }
        Ok(Next::Wait)
    }

    async fn tasks(&self, page: &[Event]) -> Result<BTreeMap<Uuid, v1::Task>, Status> {
        let concerned: Vec<Uuid> = page.iter().filter_map(|event| event.task_id).collect();
        let lost_after = self.farm.lost_after_seconds();
        let rows = view::tasks(&self.farm.pool, &self.project_id, self.job_id, Some(&concerned), lost_after).await?;
        Ok(rows.into_iter().map(|row| (row.task_id, views::task(row))).collect())
    }
}

fn response(event: &Event, task: Option<v1::Task>) -> v1::WatchJobResponse {
    v1::WatchJobResponse {
        sequence: event.sequence,
        create_time: Some(views::timestamp(event.create_micros)),
        job_state: views::job_state(event.job_state).into(),
        task,
        message: event.message.clone(),
        progress: event.progress,
    }
}

/// The task as it stood after the event; what is known of it now is told only as far as it held then.
fn snapshot(now: &v1::Task, event: &Event) -> v1::Task {
    let mut task = now.clone();
    let (Some(state), Some(attempt)) = (event.task_state, event.attempt) else { return task };
    let state = views::task_state(state);
    if task.state() != state || task.attempt != attempt {
        task.waiting_reason.clear();
        task.failure = None;
        task.seconds = 0.0;
        task.realtime_factor = 0.0;
        task.progress = if event.task_state == Some(TaskState::Succeeded) { 1.0 } else { 0.0 };
        if task.attempt != attempt {
            task.worker_name.clear();
        }
    }
    task.state = state.into();
    task.attempt = attempt;
    task
}
