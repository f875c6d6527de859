//! Errors as gRPC codes with `google.rpc` details: the only place that maps them.

use std::collections::HashMap;
use std::io::ErrorKind;

use mixdown_dsp::session::Faults;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt as _};

use crate::unavailable::Unavailable;
use crate::{blobs, queue};

/// PostgreSQL's Appendix A, class 53.
const DISK_FULL: &str = "53100";

/// Of every `ErrorInfo`.
const DOMAIN: &str = "mixdown";

fn with_reason(code: Code, reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()))
}

/// The call carries no token, or one that is not known.
pub(super) fn unauthenticated() -> Status {
    with_reason(
        Code::Unauthenticated,
        "TOKEN_REQUIRED",
        "a valid token is required: send `authorization: Bearer mxd_…` (`mixdown tokens create` makes one)",
    )
}

/// The token does not let its bearer do this.
pub(super) fn not_allowed(needed: &str) -> Status {
    with_reason(
        Code::PermissionDenied,
        "ROLE_REQUIRED",
        format!("the token's role does not allow this: {needed} is needed"),
    )
}

/// One field is wrong.
pub(super) fn invalid_field(field: &'static str, description: String) -> Status {
    let message = format!("{field}: {description}");
    let mut details = ErrorDetails::with_bad_request_violation(field, description);
    details.set_error_info("INVALID_FIELD", DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// The session document does not hold together. Every fault is a field violation: its pointer below `session_json`.
pub(super) fn bad_session(faults: &Faults) -> Status {
    /// Details travel in a header, which is bounded.
    const MAX_VIOLATIONS: usize = 20;
    let violation = |fault: &mixdown_dsp::session::Fault| {
        let description = format!("{} (expected {}) [{}]", fault.message, fault.expected, fault.code);
        FieldViolation::new(format!("session_json{}", fault.pointer), description)
    };
    let violations: Vec<_> = faults.0.iter().take(MAX_VIOLATIONS).map(violation).collect();
    let mut details = ErrorDetails::with_bad_request(violations);
    details.set_error_info("BAD_SESSION", DOMAIN, HashMap::new());
    let first = faults.0.first().map(ToString::to_string).unwrap_or_default();
    let message = match faults.0.len() {
        1 => format!("the session does not hold together: {first}"),
        count => format!("the session does not hold together: {first}; and {} more faults", count - 1),
    };
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// Input files were not uploaded.
pub(super) fn missing_assets(digests: &[String]) -> Status {
    const MAX_VIOLATIONS: usize = 50;
    let violation =
        |digest: &String| PreconditionViolation::new("MISSING_BLOB", digest.clone(), "the input file was not uploaded");
    let violations: Vec<_> = digests.iter().take(MAX_VIOLATIONS).map(violation).collect();
    let mut details = ErrorDetails::with_precondition_failure(violations);
    details.set_error_info("MISSING_BLOBS", DOMAIN, HashMap::new());
    let message =
        format!("{} input files were not uploaded: FindMissing names them, Upload stores them", digests.len());
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

/// The request id was used for something else.
pub(super) fn request_reused() -> Status {
    with_reason(Code::AlreadyExists, "REQUEST_ID_REUSED", "the request id was used for a call with other content")
}

/// There is no such thing in the caller's project.
pub(super) fn not_found(what: &str, name: &str) -> Status {
    with_reason(Code::NotFound, "NOT_FOUND", format!("there is no {what} {name}"))
}

/// The thing's state does not allow the call.
pub(super) fn failed_precondition(reason: &str, message: impl Into<String>) -> Status {
    with_reason(Code::FailedPrecondition, reason, message)
}

/// Somebody else is doing this; try again.
pub(super) fn aborted(reason: &str, message: impl Into<String>) -> Status {
    with_reason(Code::Aborted, reason, message)
}

/// The bytes that arrived are not those that were announced.
pub(super) fn data_loss(message: impl Into<String>) -> Status {
    with_reason(Code::DataLoss, "WRONG_BYTES", message)
}

/// A worker called that has not registered.
pub(super) fn unknown_worker() -> Status {
    with_reason(Code::NotFound, "UNKNOWN_WORKER", "the worker is not known here: register first")
}

/// A fault of ours. What it was is logged, not sent.
pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(error = %chain(error), "a call failed");
    with_reason(Code::Internal, "INTERNAL", "an internal error; the coordinator's log says more")
}

fn unavailable(what: &str, error: &(dyn std::error::Error + 'static)) -> Status {
    tracing::warn!(error = %chain(error), "a call failed and may be repeated");
    with_reason(Code::Unavailable, "UNAVAILABLE", format!("{what}; try again"))
}

/// A disk of the farm's is full or read-only: whoever runs it is to make room, then the call may be repeated. `None` when that is
/// not what an error tells.
fn full_disk(reason: &str, what: &str, error: &(dyn std::error::Error + 'static)) -> Option<Status> {
    let kind = std::iter::successors(Some(error), |error| error.source())
        .find_map(|cause| cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind))?;
    let state = match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "is full",
        ErrorKind::ReadOnlyFilesystem => "is read-only",
        _ => return None,
    };
    Some(no_room(reason, format!("the disk of {what} {state}"), error))
}

fn no_room(reason: &str, message: String, error: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(error = %chain(error), "{message}; calls fail until there is room");
    with_reason(Code::ResourceExhausted, reason, message)
}

/// Uploads that are under way cannot be written down.
pub(super) fn scratch(error: &std::io::Error) -> Status {
    full_disk("SCRATCH_FULL", "the coordinator's folder for uploads", error).unwrap_or_else(|| internal(error))
}

/// An error with its causes.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl From<queue::Error> for Status {
    fn from(error: queue::Error) -> Self {
        match &error {
            queue::Error::Database(sqlx::Error::Database(cause)) if cause.code().as_deref() == Some(DISK_FULL) => {
                no_room("DATABASE_FULL", "the disk of the database is full".into(), &error)
            }
            queue::Error::Database(cause) if may_pass(cause) => unavailable("the database cannot be reached", &error),
            _ => internal(&error),
        }
    }
}

impl From<blobs::Error> for Status {
    fn from(error: blobs::Error) -> Self {
        full_disk("STORE_FULL", "the store", &error).unwrap_or_else(|| unavailable("the store failed", &error))
    }
}

impl From<Unavailable> for Status {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::Queue(error) => error.into(),
            Unavailable::Store(error) => error.into(),
        }
    }
}

/// Whether a database error says nothing about the statement: repeated later, it may succeed.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        // Classes of PostgreSQL's Appendix A: connection exception, transaction rollback, insufficient resources,
        // operator intervention, system error; and of class 25 what a server says that has become a standby, or has waited for us too long.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
                || ["25006", "25P03"].contains(&&*code)
        }),
        _ => false,
    }
}
