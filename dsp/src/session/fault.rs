//! What is wrong with a session, and where.

use std::fmt;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        }
        write!(f, "{} (at {}; expected {})", self.message, self.pointer, self.expected)
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
