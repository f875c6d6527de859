//! FLAC beside `flac -5`: time of one thread and bytes, on the example's audio or a 16 or 24-bit file given by
//! MIXDOWN_BENCH_FLAC. `cargo bench --bench flac` prints a line per depth.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::media::{Decoder, FileSpec, FileWriter, Samples};
use mixdown_dsp::session::document::{Depth, Format, Metadata};

const RUNS: usize = 5;

#[allow(clippy::print_stdout, reason = "a bench prints")]
fn main() {
    let given = std::env::var_os("MIXDOWN_BENCH_FLAC").map(PathBuf::from);
    let audio = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/harbour_lights/audio/strings.flac");
    let input = given.unwrap_or(audio);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (depth, bits) in [(Depth::Int16, 16), (Depth::Int24, 24)] {
        let (samples, spec) = read(&input, depth, bits);
        let wave = folder.path().join("in.wav");
        write(&wave, &FileSpec { format: Format::Wav, ..spec.clone() }, &samples);
        let ours = folder.path().join("ours.flac");
        let (our_seconds, our_bytes) = fastest(&ours, || write(&ours, &spec, &samples));
        let theirs = folder.path().join("theirs.flac");
        let flac = || {
            let run = Command::new("flac").args(["-5", "-s", "-f", "-o"]).args([&theirs, &wave]).status();
            assert!(run.expect("flac on the path").success(), "flac refused {}", wave.display());
        };
        let (their_seconds, their_bytes) = fastest(&theirs, flac);
        println!(
            "{bits} bits: {our_seconds:.3} s and {our_bytes} bytes; flac -5: {their_seconds:.3} s and {their_bytes} bytes; \
             speed {:.2}x, size {:+.2} %",
            their_seconds / our_seconds,
            (our_bytes as f64 / their_bytes as f64 - 1.0) * 100.0
        );
    }
}

/// The least seconds of some runs, and the bytes of the file they write.
fn fastest(path: &Path, mut run: impl FnMut()) -> (f64, u64) {
    let seconds = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    let seconds = seconds.fold(f64::INFINITY, f64::min);
    (seconds, std::fs::metadata(path).expect("a file").len())
}

fn write(path: &Path, spec: &FileSpec, samples: &[i32]) {
    let mut writer = FileWriter::create(path, spec).expect("a file");
    samples.chunks(8192).for_each(|block| writer.write(Samples::Int(block)).expect("samples written"));
    writer.finish(None).expect("a whole file");
}

/// The samples of a file, rounded to a depth.
fn read(path: &Path, depth: Depth, bits: u32) -> (Vec<i32>, FileSpec) {
    let mut decoder = Decoder::open(path).expect("an audio file");
    let probe = decoder.probe().clone();
    let mut block = Buffer::new(probe.channels as usize, 4096);
    let (mut samples, scale) = (Vec::new(), f64::from(1_u32 << (bits - 1)));
    loop {
        block.set_frames(4096);
        let frames = decoder.read(&mut block).expect("audio to its end");
        if frames == 0 {
            break;
        }
        for frame in 0..frames {
            samples.extend(block.iter().map(|channel| (f64::from(channel[frame]) * scale).floor() as i32));
        }
    }
    let spec = FileSpec {
        format: Format::Flac,
        depth,
        sample_rate_hz: probe.sample_rate_hz,
        channels: probe.channels as usize,
        frames: probe.frames,
        metadata: Metadata::default(),
        cover: None,
        replay_gain: false,
        broadcast: None,
    };
    (samples, spec)
}
