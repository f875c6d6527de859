//! The quality report: the page, its player in a real browser, profiles, and the schema of reports.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "support/browser.rs"]
mod browser;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{run_in, write_sine};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A session of three deliverables of different loudness, at another rate than its files, with names that would open tags.
fn write_hostile_session(folder: &Path) {
    let deliverables = r#"
[[deliverables]]
name = "it's <u>loud"
mix = "main"
format = "wav"
depth = "24"

[[deliverables]]
name = "song"
mix = "main"
format = "flac"
depth = "16"
sample_rate_hz = 48000

[[deliverables]]
name = "bass"
mix = "<i>bass"
format = "wav"
depth = "32f"
"#;
    let session = browser::begin_hostile_session(folder, 96_000, 12.0, 0.0) + deliverables;
    std::fs::write(folder.join("song.toml"), session).unwrap();
}

/// Tags that text of the session would have opened.
fn opened(html: &str) -> Vec<&str> {
    ["<script>alert", "<img", "<u>", "<i>", "<b>Low"].into_iter().filter(|tag| html.contains(*tag)).collect()
}

#[test]
fn a_browser_plays_the_versions_at_one_place_and_shows_the_page_at_every_width_and_in_every_scheme() {
    let folder = tempfile::tempdir().unwrap();
    browser::write_versions(folder.path());
    let ran = run_in(folder.path(), &["render", "song.toml", "--out", "out", "--json"]).expect_code(0);
    let reports = ran.json();
    let reports = reports.as_array().unwrap();
    let trimmed = reports.iter().find(|report| report["file"] == "trimmed.wav").unwrap();
    let head = trimmed["edges"]["trimmed_head_ms"].as_f64().unwrap() / 1000.0;
    assert!((head - (browser::LATE_SECONDS - 0.02)).abs() < 0.001, "{head}");
    println!("{}", browser::look(&folder.path().join("out/report.html"), reports));
}

#[test]
fn a_lossy_file_is_told_and_heard_as_it_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    browser::write_versions(folder.path());
    let ran = run_in(folder.path(), &["render", "song.toml", "--out", "out", "--json"]).expect_code(0);
    let reports = ran.json();
    let html = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    for (file, preview) in
        [("stream.opus", "previews/stream.opus.flac"), ("download.ogg", "previews/download.ogg.flac")]
    {
        let report = reports.as_array().unwrap().iter().find(|report| report["file"] == file).unwrap();
        let decoded = &report["lossy"]["decoded"];
        let figure = |name: &str| format!("{:.2}", decoded[name].as_f64().unwrap()).replace('-', "−");
        let from = html.find(&format!("<h2>{file}</h2>")).unwrap();
        let section = &html[from..from + html[from..].find("</details>").unwrap()];
        for part in [
            "<caption>Decoded</caption>".to_owned(),
            format!("{} LUFS", figure("integrated_lufs")),
            format!("{} dBTP", figure("true_peak_dbtp")),
            report["lossy"]["bit_rate"].as_str().unwrap().to_owned(),
        ] {
            assert!(section.contains(&part), "{file}: {part} is missing");
        }
        assert!(html.contains(&format!("<small>decoded {}</small>", figure("true_peak_dbtp"))), "{file}");
        assert!(html.contains(&format!("data-src=\"{preview}\"")), "{file} plays {preview}");
        // The preview is what a decoder gives back, not what the encoder got.
        let heard = run_in(folder.path(), &["analyze", "--json", &format!("out/{preview}")]).expect_code(0).json();
        let gap = heard[0]["integrated_lufs"].as_f64().unwrap() - decoded["integrated_lufs"].as_f64().unwrap();
        assert!(gap.abs() < 0.01 && heard[0]["frames"] == decoded["frames"], "{file}: {gap}");
    }
}

