//! Rows as messages.

use mixdown_proto::v1;
use prost_types::Timestamp;

use crate::queue::archive::ArchivedTask;
use crate::queue::view::{AttemptRow, DeliverableRow, JobRow, TaskRow};
use crate::queue::workers::WorkerRow;
use crate::state::{Failure, FailureKind, JobState, Priority, TaskState};

/// Microseconds since 1970 as a timestamp.
pub(super) fn timestamp(micros: i64) -> Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).expect("because it is below 10^9");
    Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

pub(super) fn job_state(state: JobState) -> v1::JobState {
    match state {
        JobState::Active => v1::JobState::Active,
        JobState::Succeeded => v1::JobState::Succeeded,
        JobState::Failed => v1::JobState::Failed,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

/// The state that a list is limited to.
pub(super) fn wanted_state(state: v1::JobState) -> Option<JobState> {
    match state {
        v1::JobState::Unspecified => None,
        v1::JobState::Active => Some(JobState::Active),
        v1::JobState::Succeeded => Some(JobState::Succeeded),
        v1::JobState::Failed => Some(JobState::Failed),
        v1::JobState::Cancelled => Some(JobState::Cancelled),
    }
}

pub(super) fn task_state(state: TaskState) -> v1::TaskState {
    match state {
        TaskState::Blocked => v1::TaskState::Blocked,
        TaskState::Ready => v1::TaskState::Ready,
        TaskState::Running => v1::TaskState::Running,
        TaskState::Succeeded => v1::TaskState::Succeeded,
        TaskState::Failed => v1::TaskState::Failed,
        TaskState::Cancelled => v1::TaskState::Cancelled,
    }
}

pub(super) fn wanted_priority(priority: v1::Priority) -> Priority {
    match priority {
        v1::Priority::Urgent => Priority::Urgent,
        v1::Priority::Unspecified | v1::Priority::Normal => Priority::Normal,
        v1::Priority::Bulk => Priority::Bulk,
    }
}

fn priority(value: i16) -> v1::Priority {
    match value {
        0 => v1::Priority::Urgent,
        2 => v1::Priority::Bulk,
        _ => v1::Priority::Normal,
    }
}

fn failure(kind: Option<FailureKind>, message: Option<String>) -> Option<v1::Failure> {
    let kind = match kind? {
        FailureKind::BadSession => v1::FailureKind::BadSession,
        FailureKind::BadMedia => v1::FailureKind::BadMedia,
        FailureKind::Resource => v1::FailureKind::Resource,
        FailureKind::OutOfMemory => v1::FailureKind::OutOfMemory,
        FailureKind::Storage => v1::FailureKind::Storage,
        FailureKind::Internal => v1::FailureKind::Internal,
        FailureKind::WorkerLost => v1::FailureKind::WorkerLost,
    };
    Some(v1::Failure { kind: kind.into(), message: message.unwrap_or_default() })
}

/// A failure as a worker reports it.
pub(super) fn reported_failure(failure: v1::Failure) -> Failure {
    /// Messages are for people: nobody reads more.
    const MAX_CHARACTERS: usize = 4000;
    let kind = match failure.kind() {
        v1::FailureKind::BadSession => FailureKind::BadSession,
        v1::FailureKind::BadMedia => FailureKind::BadMedia,
        v1::FailureKind::Resource => FailureKind::Resource,
        v1::FailureKind::OutOfMemory => FailureKind::OutOfMemory,
        v1::FailureKind::Storage => FailureKind::Storage,
        // That a worker is lost is for its lease to say.
        v1::FailureKind::Unspecified | v1::FailureKind::Internal | v1::FailureKind::WorkerLost => FailureKind::Internal,
    };
    // PostgreSQL stores no NUL in text.
    let message = failure.message.chars().filter(|character| *character != '\0').take(MAX_CHARACTERS).collect();
    Failure { kind, message }
}

pub(super) fn job(row: JobRow) -> v1::Job {
    let count = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    v1::Job {
        job_id: row.job_id.to_string(),
        display_name: row.display_name,
        state: job_state(row.state).into(),
        priority: priority(row.priority).into(),
        create_time: Some(timestamp(row.create_micros)),
        end_time: row.end_micros.map(timestamp),
        task_counts: Some(v1::TaskCounts {
            waiting: count(row.waiting),
            running: count(row.running),
            succeeded: count(row.succeeded),
            failed: count(row.failed),
            cancelled: count(row.cancelled),
            cached: count(row.cached),
        }),
        failure: failure(row.failure_kind, row.failure_message),
        progress: row.progress,
        session_digest: row.session_digest,
        deliver_to: row.deliver_to,
    }
}

/// A task; what became of its attempts is added by those who show a job whole.
pub(super) fn task(row: TaskRow) -> v1::Task {
    v1::Task {
        task_id: row.task_id.to_string(),
        kind: row.kind,
        display_name: row.display_name,
        state: task_state(row.state).into(),
        attempt: row.attempt,
        worker_name: row.worker_name,
        cached: row.cached,
        seconds: row.seconds,
        realtime_factor: row.realtime_factor,
        waiting_reason: row.waiting_reason,
        failure: failure(row.failure_kind, row.failure_message),
        progress: row.progress,
        attempts: Vec::new(),
    }
}

/// A task of an archived job.
pub(super) fn archived_task(row: ArchivedTask) -> v1::Task {
    v1::Task {
        task_id: row.task_id.to_string(),
        kind: row.kind,
        display_name: row.display_name,
        state: task_state(row.state).into(),
        attempt: row.attempt,
        worker_name: row.worker_name,
        cached: row.cached,
        seconds: row.seconds,
        realtime_factor: row.realtime_factor,
        failure: failure(row.failure_kind, row.failure_message),
        progress: if row.state == TaskState::Succeeded { 1.0 } else { 0.0 },
        ..v1::Task::default()
    }
}

pub(super) fn attempt(row: AttemptRow) -> v1::Attempt {
    let outcome = match row.outcome.as_deref() {
        None => v1::AttemptOutcome::Running,
        Some("succeeded") => v1::AttemptOutcome::Succeeded,
        Some("failed") => v1::AttemptOutcome::Failed,
        Some("worker_lost") => v1::AttemptOutcome::WorkerLost,
        Some("relinquished") => v1::AttemptOutcome::Relinquished,
        Some("cancelled") => v1::AttemptOutcome::Cancelled,
        Some(_) => v1::AttemptOutcome::Unspecified,
    };
    v1::Attempt {
        attempt: row.attempt,
        worker_name: row.worker_name,
        start_time: Some(timestamp(row.start_micros)),
        end_time: row.end_micros.map(timestamp),
        outcome: outcome.into(),
        failure: failure(row.failure_kind, row.failure_message),
    }
}

pub(super) fn deliverable(row: DeliverableRow) -> v1::Deliverable {
    v1::Deliverable {
        file_name: row.file_name,
        digest: row.digest,
        size_bytes: row.size_bytes,
        report_json: row.report_json,
    }
}

pub(super) fn worker(row: WorkerRow) -> v1::Worker {
    let state = match row.state.as_str() {
        "active" => v1::WorkerState::Active,
        "draining" => v1::WorkerState::Draining,
        "gone" => v1::WorkerState::Gone,
        "quarantined" => v1::WorkerState::Quarantined,
        _ => v1::WorkerState::Lost,
    };
    v1::Worker {
        worker_id: row.worker_id.to_string(),
        name: row.name,
        state: state.into(),
        slots: row.slots,
        running: i32::try_from(row.running).unwrap_or(i32::MAX),
        heartbeat_time: Some(timestamp(row.heartbeat_micros)),
        version: row.version,
        quarantine: row.quarantine_micros.map(|micros| v1::Quarantine {
            reason: row.quarantine_reason.unwrap_or_default(),
            create_time: Some(timestamp(micros)),
        }),
        memory_bytes: row.memory_bytes.unwrap_or(0),
        labels: row.labels,
        used_slots: i32::try_from(row.used_slots).unwrap_or(i32::MAX),
        used_memory_bytes: row.used_memory_bytes,
    }
}
