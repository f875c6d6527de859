//! The same binary on other processors: under `qemu-x86_64` with and without AVX2 and FMA, every bit is that of this
//! machine. Shorter than the golden digests, which tie these bits to their revisions.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

#[path = "support/digests.rs"]
mod digests;
#[path = "graph/production.rs"]
mod production;
#[path = "graph/studio.rs"]
#[allow(dead_code, reason = "the graph's tests use the rest")]
mod studio;

use mixdown_dsp::nodes::Processor;
use mixdown_dsp::simd::Level;

/// Long enough for blocks, automation and detectors; short enough for an emulator.
const FRAMES: usize = 700;

/// What the bits of this process are: one line each for processors, kernels and a whole session.
fn lines() -> Vec<String> {
    // At 48 kHz: other rates are other numbers through the same instructions.
    let processors = Processor::REVISIONS.iter().flat_map(|(name, _)| digests::at_48_khz(name, FRAMES));
    let processors = processors.map(|(name, digest)| format!("{name} {digest}"));
    let kernels = digests::KERNELS.iter().map(|(name, digest)| format!("{name} {}", digest(FRAMES)));
    processors.chain(kernels).chain([format!("session {}", session())]).collect()
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
