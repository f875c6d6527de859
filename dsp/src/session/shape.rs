//! The shape of a document: the JSON Schema that schemars writes for [`Document`], made ready to check against.
//!
//! The schema stays the one statement of fields, ranges and defaults; this reads back the part of JSON Schema that
//! schemars writes for our types, and no more.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::document::Document;
use super::preset;

/// Index of a shape in [`Shapes`].
pub(super) type ShapeId = usize;

/// Every shape of the document, and the document's own.
pub(super) struct Shapes {
    shapes: Vec<Shape>,
    by_reference: BTreeMap<String, ShapeId>,
    root: ShapeId,
}

/// What a value may be.
pub(super) enum Shape {
    Null,
    Bool,
    Integer {
        min: i128,
        max: i128,
    },
    Number {
        min: f64,
        max: f64,
    },
    /// A text; `hint` says in words what `pattern` asks for.
    Text {
        pattern: Option<Regex>,
        hint: Option<String>,
    },
    /// One of these texts.
    Words(Vec<String>),
    /// One of these numbers.
    Numbers(Vec<f64>),
    Array {
        items: ShapeId,
        min: usize,
        max: usize,
    },
    Table(Table),
    Either(Vec<ShapeId>),
}

/// A table's fields.
pub(super) struct Table {
    pub fields: BTreeMap<String, Field>,
    /// Of these fields, exactly one is there.
    pub variants: Vec<String>,
    /// The shape of every other field; without, there are no others.
    pub others: Option<ShapeId>,
}

/// A field of a table.
pub(super) struct Field {
    pub shape: ShapeId,
    pub required: bool,
}

/// The shapes of a session document.
pub(super) static SESSION: LazyLock<Shapes> = LazyLock::new(|| Shapes::of(&document_schema()));

/// The JSON Schema of a session document, with the presets of each processor.
pub(super) fn document_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(preset::list_in_schema);
    settings.into_generator().into_root_schema_for::<Document>().to_value()
}

impl Shapes {
    fn of(schema: &Value) -> Self {
        let mut shapes = Self { shapes: Vec::new(), by_reference: BTreeMap::new(), root: 0 };
        shapes.root = shapes.add(schema, &schema["$defs"]);
        shapes
    }

    /// The document's shape.
    pub fn root(&self) -> ShapeId {
        self.root
    }

    /// One shape.
    pub fn get(&self, id: ShapeId) -> &Shape {
        &self.shapes[id]
    }

    fn add(&mut self, schema: &Value, definitions: &Value) -> ShapeId {
        if let Some(reference) = schema["$ref"].as_str() {
            if let Some(&known) = self.by_reference.get(reference) {
                return known;
            }
            let name = reference.trim_start_matches("#/$defs/");
            let id = self.add(&definitions[name], definitions);
            self.by_reference.insert(reference.to_owned(), id);
            return id;
        }
        let shape = self.shape(schema, definitions);
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    fn shape(&mut self, schema: &Value, definitions: &Value) -> Shape {
        if let Some(words) = words(schema) {
            return Shape::Words(words);
        }
        if let Some(numbers) = schema["enum"].as_array() {
            return Shape::Numbers(numbers.iter().filter_map(Value::as_f64).collect());
        }
        if let Some(alternatives) = schema["anyOf"].as_array() {
            return Shape::Either(alternatives.iter().map(|schema| self.add(schema, definitions)).collect());
        }
        if let Some(types) = schema["type"].as_array() {
            let alternative = |of_type: &Value| {
                let mut schema = schema.clone();
                schema["type"] = of_type.clone();
                self.add(&schema, definitions)
            };
            return Shape::Either(types.iter().map(alternative).collect());
        }
        match schema["type"].as_str() {
            Some("null") => Shape::Null,
            Some("boolean") => Shape::Bool,
            Some("integer") => integer(schema),
            Some("number") => Shape::Number {
                min: schema["minimum"].as_f64().unwrap_or(f64::MIN),
                max: schema["maximum"].as_f64().unwrap_or(f64::MAX),
            },
            Some("string") => text(schema),
            Some("array") => Shape::Array {
                items: self.add(&schema["items"], definitions),
                min: schema["minItems"].as_u64().map_or(0, |min| min as usize),
                max: schema["maxItems"].as_u64().map_or(usize::MAX, |max| max as usize),
            },
            Some("object") => Shape::Table(self.table(schema, definitions)),
            other => unreachable!("schemars writes no schema of type {other:?} for our types: {schema}"),
        }
    }

    fn table(&mut self, schema: &Value, definitions: &Value) -> Table {
        let mut fields = self.fields(schema, definitions);
        let mut variants = Vec::new();
        for variant in schema["oneOf"].as_array().into_iter().flatten() {
            for (name, field) in self.fields(variant, definitions) {
                variants.push(name.clone());
                fields.insert(name, Field { required: false, ..field });
            }
        }
        let others = schema["additionalProperties"].is_object();
        let others = others.then(|| self.add(&schema["additionalProperties"], definitions));
        Table { fields, variants, others }
    }

    fn fields(&mut self, schema: &Value, definitions: &Value) -> BTreeMap<String, Field> {
        let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties
            .map(|(name, schema)| {
                (name.clone(), Field { shape: self.add(schema, definitions), required: required(name) })
            })
            .collect()
    }
}

/// The words of an enumeration, whichever of its two ways schemars wrote it.
fn words(schema: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let variants = schema["oneOf"].as_array().filter(|_| schema["type"].is_null());
    match (schema["enum"].as_array(), variants) {
        (Some(values), _) => values.iter().map(word).collect(),
        (_, Some(variants)) => variants.iter().map(|variant| word(&variant["const"])).collect(),
        _ => None,
    }
}

/// A doc comment's sentence as a part of another.
fn phrase(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let first = sentence.chars().next().map_or(0, char::len_utf8);
    sentence[..first].to_lowercase() + &sentence[first..]
}

fn integer(schema: &Value) -> Shape {
    let (least, greatest) = match schema["format"].as_str() {
        Some("uint32") => (0, i128::from(u32::MAX)),
        Some("int64") => (i128::from(i64::MIN), i128::from(i64::MAX)),
        _ => (0, i128::from(u64::MAX)),
    };
    let bound = |key: &str| schema[key].as_f64().map(|bound| bound as i128);
    Shape::Integer { min: bound("minimum").unwrap_or(least), max: bound("maximum").unwrap_or(greatest).min(greatest) }
}

fn text(schema: &Value) -> Shape {
    let pattern = schema["pattern"].as_str().map(|pattern| {
        Regex::new(pattern).expect("because the patterns in our types are tested and written in what regex-lite reads")
    });
    Shape::Text { pattern, hint: schema["description"].as_str().map(phrase) }
}

/// Turns doc comments into plain text: one line each, without the links of rustdoc.
pub(super) fn plain_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text
                    .replace("\n\n", "\r")
                    .replace('\n', " ")
                    .replace('\r', "\n\n")
                    .replace("[`", "`")
                    .replace("`]", "`");
            }
            fields.values_mut().for_each(plain_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(plain_descriptions),
        _ => {}
    }
}
