//! Checks a document's structure: fields, types, ranges, lengths. Every fault is found in one walk.
//!
//! What is faulty is replaced by the plainest value of its shape, so that the rest of the document can still be read
//! and its meaning checked in the same run.

use super::fault::{Fault, MAX_FOUND};
use super::shape::{Shape, ShapeId, Shapes, Table};
use super::source::Source;
use super::suggest::{did_you_mean, nearest, one_of};
use super::tree::{Entry, Tree, Value, segment};

/// What the walk found.
pub(super) struct Checked {
    pub faults: Vec<Fault>,
    /// Pointers to what was replaced: the meaning of what stands there, and below, says nothing.
    pub replaced: Vec<String>,
    /// Whether a list was too long: what it held is gone, and names in it cannot be checked.
    pub cut: bool,
}

/// Checks `tree` against the root of `shapes` and repairs it.
pub(super) fn check(tree: &mut Tree, shapes: &Shapes, source: &Source<'_>) -> Checked {
    let checked = Checked { faults: Vec::new(), replaced: Vec::new(), cut: false };
    let mut walk = Walk { shapes, source, checked, path: Vec::new() };
    walk.check(tree, shapes.root());
    let pointers = walk.checked.faults.iter().map(|fault| fault.pointer.clone());
    walk.checked.replaced.extend(pointers);
    walk.checked
}

/// A step of the way to a value.
enum Step {
    Key(String),
    Index(usize),
}

struct Walk<'a> {
    shapes: &'a Shapes,
    source: &'a Source<'a>,
    checked: Checked,
    path: Vec<Step>,
}

