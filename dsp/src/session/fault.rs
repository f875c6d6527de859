//! What is wrong with a session, and where.

use std::fmt;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Fault {
    /// Stable code for programs: `unknown_field`, `out_of_range`, `dangling_name`, `cycle`, `missing_file`, …
    pub code: &'static str,
    /// JSON pointer into the document: `/tracks/0/clips/1/file`.
    pub pointer: String,
    /// The session file, as given; empty for a document that came over the wire.
    pub file: String,
    /// Line in the file, from 1; 0 when unknown.
    pub line: usize,
    /// Column in the file, in characters from 1; 0 when unknown.
    pub column: usize,
    /// What is wrong: `no bus is named "Verbb"`.
    pub message: String,
    /// What was expected: `one of "Verb", "Echo"`.
    pub expected: String,
    /// Byte range in the file, to underline; `None` when unknown.
    #[serde(skip)]
    pub span: Option<std::ops::Range<usize>>,
}

/// All faults of a document, in order of their places; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

/// The most faults that one report holds.
const MAX_FAULTS: usize = 200;

/// No step looks for more faults than this: a document of sixteen million wrong bytes is refused quickly, in little memory.
pub(super) const MAX_FOUND: usize = 256;

impl Fault {
    /// A fault at a JSON pointer; its line and column are found later.
    pub(super) fn at(
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            code,
            pointer: pointer.into(),
            file: String::new(),
            line: 0,
            column: 0,
            message: message.into(),
            expected: expected.into(),
            span: None,
        }
    }
}

impl Faults {
    /// The first faults, as many as somebody can want to read, with the number of the others.
    pub(super) fn report(mut faults: Vec<Fault>) -> Self {
        if faults.len() > MAX_FAULTS {
            let rest = faults.len() - MAX_FAULTS;
            faults.truncate(MAX_FAULTS);
            let message = format!("{rest} more faults are not shown");
            faults.push(Fault::at("", "more_faults", message, format!("at most {MAX_FAULTS} at a time")));
        }
        Self(faults)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.file.as_str()) {
            (0, "") => {}
            (0, file) => write!(f, "{file}: ")?,
            (line, "") => write!(f, "{line}:{}: ", self.column)?,
            (line, file) => write!(f, "{file}:{line}:{}: ", self.column)?,
        }
        f.write_str(&self.message)?;
        match (self.pointer.as_str(), self.expected.as_str()) {
            ("", "") => Ok(()),
            ("", expected) => write!(f, " (expected {expected})"),
            (pointer, "") => write!(f, " (at {pointer})"),
            (pointer, expected) => write!(f, " (at {pointer}; expected {expected})"),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
