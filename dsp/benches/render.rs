//! How fast the graph is: 22 stereo tracks with equaliser and compressor each, a reverb, a master chain, two mixes.
//!
//! `cargo bench -p mixdown-dsp --bench render -- THREADS BLOCK_FRAMES…` prints the wall time and its ratio to the session's
//! length; without numbers it tries several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use mixdown_dsp::graph::{Request, StemRequest, Wiring, render};
use mixdown_dsp::media::{FileSpec, FileWriter, Samples};
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::document::{Depth, Format, Metadata};
use mixdown_dsp::session::{ValidSession, from_json};
use serde_json::{Value, json};

const TRACKS: usize = 22;
const SECONDS: usize = 60;
const RATE_HZ: usize = 48_000;

#[allow(clippy::print_stdout)]
fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let session = session(folder.path());
    let paths: Vec<PathBuf> = session.assets.iter().map(|asset| folder.path().join(&asset.name)).collect();
    println!("{TRACKS} stereo tracks of {SECONDS} s, {} mixes", session.mixes.len());
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (threads, blocks) = match numbers.split_first() {
        Some((threads, blocks)) => (vec![*threads], blocks.to_vec()),
        None => (vec![1, 2], vec![256, 1024, 4096]),
    };
    for (threads, block_frames) in threads.iter().flat_map(|threads| blocks.iter().map(move |block| (*threads, *block)))
    {
        let seconds = seconds(&session, &paths, folder.path(), threads, block_frames);
        let ratio = session.length_frames as f64 / RATE_HZ as f64 / seconds;
        println!("{threads} threads, blocks of {block_frames}: {seconds:.3} s, {ratio:.0} x realtime");
    }
}

fn seconds(session: &ValidSession, paths: &[PathBuf], folder: &Path, threads: usize, block_frames: usize) -> f64 {
    let stems: BTreeMap<usize, StemRequest> = (0..TRACKS).map(|track| (track, StemRequest::default())).collect();
    let mix = |mix: usize| (Wiring::of_mix(session, mix), folder.join(format!("mix-{mix}.pcm")));
    let mixes: Vec<(Wiring, PathBuf)> = (0..session.mixes.len()).map(mix).collect();
    let request = Request {
        session,
        asset_paths: paths,
        render_stems: &stems,
        stem_artifact: &|_| PathBuf::new(),
        mixes: &mixes,
        threads,
        hashed: false,
        block_frames,
    };
    let run = || {
        let start = Instant::now();
        render(&request, Vec::new(), 0, &Unwatched).expect("a render of files that are there");
        start.elapsed().as_secs_f64()
    };
    (0..3).map(|_| run()).fold(f64::INFINITY, f64::min)
}

fn session(folder: &Path) -> ValidSession {
    let frames = SECONDS * RATE_HZ;
    let mut state = 1_u32;
    let mut facts = serde_json::Map::new();
    for track in 0..TRACKS {
        let name = format!("{track}.wav");
        let spec = FileSpec {
            format: Format::Wav,
            depth: Depth::Int24,
            sample_rate_hz: RATE_HZ as u32,
            channels: 2,
            frames: frames as u64,
            metadata: Metadata::default(),
            cover: None,
            replay_gain: false,
            broadcast: None,
        };
        let mut writer = FileWriter::create(&folder.join(&name), &spec).expect("a file");
        let samples: Vec<i32> = (0..frames * 2)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state as i32) >> 11
            })
            .collect();
        writer.write(Samples::Int(&samples)).expect("samples written");
        writer.finish(None).expect("a whole file");
        let digest = format!("{track:064x}");
        facts.insert(
            name,
            json!({ "digest": digest, "size_bytes": 1, "frames": frames, "sample_rate_hz": RATE_HZ, "channels": 2, "lossy": false }),
        );
    }
    let bell =
        |frequency: f64, gain: f64| json!({ "kind": "bell", "frequency_hz": frequency, "gain_db": gain, "q": 0.9 });
    let track = |track: usize| -> Value {
        let place = track as f64;
        json!({
            "name": format!("Track {track}"), "clips": [{ "file": format!("{track}.wav") }],
            "inserts": [
                { "eq": { "bands": [{ "kind": "high_pass", "frequency_hz": 30.0 },
                    bell(90.0 + 15.0 * place, 2.0), bell(400.0 + 110.0 * place, -3.0), bell(3000.0 + 300.0 * place, 2.5)] } },
                { "compressor": { "threshold_db": -20.0, "ratio": 3.0, "knee_db": 0.0 } },
            ],
            "fader_db": -12.0, "pan": (place - 10.5) / 21.0, "sends": [{ "to": "Hall", "gain_db": -15.0 }],
        })
    };
    let tracks: Vec<Value> = (0..TRACKS).map(track).collect();
    let document = json!({
        "version": 1, "sample_rate_hz": RATE_HZ, "assets": facts, "tracks": tracks, "end": frames,
        "buses": [{ "name": "Hall", "inserts": [{ "reverb": {} }] }],
        "master": { "inserts": [
            { "compressor": { "threshold_db": -12.0, "ratio": 2.0, "attack_ms": 30.0, "release_ms": 200.0 } },
            { "eq": { "bands": [bell(60.0, 1.0), bell(10_000.0, 1.5)] } },
        ] },
        "mixes": [{ "name": "main" }, { "name": "instrumental", "mute": ["Track 3"] }],
        "deliverables": [{ "name": "main", "mix": "main", "format": "wav", "depth": "24" }],
    });
    from_json(&document.to_string()).unwrap_or_else(|faults| panic!("{faults}"))
}
