//! The session reference is true: its examples are valid, it names every field, and its codes are those of the program.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use mixdown_dsp::nodes::Processor;
use mixdown_dsp::session::{from_toml, schema};

const REFERENCE: &str = include_str!("../../docs/session-reference.md");

/// The TOML examples with the heading that each stands under.
fn examples() -> Vec<(&'static str, &'static str)> {
    let mut heading = "";
    let mut examples = Vec::new();
    for block in REFERENCE.split("```") {
        match block.strip_prefix("toml\n") {
            Some(example) => examples.push((heading, example)),
            None => heading = block.lines().rev().find(|line| line.starts_with("## ")).unwrap_or(heading),
        }
    }
    examples
}

/// Completes an example, which shows one part of a session, to a whole one.
fn complete(example: &str) -> String {
    let has = |part: &str| example.lines().any(|line| line.starts_with(part));
    let mut text = String::new();
    if !has("version") {
        text += "version = 1\nsample_rate_hz = 48000\n";
    }
    text += example;
    if !has("[[tracks]]") {
        text += "[[tracks]]\nname = \"Guitar\"\nclips = [{ file = \"audio/guitar.flac\" }]\n";
    }
    if !has("[[deliverables]]") {
        text += "[[deliverables]]\nname = \"x\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"24\"\n";
    }
    let mut files: Vec<String> =
        text.split("file = \"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    for file in files.iter().filter(|file| !example.contains(&format!("assets.\"{file}\""))) {
        // Impulse responses are short.
        let frames = if file.starts_with("rooms/") { 96_000 } else { 9_000_000 };
        text += &format!(
            "[assets.\"{file}\"]\ndigest = \"{}\"\nsize_bytes = 1\nframes = {frames}\nsample_rate_hz = 48000\nchannels = 1\nlossy = false\n",
            "0".repeat(64)
        );
    }
    text
}

#[test]
fn every_example_is_valid() {
    let examples = examples();
    assert!(examples.len() >= 12, "{}", examples.len());
    for (heading, example) in examples {
        if let Err(faults) = from_toml(&complete(example)) {
            panic!("{heading}: {faults}\n{}", complete(example));
        }
    }
}

#[test]
fn every_field_value_and_processor_is_named() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let mut names = Vec::new();
    gather(&schema, &mut names);
    assert!(names.len() > 100, "{names:?}");
    names.extend(Processor::REVISIONS.iter().map(|(name, _)| (*name).to_owned()));
    names.retain(|name| !REFERENCE.contains(&format!("`{name}`")) && !REFERENCE.contains(&format!("`\"{name}\"`")));
    assert!(names.is_empty(), "the reference does not name {names:?}");
}

/// Every name of a field and every word of an enumeration in a schema.
fn gather(schema: &serde_json::Value, names: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(fields) => {
            names.extend(
                fields.get("properties").and_then(|p| p.as_object()).into_iter().flat_map(|p| p.keys().cloned()),
            );
            names.extend(fields.get("const").and_then(|word| word.as_str()).map(str::to_owned));
            fields.values().for_each(|field| gather(field, names));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| gather(item, names)),
        _ => {}
    }
}

#[test]
fn parameters_are_marked_if_and_only_if_they_may_be_automated() {
    for (name, section) in Processor::REVISIONS.iter().map(|(name, _)| {
        let start = REFERENCE.find(&format!("### `{name}`")).unwrap_or_else(|| panic!("no section on {name}"));
        let section = &REFERENCE[start + 3..];
        (name, &section[..section.find("\n#").unwrap_or(section.len())])
    }) {
        let processor = match *name {
            // An equaliser has the parameters of its bands; a bell has all of them.
            "eq" | "dynamic_eq" => serde_json::json!({ *name: { "bands": [{ "kind": "bell", "frequency_hz": 100 }] } }),
            _ => serde_json::json!({ *name: {} }),
        };
        let processor: Processor = serde_json::from_value(processor).unwrap();
        let mut automated: Vec<String> =
            processor.parameters().specs().into_iter().map(|spec| without_place(&spec.name)).collect();
        let mut marked: Vec<String> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` ●"))
            .map(|(name, _)| name.to_owned())
            .collect();
        automated.sort();
        automated.dedup();
        marked.sort();
        assert_eq!(marked, automated, "{name}");
    }
}

/// `ratio` of `bands.2.ratio`, `crossovers_hz` of `crossovers_hz.1`: what a table of parameters has.
fn without_place(name: &str) -> String {
    let parts = name.split('.').filter(|part| *part != "bands" && part.parse::<u32>().is_err());
    parts.collect::<Vec<_>>().join(".")
}

#[test]
fn every_code_is_explained() {
    let table = &REFERENCE[REFERENCE.find("## Faults").unwrap()..];
    let tests = concat!(
        include_str!("session_faults/document.rs"),
        include_str!("session_faults/deliverables.rs"),
        include_str!("session_prints.rs")
    );
    // The codes that the tests of faults expect are words in quotes between square brackets or parentheses.
    let codes = tests.split("&[\"").skip(1).filter_map(|rest| rest.split(']').next());
    let mut seen = 0;
    for code in
        codes.flat_map(|list| list.split(['"', ',', ';', ' '])).filter(|code| code.contains('_') || *code == "cycle")
    {
        assert!(table.contains(&format!("`{code}`")), "{code} is not explained");
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}
