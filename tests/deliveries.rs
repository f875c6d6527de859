//! Every container, delivered by `render` and by a farm, with everything that can stand in it, and read by programs that
//! have nothing of ours.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::path::Path;
use std::process::Command;

use mixdown_dsp::digest::Digest;
use serde_json::{Value, json};
use support::command::run;
use support::farm::Farm;
use support::fixture::Fixture;
use support::{assert_same_files, files};

/// Runs a program of others; its standard output.
fn of(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().expect("`make test` installs what the tests need");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(of(program, arguments)).expect("it writes text")
}

/// The formats of this build, each at a rate and depth of its own, trimmed and with its gain.
fn deliverables() -> Value {
    let mut files = vec![
        json!({ "format": "wav", "depth": "32f", "sample_rate_hz": 96_000 }),
        json!({ "format": "bwf", "depth": "24", "sample_rate_hz": 44_100 }),
        json!({ "format": "aiff", "depth": "24" }),
        json!({ "format": "flac", "depth": "16", "sample_rate_hz": 44_100, "dither": "lipshitz_5" }),
        json!({ "format": "opus", "bitrate_kbps": 160, "keep_ceiling_decoded": true }),
        json!({ "format": "vorbis", "quality": 7.5, "sample_rate_hz": 88_200 }),
    ];
    if cfg!(feature = "mp3") {
        files.push(json!({ "format": "mp3", "bitrate_kbps": 192, "sample_rate_hz": 44_100 }));
    }
    for file in &mut files {
        file["name"] = json!(format!("{{artist}} - {{title}} ({{mix}}) {}", file["format"].as_str().unwrap()));
        file["mix"] = json!("main");
        file["trim"] = json!({ "keep_head_ms": 40.0 });
        file["replay_gain"] = json!(true);
    }
    Value::from(files)
}

/// The fixture, half a second late, with everything that a label and a broadcaster ask for.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new(4.0);
    let cover = fixture.folder().join("cover.png");
    let draw = ["-v", "error", "-f", "lavfi", "-i", "testsrc=s=120x90", "-frames:v", "1", cover.to_str().unwrap()];
    of("ffmpeg", &draw);
    let document = &mut fixture.document;
    for track in 0..4 {
        document["tracks"][track]["clips"][0]["at"] = json!(if track == 2 { "750ms" } else { "500ms" });
    }
    document["metadata"] = json!({
        "title": "Überfahrt", "artist": "The Band", "album": "Album = One", "album_artist": "Various Artists",
        "isrc": "USS1Z9900001", "upc": "036000291452", "track_number": 7, "track_total": 12, "disc_number": 1,
        "disc_total": 2, "year": 2026, "genre": "Fado", "label": "Étoile", "copyright": "2026 Étoile",
        "comment": "第二版", "cover": "cover.png",
    });
    document["broadcast"] = json!({
        "description": "Final mix", "originator": "Harbour Studio", "originator_reference": "PTHARBOUR0001",
        "origination_date": "2026-11-24", "origination_time": "14:30:05", "time_reference": "36000s",
        "project": "Crossing & <Co>", "scene": "12", "take": "3", "tape": "A", "note": "2 < 3",
    });
    document["deliverables"] = deliverables();
    fixture
}

/// What `tests/read_back.py` finds in a file.
fn read_back(path: &str) -> Value {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let script = format!("{root}/tests/read_back.py");
    let found = of(&format!("{root}/.cache/python/bin/python"), &[&script, path]);
    serde_json::from_slice(&found).expect("it writes JSON")
}

/// A figure of the report's measurement.
fn measured(file: &Value, name: &str) -> f64 {
    file["measurement"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {file:#}"))
}

/// Gain and peak of ReplayGain 2.0, from what the encoder got.
fn replay_gain(file: &Value) -> (String, String) {
    (format!("{:.2} dB", -18.0 - measured(file, "integrated_lufs")), linear(measured(file, "true_peak_dbtp")))
}

/// A level in dB as a linear peak.
fn linear(db: f64) -> String {
    format!("{:.6}", mixdown_dsp::math::powf(10.0, db / 20.0))
}

/// By ffmpeg: frames, integrated loudness in LUFS.
fn by_ffmpeg(path: &str, channels: usize) -> (usize, f64) {
    let decoded = of("ffmpeg", &["-v", "error", "-i", path, "-map", "0:a", "-f", "f32le", "-c:a", "pcm_f32le", "-"]);
    let meter = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-hide_banner",
            "-i",
            path,
            "-map",
            "0:a",
            "-af",
            "ebur128=framelog=verbose",
            "-f",
            "null",
            "-",
        ])
        .output()
        .expect("ffmpeg is there");
    let told = String::from_utf8_lossy(&meter.stderr).into_owned();
    let summary = told.rsplit("Summary:").next().expect("ffmpeg ends with a summary");
    let integrated = summary.lines().find_map(|line| line.trim().strip_prefix("I:")).expect("it has a loudness");
    let lufs = integrated.split_whitespace().next().and_then(|value| value.parse().ok()).expect("a number");
    (decoded.len() / 4 / channels, lufs)
}