impl Walk<'_> {
    fn check(&mut self, tree: &mut Tree, id: ShapeId) {
        let shapes = self.shapes;
        match (shapes.get(id), &mut tree.value) {
            (Shape::Either(alternatives), _) => {
                let fits = |id: &&ShapeId| accepts(shapes, **id, &tree.value);
                match alternatives.iter().find(fits) {
                    Some(&alternative) => self.check(tree, alternative),
                    None => self.wrong_type(tree, id),
                }
            }
            (Shape::Null, Value::Null) | (Shape::Bool, Value::Bool(_)) => {}
            (&Shape::Integer { min, max }, &mut Value::Integer(found)) => {
                if found < min || found > max {
                    self.replace(tree, id, "out_of_range");
                }
            }
            (&Shape::Number { min, max }, Value::Integer(_) | Value::Float(_)) => {
                let found = number(&tree.value);
                if !found.is_finite() {
                    self.replace(tree, id, "not_finite");
                } else if found < min || found > max {
                    self.replace(tree, id, "out_of_range");
                }
            }
            (Shape::Numbers(numbers), Value::Integer(_) | Value::Float(_)) => {
                if !numbers.contains(&number(&tree.value)) {
                    self.replace(tree, id, "out_of_range");
                }
            }
            (Shape::Text { pattern, .. }, Value::Text(text)) => {
                if pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
                    self.replace(tree, id, "malformed");
                }
            }
            (Shape::Words(words), Value::Text(text)) => {
                if !words.contains(text) {
                    let hint = did_you_mean(text, words.iter().map(String::as_str));
                    self.fault(tree, "unknown_value", &hint, self.expectation(id));
                    tree.value = self.plainest(id);
                }
            }
            (&Shape::Array { items, min, max }, Value::Array(found)) => {
                if found.len() < min || found.len() > max {
                    let count = found.len();
                    self.checked.cut |= count > max;
                    let message = format!("{} has {count} entries", self.name());
                    self.push("out_of_range", &tree.span, message, self.expectation(id));
                    tree.value = self.plainest(id);
                    return;
                }
                for (index, item) in found.iter_mut().enumerate() {
                    self.path.push(Step::Index(index));
                    self.check(item, items);
                    self.path.pop();
                }
            }
            (Shape::Table(table), Value::Table(_)) => self.table(tree, table),
            _ => self.wrong_type(tree, id),
        }
    }

    fn table(&mut self, tree: &mut Tree, table: &Table) {
        let span = tree.span.clone();
        let Value::Table(entries) = &mut tree.value else { return };
        let mut unknown = None;
        entries.retain_mut(|entry| {
            let shape = table.fields.get(&entry.key).map(|field| field.shape).or(table.others);
            self.path.push(Step::Key(entry.key.clone()));
            match shape {
                Some(shape) => self.check(&mut entry.tree, shape),
                None => {
                    self.unknown_field(entry, table);
                    unknown.get_or_insert_with(|| entry.key.clone());
                }
            }
            self.path.pop();
            shape.is_some()
        });
        for (name, field) in &table.fields {
            if field.required && entries.iter().all(|entry| entry.key != *name) {
                self.missing(entries, name, field.shape, &span);
            }
        }
        let mut variants: Vec<&Entry> = entries.iter().filter(|entry| table.variants.contains(&entry.key)).collect();
        variants.sort_by_key(|entry| entry.key_span.start);
        match variants.as_slice() {
            [first, second, ..] => {
                let message = format!("{:?} beside {:?}", second.key, first.key);
                let span = second.key_span.clone();
                self.path.push(Step::Key(second.key.clone()));
                self.push("too_many", &span, message, "one processor in an insert");
                self.path.pop();
            }
            [] if table.variants.is_empty() => {}
            [] => {
                // A misspelt processor has been told as an unknown field; its name is still the best guess.
                let names = || table.variants.iter().map(String::as_str);
                if unknown.is_none() {
                    self.push("missing_field", &span, format!("{} names no processor", self.name()), one_of(names()));
                }
                self.checked.replaced.push(self.pointer());
                let meant = unknown.and_then(|unknown| nearest(&unknown, names())).or(names().next());
                if let Some((name, field)) = meant.and_then(|name| table.fields.get_key_value(name)) {
                    entries.push(self.entry(name, field.shape, &span));
                }
            }
            [_] => {}
        }
    }

    fn unknown_field(&mut self, entry: &Entry, table: &Table) {
        if self.is_full() {
            return;
        }
        let known = || table.fields.keys().map(String::as_str);
        let message = format!("unknown field {:?}{}", entry.key, did_you_mean(&entry.key, known()));
        let expected = format!("{} here", one_of(known()));
        self.push("unknown_field", &entry.key_span, message, expected);
    }

    fn missing(&mut self, entries: &mut Vec<Entry>, name: &str, shape: ShapeId, span: &std::ops::Range<usize>) {
        let message = format!("{} has no {name:?}", self.name());
        let expected = self.expectation(shape);
        self.path.push(Step::Key(name.to_owned()));
        self.push("missing_field", span, message, expected);
        self.path.pop();
        entries.push(self.entry(name, shape, span));
    }

    fn entry(&self, name: &str, shape: ShapeId, span: &std::ops::Range<usize>) -> Entry {
        let tree = Tree { span: span.clone(), value: self.plainest(shape) };
        Entry { key: name.to_owned(), key_span: span.clone(), tree }
    }

    fn wrong_type(&mut self, tree: &mut Tree, id: ShapeId) {
        let message = match &tree.value {
            Value::Array(_) | Value::Table(_) | Value::Null | Value::Datetime => {
                format!("{} is {}", self.name(), tree.value.kind())
            }
            scalar => format!("{} is {} ({})", self.name(), scalar.kind(), self.source.excerpt(tree.span.clone())),
        };
        self.push("wrong_type", &tree.span, message, self.expectation(id));
        tree.value = self.plainest(id);
    }

    fn replace(&mut self, tree: &mut Tree, id: ShapeId, code: &'static str) {
        self.fault(tree, code, "", self.expectation(id));
        tree.value = self.plainest(id);
    }

    fn fault(&mut self, tree: &Tree, code: &'static str, hint: &str, expected: String) {
        let message = format!("{} is {}{hint}", self.name(), self.source.excerpt(tree.span.clone()));
        self.push(code, &tree.span, message, expected);
    }

    fn push(
        &mut self,
        code: &'static str,
        span: &std::ops::Range<usize>,
        message: String,
        expected: impl Into<String>,
    ) {
        if !self.is_full() {
            let mut fault = Fault::at(self.pointer(), code, message, expected);
            fault.span = Some(span.clone());
            self.checked.faults.push(fault);
        }
    }

    fn is_full(&self) -> bool {
        self.checked.faults.len() >= MAX_FOUND
    }

    fn pointer(&self) -> String {
        let step = |step: &Step| match step {
            Step::Key(key) => format!("/{}", segment(key)),
            Step::Index(index) => format!("/{index}"),
        };
        self.path.iter().map(step).collect()
    }

    /// What the value at hand is called: `fader_db`, `tracks[2]`.
    fn name(&self) -> String {
        match self.path.as_slice() {
            [] => "the document".to_owned(),
            [.., Step::Key(key)] => key.clone(),
            [.., Step::Key(key), Step::Index(index)] => format!("{key}[{index}]"),
            [.., Step::Index(index)] => format!("[{index}]"),
        }
    }

    fn expectation(&self, id: ShapeId) -> String {
        match self.shapes.get(id) {
            Shape::Null => "null".to_owned(),
            Shape::Bool => "true or false".to_owned(),
            Shape::Integer { min, max } if *max >= i128::from(u32::MAX) => format!("a whole number from {min}"),
            Shape::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Shape::Number { min, max } if *min == f64::MIN && *max == f64::MAX => "a finite number".to_owned(),
            Shape::Number { min, max } => format!("a number from {min} to {max}"),
            Shape::Numbers(numbers) => match numbers.as_slice() {
                [only] => only.to_string(),
                many => format!("one of {}", many.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")),
            },
            Shape::Text { pattern: Some(pattern), hint: None } => format!("a text like {pattern}"),
            Shape::Text { pattern: Some(_), hint: Some(hint) } => hint.clone(),
            Shape::Text { .. } => "a text".to_owned(),
            Shape::Words(words) => one_of(words.iter().map(String::as_str)),
            Shape::Array { max: usize::MAX, .. } => "a list".to_owned(),
            Shape::Array { min: 0, max, .. } => format!("a list of at most {max}"),
            Shape::Array { min, max, .. } => format!("a list of {min} to {max}"),
            Shape::Table(_) => "a table".to_owned(),
            Shape::Either(alternatives) => {
                let meant = alternatives.iter().filter(|id| !matches!(self.shapes.get(**id), Shape::Null));
                meant.map(|id| self.expectation(*id)).collect::<Vec<_>>().join(", or ")
            }
        }
    }

    /// The plainest value of a shape, which stands in for a faulty one.
    fn plainest(&self, id: ShapeId) -> Value {
        match self.shapes.get(id) {
            Shape::Null => Value::Null,
            Shape::Bool => Value::Bool(false),
            Shape::Integer { min, .. } => Value::Integer(*min),
            Shape::Number { min, max } => Value::Float(0.0_f64.clamp(*min, *max)),
            Shape::Text { .. } => Value::Text(String::new()),
            Shape::Words(words) => Value::Text(words.first().cloned().unwrap_or_default()),
            Shape::Numbers(numbers) => match numbers.first() {
                Some(number) if *number == number.floor() => Value::Integer(*number as i128),
                Some(number) => Value::Float(*number),
                None => Value::Integer(0),
            },
            Shape::Array { items, min, .. } => {
                let item = |_| Tree { span: 0..0, value: self.plainest(*items) };
                Value::Array((0..*min).map(item).collect())
            }
            Shape::Table(table) => {
                let variant = table.variants.first();
                let needed = table.fields.iter().filter(|(name, field)| field.required || Some(*name) == variant);
                Value::Table(needed.map(|(name, field)| self.entry(name, field.shape, &(0..0))).collect())
            }
            Shape::Either(alternatives) => alternatives.first().map_or(Value::Null, |id| self.plainest(*id)),
        }
    }
}

/// Whether a value is of the type that a shape asks for.
fn accepts(shapes: &Shapes, id: ShapeId, value: &Value) -> bool {
    match shapes.get(id) {
        Shape::Null => matches!(value, Value::Null),
        Shape::Bool => matches!(value, Value::Bool(_)),
        Shape::Integer { .. } => matches!(value, Value::Integer(_)),
        Shape::Number { .. } | Shape::Numbers(_) => matches!(value, Value::Integer(_) | Value::Float(_)),
        Shape::Text { .. } | Shape::Words(_) => matches!(value, Value::Text(_)),
        Shape::Array { .. } => matches!(value, Value::Array(_)),
        Shape::Table(_) => matches!(value, Value::Table(_)),
        Shape::Either(alternatives) => alternatives.iter().any(|id| accepts(shapes, *id, value)),
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Integer(integer) => *integer as f64,
        Value::Float(float) => *float,
        _ => f64::NAN,
    }
}
