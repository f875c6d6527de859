//! What a document means: every rule beyond structure. One file per noun; all faults are found in one run.

mod automation;
mod broadcast;
mod chain;
mod clips;
mod contents;
mod cycle;
mod deliverables;
mod file_name;
mod files;
mod groups;
mod length;
mod lossy;
mod metadata;
mod mixes;
mod names;
mod routing;
mod shares;

use std::collections::{BTreeMap, BTreeSet};

use super::document::Document;
use super::fault::{Fault, MAX_FOUND};
use super::time::{Time, TimeBase, TimeError};
use super::valid::{Asset, AssetIndex, Bus, Cover, Master, Track, ValidSession};
use groups::Groups;
use names::Names;
use shares::Desk;

/// The faults found so far.
#[derive(Default)]
struct Report(Vec<Fault>);

impl Report {
    fn push(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) {
        if !self.is_full() {
            self.0.push(Fault::at(pointer, code, message, expected));
        }
    }

    /// Whether more faults are not worth the search for what was meant.
    fn is_full(&self) -> bool {
        self.0.len() >= MAX_FOUND
    }
}

/// What every rule looks things up in.
struct Context<'a> {
    document: &'a Document,
    base: TimeBase,
    names: Names<'a>,
    assets: BTreeMap<&'a str, AssetIndex>,
    unresolved: &'a BTreeSet<String>,
}

impl Context<'_> {
    /// Frames of a time at `pointer`; 0 with a fault if it is none.
    fn frames(&self, time: &Time, pointer: &str, report: &mut Report) -> u64 {
        time.frames(self.base).unwrap_or_else(|error| {
            let (code, expected) = match &error {
                TimeError::Malformed(_) => ("malformed", "frames, or text like \"12.5s\", \"250ms\", \"2.5 beats\""),
                TimeError::NoTempo(_) => ("no_tempo", "`tempo_bpm` in the document, or seconds"),
                TimeError::TooLong(_) => ("out_of_range", "at most 24 hours"),
            };
            report.push(pointer, code, error.to_string(), expected);
            0
        })
    }
}

/// Makes a session of a document whose structure is sound. Uses of the files in `unresolved`, of which no facts could
/// be had, are passed over: that fault has been told.
///
/// # Errors
/// Every fault at once, without lines and columns.
pub(super) fn validate(document: Document, unresolved: &BTreeSet<String>) -> Result<Noted, Vec<Fault>> {
    let mut report = Report::default();
    let parts = parts(&document, unresolved, &mut report);
    if !report.0.is_empty() {
        return Err(report.0);
    }
    let session = ValidSession {
        sample_rate_hz: document.sample_rate_hz,
        length_frames: parts.length_frames,
        pan_law_db: document.pan_law_db,
        seed: document.seed,
        metadata: document.metadata.clone(),
        broadcast: document.broadcast.clone().unwrap_or_default(),
        time_reference_frames: parts.time_reference_frames,
        assets: parts.assets,
        cover: parts.cover,
        tracks: parts.tracks,
        buses: parts.buses,
        bus_order: parts.bus_order,
        master: parts.master,
        loudness: parts.loudness,
        mixes: parts.mixes,
        group_prints: parts.deliverables.group_prints,
        deliverables: parts.deliverables.files,
        document,
    };
    Ok(Noted { session, notes: parts.deliverables.notes })
}

/// A session that holds together, and what its engineer should know all the same.
pub(super) struct Noted {
    pub session: ValidSession,
    /// Without lines and columns.
    pub notes: Vec<Fault>,
}

/// A session's parts; meaningful only if nothing was reported.
struct Parts {
    length_frames: u64,
    time_reference_frames: u64,
    assets: Vec<Asset>,
    cover: Option<Cover>,
    tracks: Vec<Track>,
    buses: Vec<Bus>,
    bus_order: Vec<usize>,
    master: Master,
    loudness: Option<super::valid::Loudness>,
    mixes: Vec<super::valid::Mix>,
    deliverables: deliverables::Deliverables,
}

fn parts(document: &Document, unresolved: &BTreeSet<String>, report: &mut Report) -> Parts {
    let assets: Vec<&str> = super::files::files(document).into_keys().collect();
    let context = Context {
        document,
        base: TimeBase { sample_rate_hz: document.sample_rate_hz.max(1), tempo_bpm: document.tempo_bpm },
        names: Names::of(document, report),
        assets: assets.iter().enumerate().map(|(index, name)| (*name, index)).collect(),
        unresolved,
    };
    let mut tracks = Vec::new();
    for (index, track) in document.tracks.iter().enumerate() {
        let pointer = format!("/tracks/{index}");
        let clips = clips::clips(&pointer, track, &context, report);
        let chain =
            chain::chain(&pointer, &track.inserts, clips.channels, chain::Owner::Track(index), &context, report);
        let strip = routing::strip(&pointer, &track.strip, &chain, &context, report);
        tracks.push(Track {
            name: track.name.clone(),
            channels: clips.channels,
            stem_channels: chain.channels_out,
            clips: clips.clips,
            inserts: chain.finish(strip.insert_lanes),
            stem_frames: 0,
            strip: strip.strip,
        });
    }
    let mut buses = Vec::new();
    for (index, bus) in document.buses.iter().enumerate() {
        let pointer = format!("/buses/{index}");
        let chain = chain::chain(&pointer, &bus.inserts, 2, chain::Owner::Bus(index), &context, report);
        let strip = routing::strip(&pointer, &bus.strip, &chain, &context, report);
        buses.push(Bus { name: bus.name.clone(), inserts: chain.finish(strip.insert_lanes), strip: strip.strip });
    }
    let chain = chain::chain("/master", &document.master.inserts, 2, chain::Owner::Master, &context, report);
    let (fader_db, insert_lanes) = routing::master(&document.master, &chain, &context, report);
    let master = Master { inserts: chain.finish(insert_lanes), fader_db };

    routing::track_cycles(&context, report);
    let bus_order = routing::bus_order(&context, report);
    let length_frames = length::lengths(&mut tracks, &buses, &bus_order, &master, &context, report);
    let mixes = mixes::mixes(&context, report);
    let loudness = mixes::loudness(&mixes, &context, report);
    let groups = Groups::of(&tracks, &buses, &context, report);
    let desk = Desk { tracks: &tracks, buses: &buses, bus_order: &bus_order, mixes: &mixes, groups: &groups };
    let deliverables = deliverables::deliverables(desk, length_frames, &context, report);
    let cover = metadata::metadata(&context, report);
    let time_reference_frames = broadcast::time_reference_frames(&context, report);
    let facts =
        |name: &&str| document.assets.get(*name).map(|facts| Asset { name: (*name).to_owned(), facts: facts.clone() });
    Parts {
        length_frames,
        time_reference_frames,
        assets: assets.iter().filter_map(facts).collect(),
        cover,
        tracks,
        buses,
        bus_order,
        master,
        loudness,
        mixes,
        deliverables,
    }
}