/// The tags of ID3v2.4 or of Vorbis comments, all of them, without the gain.
fn tags(format: &str) -> Value {
    if ["wav", "bwf", "aiff", "mp3"].contains(&format) {
        return json!({
            "TIT2": ["Überfahrt"], "TPE1": ["The Band"], "TALB": ["Album = One"], "TPE2": ["Various Artists"],
            "TRCK": ["7/12"], "TPOS": ["1/2"], "TDRC": ["2026"], "TCON": ["Fado"], "TPUB": ["Étoile"],
            "TCOP": ["2026 Étoile"], "COMM::und": ["第二版"], "TSRC": ["USS1Z9900001"],
            "TXXX:BARCODE": ["036000291452"], "TSSE": ["Mixdown"],
        });
    }
    json!({
        "TITLE": ["Überfahrt"], "ARTIST": ["The Band"], "ALBUM": ["Album = One"], "ALBUMARTIST": ["Various Artists"],
        "TRACKNUMBER": ["7"], "TRACKTOTAL": ["12"], "DISCNUMBER": ["1"], "DISCTOTAL": ["2"], "DATE": ["2026"],
        "GENRE": ["Fado"], "LABEL": ["Étoile"], "COPYRIGHT": ["2026 Étoile"], "COMMENT": ["第二版"],
        "ISRC": ["USS1Z9900001"], "BARCODE": ["036000291452"], "ENCODER": ["Mixdown"],
    })
}

/// Takes the gain out of what was found and holds it against the report. A lossy file's report tells what is decoded,
/// its tag what the encoder got.
fn take_gain(found: &mut Value, file: &Value, is_lossy: bool) {
    let found = found["tags"].as_object_mut().expect("it has tags");
    let mut take = |name: &str| {
        found
            .remove(name)
            .or_else(|| found.remove(&format!("TXXX:{name}")))
            .map(|text| text[0].as_str().unwrap().to_owned())
    };
    let (gain, peak) = replay_gain(file);
    let number = |text: &str| text.trim_end_matches(" dB").parse::<f64>().expect("a number");
    if let Some(r128) = take("R128_TRACK_GAIN") {
        assert!((number(&r128) / 256.0 + 5.0 - number(&gain)).abs() < 0.1, "{r128} and {gain}");
    } else {
        let tagged = (take("REPLAYGAIN_TRACK_GAIN").unwrap(), take("REPLAYGAIN_TRACK_PEAK").unwrap());
        if is_lossy {
            // Vorbis at 88.2 kHz takes a quarter of a dB off these tones.
            assert!((number(&tagged.0) - number(&gain)).abs() < 0.4, "{tagged:?} and {gain}");
            let encoded = file["lossy"]["encoded_true_peak_dbtp"].as_f64().unwrap();
            assert_eq!(tagged.1, linear(encoded));
        } else {
            assert_eq!(tagged, (gain, peak));
        }
    }
}

fn assert_bext(found: &Value, file: &Value) {
    let hundredths = |name: &str, round: fn(f64) -> f64| json!(round(measured(file, name) * 100.0) as i64);
    let bext = &found["bext"];
    assert_eq!(bext["loudness_value"], hundredths("integrated_lufs", f64::round));
    assert_eq!(bext["loudness_range"], hundredths("loudness_range_lu", f64::round));
    assert_eq!(bext["max_true_peak"], hundredths("true_peak_dbtp", f64::ceil));
    assert_eq!(bext["max_momentary"], hundredths("momentary_max_lufs", f64::round));
    assert_eq!(bext["max_short_term"], hundredths("short_term_max_lufs", f64::round));
    // Ten hours, and what the trim cut off the head.
    let head_ms = file["edges"]["trimmed_head_ms"].as_f64().expect("it was trimmed");
    assert!((455.0..480.0).contains(&head_ms), "{head_ms} ms");
    let reference = bext["time_reference"].as_f64().unwrap();
    assert!((reference - 44_100.0 * (36_000.0 + head_ms / 1000.0)).abs() <= 1.0, "{reference}");
    for (name, said) in [
        ("description", "Final mix"),
        ("originator", "Harbour Studio"),
        ("originator_reference", "PTHARBOUR0001"),
        ("origination_date", "2026-11-24"),
        ("origination_time", "14:30:05"),
    ] {
        assert_eq!(bext[name], said);
    }
    let ixml = &found["ixml"];
    for (name, said) in
        [("PROJECT", "Crossing & <Co>"), ("SCENE", "12"), ("TAKE", "3"), ("TAPE", "A"), ("NOTE", "2 < 3")]
    {
        assert_eq!(ixml[name][0], said);
    }
    assert_eq!(ixml["BEXT/BWF_LOUDNESS_VALUE"][0], bext["loudness_value"].to_string());
    assert_eq!(ixml["SPEED/FILE_SAMPLE_RATE"][0], "44100");
}

