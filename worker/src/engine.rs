//! What a worker renders with: the DSP, or a script in tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::{self, ExecuteError, Files, Made, Options};
use mixdown_dsp::graph::Wiring;
use mixdown_dsp::plan::{self, Keys, TaskSpec};
use mixdown_dsp::progress::Monitor;
use mixdown_dsp::session::{self, ValidSession};
use mixdown_proto::v1::FailureKind;

use crate::failure::Failure;

/// Turns what the coordinator sends into something that can be run.
pub trait Engine: Send + Sync + 'static {
    /// What it can render: revision by name of node or stage.
    fn revisions(&self) -> BTreeMap<String, u32>;

    /// Reads a task. Blocks for as long as it takes to read 16 MiB of JSON.
    ///
    /// # Errors
    /// The failure of the attempt: the session or the task cannot be read.
    fn prepare(&self, session_json: &str, task_json: &str) -> Result<Arc<dyn Rendering>, Failure>;
}

/// An input file that a task reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededAsset {
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// A task that can be run, once, on a thread of its own.
pub trait Rendering: Send + Sync {
    /// The input files that it reads, each once.
    fn assets(&self) -> Vec<NeededAsset>;

    /// What the monitor's `advance` will add up to.
    fn cost(&self) -> u64;

    /// Seconds of the longest artifact that it makes: the session, when it makes a mix or a master.
    fn audio_seconds(&self) -> f64;

    /// Runs it.
    ///
    /// # Errors
    /// See [`ExecuteError`].
    fn run(&self, files: &dyn Files, options: Options, monitor: &dyn Monitor) -> Result<Vec<Made>, ExecuteError>;
}

/// The sound engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dsp;

impl Engine for Dsp {
    fn revisions(&self) -> BTreeMap<String, u32> {
        plan::revisions()
    }

    fn prepare(&self, session_json: &str, task_json: &str) -> Result<Arc<dyn Rendering>, Failure> {
        let session = session::from_json(session_json)
            .map_err(|faults| Failure::new(FailureKind::BadSession, faults.to_string()))?;
        let spec: TaskSpec = serde_json::from_str(task_json)
            .map_err(|error| Failure::new(FailureKind::Internal, format!("cannot read the task: {error}")))?;
        let keys = Keys::of(&session);
        // Worked out here, where a task that names tracks which the session does not have fails the attempt alone.
        let assets = needed_assets(&session, &keys, &spec);
        let (cost, audio_seconds) = (plan::spec_cost(&session, &spec), audio_seconds(&session, &spec));
        Ok(Arc::new(Prepared { session, spec, keys, assets, cost, audio_seconds }))
    }
}

fn needed_assets(session: &ValidSession, keys: &Keys, spec: &TaskSpec) -> Vec<NeededAsset> {
    let groups: Vec<Wiring> =
        spec.groups.iter().map(|print| Wiring::of_group(session, &session.group_prints[*print])).collect();
    let stems = spec.render_stems.iter().flat_map(|track| session.tracks[*track].assets());
    let mixes = spec.mixes.iter().flat_map(|mix| session.mix_assets(*mix));
    let groups = groups.iter().flat_map(|wiring| wiring.inserts(session)).filter_map(|insert| insert.asset);
    // A lossy asset is read from its decoded artifact, unless this task is the one that decodes it.
    let lossless = stems.chain(mixes).chain(groups).filter(|asset| keys.decoded[*asset].is_none());
    let needed: BTreeSet<usize> = lossless.chain(spec.decode.iter().copied()).collect();
    let facts = needed.into_iter().map(|asset| &session.assets[asset].facts);
    let cover = session.cover.as_ref().filter(|_| !spec.masters.is_empty()).map(|cover| &cover.facts);
    // Two names may stand for the same bytes.
    let sizes: BTreeMap<Digest, u64> = facts
        .map(|facts| (facts.digest, facts.size_bytes))
        .chain(cover.map(|facts| (facts.digest, facts.size_bytes)))
        .collect();
    sizes.into_iter().map(|(digest, size_bytes)| NeededAsset { digest, size_bytes }).collect()
}

fn audio_seconds(session: &ValidSession, spec: &TaskSpec) -> f64 {
    let rate = f64::from(session.sample_rate_hz);
    let assets = spec.decode.iter().map(|asset| &session.assets[*asset].facts);
    let decoded = assets.map(|facts| facts.frames as f64 / f64::from(facts.sample_rate_hz));
    let stems = spec.render_stems.iter().map(|track| session.tracks[*track].stem_frames as f64 / rate);
    let whole = !(spec.mixes.is_empty() && spec.groups.is_empty() && spec.masters.is_empty());
    let session = whole.then_some(session.length_frames as f64 / rate);
    decoded.chain(stems).chain(session).fold(0.0, f64::max)
}

struct Prepared {
    session: ValidSession,
    spec: TaskSpec,
    keys: Keys,
    assets: Vec<NeededAsset>,
    cost: u64,
    audio_seconds: f64,
}

impl Rendering for Prepared {
    fn assets(&self) -> Vec<NeededAsset> {
        self.assets.clone()
    }

    fn cost(&self) -> u64 {
        self.cost
    }

    fn audio_seconds(&self) -> f64 {
        self.audio_seconds
    }

    fn run(&self, files: &dyn Files, options: Options, monitor: &dyn Monitor) -> Result<Vec<Made>, ExecuteError> {
        execute::execute(&self.session, &self.keys, &self.spec, files, options, monitor)
    }
}
