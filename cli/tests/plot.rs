//! `mixdown plot`: what is drawn is what sounds, in an SVG that any reader of XML takes.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

mod support;

use mixdown_dsp::nodes::Processor;
use mixdown_dsp::units::db_from_power;
use quick_xml::events::Event;
use support::{run, run_in, write_sine};

/// The points of the first curve that is no guide.
fn points(figure: &serde_json::Value) -> Vec<(f64, f64)> {
    let curve = figure["curves"].as_array().unwrap().iter().find(|curve| curve["is_guide"] == false).unwrap();
    let points = curve["points"].as_array().unwrap().iter();
    points.map(|point| (point[0].as_f64().unwrap(), point[1].as_f64().unwrap())).collect()
}

fn at(points: &[(f64, f64)], x: f64) -> f64 {
    points.iter().find(|point| point.0 == x).unwrap_or_else(|| panic!("no point at {x}")).1
}

/// Every element's name in an SVG that must be well formed, and the points of its curves.
fn parse(svg: &str) -> (Vec<String>, Vec<Vec<(f64, f64)>>) {
    let mut reader = quick_xml::Reader::from_str(svg);
    let (mut names, mut curves, mut depth) = (Vec::new(), Vec::new(), 0);
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error} in {svg}"));
        match &event {
            Event::Eof => break,
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        if let Event::Start(element) | Event::Empty(element) = &event {
            names.push(String::from_utf8(element.name().as_ref().to_vec()).unwrap());
            let attribute = |name: &str| {
                let found = element.attributes().map(|attribute| attribute.unwrap());
                let mut found = found.filter(|attribute| attribute.key.as_ref() == name.as_bytes());
                found.next().map(|attribute| String::from_utf8(attribute.value.to_vec()).unwrap())
            };
            if let Some(text) = attribute("points").filter(|_| attribute("class").as_deref() == Some("curve")) {
                let number = |text: &str| text.parse::<f64>().unwrap();
                let point = |pair: &str| pair.split_once(',').map(|(x, y)| (number(x), number(y))).unwrap();
                curves.push(text.split(' ').map(point).collect());
            }
        }
    }
    assert_eq!(depth, 0);
    (names, curves)
}

/// A session with a bell of 6 dB at 1 kHz on a mono track and a limiter on the master.
fn session(folder: &std::path::Path) {
    write_sine(&folder.join("tone.wav"), 440.0, 0.25, 1.0, 1);
    let text = "version = 1\nsample_rate_hz = 96000\n[[tracks]]\nname = \"Lead: A/B\"\nclips = [{ file = \"tone.wav\" }]\n\
        inserts = [{ name = \"tone\", eq = { bands = [{ kind = \"bell\", frequency_hz = 1000, gain_db = 6, q = 1 }] } }, { pan = {} }]\n\
        [master]\ninserts = [{ limiter = {} }]\n\
        [[deliverables]]\nname = \"song\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"24\"\n";
    std::fs::write(folder.join("song.toml"), text).unwrap();
}

#[test]
fn the_response_of_a_session_s_bell_is_that_of_the_analogue_prototype() {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path());
    let figure = run_in(folder.path(), &["plot", "song.toml:Lead: A/B/tone", "--json"]).expect_code(0).json();
    assert_eq!(figure["title"], "song.toml: Lead: A/B/tone");
    assert_eq!(figure["x"]["label"], "Frequency (Hz)");
    let points = points(&figure);
    // H(s) = (s² + s·A/Q + 1)/(s² + s/(A·Q) + 1), A = 10^(6/40), Q = 1, s = jx.
    let a_squared = mixdown_dsp::units::gain_from_db(6.0);
    for frequency_hz in [100.0, 1000.0, 10_000.0] {
        let x = frequency_hz / 1000.0;
        let real = (1.0 - x * x) * (1.0 - x * x);
        let expected = db_from_power((real + x * x * a_squared) / (real + x * x / a_squared));
        let found = at(&points, frequency_hz);
        assert!((found - expected).abs() < 0.02, "{found} dB at {frequency_hz} Hz, not {expected}");
    }
}