#[test]
fn text_of_a_session_opens_no_tag() {
    let folder = tempfile::tempdir().unwrap();
    write_hostile_session(folder.path());
    run_in(folder.path(), &["render", "song.toml", "--out", "out", "--report", "page"]).expect_code(0);
    let html = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    let body = &html[html.find("<body>").unwrap()..];
    assert_eq!(opened(body), [""; 0]);
    assert!(body.contains("&lt;script&gt;alert(&#39;title&#39;)&lt;/script&gt; &amp; &quot;Sons&quot;"));
    assert!(!folder.path().join("out/previews").exists() && !body.contains("<script>"), "the page alone has no player");
    for foreign in ["http://", "https://", "@import", "url("] {
        assert!(!html.contains(foreign), "the page needs nothing from elsewhere: {foreign}");
    }
}

#[test]
fn previews_are_written_once_per_sound_and_only_where_the_file_is_none_itself() {
    let folder = tempfile::tempdir().unwrap();
    write_hostile_session(folder.path());
    run_in(folder.path(), &["render", "song.toml", "--out", "out"]).expect_code(0);
    let previews = std::fs::read_dir(folder.path().join("out/previews")).unwrap();
    let mut names: Vec<String> = previews.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["bass.wav.flac", "it's <u>loud.wav.flac"]);
    // 96 kHz came down to 48, all of it.
    let ran = run_in(folder.path(), &["analyze", "--json", "out/previews/bass.wav.flac"]).expect_code(0).json();
    assert_eq!((&ran[0]["sample_rate_hz"], &ran[0]["duration_seconds"]), (&Value::from(48_000), &Value::from(12.0)));
    run_in(folder.path(), &["render", "song.toml", "--out", "none", "--report", "none"]).expect_code(0);
    assert!(!folder.path().join("none/report.html").exists() && !folder.path().join("none/previews").exists());
}

/// Validates an array of documents by a schema, and that the same with `spoil` done to the first is refused.
fn validate(folder: &Path, schema: &str, documents: &str, spoil: &str) {
    std::fs::write(folder.join("schema.json"), schema).unwrap();
    std::fs::write(folder.join("documents.json"), documents).unwrap();
    let python = format!("{ROOT}/.cache/python/bin/python");
    let script = format!(
        "import json, sys, jsonschema\n\
         schema = json.load(open('schema.json'))\n\
         check = jsonschema.Draft202012Validator(schema if schema.get('type') == 'array' else {{'type': 'array', 'items': {{'$ref': '#/$defs/one'}}, '$defs': {{**schema.get('$defs', {{}}), 'one': schema}}}})\n\
         check.check_schema(schema)\n\
         documents = json.load(open('documents.json'))\n\
         check.validate(documents)\n\
         documents[0]{spoil}\n\
         sys.exit(0 if list(check.iter_errors(documents)) else 'a wrong document passes')\n"
    );
    let validated = Command::new(&python).current_dir(folder).args(["-c", &script]).output();
    let validated = validated.unwrap_or_else(|error| panic!("{python}: {error}; `make test` installs it"));
    assert!(validated.status.success(), "{}", String::from_utf8_lossy(&validated.stderr));
}

#[test]
fn reports_hold_to_their_schema() {
    let folder = tempfile::tempdir().unwrap();
    write_hostile_session(folder.path());
    let ran =
        run_in(folder.path(), &["render", "song.toml", "--out", "out", "--json", "--report", "none"]).expect_code(0);
    let reports = ran.json();
    assert_eq!(reports.as_array().unwrap().len(), 3);
    for report in reports.as_array().unwrap() {
        assert!(report["quality"].is_object() && report["verdicts"].as_array().unwrap().len() == 9, "{report}");
    }
    let schema = run_in(folder.path(), &["schema", "--report"]).expect_code(0);
    validate(folder.path(), &schema.stdout, &ran.stdout, "['quality']['column_seconds'] = 'wide'");
    // A lossy file tells besides what a decoder gives back.
    let lossy =
        "\n[[deliverables]]\nname = \"stream\"\nmix = \"main\"\nformat = \"opus\"\nkeep_ceiling_decoded = true\n";
    let session = std::fs::read_to_string(folder.path().join("song.toml")).unwrap();
    let (before, files) = session.split_once("[[tracks]]").unwrap();
    let session = format!("{before}[loudness]\nintegrated_lufs = -16.0\n\n[[tracks]]{files}{lossy}");
    std::fs::write(folder.path().join("lossy.toml"), session).unwrap();
    let ran = run_in(folder.path(), &["render", "lossy.toml", "--out", "lossy", "--json", "--report", "none"]);
    let reports = ran.expect_code(0).json();
    let stream = reports.as_array().unwrap().iter().find(|report| report["file"] == "stream.opus").unwrap();
    assert!(stream["lossy"]["decoded"]["frames"].is_u64() && stream["depth"].is_null(), "{stream}");
    let stream = serde_json::to_string(&[stream]).unwrap();
    for spoil in ["['lossy'].pop('decoded')", "['lossy']['decoded']['frames'] = 'many'", "['lossy']['encodings'] = -1"]
    {
        validate(folder.path(), &schema.stdout, &stream, spoil);
    }
}

