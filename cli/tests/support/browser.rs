//! A session of many versions, and a real browser that looks at its page and plays them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::support::write_sine;

/// Seconds before the second track begins; a file of it alone that is trimmed begins 20 ms earlier.
pub const LATE_SECONDS: f64 = 2.0;

/// Writes two tones, the second of which begins late, and begins a session of them with two mixes and names that would open
/// tags: what it delivers is the caller's.
pub fn begin_hostile_session(folder: &Path, sample_rate_hz: u32, seconds: f64, late_seconds: f64) -> String {
    write_sine(&folder.join("tone.wav"), 440.0, 0.3, seconds, 1);
    write_sine(&folder.join("low.wav"), 110.0, 0.2, seconds - late_seconds, 2);
    format!(
        r#"
version = 1
sample_rate_hz = {sample_rate_hz}
end = "{seconds}s"

[metadata]
title = "<script>alert('title')</script> & \"Sons\""
artist = "<img src=x onerror=alert(1)>"

[[tracks]]
name = "Tone"
pan = -0.5
clips = [{{ file = "tone.wav" }}]

[[tracks]]
name = "<b>Low"
fader_db = -3.0
clips = [{{ file = "low.wav", at = "{late_seconds}s" }}]

[[mixes]]
name = "main"

[[mixes]]
name = "<i>bass"
mute = ["Tone"]
"#
    )
}

/// A session whose eleven deliverables differ in loudness, in format and in what is cut off their heads.
pub fn write_versions(folder: &Path) {
    let mut session = begin_hostile_session(folder, 48_000, 16.0, LATE_SECONDS);
    let mut deliver = |name: &str, mix: &str, format: &str, more: &str| {
        session += &format!("\n[[deliverables]]\nname = \"{name}\"\nmix = \"{mix}\"\nformat = \"{format}\"\n{more}\n");
    };
    deliver("it's <u>loud", "main", "wav", "depth = \"24\"");
    deliver("song", "main", "flac", "depth = \"16\"");
    deliver("bass", "<i>bass", "wav", "depth = \"32f\"");
    deliver("trimmed", "<i>bass", "wav", "depth = \"24\"\ntrim = {}");
    deliver("stream", "main", "opus", "");
    deliver("download", "main", "vorbis", "");
    for number in 7..=11 {
        deliver(&format!("again {number}"), if number % 2 == 0 { "main" } else { "<i>bass" }, "wav", "depth = \"16\"");
    }
    std::fs::write(folder.join("song.toml"), session).unwrap();
}

/// Looks at a page whose versions have these reports; tells what the browser measured.
pub fn look(page: &Path, reports: &[Value]) -> String {
    let level = |report: &Value| report["measurement"]["integrated_lufs"].as_f64().unwrap();
    let softest = reports.iter().map(level).fold(f64::INFINITY, f64::min);
    let version = |report: &Value| {
        let trimmed_ms = report["edges"]["trimmed_head_ms"].as_f64().unwrap_or(0.0);
        json!({ "gain": mixdown_dsp::units::gain_from_db(softest - level(report)), "head": trimmed_ms / 1000.0 })
    };
    let folder = tempfile::tempdir().unwrap();
    let versions = folder.path().join("versions.json");
    std::fs::write(&versions, Value::from_iter(reports.iter().map(version)).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(page).arg(&versions);
    if let Some(shots) = std::env::var_os("MIXDOWN_SCREENSHOTS") {
        command.arg(PathBuf::from(shots));
    }
    let looked = command.output().unwrap_or_else(|error| panic!("python3: {error}; `make test` installs it"));
    let (told, complained) = (String::from_utf8_lossy(&looked.stdout), String::from_utf8_lossy(&looked.stderr));
    assert!(looked.status.success(), "{told}{complained}");
    told.into_owned()
}
