//! The bits of the example's masters, at every width of vectors.
//!
//! `example_golden.txt` holds the revisions of all processors and stages that the example uses, and the digest of each
//! delivered file's samples. Samples that change while no revision does are a fault; with a new revision the file is written
//! anew: `MIXDOWN_GOLDEN=print` prints it.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::{Files, Options, execute};
use mixdown_dsp::media::Decoder;
use mixdown_dsp::plan::{Granularity, KeepStems, Key, Keys, STAGE_REVISIONS, plan};
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::{Inspection, ValidSession, load};
use mixdown_dsp::simd::Level;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/harbour_lights/session.toml");

/// Assets beside the session; one task makes everything else.
struct OneTask {
    work_dir: PathBuf,
}

impl Files for OneTask {
    fn asset(&self, name: &str, _: &Digest) -> PathBuf {
        Path::new(EXAMPLE).with_file_name(name)
    }

    fn artifact(&self, key: &Key) -> PathBuf {
        panic!("the task asks for {key}, which it makes itself")
    }

    fn work_dir(&self) -> &Path {
        &self.work_dir
    }
}

/// BLAKE3 over the samples of a file, interleaved.
fn samples_digest(path: &Path) -> String {
    let mut decoder = Decoder::open(path).unwrap();
    let mut block = Buffer::new(decoder.probe().channels as usize, 4096);
    let mut hasher = blake3::Hasher::new();
    loop {
        block.set_frames(4096);
        let frames = decoder.read(&mut block).unwrap();
        if frames == 0 {
            return hasher.finalize().to_hex().to_string();
        }
        for frame in 0..frames {
            block.iter().for_each(|channel| {
                hasher.update(&channel[frame].to_le_bytes());
            });
        }
    }
}

/// A line per delivered file.
fn masters(session: &ValidSession) -> BTreeSet<String> {
    let keys = Keys::of(session);
    let plan = plan(session, &keys, &|_| false, Granularity::Fused, KeepStems::Never);
    let [task] = plan.tasks.as_slice() else { panic!("a fused plan has one task, not {}", plan.tasks.len()) };
    let folder = tempfile::tempdir().unwrap();
    let files = OneTask { work_dir: folder.path().to_owned() };
    let options = Options { threads: 2, block_frames: 1024 };
    let made = execute(session, &keys, &task.spec, &files, options, &Unwatched).unwrap();
    made.iter()
        .filter_map(|made| made.master.as_ref().map(|(name, _)| (name, samples_digest(&made.path))))
        .map(|(name, digest)| format!("samples {digest} {name}"))
        .collect()
}

/// A line per processor and stage that the session uses.
fn revisions(session: &ValidSession) -> BTreeSet<String> {
    let chains = session.tracks.iter().map(|track| &track.inserts).chain(session.buses.iter().map(|bus| &bus.inserts));
    let inserts = chains.chain([&session.master.inserts]).flatten();
    let nodes: BTreeMap<&str, u32> =
        inserts.map(|insert| (insert.processor.name(), insert.processor.revision())).collect();
    // The example delivers no MP3, which some builds cannot write.
    let stages = STAGE_REVISIONS.iter().copied().filter(|(name, _)| *name != "mp3");
    stages.chain(nodes).map(|(name, revision)| format!("revision {revision} {name}")).collect()
}

#[test]
fn the_example_sounds_as_its_revisions_did() {
    let session = load(Path::new(EXAMPLE), Inspection::Digests).unwrap_or_else(|faults| panic!("{faults}"));
    let golden = include_str!("example_golden.txt");
    let revisions = revisions(&session);
    let is_new = !revisions.iter().all(|line| golden.lines().any(|known| known == line));
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        assert!(level.force());
        let now: Vec<String> = revisions.iter().cloned().chain(masters(&session)).collect();
        if std::env::var_os("MIXDOWN_GOLDEN").is_some() {
            println!("\n{}", now.join("\n"));
        }
        let why = if is_new { "a revision is new: write the file anew" } else { "no revision is new" };
        assert!(golden.lines().eq(now.iter().map(String::as_str)), "at {level}, {why}:\n{}", now.join("\n"));
    }
}