/// The example as it is, and driven 6 dB louder into its limiter; at 16 bits with dither, and lossy.
#[test]
fn clean_music_has_no_defect_and_next_to_no_suspected_click_in_any_delivered_file() {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(ROOT).join("examples/harbour_lights");
    std::fs::create_dir(folder.path().join("audio")).unwrap();
    for file in std::fs::read_dir(example.join("audio")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join("audio").join(file.file_name())).unwrap();
    }
    let session = std::fs::read_to_string(example.join("session.toml")).unwrap();
    let (session, _) = session.split_once("[[deliverables]]").unwrap();
    let file = |fields: &str| format!("\n[[deliverables]]\nmix = \"main\"\n{fields}\n");
    let wave = file("name = \"wave\"\nformat = \"wav\"\ndepth = \"16\"\ndither = \"tpdf\"");
    let disc =
        file("name = \"disc\"\nformat = \"flac\"\ndepth = \"16\"\ndither = \"lipshitz_5\"\nsample_rate_hz = 44100");
    let stream = file("name = \"stream\"\nformat = \"opus\"\nkeep_ceiling_decoded = true");
    for (lufs, files, count) in [(-14.0, wave, 1), (-8.0, disc + &stream, 2)] {
        let loudness = format!("integrated_lufs = {lufs:.1}\nmax_limiting_db = 24.0\n");
        let driven = session.replace("integrated_lufs = -14.0\n", &loudness);
        assert!(driven != session, "the example asks for -14 LUFS");
        std::fs::write(folder.path().join("song.toml"), driven + &files).unwrap();
        let ran = run_in(folder.path(), &["render", "song.toml", "--out", "out", "--json", "--report", "none"]);
        let reports = ran.expect_code(0).json();
        assert_eq!(reports.as_array().unwrap().len(), count);
        for report in reports.as_array().unwrap() {
            let what = format!("{} at {lufs} LUFS", report["file"]);
            let quality = &report["quality"];
            println!("{what}: {} {} {}", report["loudness"], quality["clicks"]["count"], quality["defects"]);
            let minutes = report["duration_seconds"].as_f64().unwrap() / 60.0;
            assert!(quality["clicks"]["count"].as_u64().unwrap() as f64 <= minutes.max(1.0), "{what}: {quality}");
            let others = quality["defects"].as_array().unwrap().iter().filter(|defect| defect["kind"] != "click");
            assert_eq!(others.count(), 0, "{what}: {}", quality["defects"]);
            let limited = report["loudness"]["max_gain_reduction_db"].as_f64().unwrap();
            assert!(lufs < -10.0 || limited > 6.0, "{what}: only {limited} dB into the limiter");
        }
    }
}

