//! Where jobs and tasks stand, and which steps are possible. Pure; the SQL of [`crate::queue`] guards the same steps,
//! and a test walks every pair through both.
//!
//! ```text
//!            dependencies succeeded        claimed              settled
//!  blocked ─────────────────────▶ ready ────────────▶ running ──────────▶ succeeded
//!     ▲                             ▲  ◀─────────────────┤ │
//!     │          retried            │   tried again,     │ └───────────▶ failed
//!     └──────────┬──────────────────┘   relinquished     │  failed for good
//!                │                                       │
//!        failed, cancelled ◀─────────────────────────────┘ cancelled (from blocked, ready, running)
//! ```

use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, Deserialize)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Entered by submit and RetryJob. Left when the last deliverable is there, when a task fails for good, or by
    /// CancelJob. A crash leaves it as it is: any coordinator carries on.
    Active,
    /// Every task succeeded and every deliverable lies under its name. Final.
    Succeeded,
    /// A task failed for good. Left by RetryJob alone.
    Failed,
    /// CancelJob was called. Left by RetryJob alone.
    Cancelled,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, Deserialize)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Entered by submit and RetryJob while tasks it depends on have not succeeded. Left when the last of them does.
    Blocked,
    /// May be claimed from its `not_before` on. Left by a claim.
    Ready,
    /// A worker holds a lease on its newest attempt. Left when that attempt ends: settled, relinquished, expired.
    Running,
    /// What it makes is stored. Left only when RetryJob needs an artifact of it that was dropped since.
    Succeeded,
    /// Failed for good, and with it every job that waited for it. Left by RetryJob.
    Failed,
    /// No job waits for it any more. Left by RetryJob.
    Cancelled,
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskEvent {
    /// The last task it depends on succeeded.
    Unblocked,
    /// A worker took it.
    Claimed,
    /// Its attempt made and stored everything.
    Succeeded,
    /// Its attempt ended otherwise, and another is to follow: failed, lost or relinquished.
    TriedAgain,
    /// Its attempt failed, and none is to follow.
    FailedForGood,
    /// No job waits for it any more.
    Cancelled,
    /// RetryJob, while tasks it depends on have not succeeded.
    RetriedBlocked,
    /// RetryJob, with all it depends on there.
    RetriedReady,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Blocked, Self::Ready, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The state after an event; `None` if the event cannot happen in this state.
    #[must_use]
    pub fn after(self, event: TaskEvent) -> Option<Self> {
        match (self, event) {
            (Self::Blocked, TaskEvent::Unblocked) => Some(Self::Ready),
            (Self::Ready, TaskEvent::Claimed) => Some(Self::Running),
            (Self::Running, TaskEvent::Succeeded) => Some(Self::Succeeded),
            (Self::Running, TaskEvent::TriedAgain) => Some(Self::Ready),
            (Self::Running, TaskEvent::FailedForGood) => Some(Self::Failed),
            (Self::Blocked | Self::Ready | Self::Running, TaskEvent::Cancelled) => Some(Self::Cancelled),
            (Self::Failed | Self::Cancelled | Self::Succeeded, TaskEvent::RetriedBlocked) => Some(Self::Blocked),
            (Self::Failed | Self::Cancelled | Self::Succeeded, TaskEvent::RetriedReady) => Some(Self::Ready),
            _ => None,
        }
    }

    /// The name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The order between the jobs of one project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, sqlx::Type)]
#[repr(i16)]
pub enum Priority {
    /// Before everything else.
    Urgent = 0,
    /// The usual.
    #[default]
    Normal = 1,
    /// When nothing else waits.
    Bulk = 2,
}

/// Why an attempt failed; decides in [`crate::retry`] whether another follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, Serialize, Deserialize)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The session cannot be rendered.
    BadSession,
    /// An input file is broken.
    BadMedia,
    /// The worker ran out of something: disk, threads.
    Resource,
    /// The worker ran out of memory while it rendered.
    OutOfMemory,
    /// The store failed.
    Storage,
    /// A fault of ours.
    Internal,
    /// The worker vanished.
    WorkerLost,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::BadSession,
        Self::BadMedia,
        Self::Resource,
        Self::OutOfMemory,
        Self::Storage,
        Self::Internal,
        Self::WorkerLost,
    ];

    /// The name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadSession => "bad_session",
            Self::BadMedia => "bad_media",
            Self::Resource => "resource",
            Self::OutOfMemory => "out_of_memory",
            Self::Storage => "storage",
            Self::Internal => "internal",
            Self::WorkerLost => "worker_lost",
        }
    }
}

/// Why something failed, with the reason for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub kind: FailureKind,
    /// What failed on what.
    pub message: String,
}