/// What the format's own program, or ffprobe, says of a file.
fn assert_shown(format: &str, path: &str, frames: usize) {
    match format {
        "flac" => {
            of("flac", &["-t", "-s", "-w", path]);
            let list = text("metaflac", &["--list", "--no-utf8-convert", path]);
            for line in
                ["TITLE=Überfahrt", "ENCODER=Mixdown", &format!("total samples: {frames}"), "type: 3 (Cover (front))"]
            {
                assert!(list.contains(line), "`{line}` is missing in:\n{list}");
            }
        }
        "opus" => {
            let told = text("opusinfo", &[path]);
            for line in ["TITLE=Überfahrt", "ENCODER=Mixdown", "ISRC=USS1Z9900001", "R128_TRACK_GAIN="] {
                assert!(told.contains(line) && !told.contains("WARNING"), "`{line}` is missing in:\n{told}");
            }
        }
        _ => {
            let entries = ["-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "default=nw=1", path];
            let told = text("ffprobe", &entries).to_lowercase();
            for line in ["tag:title=überfahrt", "tag:artist=the band", "tag:encoder=mixdown"] {
                // ffmpeg knows the title of WAVE by INFO, and by bext no encoder.
                assert!(told.contains(line), "{format}: `{line}` is missing in:\n{told}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_container_is_delivered_whole_by_render_and_farm_and_read_by_programs_of_others() {
    let fixture = fixture();
    let (session, out) = (fixture.write(), tempfile::tempdir().unwrap());
    let (rendered, farmed) = (out.path().join("render"), out.path().join("farm"));
    let arguments = [Path::new("render"), &session, Path::new("--json"), Path::new("--out"), &rendered];
    let told = run(arguments).succeeded().json();
    let farm = Farm::start(1).await;
    farm.submit(&session, &farmed, &[]);
    assert_same_files(&files(&farmed), &files(&rendered), "the farm");
    let cover = Digest::of(&std::fs::read(fixture.folder().join("cover.png")).unwrap()).to_string();
    let asked = fixture.document["deliverables"].as_array().unwrap();
    assert_eq!(told.as_array().unwrap().len(), asked.len());
    let mut whole = None;
    for (file, asked) in told.as_array().unwrap().iter().zip(asked) {
        let format = asked["format"].as_str().unwrap();
        let name = file["file"].as_str().unwrap();
        assert!(name.starts_with(&format!("The Band - Überfahrt (main) {format}.")), "{name}");
        let path = file["path"].as_str().unwrap();
        let is_lossy = ["opus", "vorbis", "mp3"].contains(&format);
        let mut found = read_back(path);
        take_gain(&mut found, file, is_lossy);
        assert_eq!(
            (&found["tags"], &found["covers"]),
            (&tags(format), &json!({ "image/png": [3, cover] })),
            "{format}"
        );
        let (frames, lufs) = by_ffmpeg(path, 2);
        assert_eq!(frames as f64, measured(file, "frames"), "{format}");
        let rate = asked["sample_rate_hz"].as_f64().unwrap_or(48_000.0);
        let seconds = measured(file, "duration_seconds");
        assert!((frames as f64 / rate - seconds).abs() < 1e-9, "{format}: {seconds} s");
        let cut =
            |end: &str| file["edges"][end].as_f64().unwrap_or_else(|| panic!("{format} was not trimmed")) / 1000.0;
        let whole_seconds = cut("trimmed_head_ms") + seconds + cut("trimmed_tail_ms");
        let first = whole.get_or_insert(whole_seconds);
        assert!(
            cut("trimmed_head_ms") > 0.45 && (whole_seconds - *first).abs() <= 2.0 / rate,
            "{format}: {whole_seconds} s"
        );
        assert!((lufs - measured(file, "integrated_lufs")).abs() <= 0.1, "{format}: {lufs} LUFS");
        assert!(measured(file, "true_peak_dbtp") <= -1.0 || is_lossy && format != "opus", "{format}");
        assert_shown(format, path, frames);
        if format == "bwf" {
            assert_bext(&found, file);
        }
    }
}
