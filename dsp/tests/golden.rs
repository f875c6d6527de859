//! The bits of every processor, on every machine.
//!
//! `golden.txt` holds lines `name revision digest` per processor and revision, one each for rates and a key, and one per kernel that the clips and the
//! finish use beside them. A digest that no longer matches is never a matter of tolerance: either the change was a mistake,
//! or the revision rises, and a line for it is added: a processor's in `nodes/mod.rs`, a kernel's below, together with
//! those of the stages that it serves in `plan/keys.rs`. `MIXDOWN_GOLDEN=print` prints the lines of today.

mod support;

#[path = "support/digests.rs"]
mod digests;

use std::collections::BTreeSet;

use mixdown_dsp::nodes::Processor;
use mixdown_dsp::simd::Level;

const FRAMES: usize = 20_000;

/// The kernels' revisions, in the order of [`digests::KERNELS`].
const KERNEL_REVISIONS: [(&str, u32); 7] = [
    ("resampler", 3),
    ("true_peak", 2),
    ("loudness", 1),
    ("dither", 1),
    ("noise_shape", 1),
    ("math", 1),
    ("math_million", 1),
];

#[test]
fn everything_sounds_as_its_revision_did_at_every_width_of_vectors() {
    let golden = include_str!("golden.txt");
    let mut differing = BTreeSet::new();
    for level in Level::ALL.into_iter().filter(|level| level.force()) {
        let processors = Processor::REVISIONS.iter().flat_map(|&(name, revision)| {
            let digests = digests::of_processor(name, FRAMES).into_iter();
            digests.map(move |(name, digest)| (name, revision, digest))
        });
        let kernels = digests::KERNELS.iter().zip(KERNEL_REVISIONS).map(|(&(name, digest), (named, revision))| {
            assert_eq!(name, named);
            (name.to_owned(), revision, digest(FRAMES))
        });
        for (name, revision, digest) in processors.chain(kernels) {
            let line = format!("{name} {revision} {digest}");
            if !golden.lines().any(|known| known == line) {
                eprintln!("{name} at {level}");
                differing.insert(line);
            }
        }
    }
    let differing: Vec<String> = differing.into_iter().collect();
    if std::env::var_os("MIXDOWN_GOLDEN").is_some() {
        println!("\n{}", differing.join("\n"));
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
