//! Mixes: who sounds in which, and the loudness that they share.

use std::collections::BTreeSet;

use super::names::{Named, check_name};
use super::{Context, Report};
use crate::session::document::{self, LoudnessFrom};
use crate::session::suggest::{did_you_mean, one_of};
use crate::session::tree::segment;
use crate::session::valid::{Loudness, Mix, MixIndex};

/// The mix that a session has if it states none, and the reference of its loudness if it is not named.
const MAIN: &str = "main";

/// Range of a mix's fader offsets in dB.
const OFFSET_DB: std::ops::RangeInclusive<f64> = -120.0..=24.0;

/// The mixes; at least one.
pub(super) fn mixes(context: &Context<'_>, report: &mut Report) -> Vec<Mix> {
    if context.document.mixes.is_empty() {
        return vec![mix("", &main(), context, report)];
    }
    let mut names = BTreeSet::new();
    let mut mixes = Vec::new();
    for (index, document) in context.document.mixes.iter().enumerate() {
        let pointer = format!("/mixes/{index}");
        check_name(&document.name, &format!("{pointer}/name"), report);
        if !names.insert(document.name.as_str()) {
            let message = format!("{:?} is also the name of another mix", document.name);
            report.push(format!("{pointer}/name"), "duplicate_name", message, "a name of its own among mixes");
        }
        mixes.push(mix(&pointer, document, context, report));
    }
    mixes
}

fn main() -> document::Mix {
    document::Mix {
        name: MAIN.to_owned(),
        mute: Vec::new(),
        solo: Vec::new(),
        fader_offset_db: std::collections::BTreeMap::new(),
        master_chain: true,
        loudness: LoudnessFrom::Reference,
    }
}

fn mix(pointer: &str, mix: &document::Mix, context: &Context<'_>, report: &mut Report) -> Mix {
    let (tracks, buses) = (&context.document.tracks, &context.document.buses);
    let mut track_sounds: Vec<bool> = tracks.iter().map(|track| !track.strip.mute && mix.solo.is_empty()).collect();
    let mut bus_sounds: Vec<bool> = buses.iter().map(|bus| !bus.strip.mute).collect();
    let mut track_offset_db = vec![0.0; tracks.len()];
    let mut bus_offset_db = vec![0.0; buses.len()];
    for (index, name) in mix.solo.iter().enumerate() {
        let pointer = format!("{pointer}/solo/{index}");
        if let Some(track) =
            context.names.track(name, "buses always sound, so that returns are heard", &pointer, report)
        {
            track_sounds[track] = !tracks[track].strip.mute;
        }
    }
    for (index, name) in mix.mute.iter().enumerate() {
        match context.names.resolve(name, &format!("{pointer}/mute/{index}"), report) {
            Some(Named::Track(track)) => track_sounds[track] = false,
            Some(Named::Bus(bus)) => bus_sounds[bus] = false,
            None => {}
        }
    }
    for (name, &offset_db) in &mix.fader_offset_db {
        let pointer = format!("{pointer}/fader_offset_db/{}", segment(name));
        if !OFFSET_DB.contains(&offset_db) {
            let expected = format!("{} to {}", OFFSET_DB.start(), OFFSET_DB.end());
            report.push(&pointer, "out_of_range", format!("the offset is {offset_db} dB"), expected);
        }
        match context.names.resolve(name, &pointer, report) {
            Some(Named::Track(track)) => track_offset_db[track] = offset_db,
            Some(Named::Bus(bus)) => bus_offset_db[bus] = offset_db,
            None => {}
        }
    }
    Mix {
        name: mix.name.clone(),
        track_sounds,
        bus_sounds,
        track_offset_db,
        bus_offset_db,
        master_chain: mix.master_chain,
        loudness: mix.loudness,
    }
}

/// The loudness asked for, with the mix on which its gain is solved.
pub(super) fn loudness(mixes: &[Mix], context: &Context<'_>, report: &mut Report) -> Option<Loudness> {
    let loudness = context.document.loudness.as_ref()?;
    let reference_mix = match &loudness.reference_mix {
        Some(name) => find(name, mixes, "/loudness/reference_mix", report)?,
        None => usual(mixes),
    };
    let follows = |mix: &Mix| mix.master_chain && mix.loudness == LoudnessFrom::Reference;
    let reference = &mixes[reference_mix];
    if !reference.master_chain && mixes.iter().any(follows) {
        let message =
            format!("the gain is solved on the mix {:?}, which does not go through the master chain", reference.name);
        report.push("/loudness/reference_mix", "bad_reference", message, "a mix with `master_chain = true`");
    }
    Some(Loudness {
        integrated_lufs: loudness.integrated_lufs,
        ceiling_dbtp: loudness.ceiling_dbtp,
        max_limiting_db: loudness.max_limiting_db,
        reference_mix,
    })
}

/// The mix that is meant where none is named: `main`, else the first.
pub(super) fn usual(mixes: &[Mix]) -> MixIndex {
    mixes.iter().position(|mix| mix.name == MAIN).unwrap_or(0)
}

/// The mix of a name; reports a name that no mix has.
pub(super) fn find(name: &str, mixes: &[Mix], pointer: &str, report: &mut Report) -> Option<MixIndex> {
    let found = mixes.iter().position(|mix| mix.name == name);
    if found.is_none() && !report.is_full() {
        let names = || mixes.iter().map(|mix| mix.name.as_str());
        let message = format!("no mix is named {name:?}{}", did_you_mean(name, names()));
        report.push(pointer, "dangling_name", message, one_of(names()));
    }
    found
}
