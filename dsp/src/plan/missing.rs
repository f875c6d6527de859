//! What must be made: found by one walk back from the deliverables, and cut into tasks.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::{self, spec_cost};
use super::keys::{Key, Keys, key_tracks, solved_on};
use super::spec::TaskSpec;
use super::tasks::KeepStems;
use crate::graph::{Wiring, stems_of_mix};
use crate::session::ValidSession;
use crate::session::valid::{AssetIndex, Content, GroupPrintIndex, MixIndex, TrackIndex};

/// Everything that must be made, and what was found present on the way.
#[derive(Default)]
pub(super) struct Missing {
    decode: BTreeSet<AssetIndex>,
    stems: BTreeSet<TrackIndex>,
    /// Those of which a print is made: they are files anyway, and so are always kept.
    printed: BTreeSet<TrackIndex>,
    mixes: BTreeSet<MixIndex>,
    /// One of each recipe.
    groups: BTreeSet<GroupPrintIndex>,
    solutions: BTreeSet<MixIndex>,
    masters: Vec<usize>,
    /// What was found present, with its name for people.
    pub(super) cached: BTreeMap<Key, String>,
}

impl Missing {
    pub(super) fn walk(session: &ValidSession, keys: &Keys, present: &dyn Fn(&Key) -> bool) -> Self {
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
                Content::Group(print) => missing.need_group(session, keys, present, print),
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
        for asset in session.mix_assets(mix) {
            self.need_asset(session, keys, present, asset);
        }
    }

    fn need_group(
        &mut self,
        session: &ValidSession,
        keys: &Keys,
        present: &dyn Fn(&Key) -> bool,
        print: GroupPrintIndex,
    ) {
        let key = keys.groups[print];
        if self.groups.iter().any(|other| keys.groups[*other] == key)
            || self.found(&key, present, || session.content_name(Content::Group(print)))
        {
            return;
        }
        self.groups.insert(print);
        let wiring = Wiring::of_group(session, &session.group_prints[print]);
        for track in wiring.stems(session) {
            self.need_stem(session, keys, present, track);
        }
        for asset in wiring.inserts(session).filter_map(|insert| insert.asset) {
            self.need_asset(session, keys, present, asset);
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
        for asset in session.tracks[track].assets() {
            self.need_asset(session, keys, present, asset);
        }
    }

    /// A lossy asset is needed as PCM.
    fn need_asset(&mut self, session: &ValidSession, keys: &Keys, present: &dyn Fn(&Key) -> bool, asset: AssetIndex) {
        let Some(key) = keys.decoded[asset] else { return };
        if !self.found(&key, present, || format!("decode \"{}\"", session.assets[asset].name)) {
            self.decode.insert(asset);
        }
    }

    pub(super) fn cost(&self, session: &ValidSession) -> u64 {
        spec_cost(session, &self.everything())
    }

    fn everything(&self) -> TaskSpec {
        TaskSpec {
            decode: self.decode.iter().copied().collect(),
            render_stems: self.stems.iter().copied().collect(),
            keep_stems: Vec::new(),
            mixes: self.mixes.iter().copied().collect(),
            keep_mixes: Vec::new(),
            groups: self.groups.iter().copied().collect(),
            keep_groups: Vec::new(),
            solutions: self.solutions.iter().copied().collect(),
            masters: self.masters.clone(),
        }
    }

    /// One task for all, or none when nothing is missing.
    pub(super) fn fused(&self, session: &ValidSession, keep: KeepStems) -> Vec<TaskSpec> {
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
            spec.keep_groups = spec.groups.clone();
        }
        vec![spec]
    }

    /// A task per asset to decode, per stem (or group of stems that together cost `stem_task_ns`), per mix, per group's
    /// part of one and per file.
    pub(super) fn spread(&self, session: &ValidSession, stem_task_ns: u64) -> Vec<TaskSpec> {
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
        specs.extend(self.groups.iter().map(|print| TaskSpec {
            groups: vec![*print],
            keep_groups: vec![*print],
            ..TaskSpec::default()
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