#[test]
fn analyses_hold_to_their_schema_those_of_broken_files_too() {
    let folder = tempfile::tempdir().unwrap();
    write_sine(&folder.path().join("tone.wav"), 997.0, 0.5, 4.0, 2);
    write_sine(&folder.path().join("silence.wav"), 997.0, 0.0, 1.0, 1);
    std::fs::write(folder.path().join("text.wav"), "this is no audio").unwrap();
    let ran = run_in(folder.path(), &["analyze", "--json", "tone.wav", "text.wav", "silence.wav", "missing.wav"]);
    let ran = ran.expect_code(2);
    let bytes = std::fs::read(folder.path().join("tone.wav")).unwrap();
    let told = ran.json();
    assert_eq!(told[0]["digest"], mixdown_dsp::digest::Digest::of(&bytes).to_string());
    assert_eq!(told[0]["size_bytes"], bytes.len());
    assert_eq!(told[1]["error"]["code"], "not_audio");
    let schema = run_in(folder.path(), &["schema", "--analysis"]).expect_code(0).stdout;
    for spoil in [".pop('digest')", "['integrated_lufs'] = 'loud'", "['verdicts'][0]['verdict'] = 'maybe'"] {
        validate(folder.path(), &schema, &ran.stdout, spoil);
    }
    let levels = run_in(folder.path(), &["analyze", "--json", "--measure", "levels", "tone.wav", "silence.wav"]);
    for spoil in [".pop('size_bytes')", "['true_peak_dbtp'] = 'loud'", "['quality'] = {}"] {
        validate(folder.path(), &schema, &levels.stdout, spoil);
    }
}

#[test]
fn a_reference_is_laid_under_the_spectrum_of_every_file_of_a_job() {
    let folder = tempfile::tempdir().unwrap();
    write_hostile_session(folder.path());
    write_sine(&folder.path().join("<reference>.wav"), 200.0, 0.25, 4.0, 2);
    let arguments = ["render", "song.toml", "--out", "out", "--report", "page", "--reference", "<reference>.wav"];
    run_in(folder.path(), &arguments).expect_code(0);
    let html = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert_eq!(html.matches("&lt;reference&gt;.wav at the same loudness").count(), 3);
    assert!(!html.contains("<reference>"));
    let ran = run_in(folder.path(), &["render", "song.toml", "--out", "none", "--reference", "missing.wav"]);
    assert!(ran.expect_code(2).stderr.contains("missing.wav"));
    assert!(!folder.path().join("none").exists(), "a reference that is not there stops the render before it begins");
}

#[test]
fn analyze_judges_by_profile_and_writes_a_page() {
    let folder = tempfile::tempdir().unwrap();
    write_sine(&folder.path().join("a&b.wav"), 997.0, 0.5, 4.0, 2);
    write_sine(&folder.path().join("reference.wav"), 200.0, 0.25, 4.0, 2);
    let arguments =
        ["analyze", "a&b.wav", "--profile", "spotify", "--html", "page.html", "--reference", "reference.wav"];
    let ran = run_in(folder.path(), &arguments).expect_code(0);
    // A stereo sine at −6 dBFS: −6.0 LUFS, 8 dB over the target.
    assert!(ran.stdout.contains("Spotify") && ran.stdout.contains("played 8.0 dB lower"), "{}", ran.stdout);
    let html = std::fs::read_to_string(folder.path().join("page.html")).unwrap();
    for part in [
        "<title>a&amp;b.wav",
        "played 8.0 dB lower",
        "reference.wav at the same loudness",
        &mixdown_dsp::digest::Digest::of(&std::fs::read(folder.path().join("a&b.wav")).unwrap()).to_string(),
        "class=\"dotted\"",
        "official",
    ] {
        assert!(html.contains(part), "{part} is missing");
    }
    assert!(!html.contains("Tidal"), "only the profile that was named");
    let json = run_in(folder.path(), &["analyze", "a&b.wav", "--json", "--profile", "spotify"]).expect_code(0).json();
    assert_eq!(json[0]["verdicts"][0]["playback"], "played 8.0 dB lower");
    assert_eq!(json[0]["quality"]["bits"], serde_json::json!({ "nominal": 24, "used": 24 }));
    // 24 bits at 48 kHz are no CD.
    let ran = run_in(folder.path(), &["analyze", "a&b.wav", "--profile", "cd"]).expect_code(1);
    assert!(ran.stdout.contains("24 bits; 16 bits are asked for"), "{}", ran.stdout);
}

#[test]
fn an_unknown_profile_is_bad_usage_that_names_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), &["analyze", "a.wav", "--profile", "spotfy"]).expect_code(2);
    assert!(ran.stderr.contains("unknown_profile") && ran.stderr.contains("ebu_r128"), "{}", ran.stderr);
}
