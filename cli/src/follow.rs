//! Follows a job on the farm to its end, and tells of it.

use std::time::{Duration, Instant};

use mixdown_proto::v1::{
    Attempt, FailureKind, GetJobRequest, GetJobResponse, Job, JobState, Priority, Task, TaskState, WatchJobRequest,
    WatchJobResponse,
};
use serde_json::{Value, json};

use crate::client::{Client, is_transient};
use crate::errors::{CommandError, Exit};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::{Progress, Unit, WHOLE};
use crate::tables::Listing;

/// How long a coordinator may stay away before following it is given up; the job goes on all the same.
const PATIENCE: Duration = Duration::from_secs(300);
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How to follow.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Give up after this; the job goes on.
    pub timeout: Option<Duration>,
    /// Print every event as one JSON object a line.
    pub events: bool,
}

/// Waits for the end of a job, showing its progress, and returns what became of it.
///
/// # Errors
/// Interrupted, timed out, or the coordinator stays away; the job goes on.
pub async fn to_its_end(
    client: &Client,
    job_id: &str,
    again: &str,
    manner: Manner,
    interrupt: &Interrupt,
    output: Output,
) -> Result<GetJobResponse, CommandError> {
    let progress = Progress::new("rendering", WHOLE, Unit::Work);
    let timeout = async {
        match manner.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = watch(client, job_id, again, manner.events, &progress, output) => ended?,
        () = interrupt.raised() => {
            progress.finish();
            return Err(CommandError::interrupted(format!("detached; the job goes on: {again}"))
                .remedy(format!("follow it with `{again}`, stop it with `mixdown jobs cancel {job_id}`")));
        }
        () = timeout => {
            let message = format!("job {job_id} did not end in time; it goes on");
            return Err(CommandError::new(Exit::Cancelled, "timed_out", message)
                .remedy(format!("follow it with `{again}`, stop it with `mixdown jobs cancel {job_id}`")));
        }
    }
    progress.finish();
    job(client, job_id).await
}

/// One job with its tasks and deliverables.
///
/// # Errors
/// What the coordinator says.
pub async fn job(client: &Client, job_id: &str) -> Result<GetJobResponse, CommandError> {
    let asked = client.jobs().get_job(GetJobRequest { job_id: job_id.to_owned() }).await;
    Ok(asked.map_err(|status| client.error(&format!("show job {job_id}"), &status))?.into_inner())
}

/// Follows the events until the job has ended, from the last one seen after every broken connection.
async fn watch(
    client: &Client,
    job_id: &str,
    again: &str,
    events: bool,
    progress: &Progress,
    output: Output,
) -> Result<(), CommandError> {
    let mut seen = 0;
    let mut wait = FIRST_WAIT;
    let mut away_since: Option<Instant> = None;
    loop {
        let request = WatchJobRequest { job_id: job_id.to_owned(), after_sequence: seen };
        let broken = async {
            let mut stream = client.jobs().watch_job(request).await?.into_inner();
            while let Some(event) = stream.message().await? {
                seen = seen.max(event.sequence);
                (wait, away_since) = (FIRST_WAIT, None);
                progress.set_share(event.progress);
                if events {
                    if let Err(error) = output.record(&event_json(&event)) {
                        return Ok(Err(error));
                    }
                } else if !event.message.is_empty() {
                    progress.say(&event.message);
                }
            }
            Ok(Ok(()))
        }
        .await;
        match broken {
            Ok(Err(error)) => return Err(error),
            // The stream ends with the job; one that ends before was cut by a coordinator that stops.
            Ok(Ok(())) => match client.jobs().get_job(GetJobRequest { job_id: job_id.to_owned() }).await {
                Ok(answer) if answer.get_ref().job.as_ref().is_some_and(has_ended) => return Ok(()),
                Ok(_) => {}
                Err(status) if is_transient(&status) => {}
                Err(status) => return Err(client.error(&format!("watch job {job_id}"), &status)),
            },
            Err(status) if is_transient(&status) => {
                if away_since.is_none() {
                    progress.say("the coordinator is away; waiting for it");
                }
            }
            Err(status) => return Err(client.error(&format!("watch job {job_id}"), &status)),
        }
        if away_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            let message =
                format!("the coordinator stayed away for {} s; the job goes on when it is back", PATIENCE.as_secs());
            return Err(CommandError::new(Exit::Failed, "coordinator_unreachable", message)
                .remedy(format!("follow the job again with `{again}`")));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether nothing more will happen to a job.
#[must_use]
pub fn has_ended(job: &Job) -> bool {
    !matches!(job.state(), JobState::Active | JobState::Unspecified)
}

/// Why a job that has ended is no success; `None` if it is one.
#[must_use]
pub fn failure(answer: &GetJobResponse) -> Option<CommandError> {
    let job = answer.job.as_ref()?;
    match job.state() {
        JobState::Failed => {
            let failure = job.failure.clone().unwrap_or_default();
            let (exit, code) = match failure.kind() {
                FailureKind::BadSession => (Exit::BadInput, "bad_session"),
                FailureKind::BadMedia => (Exit::BadInput, "bad_media"),
                FailureKind::Resource => (Exit::Failed, "resource"),
                FailureKind::OutOfMemory => (Exit::Failed, "out_of_memory"),
                FailureKind::Storage => (Exit::Failed, "storage"),
                FailureKind::WorkerLost => (Exit::Failed, "worker_lost"),
                FailureKind::Internal | FailureKind::Unspecified => (Exit::Failed, "internal"),
            };
            let remedy = match exit {
                Exit::BadInput => "mend the session and submit it again; what was rendered is kept".to_owned(),
                _ => format!("`mixdown jobs retry {}` runs what failed again", job.job_id),
            };
            let mut error = CommandError::new(exit, code, format!("job {} failed", job.job_id)).remedy(remedy);
            if !failure.message.is_empty() {
                error.causes.push(failure.message);
            }
            Some(error)
        }
        JobState::Cancelled => {
            let message = format!("job {} was cancelled", job.job_id);
            let remedy = format!("`mixdown jobs retry {}` runs it again", job.job_id);
            Some(CommandError::new(Exit::Cancelled, "cancelled", message).remedy(remedy))
        }
        JobState::Active | JobState::Succeeded | JobState::Unspecified => None,
    }
}

/// The table of tasks: what was rendered where, and how fast.
#[must_use]
pub fn task_table(tasks: &[Task]) -> String {
    let mut listing = Listing::new(&["Task", "Kind", "State", "Worker", "Rendered", ">Seconds", ">× realtime"]);
    for task in tasks {
        let figure = |value: f64| if value > 0.0 { format!("{value:.2}") } else { "–".to_owned() };
        let rendered = match (task.state(), task.cached) {
            (_, true) => "cached",
            (TaskState::Succeeded, false) => "rendered",
            _ => "–",
        };
        listing.row([
            task.display_name.clone(),
            task.kind.clone(),
            task_state(task),
            if task.worker_name.is_empty() { "–".to_owned() } else { task.worker_name.clone() },
            rendered.to_owned(),
            figure(task.seconds),
            figure(task.realtime_factor),
        ]);
    }
    let mut text = listing.text();
    for task in tasks {
        let reason = task.failure.as_ref().map_or(&task.waiting_reason, |failure| &failure.message);
        if !reason.is_empty() {
            text.push_str(&format!("\n{}: {reason}", task.display_name));
        }
        for attempt in &task.attempts {
            text.push_str(&format!("\n  {}", attempt_line(attempt)));
        }
    }
    text
}

fn attempt_line(attempt: &Attempt) -> String {
    let when = attempt.end_time.as_ref().or(attempt.start_time.as_ref()).map(ToString::to_string).unwrap_or_default();
    let Attempt { attempt: number, worker_name, .. } = attempt;
    let line = format!("attempt {number} on {worker_name}: {} {when}", attempt_outcome(attempt).replace('_', " "));
    match &attempt.failure {
        Some(failure) => format!("{line}: {}", failure.message),
        None => line,
    }
}

fn attempt_outcome(attempt: &Attempt) -> String {
    attempt.outcome().as_str_name().trim_start_matches("ATTEMPT_OUTCOME_").to_ascii_lowercase()
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "attempt": attempt.attempt,
        "worker": attempt.worker_name,
        "start_time": attempt.start_time.as_ref().map(ToString::to_string),
        "end_time": attempt.end_time.as_ref().map(ToString::to_string),
        "outcome": attempt_outcome(attempt),
        "failure": attempt.failure.as_ref().map(failure_json),
    })
}

