//! Renders errors for people: code, message, causes, the places in the session file, the remedy.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use mixdown_dsp::session::Fault;

use crate::errors::CommandError;

/// More faults than this are counted, not shown; `--json` has them all.
const MAX_SHOWN_FAULTS: usize = 50;
/// Longer lines, as programs write them, are told by their place alone.
const MAX_SHOWN_LINE_BYTES: usize = 1000;

/// Writes an error to stderr.
pub fn print(error: &CommandError) {
    let text = render(error, colours());
    // Nothing is left to be told to when stderr is closed.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Whether stderr takes colours: a terminal, and nobody said `NO_COLOR`.
#[must_use]
pub fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// An error as text.
#[must_use]
pub fn render(error: &CommandError, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(120).with_links(false).with_break_words(false);
    let mut text = String::new();
    if handler.render_report(&mut text, &Shown::new(error)).is_err() {
        text = format!("{}: {}\n", error.code, error.message);
    }
    text
}

/// A command's error as a diagnostic.
#[derive(Debug)]
struct Shown<'a> {
    error: &'a CommandError,
    cause: Option<Cause>,
    faults: Vec<ShownFault<'a>>,
}

impl<'a> Shown<'a> {
    fn new(error: &'a CommandError) -> Self {
        let mut sources: BTreeMap<&str, Option<Arc<NamedSource<String>>>> = BTreeMap::new();
        let faults = error
            .faults
            .iter()
            .take(MAX_SHOWN_FAULTS)
            .map(|fault| {
                let source = sources.entry(&fault.file).or_insert_with(|| {
                    let text = std::fs::read_to_string(&fault.file).ok()?;
                    Some(Arc::new(NamedSource::new(&fault.file, text)))
                });
                ShownFault { fault, source: source.clone() }
            })
            .collect();
        let cause = error
            .causes
            .iter()
            .rev()
            .fold(None, |source, text| Some(Cause { text: text.clone(), source: source.map(Box::new) }));
        Self { error, cause, faults }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)?;
        if self.error.faults.len() > MAX_SHOWN_FAULTS {
            write!(f, "; the first {MAX_SHOWN_FAULTS} follow, --json has them all")?;
        }
        Ok(())
    }
}

impl std::error::Error for Shown<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

impl Diagnostic for Shown<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(&self.error.code))
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.error.remedy.as_ref().map(|remedy| Box::new(remedy) as _)
    }

    fn related<'b>(&'b self) -> Option<Box<dyn Iterator<Item = &'b dyn Diagnostic> + 'b>> {
        if self.faults.is_empty() {
            return None;
        }
        Some(Box::new(self.faults.iter().map(|fault| fault as &dyn Diagnostic)))
    }
}

/// One link of the chain of causes.
#[derive(Debug)]
struct Cause {
    text: String,
    source: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|cause| cause.as_ref() as _)
    }
}

/// A fault with the text of its file.
#[derive(Debug)]
struct ShownFault<'a> {
    fault: &'a Fault,
    source: Option<Arc<NamedSource<String>>>,
}

impl ShownFault<'_> {
    /// The bytes to underline, if they lie within the file, in a line that a person can read.
    fn span(&self) -> Option<(usize, usize)> {
        let (start, length) = self.place()?;
        let text = self.source.as_ref()?.inner();
        let before = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let after = text[start..].find('\n').map_or(text.len(), |at| start + at);
        (after - before <= MAX_SHOWN_LINE_BYTES).then_some((start, length))
    }

    /// The bytes concerned, if they lie within the file.
    fn place(&self) -> Option<(usize, usize)> {
        let text = self.source.as_ref()?.inner();
        if let Some(span) = &self.fault.span {
            return text.get(span.clone()).map(|part| (span.start, part.len()));
        }
        let line_start: usize = text.split_inclusive('\n').take(self.fault.line.checked_sub(1)?).map(str::len).sum();
        let in_line: usize =
            text.get(line_start..)?.chars().take(self.fault.column.checked_sub(1)?).map(char::len_utf8).sum();
        Some((line_start + in_line, 0))
    }
}

impl fmt::Display for ShownFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The snippet shows the place; without one it stands in the message.
        if self.span().is_none() && self.fault.line > 0 {
            write!(f, "{}:{}:{}: ", self.fault.file, self.fault.line, self.fault.column)?;
        }
        f.write_str(&self.fault.message)?;
        if self.fault.line == 0 && !self.fault.pointer.is_empty() {
            write!(f, " (at {})", self.fault.pointer)?;
        }
        Ok(())
    }
}

impl std::error::Error for ShownFault<'_> {}

impl Diagnostic for ShownFault<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.fault.code))
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        if self.fault.expected.is_empty() {
            return None;
        }
        Some(Box::new(format!("expected {}", self.fault.expected)))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.span()?;
        self.source.as_ref().map(|source| source.as_ref() as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (start, length) = self.span()?;
        let label = LabeledSpan::new(Some(self.fault.pointer.clone()).filter(|text| !text.is_empty()), start, length);
        Some(Box::new(std::iter::once(label)))
    }
}
