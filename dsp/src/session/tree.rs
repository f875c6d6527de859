//! A document as it was written, before anything is known of its meaning: values, each with its place in the text.

use std::ops::Range;

/// A value and the bytes of the text that it stands in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    pub span: Range<usize>,
    pub value: Value,
}

/// What TOML and JSON have in common, and the rest of both.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// Saturated: what does not fit is out of every range.
    Integer(i128),
    Float(f64),
    Text(String),
    /// A TOML date or time, which no field takes.
    Datetime,
    Array(Vec<Tree>),
    Table(Vec<Entry>),
}

/// A key of a table with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub tree: Tree,
}

impl Tree {
    /// The bytes of what a JSON pointer names, or of the innermost part of the way to it that is there.
    pub fn locate(&self, pointer: &str) -> Range<usize> {
        let mut here = self;
        for segment in pointer.split('/').skip(1) {
            let next = match &here.value {
                Value::Array(items) => segment.parse().ok().and_then(|index: usize| items.get(index)),
                Value::Table(entries) => {
                    let key = segment.replace("~1", "/").replace("~0", "~");
                    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.tree)
                }
                _ => None,
            };
            match next {
                Some(tree) => here = tree,
                None => break,
            }
        }
        here.span.clone()
    }

    /// The same as a value of serde's. Dates become null: the check of the structure has refused them.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null | Value::Datetime => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(unsigned), _) => unsigned.into(),
                (_, Ok(signed)) => signed.into(),
                _ => (*value as f64).into(),
            },
            Value::Float(value) => (*value).into(),
            Value::Text(text) => text.as_str().into(),
            Value::Array(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.tree.to_json())).collect(),
        }
    }
}

impl Tree {
    /// A value of serde's, all of which stands at `span`.
    pub fn from_json(json: &serde_json::Value, span: &Range<usize>) -> Self {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match (number.as_i128(), number.as_f64()) {
                (Some(integer), _) => Value::Integer(integer),
                (None, float) => Value::Float(float.unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::Array(items.iter().map(|item| Self::from_json(item, span)).collect()),
            Json::Object(fields) => Value::Table(
                fields
                    .iter()
                    .map(|(key, json)| Entry {
                        key: key.clone(),
                        key_span: span.clone(),
                        tree: Self::from_json(json, span),
                    })
                    .collect(),
            ),
        };
        Self { span: span.clone(), value }
    }

    /// The value of a field, if this is a table that has it.
    pub fn field_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.value {
            Value::Table(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.tree),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn items_mut(&mut self) -> &mut [Self] {
        match &mut self.value {
            Value::Array(items) => items,
            _ => &mut [],
        }
    }
}

impl Value {
    /// What it is, for a message: `a text`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Datetime => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A key or name as a segment of a JSON pointer (RFC 6901, section 3).
pub(super) fn segment(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
