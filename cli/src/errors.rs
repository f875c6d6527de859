//! The one error of the command: what failed on which thing, why, where, and what to do about it.
//!
//! Every error has a stable code for programs and an exit code for shells. It renders as text for people and as JSON
//! under `--json`.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use mixdown_dsp::media::MediaError;
use mixdown_dsp::session::{Fault, Faults};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// How a command ended that did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The work failed.
    Failed = 1,
    /// Bad usage or bad input.
    BadInput = 2,
    /// Cancelled or timed out.
    Cancelled = 3,
    /// Not allowed.
    NotAllowed = 4,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct CommandError {
    /// How the process ends.
    pub exit: Exit,
    /// Stable code for programs.
    pub code: String,
    /// What failed on which thing.
    pub message: String,
    /// Why, from the nearest cause to the farthest.
    pub causes: Vec<String>,
    /// What to do about it.
    pub remedy: Option<Box<str>>,
    /// What is wrong with the session, with places; empty for other errors.
    pub faults: Vec<Fault>,
    /// Whether the result on stdout already tells it under `--json`, so that stdout stays one document.
    pub in_result: bool,
}

impl CommandError {
    /// An error with its exit code, its stable code and what failed.
    #[must_use]
    pub fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.into(),
            message: message.into(),
            causes: Vec::new(),
            remedy: None,
            faults: Vec::new(),
            in_result: false,
        }
    }

    /// Adds a cause and the causes of that cause.
    #[must_use]
    pub fn because(mut self, cause: &dyn Error) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            let text = error.to_string();
            // Many errors repeat their source in their own message.
            if !self.causes.last().is_some_and(|last| last.contains(&text)) && !self.message.contains(&text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<Box<str>>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Marks that the result on stdout tells it under `--json`.
    #[must_use]
    pub fn told_in_result(mut self) -> Self {
        self.in_result = true;
        self
    }

    /// Stopped from the keyboard.
    #[must_use]
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Exit::Interrupted, "interrupted", message)
    }

    /// `action` failed on a local path.
    #[must_use]
    pub fn io(action: &str, path: &Path, error: &io::Error) -> Self {
        let (exit, code, remedy) = match error.kind() {
            io::ErrorKind::NotFound => (Exit::BadInput, "missing_file", Some("check the path")),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                (Exit::Failed, "disk_full", Some("free some space there, or name another folder"))
            }
            io::ErrorKind::PermissionDenied => {
                (Exit::Failed, "permission_denied", Some("check who owns the path and its mode"))
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                (Exit::BadInput, "not_a_folder", Some("name a folder"))
            }
            _ => (Exit::Failed, "io", None),
        };
        let mut built = Self::new(exit, code, format!("cannot {action} {}", path.display())).because(error);
        built.remedy = remedy.map(Box::from);
        built
    }

    /// What is wrong with a session.
    #[must_use]
    pub fn faults(subject: &str, faults: Faults) -> Self {
        let count = faults.0.len();
        let noun = if count == 1 { "fault" } else { "faults" };
        let mut error = Self::new(Exit::BadInput, "bad_session", format!("{subject} has {count} {noun}"));
        error.faults = faults.0;
        error.remedy("mend the places shown; `mixdown schema` prints what a session may hold")
    }

    /// As programs get it.
    #[must_use]
    pub fn document(&self) -> Document {
        Document {
            code: self.code.clone(),
            message: self.message.clone(),
            causes: self.causes.clone(),
            remedy: self.remedy.clone(),
            exit_code: self.exit as u8,
            faults: self.faults.clone(),
        }
    }

    /// As one JSON object.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json!(self.document())
    }
}

/// An error as programs get it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Document {
    /// Stable code for programs.
    code: String,
    /// What failed on which thing.
    message: String,
    /// Why, from the nearest cause to the farthest.
    causes: Vec<String>,
    /// What to do about it.
    remedy: Option<Box<str>>,
    /// What a command ends with that fails for it.
    exit_code: u8,
    /// What is wrong with the session, with places; empty for other errors.
    faults: Vec<Fault>,
}

impl From<&MediaError> for CommandError {
    fn from(error: &MediaError) -> Self {
        match error {
            MediaError::Io { path, source } => Self::io("read", path, source),
            MediaError::Bad { code, .. } => Self::new(Exit::BadInput, *code, error.to_string()),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CommandError {}
