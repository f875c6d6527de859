//! The same binary on other processors: under `qemu-x86_64` with and without AVX2 and FMA, every bit is that of this
//! machine, those of MP3 and Vorbis files among them. Shorter than the golden digests, which tie these bits to their revisions.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

#[path = "support/digests.rs"]
mod digests;
#[path = "graph/production.rs"]
mod production;
#[path = "graph/studio.rs"]
#[allow(dead_code, reason = "the graph's tests use the rest")]
mod studio;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::media::tags::Tags;
use mixdown_dsp::media::{Decoder, LossySpec, LossyWriter};
use mixdown_dsp::nodes::Processor;
use mixdown_dsp::session::document::{Format, Metadata};
use mixdown_dsp::session::lossy::BitRate;
use mixdown_dsp::simd::Level;

/// Long enough for blocks, automation and detectors; short enough for an emulator.
const FRAMES: usize = 700;

/// What the bits of this process are: one line each for processors, kernels and a whole session.
fn lines() -> Vec<String> {
    // At 48 kHz: other rates are other numbers through the same instructions.
    let processors = Processor::REVISIONS.iter().flat_map(|(name, _)| digests::at_48_khz(name, FRAMES));
    let processors = processors.map(|(name, digest)| format!("{name} {digest}"));
    let kernels = digests::KERNELS.iter().map(|(name, digest)| format!("{name} {}", digest(FRAMES)));
    processors.chain(kernels).chain([format!("session {}", session())]).chain(lossy()).collect()
}

/// Every mix of a session that uses all of the graph.
fn session() -> String {
    let (studio, document) = production::production();
    let session = studio.session(document);
    let rendered = studio.render(&session, studio::PLAIN);
    let mut hasher = blake3::Hasher::new();
    for sample in rendered.mixes.iter().flatten().flatten() {
        hasher.update(&sample.to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// What the encoders of MP3 and Vorbis make of noise under a tone, and their decoders of that. Opus is not among them: it
/// takes reciprocal square roots by an instruction whose last bits each maker of processors chooses.
fn lossy() -> Vec<String> {
    let mut block = Buffer::new(2, 12_000);
    for (channel, samples) in block.iter_mut().zip(support::noise(2, 12_000, 0.2)) {
        for (frame, (to, noise)) in channel.iter_mut().zip(samples).enumerate() {
            *to = noise * 0.3 + 0.4 * mixdown_dsp::math::sin(0.057 * frame as f64) as f32;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lossy");
    let (mut lines, mut block_back) = (Vec::new(), Buffer::new(2, 12_000));
    let ways = [
        (Format::Mp3, BitRate::Constant { kbps: 192 }),
        (Format::Mp3, BitRate::Quality { quality: 2.0 }),
        (Format::Vorbis, BitRate::Quality { quality: 6.0 }),
    ];
    for (format, bit_rate) in ways.into_iter().filter(|(format, _)| format.why_not_written().is_none()) {
        let spec = LossySpec {
            format,
            bit_rate,
            sample_rate_hz: 48_000,
            channels: 2,
            frames: 12_000,
            tags: Tags::of(&Metadata::default(), None),
            cover: None,
        };
        let mut writer = LossyWriter::create(&path, &spec).unwrap();
        writer.write(&block).unwrap();
        writer.finish().unwrap();
        let encoded = blake3::hash(&std::fs::read(&path).unwrap()).to_hex();
        let (mut decoder, mut decoded) = (Decoder::open(&path).unwrap(), blake3::Hasher::new());
        while {
            block_back.set_frames(12_000);
            decoder.read(&mut block_back).unwrap() > 0
        } {
            block_back.iter().flatten().for_each(|sample| {
                decoded.update(&sample.to_le_bytes());
            });
        }
        lines.push(format!("{format:?} {bit_rate} {encoded} {}", decoded.finalize().to_hex()));
    }
    lines
}

#[test]
#[ignore = "its sibling runs it, emulated"]
fn prints_its_digests() {
    println!("digest level {}", Level::current());
    lines().iter().for_each(|line| println!("digest {line}"));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn other_processors_give_the_same_bits() {
    let here = lines();
    // Nehalem ends with SSE4.2, Haswell has AVX2 and FMA.
    let emulations: Vec<_> = [("Nehalem", Level::Baseline), ("Haswell", Level::Avx2)]
        .into_iter()
        .map(|(processor, level)| {
            let child = std::process::Command::new("qemu-x86_64")
                .args(["-cpu", processor])
                .arg(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "prints_its_digests", "--nocapture", "--test-threads", "1"])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("qemu-x86_64 cannot be run ({error}): `make test` installs it"));
            (processor, level, child)
        })
        .collect();
    for (processor, level, child) in emulations {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let there: Vec<&str> =
            text.lines().filter_map(|line| line.split_once("digest ")).map(|(_, line)| line).collect();
        assert_eq!(there[0], format!("level {level}"), "on {processor}");
        assert_eq!(there[1..], here, "on {processor}");
    }
}
