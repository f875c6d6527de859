//! Cuts a session into tasks.

use std::collections::{BTreeMap, BTreeSet};

use super::cost;
use super::keys::{Key, Keys, STAGE_REVISIONS, key_tracks, solved_on};
use super::recipe::{format_stage, key_sources};
use super::spec::TaskSpec;
use crate::session::ValidSession;
use crate::session::valid::{AssetIndex, Content, Insert, KeySource, MixIndex, TrackIndex};

/// How a session is cut. The audio is the same whatever the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Granularity {
    /// By the cost model.
    #[default]
    Auto,
    /// One task for everything.
    Fused,
    /// A task per stem, mix and master.
    Spread,
}

/// Whether stems and mixes that a task renders on the way are stored for later recalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepStems {
    /// When storing one is cheaper than rendering it again.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTask {
    /// What the worker is told.
    pub spec: TaskSpec,
    /// For people: `stem "Vox"`.
    pub display_name: String,
    /// Artifacts that it makes, in the order of the spec's lists.
    pub makes: Vec<Key>,
    /// Artifacts that it reads.
    pub needs: Vec<Key>,
    /// Indices into [`Plan::tasks`] of the tasks that make what it needs.
    pub after: Vec<usize>,
    /// Estimated work in nanoseconds of one core; shares of progress follow it.
    pub cost: u64,
    /// Estimated memory in bytes.
    pub memory_bytes: u64,
    /// Revisions that the worker must have, by name of node or stage.
    pub revisions: BTreeMap<String, u32>,
}

/// The tasks that make what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// In an order in which each task comes after those it needs.
    pub tasks: Vec<PlannedTask>,
    /// Artifacts that were present and are used as they are, with their name for people; shown as cached tasks.
    pub cached: Vec<(Key, String)>,
}

/// A session that takes longer than this on one core is spread over workers by [`Granularity::Auto`].
const SPREAD_FROM_NS: u64 = 30_000_000_000;

/// Stems are put together until a task costs at least this, so that leasing and moving it stays small beside it.
const STEM_TASK_NS: u64 = 3_000_000_000;

/// Plans a session: walks back from the deliverables and stops at the first artifact that is present.
///
/// `present` says whether an artifact is stored already (or is being made by another job of the project).
#[must_use]
pub fn plan(
    session: &ValidSession,
    keys: &Keys,
    present: &dyn Fn(&Key) -> bool,
    granularity: Granularity,
    keep_stems: KeepStems,
) -> Plan {
    let missing = Missing::walk(session, keys, present);
    let spread = match granularity {
        Granularity::Fused => false,
        Granularity::Spread => true,
        Granularity::Auto => missing.cost(session) > SPREAD_FROM_NS,
    };
    let specs = if !spread {
        missing.fused(session, keep_stems)
    } else if granularity == Granularity::Spread {
        missing.spread(session, 0)
    } else {
        missing.spread(session, STEM_TASK_NS)
    };
    let mut tasks: Vec<PlannedTask> = specs.into_iter().map(|spec| describe(session, keys, spec)).collect();
    let maker: BTreeMap<Key, usize> =
        tasks.iter().enumerate().flat_map(|(index, task)| task.makes.iter().map(move |key| (*key, index))).collect();
    for task in &mut tasks {
        let after: BTreeSet<usize> = task.needs.iter().filter_map(|key| maker.get(key).copied()).collect();
        task.after = after.into_iter().collect();
    }
    Plan { tasks, cached: missing.cached.into_iter().collect() }
}

/// Everything that must be made, and what was found present on the way.
#[derive(Default)]
struct Missing {
    decode: BTreeSet<AssetIndex>,
    stems: BTreeSet<TrackIndex>,
    /// Those of which a print is made: they are files anyway, and so are always kept.
    printed: BTreeSet<TrackIndex>,
    mixes: BTreeSet<MixIndex>,
    solutions: BTreeSet<MixIndex>,
    masters: Vec<usize>,
    cached: BTreeMap<Key, String>,
}

