//! TOML text into a [`Tree`].

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::source::SyntaxError;
use super::tree::{Entry, Tree, Value};

/// Reads TOML.
///
/// # Errors
/// Every error of syntax that the parser can tell apart, duplicate keys among them.
pub(super) fn read(text: &str) -> Result<Tree, Vec<SyntaxError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Tree { span: 0..0, value: Value::Table(entries(table.into_inner())) });
    }
    let end = text.len();
    Err(errors
        .into_iter()
        .map(|error| {
            let code = if error.message() == "duplicate key" { "duplicate_key" } else { "syntax" };
            let (message, expected) =
                error.message().split_once(", expected ").unwrap_or((error.message(), "TOML 1.0"));
            SyntaxError {
                code,
                span: error.span().unwrap_or(end..end),
                message: message.to_owned(),
                expected: if code == "syntax" { expected.to_owned() } else { "each key once in a table".to_owned() },
            }
        })
        .collect())
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
