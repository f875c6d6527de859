//! A farm of one, for tests that run whole plans.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::{Files, Made, Options, execute};
use mixdown_dsp::plan::{Granularity, KeepStems, Key, Keys, PlannedTask, plan};
use mixdown_dsp::progress::Unwatched;
use mixdown_dsp::session::ValidSession;
use serde_json::json;

use crate::studio::Studio;

/// A farm of one: assets in a folder, artifacts where the tasks left them.
pub struct Farm<'a> {
    pub studio: &'a Studio,
    pub work_dir: PathBuf,
    pub artifacts: BTreeMap<Key, PathBuf>,
}

impl Files for Farm<'_> {
    fn asset(&self, name: &str, _: &Digest) -> PathBuf {
        self.studio.folder.path().join(name)
    }

    fn artifact(&self, key: &Key) -> PathBuf {
        self.artifacts.get(key).unwrap_or_else(|| panic!("the task asks for an artifact that nothing made")).clone()
    }

    fn work_dir(&self) -> &Path {
        &self.work_dir
    }
}

pub const OPTIONS: Options = Options { threads: 2, block_frames: 512 };

/// Runs every task of a plan and returns the digests of all artifacts, and of the masters with their names; `each` sees
/// every master as it lies there.
pub fn run_seeing(
    studio: &Studio,
    session: &ValidSession,
    granularity: Granularity,
    options: Options,
    mut each: impl FnMut(&str, &Path),
) -> (BTreeMap<Key, Digest>, BTreeMap<String, Digest>) {
    let keys = Keys::of(session);
    let plan = plan(session, &keys, &|_| false, granularity, KeepStems::Always);
    let out = tempfile::tempdir_in(studio.folder.path()).unwrap();
    let mut farm = Farm { studio, work_dir: PathBuf::new(), artifacts: BTreeMap::new() };
    let (mut artifacts, mut masters) = (BTreeMap::new(), BTreeMap::new());
    for (index, PlannedTask { spec, makes, .. }) in plan.tasks.iter().enumerate() {
        farm.work_dir = out.path().join(index.to_string());
        fs::create_dir(&farm.work_dir).unwrap();
        let made = execute(session, &keys, spec, &farm, options, &Unwatched).unwrap();
        assert_eq!(made.iter().map(|made| made.key).collect::<Vec<_>>(), *makes, "the order of what was made");
        for Made { key, path, digest: known, master } in made {
            let digest = Digest::of(&fs::read(&path).unwrap());
            assert!(known.is_none_or(|known| known == digest), "hashed while it was written: {}", path.display());
            artifacts.insert(key, digest);
            if let Some((name, report)) = master {
                assert_eq!(report["file"], json!(name));
                each(&name, &path);
                masters.insert(name, digest);
            }
            farm.artifacts.insert(key, path);
        }
    }
    (artifacts, masters)
}

/// The same, without a look at the masters.
pub fn run(
    studio: &Studio,
    session: &ValidSession,
    granularity: Granularity,
    options: Options,
) -> (BTreeMap<Key, Digest>, BTreeMap<String, Digest>) {
    run_seeing(studio, session, granularity, options, |_, _| {})
}
