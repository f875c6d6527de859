//! The example session holds what its README says, by a meter that is not ours.

mod support;

use std::path::Path;
use std::process::Command;

use support::command::render;
use support::files;

/// Integrated loudness and true peak as ffmpeg's ebur128 filter reads them.
fn ffmpeg(path: &Path) -> (f64, f64) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(path)
        .args(["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is there; `make test` installs it");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = text.rsplit("Summary:").next().expect("ffmpeg ends with a summary");
    let value = |name: &str| -> f64 {
        let line = summary.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace().nth(1).expect("a value stands beside its name").parse().expect("it is a number")
    };
    (value("I:"), value("Peak:"))
}

#[test]
fn the_example_lands_on_its_loudness_and_under_its_ceiling_by_ffmpegs_meter() {
    let session = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/harbour_lights/session.toml"));
    let out = tempfile::tempdir().expect("a folder can be made");
    render(session, out.path(), &[]);
    let made = files(out.path());
    assert_eq!(made.len(), 6, "{:?}", made.keys());
    for name in made.keys() {
        let (integrated, peak) = ffmpeg(&out.path().join(name));
        assert!(peak <= -1.0, "{name}: {peak} dBTP");
        if name.contains("(main)") {
            assert!((integrated + 14.0).abs() <= 0.1, "{name}: {integrated} LUFS");
        }
    }
}