impl Missing {
    fn walk(session: &ValidSession, keys: &Keys, present: &dyn Fn(&Key) -> bool) -> Self {
        let mut missing = Self::default();
        for (index, deliverable) in session.deliverables.iter().enumerate() {
            let key = keys.masters[index];
            if missing.found(&key, present, || format!("master \"{}\"", deliverable.file_name)) {
                continue;
            }
            missing.masters.push(index);
            match deliverable.content {
                Content::Print(track) => {
                    missing.need_stem(session, keys, present, track);
                    missing.printed.insert(track);
                }
                Content::Mix(mix) => {
                    missing.need_mix(session, keys, present, mix);
                    if let Some(on) = solved_on(session, mix) {
                        missing.need_solution(session, keys, present, on);
                    }
                }
            }
        }
        missing
    }

    fn found(&mut self, key: &Key, present: &dyn Fn(&Key) -> bool, name: impl Fn() -> String) -> bool {
        let found = present(key);
        if found {
            self.cached.entry(*key).or_insert_with(name);
        }
        found
    }

    fn need_solution(&mut self, session: &ValidSession, keys: &Keys, present: &dyn Fn(&Key) -> bool, mix: MixIndex) {
        let Some(key) = keys.solutions[mix] else { return };
        let name = || format!("loudness of mix \"{}\"", session.mixes[mix].name);
        if !self.solutions.contains(&mix) && !self.found(&key, present, name) {
            self.solutions.insert(mix);
            self.need_mix(session, keys, present, mix);
        }
    }

    fn need_mix(&mut self, session: &ValidSession, keys: &Keys, present: &dyn Fn(&Key) -> bool, mix: MixIndex) {
        let name = || format!("mix \"{}\"", session.mixes[mix].name);
        if self.mixes.contains(&mix) || self.found(&keys.mixes[mix], present, name) {
            return;
        }
        self.mixes.insert(mix);
        for track in stems_of_mix(session, mix) {
            self.need_stem(session, keys, present, track);
        }
    }

    fn need_stem(&mut self, session: &ValidSession, keys: &Keys, present: &dyn Fn(&Key) -> bool, track: TrackIndex) {
        let name = || format!("stem \"{}\"", session.tracks[track].name);
        if self.stems.contains(&track) || self.found(&keys.stems[track], present, name) {
            return;
        }
        self.stems.insert(track);
        for key in key_tracks(&session.tracks[track]) {
            self.need_stem(session, keys, present, key);
        }
        for clip in &session.tracks[track].clips {
            let Some(key) = keys.decoded[clip.asset] else { continue };
            if !self.found(&key, present, || format!("decode \"{}\"", session.assets[clip.asset].name)) {
                self.decode.insert(clip.asset);
            }
        }
    }

    fn cost(&self, session: &ValidSession) -> u64 {
        spec_cost(session, &self.everything())
    }

    fn everything(&self) -> TaskSpec {
        TaskSpec {
            decode: self.decode.iter().copied().collect(),
            render_stems: self.stems.iter().copied().collect(),
            keep_stems: Vec::new(),
            mixes: self.mixes.iter().copied().collect(),
            keep_mixes: Vec::new(),
            solutions: self.solutions.iter().copied().collect(),
            masters: self.masters.clone(),
        }
    }

    /// One task for all, or none when nothing is missing.
    fn fused(&self, session: &ValidSession, keep: KeepStems) -> Vec<TaskSpec> {
        if self.masters.is_empty() {
            return Vec::new();
        }
        let worth_keeping = |track: &TrackIndex| match keep {
            KeepStems::Always => true,
            KeepStems::Never => false,
            KeepStems::Auto => cost::stem_ns(session, *track) > session.tracks[*track].stem_frames * cost::STORE_NS,
        };
        let mut spec = self.everything();
        let kept = |track: &TrackIndex| self.printed.contains(track) || worth_keeping(track);
        spec.keep_stems = spec.render_stems.iter().copied().filter(kept).collect();
        if keep != KeepStems::Never {
            spec.keep_mixes = spec.mixes.clone();
        }
        vec![spec]
    }