#[test]
fn the_corner_of_a_preset_s_high_pass_is_3_db_down_and_the_svg_says_so_too() {
    let figure = run(&["plot", "eq/telephone", "--json"]).expect_code(0).json();
    let points = points(&figure);
    assert!(at(&points, 20.0) < -80.0 && at(&points, 1000.0) > 0.0, "{points:?}");
    let svg = run(&["plot", "eq/telephone"]).expect_code(0).stdout;
    let (names, curves) = parse(&svg);
    assert!(names.iter().filter(|name| *name == "text").count() > 15, "axes with numbers: {names:?}");
    assert_eq!(curves.len(), 1);
    assert_eq!(curves[0].len(), points.len());
    // Straight from the lowest to the highest value of each axis, in logarithms of the frequency.
    let bounds = |axis: &str| (figure[axis]["min"].as_f64().unwrap(), figure[axis]["max"].as_f64().unwrap());
    let ((x_min, x_max), (y_min, y_max)) = (bounds("x"), bounds("y"));
    let ln = mixdown_dsp::math::ln;
    for ((x, y), (frequency_hz, gain_db)) in curves[0].iter().zip(&points) {
        let across = ln(frequency_hz / x_min) / ln(x_max / x_min);
        let up = ((gain_db - y_min) / (y_max - y_min)).clamp(0.0, 1.0);
        assert!((x - (78.0 + across * 858.0)).abs() < 0.01 && (y - (478.0 - up * 404.0)).abs() < 0.01, "{x}, {y}");
    }
}

#[test]
fn the_static_curve_is_that_of_threshold_and_ratio() {
    // −28 dBFS, 4 : 1, knee 6 dB, make-up 4 dB.
    let points = points(&run(&["plot", "compressor/vocal-upfront", "--json"]).expect_code(0).json());
    for level_db in [-60.0, -40.0] {
        assert!((at(&points, level_db) - (level_db + 4.0)).abs() < 0.01);
    }
    // A detector that rides on the peaks of a tone reads a little less than the peak.
    for level_db in [-12.0, 0.0] {
        let expected = -28.0 + (level_db + 28.0) / 4.0 + 4.0;
        let found = at(&points, level_db);
        assert!((found - expected).abs() < 1.0, "{found}, not {expected}");
    }
    let slope = (at(&points, 0.0) - at(&points, -12.0)) / 12.0;
    assert!((slope - 0.25).abs() < 0.01, "{slope}");
}

#[test]
fn a_pan_is_drawn_over_its_positions_and_a_limiter_below_its_ceiling() {
    let pan = points(&run(&["plot", "pan", "--json"]).expect_code(0).json());
    assert!((at(&pan, 0.0) + 3.0103).abs() < 1e-3 && at(&pan, -1.0) == 0.0);
    let limiter = points(&run(&["plot", "limiter", "--json"]).expect_code(0).json());
    assert!((at(&limiter, -6.0) + 6.0).abs() < 0.01 && (at(&limiter, 6.0) + 1.0).abs() < 0.1, "{limiter:?}");
}

#[test]
fn a_reverb_falls_by_60_db_in_the_time_asked() {
    // 0.5 s.
    let figure = run(&["plot", "reverb/drum-room", "--json"]).expect_code(0).json();
    let left: Vec<(f64, f64)> = serde_json::from_value(figure["curves"][1]["points"].clone()).unwrap();
    let when = |db: f64| left.iter().find(|point| point.1 < db).unwrap().0;
    let decay_s = 2.0 * (when(-35.0) - when(-5.0));
    assert!((0.3..0.6).contains(&decay_s), "{decay_s}");
}

#[test]
fn every_processor_can_be_drawn() {
    for (processor, _) in Processor::REVISIONS {
        let figure = run(&["plot", processor, "--json"]).expect_code(0).json();
        let points = points(&figure);
        assert!(points.len() >= 20, "{processor}");
        let bounds = |axis: &str| figure[axis]["min"].as_f64().unwrap()..=figure[axis]["max"].as_f64().unwrap();
        assert!(points.iter().any(|point| bounds("y").contains(&point.1)), "{processor} is off its axis: {figure}");
        let (names, _) = parse(&run(&["plot", processor]).expect_code(0).stdout);
        assert!(names.contains(&"polyline".to_owned()), "{processor}");
    }
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path());
    for (subject, code, said) in [
        ("compresor", "unknown_processor", "did you mean \"compressor\"?"),
        ("eq/telefone", "unknown_preset", "did you mean \"telephone\"?"),
        ("song.toml:Lead: A/B/tune", "unknown_insert", "did you mean \"Lead: A/B/tone\"?"),
        ("song.toml:master/limiter", "unknown_insert", "master/limiter-1"),
        ("gone.toml:master/limiter-1", "missing_file", "gone.toml"),
    ] {
        let ran = run_in(folder.path(), &["plot", subject]).expect_code(2);
        assert!(ran.stderr.contains(code) && ran.stderr.contains(said), "{subject}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    run_in(folder.path(), &["plot", "song.toml:master/limiter-1", "--out", "limiter.svg"]).expect_code(0);
    parse(&std::fs::read_to_string(folder.path().join("limiter.svg")).unwrap());
}