/// A job as JSON.
#[must_use]
pub fn job_json(job: &Job) -> Value {
    let counts = job.task_counts.unwrap_or_default();
    json!({
        "job_id": job.job_id,
        "display_name": job.display_name,
        "state": job_state(job.state()),
        "priority": priority(job.priority()),
        "progress": job.progress,
        "create_time": job.create_time.as_ref().map(ToString::to_string),
        "end_time": job.end_time.as_ref().map(ToString::to_string),
        "task_counts": {
            "waiting": counts.waiting, "running": counts.running, "succeeded": counts.succeeded,
            "failed": counts.failed, "cancelled": counts.cancelled, "cached": counts.cached,
        },
        "failure": job.failure.as_ref().map(failure_json),
        "session_digest": job.session_digest,
        "deliver_to": job.deliver_to,
    })
}

/// A task as JSON.
#[must_use]
pub fn task_json(task: &Task) -> Value {
    json!({
        "task_id": task.task_id,
        "kind": task.kind,
        "display_name": task.display_name,
        "state": task_state(task),
        "attempt": task.attempt,
        "worker": task.worker_name,
        "cached": task.cached,
        "seconds": task.seconds,
        "realtime_factor": task.realtime_factor,
        "waiting_reason": task.waiting_reason,
        "failure": task.failure.as_ref().map(failure_json),
        "progress": task.progress,
        "attempts": task.attempts.iter().map(attempt_json).collect::<Vec<_>>(),
    })
}

/// A priority as a word.
#[must_use]
pub fn priority(priority: Priority) -> String {
    priority.as_str_name().trim_start_matches("PRIORITY_").to_ascii_lowercase()
}

/// A job's state as a word.
#[must_use]
pub fn job_state(state: JobState) -> String {
    state.as_str_name().trim_start_matches("JOB_STATE_").to_ascii_lowercase()
}

fn task_state(task: &Task) -> String {
    task.state().as_str_name().trim_start_matches("TASK_STATE_").to_ascii_lowercase()
}

fn failure_json(failure: &mixdown_proto::v1::Failure) -> Value {
    json!({
        "kind": failure.kind().as_str_name().trim_start_matches("FAILURE_KIND_").to_ascii_lowercase(),
        "message": failure.message,
    })
}

fn event_json(event: &WatchJobResponse) -> Value {
    json!({
        "sequence": event.sequence,
        "create_time": event.create_time.as_ref().map(ToString::to_string),
        "job_state": job_state(event.job_state()),
        "progress": event.progress,
        "message": event.message,
        "task": event.task.as_ref().map(task_json),
    })
}
