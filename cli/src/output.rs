//! Results on stdout. Everything else a command says goes to stderr.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::errors::{CommandError, Exit};

/// Where results go, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether a program reads stdout.
    pub json: bool,
    /// Whether that program reads one document a line.
    pub records: bool,
}

impl Output {
    /// Prints text and a line end.
    ///
    /// # Errors
    /// If stdout cannot be written. A reader that went away is no error: it has what it wanted.
    pub fn line(self, text: &str) -> Result<(), CommandError> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CommandError::new(Exit::Failed, "stdout", "cannot write to stdout").because(&error))
            }
            _ => Ok(()),
        }
    }

    /// The same, for a stream of documents: one a line.
    #[must_use]
    pub fn in_records(self) -> Self {
        Self { records: true, ..self }
    }

    /// Prints one JSON document: indented, or on one line in a stream of them.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn document(self, value: &impl Serialize) -> Result<(), CommandError> {
        if self.records { self.record(value) } else { self.serialized(serde_json::to_string_pretty(value)) }
    }

    /// Prints one JSON document on one line.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn record(self, value: &impl Serialize) -> Result<(), CommandError> {
        self.serialized(serde_json::to_string(value))
    }

    fn serialized(self, text: serde_json::Result<String>) -> Result<(), CommandError> {
        match text {
            Ok(text) => self.line(&text),
            Err(error) => Err(CommandError::new(Exit::Failed, "internal", "cannot write a result").because(&error)),
        }
    }
}
