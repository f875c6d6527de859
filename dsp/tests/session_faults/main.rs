//! Every fault of a session, with its code and its place. `«` marks where in the text the fault must be found.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

mod deliverables;
mod document;
mod ranges;

use mixdown_dsp::session::{Faults, from_toml};

const HEAD: &str = "version = 1\nsample_rate_hz = 48000\nend = \"20s\"\n";
const TRACK: &str = "[[tracks]]\nname = \"Kick\"\nclips = [{ file = \"mono.wav\" }]\n";
const BUS: &str = "[[buses]]\nname = \"Verb\"\n";
const DELIVERABLE: &str = "[[deliverables]]\nname = \"out\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"24\"\n";
const ASSETS: &str = include_str!("../session_assets.toml");

/// Takes the marks out of a text and gives their lines and columns.
fn unmark(marked: &str) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut places, mut line, mut column) = (String::new(), Vec::new(), 1, 1);
    for character in marked.chars() {
        match character {
            '«' => {
                places.push((line, column));
                continue;
            }
            '\n' => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
        text.push(character);
    }
    (text, places)
}

fn expect(result: Result<impl std::fmt::Debug, Faults>, codes: &[&str], places: &[(usize, usize)], marked: &str) {
    if codes.is_empty() {
        return drop(result.unwrap_or_else(|faults| panic!("{faults}\nin {marked}")));
    }
    let faults = result.expect_err(marked);
    let found: Vec<_> = faults.0.iter().map(|fault| (fault.code, fault.line, fault.column)).collect();
    let wanted: Vec<_> = codes.iter().zip(places).map(|(code, place)| (*code, place.0, place.1)).collect();
    assert_eq!(codes.len(), places.len(), "a mark for every code in {marked}");
    assert_eq!(found, wanted, "{faults}\nin {marked}");
    for fault in &faults.0 {
        let sentence = |text: &str| !text.is_empty() && !text.ends_with('.') && !text.contains('\n');
        assert!(sentence(&fault.message) && sentence(&fault.expected), "{fault:?}");
    }
}

/// A document of `head`, `body`, a deliverable and the facts of its files has exactly these faults.
fn whole(marked: &str, codes: &[&str]) {
    let (text, places) = unmark(&format!("{marked}\n{ASSETS}"));
    expect(from_toml(&text), codes, &places, marked);
}

/// The same with the usual head and deliverable about it.
fn body(marked: &str, codes: &[&str]) {
    whole(&format!("{HEAD}{marked}{DELIVERABLE}"), codes);
}

/// The same with a track and a bus before it; `marked` begins inside the bus.
fn bus(marked: &str, codes: &[&str]) {
    body(&format!("{TRACK}{BUS}{marked}"), codes);
}

/// The same with `marked` inside a track that plays a clip, and a bus after it.
fn track(marked: &str, codes: &[&str]) {
    body(&format!("{TRACK}{marked}{BUS}"), codes);
}

/// One deliverable of these lines.
fn deliverable(marked: &str, codes: &[&str]) {
    whole(&format!("{HEAD}{TRACK}[[deliverables]]\n{marked}"), codes);
}
