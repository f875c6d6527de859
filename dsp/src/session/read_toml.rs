//! TOML text into a [`Tree`].

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::source::SyntaxError;
use super::tree::{Entry, Tree, Value};

/// In longer documents only the first error of syntax is told: the parser could find millions.
const MAX_RECOVERED_BYTES: usize = 256 * 1024;

/// Reads TOML.
///
/// # Errors
/// Every error of syntax that the parser can tell apart, duplicate keys among them.
pub(super) fn read(text: &str) -> Result<Tree, Vec<SyntaxError>> {
    let errors = match DeTable::parse(text) {
        Ok(table) => return Ok(Tree { span: 0..0, value: Value::Table(entries(table.into_inner())) }),
        Err(error) if text.len() > MAX_RECOVERED_BYTES => vec![error],
        Err(_) => DeTable::parse_recoverable(text).1,
    };
    Err(first_of_each_line(text, errors.iter().map(|error| syntax_error(text, error)).collect()))
}

fn syntax_error(text: &str, error: &toml::de::Error) -> SyntaxError {
    let code = if error.message() == "duplicate key" { "duplicate_key" } else { "syntax" };
    let (message, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), "TOML 1.0"));
    SyntaxError {
        code,
        span: error.span().unwrap_or(text.len()..text.len()),
        message: message.to_owned(),
        expected: if code == "syntax" { expected.to_owned() } else { "each key once in a table".to_owned() },
    }
}

/// Leaves out what follows an error in its line: mostly, it follows from it too.
fn first_of_each_line(text: &str, mut errors: Vec<SyntaxError>) -> Vec<SyntaxError> {
    errors.sort_by_key(|error| error.span.start);
    let bytes = text.as_bytes();
    errors.dedup_by(|later, earlier| {
        let between = bytes.get(earlier.span.start..later.span.start).unwrap_or_default();
        !between.contains(&b'\n')
    });
    errors
}

fn entries(table: DeTable<'_>) -> Vec<Entry> {
    table
        .into_iter()
        .map(|(key, value)| Entry { key_span: key.span(), key: key.into_inner().into_owned(), tree: tree(value) })
        .collect()
}

fn tree(value: Spanned<DeValue<'_>>) -> Tree {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => Value::Integer(saturated(&integer)),
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(items.into_iter().map(tree).collect()),
        DeValue::Table(table) => Value::Table(entries(table)),
    };
    Tree { span, value }
}

fn saturated(integer: &DeInteger<'_>) -> i128 {
    let digits = integer.as_str();
    let overflow = if digits.starts_with('-') { i128::MIN } else { i128::MAX };
    i128::from_str_radix(digits, integer.radix()).unwrap_or(overflow)
}
