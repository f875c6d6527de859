//! A small production made on the spot: every kind of routing that a session knows, a few seconds long.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// A session in a folder of its own, to be edited and written again.
pub struct Fixture {
    folder: tempfile::TempDir,
    /// The session document.
    pub document: Value,
}

impl Fixture {
    /// Writes the audio, `seconds` long, and holds the document.
    pub fn new(seconds: f64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, rate: u32, channels: u16, voice: fn(f64) -> f64| {
            tone(&folder.path().join(name), rate, channels, (seconds * f64::from(rate)) as u32, voice);
        };
        write("kick.wav", 48_000, 1, |t| decay(t, 0.5, 18.0) * sine(t, 55.0));
        write("bass.wav", 48_000, 1, |t| decay(t, 0.25, 6.0) * (sine(t, 82.4) + 0.4 * sine(t, 164.8)));
        write("keys.wav", 44_100, 2, |t| 0.4 * (sine(t, 261.6) + sine(t, 329.6) + sine(t, 392.0)));
        write("vox.wav", 48_000, 1, |t| decay(t, 1.0, 1.5) * (sine(t, 440.0) + 0.5 * sine(t, 881.0)));
        // A response that only the mix needs, at a rate of its own.
        let room = |t: f64| mixdown_dsp::math::exp(-t * 25.0) * (sine(t, 431.0) + sine(t, 1733.0) + sine(t, 5119.0));
        tone(&folder.path().join("room.wav"), 44_100, 2, 13_230, room);
        Self { folder, document: document() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has ffmpeg make a lossy file of what the first clip of a track plays, and plays that.
    pub fn encode(&mut self, track: usize, name: &str, codec: &[&str]) {
        let clip = &mut self.document["tracks"][track]["clips"][0];
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-bitexact", "-i"])
            .arg(self.folder.path().join(clip["file"].as_str().expect("a clip has a file")))
            // A lone left speaker, as hound writes mono, is nothing that encoders know.
            .args(["-af", "aformat=channel_layouts=mono|stereo"])
            .args(codec)
            .arg(self.folder.path().join(name))
            .status()
            .expect("ffmpeg is there; `make test` installs it");
        assert!(made.success(), "ffmpeg made no {name}");
        clip["file"] = json!(name);
    }

    /// Writes the document as it stands now and returns its path.
    pub fn write(&self) -> PathBuf {
        let path = self.folder().join("session.json");
        std::fs::write(&path, self.document.to_string()).expect("the session file is written");
        path
    }
}

fn sine(t: f64, hz: f64) -> f64 {
    mixdown_dsp::math::sin(2.0 * std::f64::consts::PI * hz * t)
}

fn decay(t: f64, period: f64, rate: f64) -> f64 {
    mixdown_dsp::math::exp(-(t % period) * rate)
}

/// A 24-bit WAV file of a voice, −8 dBFS or so.
pub fn tone(path: &Path, rate: u32, channels: u16, frames: u32, voice: impl Fn(f64) -> f64) {
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 24, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).expect("the file is created");
    for frame in 0..frames {
        for channel in 0..channels {
            let t = f64::from(frame) / f64::from(rate) + 0.0003 * f64::from(channel);
            writer.write_sample((voice(t) * 0.3 * 8_388_607.0) as i32).expect("the sample is written");
        }
    }
    writer.finalize().expect("the file is ended");
}

fn document() -> Value {
    json!({
        "version": 1, "sample_rate_hz": 48000, "tempo_bpm": 120.0, "seed": 7,
        "metadata": { "title": "Fixture", "artist": "Nobody" },
        "tracks": [
            { "name": "Kick", "output": "Drums", "clips": [{ "file": "kick.wav" }],
              "inserts": [{ "name": "tone", "eq": { "bands": [{ "kind": "high_pass", "frequency_hz": 30.0 }] } }] },
            { "name": "Bass", "fader_db": -2.0, "clips": [{ "file": "bass.wav", "fade_out": { "length": "500ms" } }],
              "inserts": [{ "name": "duck", "sidechain": "Kick",
                "compressor": { "threshold_db": -30.0, "ratio": 4.0, "lookahead_ms": 3.0 } }] },
            { "name": "Keys", "pan": -0.3, "clips": [{ "file": "keys.wav", "at": "250ms" }],
              "sends": [{ "to": "Hall", "gain_db": -9.0 }],
              "automation": [{ "parameter": "fader_db", "points": [
                { "at": "0s", "value": -12.0 }, { "at": "1s", "value": -3.0, "curve": "hold" }, { "at": "2s", "value": -6.0 }] }] },
            { "name": "Vox", "pan": 0.2, "clips": [{ "file": "vox.wav", "gain_db": 1.0 }],
              "sends": [{ "to": "Hall", "gain_db": -6.0, "tap": "pre_fader" }, { "to": "Echo", "gain_db": -12.0 }],
              "inserts": [{ "name": "tone", "eq": { "bands": [
                { "kind": "high_pass", "frequency_hz": 100.0, "slope_db_per_octave": 18 },
                { "kind": "bell", "frequency_hz": 3000.0, "gain_db": 3.0, "q": 0.9 },
                { "kind": "high_shelf", "frequency_hz": 9000.0, "gain_db": 2.0 }] } }],
              "automation": [{ "parameter": "inserts.tone.bands.2.frequency_hz", "points": [
                { "at": "0s", "value": 1500.0, "curve": "exponential" }, { "at": "2s", "value": 4000.0 }] }] },
        ],
        "buses": [
            { "name": "Drums", "inserts": [{ "compressor": { "threshold_db": -20.0, "mix": 0.6 } }] },
            { "name": "Hall", "inserts": [{ "reverb": { "decay_s": 0.8 } },
                { "name": "duck", "sidechain": "Drums", "compressor": { "threshold_db": -30.0 } }] },
            { "name": "Echo", "inserts": [{ "delay": { "time_beats": 0.36, "feedback": 0.2, "ping_pong": true } },
                { "convolution": { "file": "room.wav", "predelay_ms": 5.0, "mix": 0.5 } }],
              "sends": [{ "to": "Hall", "gain_db": -12.0 }] },
        ],
        "master": { "inserts": [{ "compressor": { "threshold_db": -14.0, "ratio": 1.5 } }] },
        "loudness": { "integrated_lufs": -14.0 },
        "mixes": [
            { "name": "main" },
            { "name": "instrumental", "mute": ["Vox"] },
            { "name": "a cappella", "solo": ["Vox"], "fader_offset_db": { "Vox": 1.5 } },
        ],
        "deliverables": [
            { "name": "main", "mix": "main", "format": "wav", "depth": "24" },
            { "name": "main", "mix": "main", "format": "flac", "depth": "16", "sample_rate_hz": 44100 },
            { "name": "instrumental", "mix": "instrumental", "format": "wav", "depth": "16" },
            { "name": "a cappella", "mix": "a cappella", "format": "wav", "depth": "32f" },
            { "name": "Vox", "print": "Vox", "format": "wav", "depth": "32f" },
        ],
    })
}
