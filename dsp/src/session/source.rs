//! The text of a document and the way from a byte of it to line and column.

use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::fault::Fault;
use super::tree::Tree;
use super::{read_json, read_toml};

/// The most bytes that a document may have.
pub const MAX_DOCUMENT_BYTES: u64 = 16 * 1024 * 1024;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Toml,
    Json,
}

/// What keeps a text from being read.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub code: &'static str,
    pub span: Range<usize>,
    pub message: String,
    pub expected: String,
}

/// A document's text, and where it came from.
pub(super) struct Source<'a> {
    /// The file, as given; empty for text that came over the wire, whose lines mean nothing to anybody.
    pub file: String,
    pub text: &'a str,
    pub syntax: Syntax,
}

impl Source<'_> {
    /// Reads the text.
    pub fn read(&self) -> Result<Tree, Vec<Fault>> {
        if self.text.len() as u64 > MAX_DOCUMENT_BYTES {
            return Err(vec![too_large(self.text.len() as u64)]);
        }
        let tree = match self.syntax {
            Syntax::Toml => read_toml::read(self.text),
            Syntax::Json => read_json::read(self.text),
        };
        tree.map_err(|errors| {
            let fault = |error: SyntaxError| {
                let mut fault = Fault::at(String::new(), error.code, error.message, error.expected);
                fault.span = Some(error.span);
                fault
            };
            errors.into_iter().map(fault).collect()
        })
    }

    /// What is written at `span`, cut to a length that fits a message.
    pub fn excerpt(&self, span: Range<usize>) -> String {
        let text = self.text.get(span).unwrap_or_default();
        match text.char_indices().nth(60) {
            Some((cut, _)) => format!("{}…", &text[..cut]),
            None => text.to_owned(),
        }
    }

    /// Puts the faults in order of their places, and names file, line and column of each.
    pub fn place(&self, tree: Option<&Tree>, faults: &mut [Fault]) {
        for fault in faults.iter_mut() {
            if let (None, Some(tree)) = (&fault.span, tree) {
                fault.span = Some(tree.locate(&fault.pointer));
            }
        }
        faults.sort_by_key(|fault| fault.span.as_ref().map(|span| span.start));
        let (mut line, mut column, mut seen) = (1, 1, 0);
        for fault in faults {
            let start = fault.span.as_ref().map_or(0, |span| self.text.floor_char_boundary(span.start));
            for character in self.text[seen..start].chars() {
                (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
            }
            seen = start;
            fault.file.clone_from(&self.file);
            (fault.line, fault.column) = (line, column);
        }
    }
}

/// The text of a session file.
pub(super) fn read_file(path: &Path) -> Result<String, Box<Fault>> {
    let unreadable = |error: std::io::Error| {
        let code = if error.kind() == std::io::ErrorKind::NotFound { "missing_file" } else { "unreadable_file" };
        Box::new(Fault::at("", code, format!("the session cannot be read: {error}"), "a session file in TOML or JSON"))
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a pipe without a size is bounded too.
    file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(Box::new(too_large(size.max(bytes.len() as u64))));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Box::new(Fault::at("", "not_utf8", format!("the session is no UTF-8 from byte {at} on"), "UTF-8"))
    })
}

/// The fault of a document of too many bytes.
pub(super) fn too_large(bytes: u64) -> Fault {
    let limits = format!(
        "at most {MAX_DOCUMENT_BYTES} bytes (16 MiB), which hold the most that a session may have: 1024 tracks"
    );
    Fault::at("", "too_large", format!("the document has {bytes} bytes"), limits)
}
