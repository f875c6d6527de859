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

/// A processor's parameters as the schema has them, `preset` not among them, and those of its bands: each with its name.
fn fields(processor: &str) -> Vec<(String, serde_json::Value)> {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("because the schema is JSON");
    let definition = |reference: &serde_json::Value| {
        let name = reference["$ref"].as_str().expect("because structs stand in $defs").rsplit('/').next();
        schema["$defs"][name.expect("because a reference has segments")].clone()
    };
    let properties = |table: &serde_json::Value| {
        let fields = table["properties"].as_object().into_iter().flatten();
        fields.map(|(name, field)| (name.clone(), field.clone())).collect::<Vec<_>>()
    };
    let variants = schema["$defs"]["Insert"]["oneOf"].as_array().expect("because an insert names one processor");
    let variant = variants.iter().find(|variant| variant["properties"].get(processor).is_some());
    let table = definition(&variant.expect("because every processor is a variant")["properties"][processor]);
    let mut fields = Vec::new();
    for (name, field) in properties(&table) {
        for inner in [&field, &field["items"]].into_iter().filter(|inner| inner.get("$ref").is_some()) {
            fields.extend(properties(&definition(inner)));
        }
        fields.push((name, field));
    }
    fields.retain(|(name, _)| name != "preset");
    fields
}

#[test]
fn every_processor_with_parameters_has_presets_worth_the_name() {
    for (processor, _) in Processor::REVISIONS {
        let wanted = match fields(processor).len() {
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

/// The page of a processor.
fn page(processor: &str) -> String {
    let path = format!("{}/../docs/processors/{processor}.md", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The row of a table that is about a name, cell by cell.
fn row<'a>(page: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let line = page.lines().find(|line| line.starts_with(&format!("| `{name}`")))?;
    Some(line.trim_matches('|').split('|').map(str::trim).collect())
}

/// The unit that the suffix of a name stands for.
fn unit(name: &str) -> Option<&'static str> {
    let units = [
        ("_db_per_octave", "dB/octave"),
        ("_dbtp", "dBTP"),
        ("_db", "dB"),
        ("_hz", "Hz"),
        ("_ms", "ms"),
        ("_beats", "beats"),
        ("_s", "s"),
    ];
    units.into_iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, unit)| unit)
}

/// The bounds that the schema sets to a number, or to each of a list, as a page writes them. Whole numbers are choices.
fn bounds(field: &serde_json::Value) -> Vec<String> {
    let numbers = [field, &field["items"]].into_iter().filter(|field| field["type"] != "integer");
    let bounds = numbers.flat_map(|field| [&field["minimum"], &field["maximum"]]);
    let written =
        |bound: f64| if bound == 1.0 / 64.0 { "1/64".to_owned() } else { bound.to_string().replace('-', "−") };
    bounds.filter_map(serde_json::Value::as_f64).map(written).collect()
}

#[test]
fn every_page_has_the_formula_the_units_and_ranges_the_extremes_and_the_source() {
    let mut missing = Vec::new();
    for (processor, _) in Processor::REVISIONS {
        let page = page(processor);
        let mut demand = |holds: bool, what: String| {
            if !holds {
                missing.push(format!("{processor}.md: {what}"));
            }
        };
        demand(page.starts_with(&format!("# `{processor}`\n")), "no title with its name".to_owned());
        let is_formula = |line: &str| line.starts_with("    ") && line.contains(['=', '←']);
        demand(page.lines().any(is_formula) || page.contains("\n## Formula\n"), "no formula".to_owned());
        let extremes = page.split("\n## At the extremes\n").nth(1).is_some_and(|text| text.trim().starts_with('-'));
        let column = page.lines().any(|line| line.starts_with("| Parameter") && line.contains("the extremes |"));
        demand(extremes || column, "nothing on the extremes".to_owned());
        let source = |line: &str| ["Source: ", "Sources: ", "## Sources"].iter().any(|word| line.starts_with(word));
        demand(page.lines().any(source), "no source".to_owned());
        for (name, field) in fields(processor) {
            let Some(row) = row(&page, &name) else {
                demand(false, format!("no row for `{name}`"));
                continue;
            };
            let range = row.get(1).copied().unwrap_or_default();
            // A level in dB is one re full scale.
            let words: Vec<&str> = range.split([' ', ',']).map(|w| if w == "dBFS" { "dB" } else { w }).collect();
            for wanted in bounds(&field).iter().map(String::as_str).chain(unit(&name)) {
                demand(words.contains(&wanted), format!("`{name}` has {range:?}, which lacks {wanted}"));
            }
        }
        for preset in Processor::presets_of(processor) {
            let says = row(&page, &preset.name).and_then(|row| row.last().copied()).unwrap_or_default();
            demand(says.split(' ').count() > 1, format!("does not say what the preset `{}` is for", preset.name));
        }
        let compared = page.split("\n## Against other tools\n").nth(1).unwrap_or_default();
        demand(
            compared.contains("ffmpeg") || compared.contains("sox"),
            "compares with no other tool, and does not say why not".to_owned(),
        );
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
