//! Presets and the pages of the processors: every processor has both, and both are true.

use mixdown_dsp::nodes::Processor;
use mixdown_dsp::session::document::SAMPLE_RATES_HZ;
use mixdown_dsp::session::{ValidSession, from_json, from_toml, schema, to_json};

const HEAD: &str = "version = 1\nsample_rate_hz = 48000\nend = \"10s\"\n";
const TAIL: &str = "[[deliverables]]\nname = \"out\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"24\"\n";
const ASSETS: &str = include_str!("session_assets.toml");

/// A session of one track with these inserts.
fn session(inserts: &str) -> String {
    format!("{HEAD}[[tracks]]\nname = \"Lead\"\nclips = [{{ file = \"mono.wav\" }}]\n{inserts}\n{TAIL}{ASSETS}")
}

fn read(inserts: &str) -> ValidSession {
    from_toml(&session(inserts)).unwrap_or_else(|faults| panic!("{faults}\nin {inserts}"))
}

fn first_insert(inserts: &str) -> Processor {
    read(inserts).tracks[0].inserts[0].processor.clone()
}

/// The names of a processor's parameters in the schema, `preset` not among them, and those of its bands.
fn parameters(processor: &str) -> Vec<String> {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("because the schema is JSON");
    let definition = |reference: &serde_json::Value| {
        let name = reference["$ref"].as_str().expect("because structs stand in $defs").rsplit('/').next();
        schema["$defs"][name.expect("because a reference has segments")].clone()
    };
    let variants = schema["$defs"]["Insert"]["oneOf"].as_array().expect("because an insert names one processor");
    let variant = variants.iter().find(|variant| variant["properties"].get(processor).is_some());
    let table = definition(&variant.expect("because every processor is a variant")["properties"][processor]);
    let mut names = Vec::new();
    for (name, field) in table["properties"].as_object().into_iter().flatten() {
        names.push(name.clone());
        for inner in [field, &field["items"]].into_iter().filter(|inner| inner.get("$ref").is_some()) {
            names.extend(
                definition(inner)["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()),
            );
        }
    }
    names.retain(|name| name != "preset");
    names
}

#[test]
fn every_processor_with_parameters_has_presets_worth_the_name() {
    for (processor, _) in Processor::REVISIONS {
        let wanted = match parameters(processor).len() {
            0 => 0,
            1 => 1,
            _ => 3,
        };
        let presets: Vec<_> = Processor::presets_of(processor).collect();
        assert!(presets.len() >= wanted, "{processor} has {} presets of {wanted}", presets.len());
        for (index, preset) in presets.iter().enumerate() {
            let name = &preset.name;
            let is_kebab = name.split('-').all(|word| {
                !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            });
            assert!(is_kebab, "{processor}: {name:?}");
            assert!(presets[..index].iter().all(|other| other.name != *name), "{processor}: {name} stands twice");
            assert!(
                presets[..index].iter().all(|other| other.processor != preset.processor),
                "{processor}: {name} is another"
            );
            assert!(preset.about.ends_with('.') && !preset.about.contains('\n'), "{processor}: {:?}", preset.about);
            for rate_hz in SAMPLE_RATES_HZ {
                let faults = preset.processor.parameters().faults(rate_hz);
                assert!(faults.is_empty(), "{processor}: {name} at {rate_hz} Hz: {faults:?}");
            }
        }
    }
}

#[test]
fn a_session_takes_every_preset_and_resolves_it() {
    for preset in Processor::presets() {
        let processor = preset.processor.name();
        // No preset brings a file.
        let file = if preset.processor.file().is_some() { "file = \"mono.wav\", " } else { "" };
        let named = read(&format!("inserts = [{{ {processor} = {{ {file}preset = {:?} }} }}]", preset.name));
        assert_eq!(
            named.tracks[0].inserts[0].processor.without_file(),
            preset.processor,
            "{processor}: {}",
            preset.name
        );
        // What crosses the wire, and what keys are made of, knows the parameters only.
        let wire = to_json(&named.document);
        assert!(!wire.contains("\"preset\""), "{wire}");
        let again = from_json(&wire).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(again.tracks[0].inserts[0].processor.without_file(), preset.processor);
    }
}

#[test]
fn fields_beside_a_preset_win_over_it() {
    let preset = first_insert("inserts = [{ compressor = { preset = \"vocal-gentle\" } }]");
    let Processor::Compressor(preset) = preset else { panic!("{preset:?}") };
    for text in ["{ preset = \"vocal-gentle\", ratio = 7 }", "{ ratio = 7, preset = \"vocal-gentle\" }"] {
        let changed = first_insert(&format!("inserts = [{{ compressor = {text} }}]"));
        let mut wanted = preset.clone();
        wanted.ratio = 7.0;
        assert_eq!(changed, Processor::Compressor(wanted));
    }
    // A list is taken whole.
    let bands = first_insert(
        "inserts = [{ eq = { preset = \"telephone\", bands = [{ kind = \"notch\", frequency_hz = 50 }] } }]",
    );
    assert!(matches!(bands, Processor::Eq(eq) if eq.bands.len() == 1));
}

#[test]
fn presets_work_on_buses_and_the_master_chain() {
    let text = format!(
        "{HEAD}[[tracks]]\nname = \"Lead\"\nclips = [{{ file = \"mono.wav\" }}]\n\
         [[buses]]\nname = \"Hall\"\ninserts = [{{ reverb = {{ preset = \"hall\" }} }}]\n\
         [master]\ninserts = [{{ limiter = {{ preset = \"loud\" }} }}]\n{TAIL}{ASSETS}"
    );
    let session = from_toml(&text).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(matches!(&session.buses[0].inserts[0].processor, Processor::Reverb(reverb) if reverb.decay_s > 2.0));
    assert!(matches!(&session.master.inserts[0].processor, Processor::Limiter(limiter) if limiter.drive_db == 6.0));
}

#[test]
fn an_unknown_preset_is_told_at_its_place_with_the_nearest_name() {
    let faults =
        from_toml(&session("inserts = [{ compressor = { preset = \"vocal-gentel\" } }]")).expect_err("unknown");
    let [fault] = &faults.0[..] else { panic!("{faults}") };
    assert_eq!((fault.code, fault.pointer.as_str()), ("unknown_value", "/tracks/0/inserts/0/compressor/preset"));
    assert!(fault.message.contains("did you mean \"vocal-gentle\"?"), "{fault}");
    assert!(fault.expected.contains("bus-glue") && fault.line == 7, "{fault:?}");
}

#[test]
fn a_fault_in_what_a_preset_says_stands_where_the_preset_is_named() {
    let text = "inserts = [{ name = \"tone\", eq = { preset = \"telephone\" } }]\n\
                automation = [{ parameter = \"inserts.tone.bands.4.gain_db\", points = [{ at = 0, value = 1 }] }]";
    let faults = from_toml(&session(text)).expect_err("the preset has three bands");
    assert_eq!(faults.0.len(), 1, "{faults}");
    let moved = text.replace("bands.4", "bands.2");
    read(&moved);
}

#[test]
fn every_processor_has_a_page_that_names_its_parameters_and_presets_and_compares() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/processors");
    for (processor, _) in Processor::REVISIONS {
        let page = std::fs::read_to_string(format!("{folder}/{processor}.md"));
        let page = page.unwrap_or_else(|error| panic!("docs/processors/{processor}.md: {error}"));
        let presets = Processor::presets_of(processor).map(|preset| preset.name.clone());
        let names = parameters(processor).into_iter().chain(presets);
        let missing: Vec<String> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "docs/processors/{processor}.md does not name {missing:?}");
        let compared = page.split("\n## Against other tools\n").nth(1).unwrap_or_default();
        let named = compared.contains("ffmpeg") || compared.contains("sox");
        assert!(named, "docs/processors/{processor}.md compares with no other tool, and does not say why not");
    }
}
