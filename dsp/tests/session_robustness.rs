//! No text whatever makes the reading of sessions panic, and faults keep their form.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use mixdown_dsp::session::{Faults, from_json, from_toml, to_json};
#[path = "support/long.rs"]
mod long;

use proptest::prelude::*;

const SESSION: &str = include_str!("session_full.toml");
const ASSETS: &str = include_str!("session_assets.toml");

/// What a change puts into a document.
const PIECES: [&str; 34] = [
    "",
    "0",
    "-1",
    "1e308",
    "1e999",
    "nan",
    "inf",
    "18446744073709551616",
    "0.0000001",
    "\"\"",
    "\"master\"",
    "\"Kick\"",
    "\"Verb\"",
    "\"All\"",
    "\"1 beat\"",
    "\"99999s\"",
    "\"-1s\"",
    "[]",
    "{}",
    "true",
    "1979-05-27",
    "[[tracks]]",
    "[[buses]]",
    "[master]",
    "name = \"Pad\"",
    "sidechain = \"Drums\"",
    "output = \"Drums\"",
    "\n",
    "=",
    "\"",
    "ä",
    "𝄞",
    "]",
    ",",
];

/// Replaces, per change, some bytes at a place by a piece.
fn changed(text: &str, changes: &[(usize, usize, usize)]) -> String {
    let mut text = text.to_owned();
    for &(place, length, piece) in changes {
        let start = text.floor_char_boundary(place % (text.len() + 1));
        let end = text.floor_char_boundary((start + length).min(text.len()));
        text.replace_range(start..end, PIECES[piece]);
    }
    text
}

/// Replaces the value that ends the line of a place: a change that keeps the syntax sound more often.
fn changed_value(text: &str, changes: &[(usize, usize, usize)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for &(place, _, piece) in changes {
        let index = place % lines.len();
        if let Some((key, _)) = lines[index].split_once(" = ") {
            lines[index] = format!("{key} = {}", PIECES[piece]);
        } else {
            lines.remove(index);
        }
    }
    lines.join("\n")
}

fn check_faults(text: &str, faults: &Faults) {
    assert!(!faults.0.is_empty());
    let lines = text.split('\n').count();
    for fault in &faults.0 {
        assert!(!fault.code.is_empty() && !fault.message.is_empty(), "{fault:?}");
        assert!(fault.line <= lines, "{fault:?} of {lines} lines");
    }
    let places: Vec<_> = faults.0.iter().filter(|f| f.code != "more_faults").map(|f| (f.line, f.column)).collect();
    assert!(places.is_sorted(), "{faults}");
}

fn changes() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    prop::collection::vec((0_usize..1 << 16, 0_usize..12, 0..PIECES.len()), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: long::rounds(256), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_toml_is_valid_or_faulty_but_never_a_panic(changes in changes(), values in any::<bool>()) {
        let text = format!("{SESSION}{ASSETS}");
        let text = if values { changed_value(&text, &changes) } else { changed(&text, &changes) };
        match from_toml(&text) {
            Err(faults) => check_faults(&text, &faults),
            Ok(session) => prop_assert_eq!(from_json(&to_json(&session.document)).unwrap(), session),
        }
    }

    #[test]
    fn changed_json_is_valid_or_faulty_but_never_a_panic(changes in changes()) {
        let text = to_json(&from_toml(&format!("{SESSION}{ASSETS}")).unwrap().document);
        match from_json(&changed(&text, &changes)) {
            Err(faults) => prop_assert!(!faults.0.is_empty()),
            Ok(session) => prop_assert_eq!(from_json(&to_json(&session.document)).unwrap(), session),
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "[\\[\\]{}\"'=:,.#a-z0-9 \n\\\\-]{0,60}") {
        prop_assert!(from_toml(&text).is_err());
        prop_assert!(from_json(&text).is_err());
    }
}

#[test]
fn deep_nesting_is_refused_without_overflowing_the_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let json = format!("{}1{}", open.repeat(1_000_000), close.repeat(1_000_000));
        assert_eq!(from_json(&json).unwrap_err().0[0].code, "syntax");
    }
    let toml = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(from_toml(&toml).is_err());
}

#[test]
fn a_document_of_nothing_but_faults_is_refused_with_a_bounded_report() {
    let lanes = "{ parameter = \"fader_bd\", points = [{ at = 0, value = 0 }] },".repeat(1000);
    let track = |index: usize| format!("[[tracks]]\nname = \"t{index}\"\nautomation = [{lanes}]\n");
    let text: String = (0..50).map(track).collect();
    let faults =
        from_toml(&format!("version = 1\nsample_rate_hz = 48000\nend = 1\n{text}deliverables = 1\n")).unwrap_err();
    assert_eq!(faults.0.len(), 201);
    assert_eq!(faults.0[200].code, "more_faults");
}
