//! An engine that runs what a test gives it, by the name of the task.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::{ExecuteError, Files, Made, Options};
use mixdown_dsp::plan::Key;
use mixdown_dsp::progress::Monitor;
use mixdown_proto::v1::FailureKind;
use mixdown_worker::engine::{Engine, NeededAsset, Rendering};
use mixdown_worker::failure::Failure;

type Run = dyn Fn(&dyn Files, &dyn Monitor) -> Result<Vec<Made>, ExecuteError> + Send + Sync;

#[derive(Clone)]
struct Task {
    assets: Vec<NeededAsset>,
    run: Arc<Run>,
}

/// Tasks by name.
#[derive(Clone, Default)]
pub struct Script {
    tasks: BTreeMap<String, Task>,
}

impl Script {
    /// Adds a task that reads these assets and does this; its cost is 100.
    pub fn task(
        mut self,
        name: &str,
        assets: &[&[u8]],
        run: impl Fn(&dyn Files, &dyn Monitor) -> Result<Vec<Made>, ExecuteError> + Send + Sync + 'static,
    ) -> Self {
        let needed = |bytes: &&[u8]| NeededAsset { digest: Digest::of(bytes), size_bytes: bytes.len() as u64 };
        let task = Task { assets: assets.iter().map(needed).collect(), run: Arc::new(run) };
        self.tasks.insert(name.into(), task);
        self
    }
}

impl Engine for Script {
    fn revisions(&self) -> BTreeMap<String, u32> {
        BTreeMap::from([("eq".into(), 7)])
    }

    fn prepare(&self, _: &str, task_json: &str) -> Result<Arc<dyn Rendering>, Failure> {
        assert_ne!(task_json, "nonsense", "index 9 of 3");
        let unknown = || Failure::new(FailureKind::BadSession, format!("no task is named {task_json}"));
        Ok(Arc::new(self.tasks.get(task_json).ok_or_else(unknown)?.clone()))
    }
}

impl Rendering for Task {
    fn assets(&self) -> Vec<NeededAsset> {
        self.assets.clone()
    }

    fn cost(&self) -> u64 {
        100
    }

    fn audio_seconds(&self) -> f64 {
        60.0
    }

    fn run(&self, files: &dyn Files, _: Options, monitor: &dyn Monitor) -> Result<Vec<Made>, ExecuteError> {
        (self.run)(files, monitor)
    }
}

/// Renders until told to stop.
pub fn until_cancelled(monitor: &dyn Monitor) -> Result<Vec<Made>, ExecuteError> {
    let begun = std::time::Instant::now();
    while !monitor.is_cancelled() {
        assert!(begun.elapsed() < super::LIMIT, "nobody cancelled");
        std::thread::yield_now();
    }
    Err(ExecuteError::Cancelled)
}

pub fn key(name: &str) -> Key {
    Key(Digest::of(name.as_bytes()))
}

/// Makes an artifact of these bytes whose key comes from its name.
pub fn artifact(files: &dyn Files, name: &str, bytes: &[u8]) -> Made {
    let path: PathBuf = files.work_dir().join(name);
    std::fs::write(&path, bytes).unwrap();
    Made { key: key(name), path, digest: None, master: None }
}

/// Makes a master of these bytes under this file name.
pub fn master(files: &dyn Files, file_name: &str, bytes: &[u8]) -> Made {
    let report = serde_json::json!({ "integrated_lufs": -14.0 });
    Made { master: Some((file_name.into(), report)), ..artifact(files, file_name, bytes) }
}
