//! The bits of every processor, on every machine.
//!
//! `golden.txt` holds a line `name revision digest` per processor and revision. A digest that no longer matches is never
//! a matter of tolerance: either the change was a mistake, or the processor's revision in `nodes/mod.rs` rises, and a
//! line for it is added. `MIXDOWN_GOLDEN=print` prints the lines of today.

mod support;

use std::collections::BTreeSet;

use mixdown_dsp::nodes::Processor;
use mixdown_dsp::simd::Level;
use support::{Rig, moving_lanes, noise, paths};

/// BLAKE3 over what a processor on all its paths makes of noise, still and automated, mono and stereo.
fn digest(name: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for (_, processor) in paths().into_iter().filter(|(_, processor)| processor.name() == name) {
        for channels in [1, 2] {
            for lanes in [Vec::new(), moving_lanes(&processor, 20_000)] {
                let mut rig = Rig::new(&processor, 48_000, channels, &lanes);
                for sample in rig.run(&noise(channels, 20_000, 0.7), None, &[1024]).iter().flatten() {
                    hasher.update(&sample.to_le_bytes());
                }
            }
        }
    }
    hasher.finalize().to_hex().to_string()
}

#[test]
fn every_processor_sounds_as_its_revision_did_at_every_width_of_vectors() {
    let golden = include_str!("golden.txt");
    let mut differing = BTreeSet::new();
    for level in Level::ALL.into_iter().filter(|level| level.force()) {
        for (name, revision) in Processor::REVISIONS {
            let line = format!("{name} {revision} {}", digest(name));
            if !golden.lines().any(|known| known == line) {
                eprintln!("{name} at {level}");
                differing.insert(line);
            }
        }
    }
    let differing: Vec<String> = differing.into_iter().collect();
    if std::env::var_os("MIXDOWN_GOLDEN").is_some() {
        println!("{}", differing.join("\n"));
    }
    assert!(differing.is_empty(), "no line of golden.txt, so a new revision is due:\n{}", differing.join("\n"));
}

#[test]
fn no_revision_has_two_digests() {
    let revisions: Vec<&str> = include_str!("golden.txt")
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(revision, _)| revision)
        .collect();
    for (index, revision) in revisions.iter().enumerate() {
        assert!(!revisions[..index].contains(revision), "{revision} stands twice");
    }
}
