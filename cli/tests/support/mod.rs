//! Runs the command, and writes what it reads.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;
use std::process::{Command, Stdio};

use mixdown_dsp::math;

/// What a run of the command left.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Stdout as one JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in stdout:\n{}", self.stdout))
    }

    /// Fails with what was printed unless the command ended with `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// The command, with nothing of the caller's environment that would change what it does.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mixdown"));
    for variable in ["MIXDOWN_COORDINATOR", "MIXDOWN_TOKEN", "MIXDOWN_CA_CERT", "NO_COLOR", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the command to its end, in `folder`.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Ran {
    let output = command().current_dir(folder).args(arguments).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the command to its end.
pub fn run(arguments: &[&str]) -> Ran {
    run_in(Path::new("."), arguments)
}

/// Writes a WAV file of 24-bit PCM with the same sine in every channel.
pub fn write_sine(path: &Path, hz: f64, peak: f64, seconds: f64, channels: u16) {
    let sample_rate_hz = 48_000_u32;
    let frames = (seconds * f64::from(sample_rate_hz)) as u32;
    let data_bytes = frames * u32::from(channels) * 3;
    let mut file = Vec::with_capacity(44 + data_bytes as usize);
    file.extend(b"RIFF");
    file.extend((36 + data_bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(sample_rate_hz.to_le_bytes());
    file.extend((sample_rate_hz * u32::from(channels) * 3).to_le_bytes());
    file.extend((channels * 3).to_le_bytes());
    file.extend(24_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(data_bytes.to_le_bytes());
    let step = std::f64::consts::TAU * hz / f64::from(sample_rate_hz);
    for frame in 0..frames {
        let sample = (peak * math::sin(step * f64::from(frame)) * 8_388_607.0).round() as i32;
        for _ in 0..channels {
            file.extend(&sample.to_le_bytes()[..3]);
        }
    }
    std::fs::write(path, file).unwrap();
}

/// Writes a session of two tracks, two mixes and three deliverables, and the audio it plays: `song.toml` in `folder`.
pub fn write_session(folder: &Path) {
    write_sine(&folder.join("tone.wav"), 440.0, 0.25, 2.0, 1);
    write_sine(&folder.join("low.wav"), 110.0, 0.25, 2.0, 2);
    let session = r#"
version = 1
sample_rate_hz = 48000
end = "2s"

[metadata]
title = "Two tones"

[[tracks]]
name = "Tone"
pan = -0.5
clips = [{ file = "tone.wav" }]

[[tracks]]
name = "Low"
fader_db = -3.0
clips = [{ file = "low.wav" }]

[[mixes]]
name = "main"

[[mixes]]
name = "instrumental"
mute = ["Tone"]

[[deliverables]]
name = "song"
mix = "main"
format = "wav"
depth = "24"

[[deliverables]]
name = "song"
mix = "main"
format = "flac"
depth = "16"

[[deliverables]]
name = "instrumental"
mix = "instrumental"
format = "wav"
depth = "32f"
"#;
    std::fs::write(folder.join("song.toml"), session).unwrap();
}

/// The same session with a compressor on a bus that two groups share, and the groups printed.
pub fn write_session_with_a_shared_bus(folder: &Path) {
    write_session(folder);
    let path = folder.join("song.toml");
    let bus = "[[buses]]\nname = \"Glue\"\ninserts = [{ compressor = {} }]\n\n[[mixes]]\nname = \"main\"";
    let session = std::fs::read_to_string(&path)
        .unwrap()
        .replace("[[mixes]]\nname = \"main\"", bus)
        .replace("[[tracks]]\n", "[[tracks]]\noutput = \"Glue\"\n");
    let groups = "\n[[deliverables]]\neach = \"group\"\nformat = \"wav\"\ndepth = \"24\"\n";
    std::fs::write(&path, format!("ungrouped = \"by_track\"\n{session}{groups}")).unwrap();
}
