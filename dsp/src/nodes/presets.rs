//! Presets: named parameters worth starting from, one file per processor in `dsp/presets`.
//!
//! A preset is a way to write parameters, not a part of the sound: sessions are resolved while they are read, so that a
//! preset that changes later leaves the sessions alone that crossed the wire before.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Processor;

/// Named parameters of a processor.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// By which sessions refer to it, unique among the processor's: `vocal-gentle`.
    pub name: String,
    /// What it is for and what it does, in one line.
    pub about: String,
    /// The fields it sets, as a session states them; the others keep their defaults.
    pub fields: Map<String, Value>,
    /// The processor so set.
    pub processor: Processor,
}

/// A presets file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    preset: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    about: String,
    parameters: Map<String, Value>,
}

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    Processor::PRESET_FILES
        .iter()
        .flat_map(|(processor, file)| read(processor, file).unwrap_or_else(|fault| panic!("{processor}.toml: {fault}")))
        .collect()
});

/// The presets in the text of a file.
fn read(processor: &str, file: &str) -> Result<Vec<Preset>, String> {
    let File { preset } = toml::from_str(file).map_err(|error| error.to_string())?;
    let with_processor = |Entry { name, about, parameters: fields }| {
        let stated = Map::from_iter([(processor.to_owned(), Value::Object(fields.clone()))]);
        let processor = serde_json::from_value(Value::Object(stated)).map_err(|error| format!("{name}: {error}"))?;
        Ok(Preset { name, about, fields, processor })
    };
    preset.into_iter().map(with_processor).collect()
}

impl Processor {
    /// Every preset of every processor, in the order of [`Self::REVISIONS`] and of the files.
    #[must_use]
    pub fn presets() -> &'static [Preset] {
        &PRESETS
    }

    /// The presets of the processor of a name.
    pub fn presets_of(name: &str) -> impl Iterator<Item = &'static Preset> {
        Self::presets().iter().filter(move |preset| preset.processor.name() == name)
    }
}