    /// A task per asset to decode, per stem (or group of stems that together cost `stem_task_ns`), per mix and per file.
    fn spread(&self, session: &ValidSession, stem_task_ns: u64) -> Vec<TaskSpec> {
        let mut specs: Vec<TaskSpec> =
            self.decode.iter().map(|asset| TaskSpec { decode: vec![*asset], ..TaskSpec::default() }).collect();
        specs.extend(self.stem_groups(session, stem_task_ns).into_iter().map(|stems| TaskSpec {
            render_stems: stems.clone(),
            keep_stems: stems,
            ..TaskSpec::default()
        }));
        let solved_alone = self.solutions.difference(&self.mixes).copied();
        specs.extend(self.mixes.iter().copied().chain(solved_alone).map(|mix| {
            let mixes: Vec<MixIndex> = self.mixes.get(&mix).copied().into_iter().collect();
            let solutions = self.solutions.get(&mix).copied().into_iter().collect();
            TaskSpec { keep_mixes: mixes.clone(), mixes, solutions, ..TaskSpec::default() }
        }));
        specs.extend(self.masters.iter().map(|file| TaskSpec { masters: vec![*file], ..TaskSpec::default() }));
        specs
    }

    /// Stems in groups. A stem that is keyed by another missing stem, or keys one, stands alone: groups must not wait
    /// for each other in a circle.
    fn stem_groups(&self, session: &ValidSession, least_ns: u64) -> Vec<Vec<TrackIndex>> {
        let linked: BTreeSet<TrackIndex> = self
            .stems
            .iter()
            .flat_map(|track| {
                let keys: Vec<TrackIndex> = key_tracks(&session.tracks[*track]).collect();
                let own = (!keys.is_empty()).then_some(*track);
                keys.into_iter().chain(own)
            })
            .collect();
        let mut groups: Vec<Vec<TrackIndex>> = Vec::new();
        let mut open: Vec<TrackIndex> = Vec::new();
        let mut open_ns = 0;
        for track in &self.stems {
            if linked.contains(track) {
                groups.push(vec![*track]);
                continue;
            }
            open.push(*track);
            open_ns += cost::stem_ns(session, *track);
            if open_ns >= least_ns {
                groups.push(std::mem::take(&mut open));
                open_ns = 0;
            }
        }
        if !open.is_empty() {
            groups.push(open);
        }
        groups
    }
}

/// The tracks whose stems a mix is made of: those that sound, and those that key buses or the master.
fn stems_of_mix(session: &ValidSession, mix: MixIndex) -> BTreeSet<TrackIndex> {
    let version = &session.mixes[mix];
    let sounding = (0..session.tracks.len()).filter(|track| version.track_sounds[*track]);
    let master: &[Insert] = if version.master_chain { &session.master.inserts } else { &[] };
    let chains = session.buses.iter().map(|bus| bus.inserts.as_slice()).chain([master]);
    let keying = chains.flat_map(key_sources).filter_map(|source| match source {
        KeySource::Track(track) => Some(track),
        KeySource::Bus(_) => None,
    });
    sounding.chain(keying).collect()
}

/// The cost of a task, in nanoseconds of one core: [`PlannedTask::cost`], and what its progress adds up to.
#[must_use]
pub fn spec_cost(session: &ValidSession, spec: &TaskSpec) -> u64 {
    let decode: u64 = spec.decode.iter().map(|asset| cost::decode_ns(session, *asset)).sum();
    let stems: u64 = spec.render_stems.iter().map(|track| cost::stem_ns(session, *track)).sum();
    let mixes: u64 = spec.mixes.iter().map(|mix| cost::mix_ns(session, *mix)).sum();
    let solutions = spec.solutions.len() as u64 * cost::solve_ns(session);
    let masters: u64 = spec.masters.iter().map(|file| cost::master_ns(session, *file)).sum();
    decode + stems + mixes + solutions + masters
}

/// What a spec makes, needs, costs and is called.
fn describe(session: &ValidSession, keys: &Keys, spec: TaskSpec) -> PlannedTask {
    let solution = |mix: &MixIndex| keys.solutions[*mix];
    let makes: Vec<Key> = spec
        .decode
        .iter()
        .filter_map(|asset| keys.decoded[*asset])
        .chain(spec.keep_stems.iter().map(|track| keys.stems[*track]))
        .chain(spec.keep_mixes.iter().map(|mix| keys.mixes[*mix]))
        .chain(spec.solutions.iter().filter_map(solution))
        .chain(spec.masters.iter().map(|file| keys.masters[*file]))
        .collect();
    PlannedTask {
        display_name: display_name(session, &spec),
        needs: needs(session, keys, &spec),
        makes,
        after: Vec::new(),
        cost: spec_cost(session, &spec),
        memory_bytes: memory_bytes(&spec),
        revisions: needed_revisions(session, &spec),
        spec,
    }
}

