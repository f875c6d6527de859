//! JSON text (RFC 8259) into a [`Tree`]. serde_json reads the scalars; it keeps no places and lets duplicate keys pass,
//! so the structure is read here.

use std::collections::HashSet;
use std::ops::Range;

use super::fault::MAX_FOUND;
use super::source::SyntaxError;
use super::tree::{Entry, Tree, Value};

/// How deep lists and tables may lie in each other; a session needs 9.
const MAX_DEPTH: usize = 64;

/// Reads JSON.
///
/// # Errors
/// The first error of syntax, or every duplicate key.
pub(super) fn read(text: &str) -> Result<Tree, Vec<SyntaxError>> {
    let mut reader = Reader { text, at: 0, duplicates: Vec::new() };
    let tree = reader.value(0).and_then(|tree| {
        reader.skip_space();
        if reader.at == text.len() { Ok(tree) } else { Err(reader.unexpected("the end of the document")) }
    });
    match tree {
        Err(error) => Err(vec![error]),
        Ok(_) if !reader.duplicates.is_empty() => Err(reader.duplicates),
        Ok(tree) => Ok(tree),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    duplicates: Vec<SyntaxError>,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Tree, SyntaxError> {
        self.skip_space();
        let start = self.at;
        if depth > MAX_DEPTH {
            return Err(self.unexpected("lists and tables nested at most 64 deep"));
        }
        let value = match self.peek() {
            Some(b'{') => self.table(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Tree { span: start..self.at, value })
    }

    fn table(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.at += 1;
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Table(entries));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.string()?;
            let key_span = start..self.at;
            if !seen.insert(key.clone()) && self.duplicates.len() < MAX_FOUND {
                self.duplicates.push(SyntaxError {
                    code: "duplicate_key",
                    span: key_span.clone(),
                    message: "duplicate key".to_owned(),
                    expected: "each key once in a table".to_owned(),
                });
            }
            self.skip_space();
            if !self.take(b':') {
                return Err(self.unexpected("`:`"));
            }
            let tree = self.value(depth + 1)?;
            entries.push(Entry { key, key_span, tree });
            self.skip_space();
            if self.take(b'}') {
                return Ok(Value::Table(entries));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        let mut escaped = false;
        let length = self.text.as_bytes()[start + 1..].iter().position(|&byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let Some(length) = length else {
            return Err(self.error(start..self.text.len(), "a text that does not end", "a closing `\"`"));
        };
        self.at = start + length + 2;
        serde_json::from_str(&self.text[start..self.at])
            .map_err(|_| self.error(start..self.at, "a text that is not JSON", "escapes `\\n`, `\\u0041` and the like"))
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let start = self.at;
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        self.at += self.text.as_bytes()[start..].iter().take_while(|byte| is_part(byte)).count();
        let digits = &self.text[start..self.at];
        // The grammar alone is asked of serde_json: its conversion is not exact in the last bit.
        let grammar = serde_json::from_str::<serde::de::IgnoredAny>(digits);
        if grammar.is_err() {
            return Err(self.error(start..self.at, "a number that is not JSON", "a number such as -12.5"));
        }
        Ok(if digits.contains(['.', 'e', 'E']) {
            Value::Float(digits.parse().unwrap_or(f64::NAN))
        } else {
            let overflow = if digits.starts_with('-') { i128::MIN } else { i128::MAX };
            Value::Integer(digits.parse().unwrap_or(overflow))
        })
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, SyntaxError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        match self.text[self.at..].chars().next() {
            None => self.error(self.at..self.at, "the document ends too early", expected),
            Some(found) => self.error(self.at..self.at + found.len_utf8(), &format!("unexpected {found:?}"), expected),
        }
    }

    fn error(&self, span: Range<usize>, message: &str, expected: &str) -> SyntaxError {
        SyntaxError { code: "syntax", span, message: message.to_owned(), expected: expected.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let scalar = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e12..1e12).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        scalar.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_serde_json_writes_is_read_the_same(value in json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert_eq!(read(&text).unwrap().to_json(), value);
        }

        #[test]
        fn what_serde_json_refuses_is_refused(text in "[\\[\\]{},:\"0-9eE.+\\-truefalsn\\\\ u]{0,16}") {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            let ours = read(&text);
            let doubled = ours.as_ref().is_err_and(|errors| errors[0].code == "duplicate_key");
            prop_assert_eq!(ours.is_ok() || doubled, theirs);
        }
    }

    #[test]
    fn numbers_keep_every_bit() {
        for number in [0.1, 1.0 / 3.0, 5e-324, f64::MAX, -2.2250738585072011e-308, 9007199254740993.0] {
            let Value::Float(read) = read(&format!("{number:e}")).unwrap().value else { panic!("{number} is a float") };
            assert_eq!(read.to_bits(), number.to_bits());
        }
    }
}
