//! `mixdown presets`

use mixdown_dsp::nodes::{Preset, Processor};
use mixdown_dsp::session::suggest::{did_you_mean, one_of};
use serde_json::{Value, json};

use crate::errors::{CommandError, Exit};
use crate::output::Output;
use crate::tables::Listing;

/// List the presets of the processors, or print one to paste into a session.
///
/// A session uses a preset by its name and changes what it likes: `compressor = { preset = "vocal-gentle", ratio = 4 }`.
/// With a processor and the name of a preset, what is printed is an insert with all that the preset sets, as TOML.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown presets\n  mixdown presets compressor\n  \
    mixdown presets compressor vocal-gentle >> song.toml\n  mixdown presets --json | jq '.presets[].name'")]
pub struct Arguments {
    /// Only those of this processor: `compressor`, `eq`, `reverb`, …
    processor: Option<String>,
    /// The preset to print.
    #[arg(requires = "processor")]
    name: Option<String>,
}

/// Lists presets, or prints one.
///
/// # Errors
/// If there is no such processor or preset.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let processor = arguments.processor.as_deref();
    if let Some(processor) = processor {
        let names = || Processor::REVISIONS.iter().map(|(name, _)| *name);
        if !names().any(|name| name == processor) {
            return Err(unknown("processor", processor, names()));
        }
    }
    let mut listed =
        Processor::presets().iter().filter(|preset| processor.is_none_or(|name| preset.processor.name() == name));
    let Some(name) = arguments.name.as_deref() else { return list(listed, output) };
    let names = listed.clone().map(|preset| preset.name.as_str());
    match listed.find(|preset| preset.name == name) {
        Some(preset) if output.json => output.document(&described(preset)),
        Some(preset) => output.line(&snippet(preset)),
        None => Err(unknown("preset", name, names)),
    }
}

fn list<'a>(presets: impl Iterator<Item = &'a Preset>, output: Output) -> Result<(), CommandError> {
    if output.json {
        return output.document(&json!({ "presets": presets.map(described).collect::<Vec<_>>() }));
    }
    let mut listing = Listing::new(&["Processor", "Preset", "What it is for"]);
    for preset in presets {
        listing.row([preset.processor.name().to_owned(), preset.name.clone(), preset.about.clone()]);
    }
    output.line(&listing.text())
}

fn described(preset: &Preset) -> Value {
    json!({
        "processor": preset.processor.name(),
        "name": preset.name,
        "about": preset.about,
        "parameters": preset.fields,
    })
}

/// There is no processor or preset of a name.
pub fn unknown<'a>(kind: &str, found: &str, names: impl Iterator<Item = &'a str> + Clone) -> CommandError {
    let message = format!("no {kind} is named {found:?}{}", did_you_mean(found, names.clone()));
    CommandError::new(Exit::BadInput, format!("unknown_{kind}"), message).remedy(format!("name {}", one_of(names)))
}

/// An insert that says in full what the preset says.
fn snippet(preset: &Preset) -> String {
    let (processor, name) = (preset.processor.name(), &preset.name);
    let fields = preset.fields.iter().map(|(field, value)| format!("{field} = {}", toml(value, true)));
    // What a convolution is made of is the session's own.
    let file = matches!(preset.processor, Processor::Convolution(_)).then(|| "file = \"response.wav\"".to_owned());
    let fields: Vec<String> = file.into_iter().chain(fields).collect();
    format!(
        "# {about} The same: {processor} = {{ preset = \"{name}\" }}\n\
         # On a bus this is [[buses.inserts]], on the master chain [[master.inserts]].\n\
         [[tracks.inserts]]\nname = \"{name}\"\n{processor} = {{ {fields} }}",
        about = preset.about,
        fields = fields.join(", "),
    )
}

/// A value as TOML; a list that is not inside another value has a line for each item.
fn toml(value: &Value, outermost: bool) -> String {
    match value {
        Value::Array(items) if outermost && items.iter().any(Value::is_object) => {
            let items: Vec<String> = items.iter().map(|item| format!("    {},\n", toml(item, false))).collect();
            format!("[\n{}]", items.concat())
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| toml(item, false)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(field, value)| format!("{field} = {}", toml(value, false))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        // JSON and TOML write numbers, truth values and plain texts alike; presets hold no null.
        scalar => scalar.to_string(),
    }
}
