//! What a task makes, needs, costs and is called.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::spec_cost;
use super::keys::{Key, Keys, STAGE_REVISIONS, key_tracks, solved_on};
use super::recipe::format_stage;
use super::spec::TaskSpec;
use super::tasks::PlannedTask;
use crate::graph::{Wiring, stems_of_mix};
use crate::nodes::Processor;
use crate::session::ValidSession;
use crate::session::valid::{AssetIndex, Content, Insert, MixIndex};

/// What a spec makes, needs, costs and is called.
pub(super) fn describe(session: &ValidSession, keys: &Keys, spec: TaskSpec) -> PlannedTask {
    let solution = |mix: &MixIndex| keys.solutions[*mix];
    let makes: Vec<Key> = spec
        .decode
        .iter()
        .filter_map(|asset| keys.decoded[*asset])
        .chain(spec.keep_stems.iter().map(|track| keys.stems[*track]))
        .chain(spec.keep_mixes.iter().map(|mix| keys.mixes[*mix]))
        .chain(spec.keep_groups.iter().map(|print| keys.groups[*print]))
        .chain(spec.solutions.iter().filter_map(solution))
        .chain(spec.masters.iter().map(|file| keys.masters[*file]))
        .collect();
    PlannedTask {
        display_name: display_name(session, &spec),
        needs: needs(session, keys, &spec),
        makes,
        after: Vec::new(),
        cost: spec_cost(session, &spec),
        memory_bytes: memory_bytes(session, &spec),
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
        needs.extend(decoded(keys, spec, track.assets()));
    }
    for mix in &spec.mixes {
        needs.extend(decoded(keys, spec, session.mix_assets(*mix)));
        let stems = stems_of_mix(session, *mix).into_iter().filter(|track| !spec.render_stems.contains(track));
        needs.extend(stems.map(|track| keys.stems[track]));
    }
    for wiring in wirings(session, spec) {
        needs.extend(decoded(keys, spec, wiring.inserts(session).filter_map(|insert| insert.asset)));
        let stems = wiring.stems(session).into_iter().filter(|track| !spec.render_stems.contains(track));
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
            Content::Group(print) => {
                if spec.group_of_key(keys, keys.groups[print]).is_none() {
                    needs.insert(keys.groups[print]);
                }
            }
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

/// The decoded PCM of those of `assets` that are lossy and that the task does not decode itself.
fn decoded<'a>(
    keys: &'a Keys,
    spec: &'a TaskSpec,
    assets: impl Iterator<Item = AssetIndex> + 'a,
) -> impl Iterator<Item = Key> + 'a {
    assets.filter(|asset| !spec.decode.contains(asset)).filter_map(|asset| keys.decoded[asset])
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
        list("group", "groups", spec.groups.iter().map(|print| session.group_prints[*print].name.as_str()).collect()),
        list(
            "master",
            "masters",
            spec.masters.iter().map(|file| session.deliverables[*file].file_name.as_str()).collect(),
        ),
    ];
    let named: Vec<String> = parts.into_iter().flatten().collect();
    if named.is_empty() { "loudness".to_owned() } else { named.join(", ") }
}

/// A generous guess: every open stem holds its blocks and its nodes' state, a convolution up to four paths of 32 bytes a
/// frame and the history of two inputs; mixes share the paths.
fn memory_bytes(session: &ValidSession, spec: &TaskSpec) -> u64 {
    const MIB: u64 = 1024 * 1024;
    let groups: Vec<Wiring> = wirings(session, spec).collect();
    let of_mixes = spec.mixes.iter().flat_map(|mix| session.mix_inserts(*mix));
    let of_stems = spec.render_stems.iter().flat_map(|track| &session.tracks[*track].inserts);
    let of_groups = groups.iter().flat_map(|wiring| wiring.inserts(session));
    let inserts = of_stems.chain(of_mixes).chain(of_groups);
    let convolutions: u64 = inserts
        .map(|insert| match &insert.processor {
            Processor::Convolution(convolution) => {
                (4 + 2) * 32 * convolution.response_frames(session.sample_rate_hz) as u64
            }
            _ => 0,
        })
        .sum();
    let mixes = (spec.mixes.len() + spec.groups.len()) as u64;
    (64 + 4 * spec.render_stems.len() as u64 + 16 * mixes) * MIB + convolutions
}

/// The groups' parts of mixes that a task makes.
fn wirings<'a>(session: &'a ValidSession, spec: &'a TaskSpec) -> impl Iterator<Item = Wiring> + 'a {
    spec.groups.iter().map(|print| Wiring::of_group(session, &session.group_prints[*print]))
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
    let groups: Vec<Wiring> = wirings(session, spec).collect();
    for wiring in &groups {
        stages.extend(["group", "mix"]);
        inserts.extend(wiring.inserts(session));
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