/// The artifacts that a task reads because it does not make them itself.
fn needs(session: &ValidSession, keys: &Keys, spec: &TaskSpec) -> Vec<Key> {
    let mut needs = BTreeSet::new();
    for track in &spec.render_stems {
        let track = &session.tracks[*track];
        needs.extend(key_tracks(track).filter(|key| !spec.render_stems.contains(key)).map(|key| keys.stems[key]));
        let decoded = track.clips.iter().filter(|clip| !spec.decode.contains(&clip.asset));
        needs.extend(decoded.filter_map(|clip| keys.decoded[clip.asset]));
    }
    for mix in &spec.mixes {
        let stems = stems_of_mix(session, *mix).into_iter().filter(|track| !spec.render_stems.contains(track));
        needs.extend(stems.map(|track| keys.stems[track]));
    }
    for mix in spec.solutions.iter().filter(|mix| !spec.mixes.contains(mix)) {
        needs.insert(keys.mixes[*mix]);
    }
    for file in &spec.masters {
        match session.deliverables[*file].content {
            Content::Print(track) if !spec.render_stems.contains(&track) => {
                needs.insert(keys.stems[track]);
            }
            Content::Print(_) => {}
            Content::Mix(mix) => {
                if !spec.mixes.contains(&mix) {
                    needs.insert(keys.mixes[mix]);
                }
                let solved_elsewhere = solved_on(session, mix).filter(|on| !spec.solutions.contains(on));
                needs.extend(solved_elsewhere.and_then(|on| keys.solutions[on]));
            }
        }
    }
    needs.into_iter().collect()
}

/// `stem "Vox"`, or numbers where there is more than one: `11 stems, 3 mixes, 6 masters`.
fn display_name(session: &ValidSession, spec: &TaskSpec) -> String {
    let list = |one: &str, many: &str, names: Vec<&str>| match names.as_slice() {
        [] => None,
        [name] => Some(format!("{one} \"{name}\"")),
        names => Some(format!("{} {many}", names.len())),
    };
    let parts = [
        list("decode", "decodes", spec.decode.iter().map(|asset| session.assets[*asset].name.as_str()).collect()),
        list("stem", "stems", spec.render_stems.iter().map(|track| session.tracks[*track].name.as_str()).collect()),
        list("mix", "mixes", spec.mixes.iter().map(|mix| session.mixes[*mix].name.as_str()).collect()),
        list(
            "master",
            "masters",
            spec.masters.iter().map(|file| session.deliverables[*file].file_name.as_str()).collect(),
        ),
    ];
    let named: Vec<String> = parts.into_iter().flatten().collect();
    if named.is_empty() { "loudness".to_owned() } else { named.join(", ") }
}

/// A generous guess: every open stem holds its blocks and its nodes' state.
fn memory_bytes(spec: &TaskSpec) -> u64 {
    const MIB: u64 = 1024 * 1024;
    (64 + 4 * spec.render_stems.len() as u64 + 16 * spec.mixes.len() as u64) * MIB
}

fn needed_revisions(session: &ValidSession, spec: &TaskSpec) -> BTreeMap<String, u32> {
    let mut stages = BTreeSet::new();
    let mut inserts: Vec<&Insert> = Vec::new();
    if !spec.decode.is_empty() {
        stages.insert("decode");
    }
    for track in &spec.render_stems {
        stages.insert("stem");
        inserts.extend(&session.tracks[*track].inserts);
    }
    if !spec.mixes.is_empty() {
        stages.insert("mix");
        inserts.extend(session.buses.iter().flat_map(|bus| &bus.inserts).chain(&session.master.inserts));
    }
    if !spec.solutions.is_empty() {
        stages.insert("solve");
    }
    for file in &spec.masters {
        stages.extend(["finish", format_stage(session.deliverables[*file].format)]);
    }
    let stages = STAGE_REVISIONS.iter().filter(|(name, _)| stages.contains(name));
    let stages = stages.map(|&(name, revision)| (name.to_owned(), revision));
    let nodes = inserts.iter().map(|insert| (insert.processor.name().to_owned(), insert.processor.revision()));
    stages.chain(nodes).collect()
}
