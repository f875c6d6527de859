//! The field `preset` of a processor: `compressor = { preset = "vocal-gentle", ratio = 4 }`.

use schemars::Schema;
use serde_json::json;

use super::tree::{Entry, Tree, Value};
use crate::nodes::Processor;

/// The field of a processor's table that names a preset.
const FIELD: &str = "preset";

/// Writes out every preset of a checked document: its fields, with the document's own over them. What comes from a preset
/// stands where its name does.
pub(super) fn resolve(document: &mut Tree) {
    for owners in ["tracks", "buses"] {
        for owner in document.field_mut(owners).map_or(&mut [][..], Tree::items_mut) {
            resolve_inserts(owner);
        }
    }
    if let Some(master) = document.field_mut("master") {
        resolve_inserts(master);
    }
}

fn resolve_inserts(owner: &mut Tree) {
    for insert in owner.field_mut("inserts").map_or(&mut [][..], Tree::items_mut) {
        for (processor, _) in Processor::REVISIONS {
            if let Some(Tree { value: Value::Table(own), .. }) = insert.field_mut(processor) {
                resolve_fields(processor, own);
            }
        }
    }
}

fn resolve_fields(processor: &str, own: &mut Vec<Entry>) {
    let Some(at) = own.iter().position(|entry| entry.key == FIELD) else { return };
    let Entry { tree: named, .. } = own.remove(at);
    let Value::Text(name) = &named.value else { return };
    // A name that is none has been told and replaced by the check of the structure.
    if let Some(preset) = Processor::presets_of(processor).find(|preset| preset.name == *name) {
        let fields = serde_json::Value::Object(preset.fields.clone());
        if let Value::Table(fields) = Tree::from_json(&fields, &named.span).value {
            lay_under(own, fields);
        }
    }
}

/// Adds the fields that are not there; tables are joined field by field, lists are taken whole.
fn lay_under(own: &mut Vec<Entry>, fields: Vec<Entry>) {
    for field in fields {
        match (own.iter_mut().find(|entry| entry.key == field.key), field.tree.value) {
            (None, value) => own.push(Entry { tree: Tree { value, ..field.tree }, ..field }),
            (Some(Entry { tree: Tree { value: Value::Table(own), .. }, .. }), Value::Table(fields)) => {
                lay_under(own, fields);
            }
            (Some(_), _) => {}
        }
    }
}

/// Adds the field `preset`, with the names there are, to each processor in the schema of a document.
pub(super) fn list_in_schema(schema: &mut Schema) {
    for (processor, _) in Processor::REVISIONS {
        let names: Vec<&str> = Processor::presets_of(processor).map(|preset| preset.name.as_str()).collect();
        let variants = schema.pointer("/$defs/Insert/oneOf").and_then(|variants| variants.as_array());
        let variant = variants.into_iter().flatten().find_map(|variant| variant["properties"].get(*processor));
        let definition = variant.and_then(|variant| variant["$ref"].as_str()).unwrap_or_default();
        let fields = schema.pointer_mut(&format!("{}/properties", definition.trim_start_matches('#')));
        if let (Some(serde_json::Value::Object(fields)), false) = (fields, names.is_empty()) {
            let about = "A preset: its parameters, under those given beside it.";
            fields.insert(FIELD.to_owned(), json!({ "description": about, "type": "string", "enum": names }));
        }
    }
}
