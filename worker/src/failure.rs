//! Why an attempt failed, in the words of the wire. The kind decides whether the coordinator tries again, so every
//! error of this crate is given its kind here and nowhere else.

use std::io;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::ExecuteError;
use mixdown_proto::v1::{self, FailureKind};

use crate::{blobs, cache, render};

/// What is told to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides whether it is tried again.
    pub kind: FailureKind,
    /// For people: what failed on which thing, and why.
    pub message: String,
    /// Blobs that the store gave wrong or not at all: the coordinator is to look at them.
    pub damaged: Vec<Digest>,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), damaged: Vec::new() }
    }

    /// The same, but for this blob if it is what the store has damaged.
    pub(crate) fn over(mut self, blob: Digest, damaged: bool) -> Self {
        if damaged {
            self.damaged.push(blob);
        }
        self
    }

    /// A failure of this kind with an error's whole chain of causes.
    fn of(kind: FailureKind, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries print their cause themselves.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Self { kind, message, damaged: Vec::new() }
    }
}

impl From<Failure> for v1::Failure {
    fn from(failure: Failure) -> Self {
        Self { kind: failure.kind.into(), message: failure.message }
    }
}

impl From<blobs::Error> for Failure {
    fn from(error: blobs::Error) -> Self {
        let kind = match &error {
            blobs::Error::Missing { .. } | blobs::Error::Store { .. } => FailureKind::Storage,
            blobs::Error::Local { .. } => FailureKind::Resource,
        };
        Self::of(kind, &error)
    }
}

impl From<cache::Error> for Failure {
    fn from(error: cache::Error) -> Self {
        let kind = match error {
            cache::Error::Store(error) => return error.into(),
            cache::Error::WrongBytes { .. } | cache::Error::WrongSize { .. } => FailureKind::Storage,
            cache::Error::TooSmall { .. } | cache::Error::DiskFull { .. } | cache::Error::Disk { .. } => {
                FailureKind::Resource
            }
        };
        Self::of(kind, &error)
    }
}

impl From<render::Error> for Failure {
    fn from(error: render::Error) -> Self {
        let kind = match &error {
            render::Error::Panicked(_) => FailureKind::Internal,
            render::Error::Thread(_) => FailureKind::Resource,
            render::Error::Execute(ExecuteError::BadMedia(_)) => FailureKind::BadMedia,
            render::Error::Execute(ExecuteError::BadSession(_)) => FailureKind::BadSession,
            // A file that is not there although the worker put it there, or was never told of, is a fault of ours;
            // the rest are disks: full, read-only, broken.
            render::Error::Execute(ExecuteError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                FailureKind::Internal
            }
            render::Error::Execute(ExecuteError::Io { .. }) => FailureKind::Resource,
            render::Error::Execute(ExecuteError::Cancelled) => FailureKind::Internal,
        };
        Self::of(kind, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_while_rendering_is_a_lack_of_resources_and_names_its_cause() {
        let source = io::Error::from(io::ErrorKind::StorageFull);
        let error = ExecuteError::Io { what: "cannot write /cache/work/mix".into(), source };
        let failure = Failure::from(render::Error::Execute(error));
        assert_eq!(failure.kind, FailureKind::Resource);
        assert_eq!(failure.message, "cannot write /cache/work/mix: no storage space");
    }
}
