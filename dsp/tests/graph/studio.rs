//! Sessions made in a test, rendered to memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::graph::{Request, StemRequest, Wiring, render};
use mixdown_dsp::media::Probe;
use mixdown_dsp::media::pcm::{PcmReader, PcmWriter};
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::{ValidSession, from_json};
use serde_json::{Value, json};

/// Channels of samples.
pub type Audio = Vec<Vec<f32>>;

/// A folder of assets, and sessions made of them.
pub struct Studio {
    pub folder: tempfile::TempDir,
    facts: serde_json::Map<String, Value>,
}

/// How a session is rendered. Nothing here may change a bit.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    pub threads: usize,
    pub block_frames: usize,
    /// Every stem in a pass of its own, and the mixes of their artifacts.
    pub spread: bool,
}

pub const PLAIN: Cut = Cut { threads: 1, block_frames: 512, spread: false };

/// What came of a session.
#[derive(Debug, PartialEq)]
pub struct Rendered {
    /// Every track's stem.
    pub stems: Vec<Audio>,
    /// Every mix.
    pub mixes: Vec<Audio>,
    /// Every group's part of a mix that is asked for.
    pub groups: Vec<Audio>,
}

impl Studio {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), facts: serde_json::Map::new() }
    }

    /// Adds a file at 48 kHz.
    pub fn asset(&mut self, name: &str, audio: &[Vec<f32>]) {
        self.asset_at(name, 48_000, audio);
    }

    /// Adds a file.
    pub fn asset_at(&mut self, name: &str, sample_rate_hz: u32, audio: &[Vec<f32>]) {
        let path = self.folder.path().join(name);
        let mut block = Buffer::new(audio.len(), audio[0].len());
        for (channel, samples) in block.iter_mut().zip(audio) {
            channel.copy_from_slice(samples);
        }
        let mut writer = PcmWriter::create(&path, audio.len(), sample_rate_hz, audio[0].len() as u64).unwrap();
        writer.write(&block).unwrap();
        writer.finish().unwrap();
        let is = Probe { frames: audio[0].len() as u64, sample_rate_hz, channels: audio.len() as u32, lossy: false };
        self.learn(name, &is);
    }

    /// Takes in a file that lies in the folder already.
    pub fn learn(&mut self, name: &str, is: &Probe) {
        let bytes = std::fs::read(self.folder.path().join(name)).unwrap();
        let facts = json!({ "digest": Digest::of(&bytes), "size_bytes": bytes.len(), "frames": is.frames,
            "sample_rate_hz": is.sample_rate_hz, "channels": is.channels, "lossy": is.lossy });
        self.facts.insert(name.to_owned(), facts);
    }

    /// A session of `document`, which leaves out what is the same everywhere.
    pub fn session(&self, mut document: Value) -> ValidSession {
        let fields = document.as_object_mut().unwrap();
        fields.insert("version".into(), json!(1));
        fields.insert("sample_rate_hz".into(), json!(48_000));
        fields.insert("assets".into(), Value::Object(self.facts.clone()));
        let deliverables = json!([{ "name": "file", "mix": "main", "format": "wav", "depth": "32f" }]);
        fields.entry("deliverables").or_insert(deliverables);
        fields.entry("mixes").or_insert(json!([{ "name": "main", "master_chain": false }]));
        from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
    }

    pub fn render(&self, session: &ValidSession, cut: Cut) -> Rendered {
        let out = tempfile::tempdir_in(self.folder.path()).unwrap();
        let stem_path = |track: usize| out.path().join(format!("stem-{track}"));
        let stem = |track: usize| (track, StemRequest { file: Some(stem_path(track)) });
        let mix = |mix: usize| (Wiring::of_mix(session, mix), out.path().join(format!("mix-{mix}")));
        let group = |print: usize| {
            (Wiring::of_group(session, &session.group_prints[print]), out.path().join(format!("group-{print}")))
        };
        let mixes: Vec<(Wiring, PathBuf)> = (0..session.mixes.len()).map(mix).collect();
        let groups: Vec<(Wiring, PathBuf)> = (0..session.group_prints.len()).map(group).collect();
        let all = [mixes.as_slice(), &groups].concat();
        let run = |stems: BTreeMap<usize, StemRequest>, mixes: &[(Wiring, PathBuf)]| {
            let asset_paths: Vec<PathBuf> =
                session.assets.iter().map(|asset| self.folder.path().join(&asset.name)).collect();
            let request = Request {
                session,
                asset_paths: &asset_paths,
                render_stems: &stems,
                stem_artifact: &stem_path,
                mixes,
                hashed: false,
                threads: cut.threads,
                block_frames: cut.block_frames,
            };
            render(&request, Vec::new(), 1000, &Unwatched).unwrap();
        };
        let tracks = 0..session.tracks.len();
        if cut.spread {
            // Documents of these tests name keying tracks before those that they key.
            tracks.clone().for_each(|track| run([stem(track)].into(), &[]));
            all.iter().for_each(|mix| run(BTreeMap::new(), std::slice::from_ref(mix)));
        } else {
            run(tracks.clone().map(stem).collect(), &all);
        }
        Rendered {
            stems: tracks.map(|track| read(&stem_path(track))).collect(),
            mixes: mixes.iter().map(|(_, path)| read(path)).collect(),
            groups: groups.iter().map(|(_, path)| read(path)).collect(),
        }
    }
}

fn read(path: &Path) -> Audio {
    let mut reader = PcmReader::open(path).unwrap();
    let mut block = Buffer::new(reader.channels(), reader.frames() as usize);
    reader.read(&mut block).unwrap();
    block.iter().map(<[f32]>::to_vec).collect()
}

/// Numbers that look random and are the same in every run (splitmix64).
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from 0 to `end` − 1.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// White noise of a given seed, −1 to 1 times `level`.
pub fn noise(seed: u64, frames: usize, level: f32) -> Vec<f32> {
    let mut rng = Rng(seed);
    (0..frames).map(|_| ((rng.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * level).collect()
}

/// Silence with a 1 at `frame`.
pub fn impulse(frame: usize, frames: usize) -> Vec<f32> {
    (0..frames).map(|index| if index == frame { 1.0 } else { 0.0 }).collect()
}

/// The frames where a channel is not zero, with their samples.
pub fn sounding(channel: &[f32]) -> Vec<(usize, f32)> {
    channel.iter().copied().enumerate().filter(|(_, sample)| *sample != 0.0).collect()
}
