//! Names of tracks and buses: unique together, so that every reference is clear.

use std::collections::BTreeMap;

use super::Report;
use crate::session::document::Document;
use crate::session::suggest::{did_you_mean, one_of};
use crate::session::valid::{BusIndex, TrackIndex};

/// What [`super::super::document::Strip::output`] calls the master; no track or bus may have the name.
pub(super) const MASTER: &str = "master";

const MAX_NAME_CHARS: usize = 200;

/// A name with a place in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Track(TrackIndex),
    Bus(BusIndex),
}

/// All names of tracks and buses.
pub(super) struct Names<'a> {
    document: &'a Document,
    by_name: BTreeMap<&'a str, Named>,
}

impl<'a> Names<'a> {
    /// Gathers the names; reports bad and double ones.
    pub fn of(document: &'a Document, report: &mut Report) -> Self {
        let mut names = Self { document, by_name: BTreeMap::new() };
        for (index, track) in document.tracks.iter().enumerate() {
            names.insert(&track.name, Named::Track(index), &format!("/tracks/{index}/name"), report);
        }
        for (index, bus) in document.buses.iter().enumerate() {
            names.insert(&bus.name, Named::Bus(index), &format!("/buses/{index}/name"), report);
        }
        names
    }

    fn insert(&mut self, name: &'a str, named: Named, pointer: &str, report: &mut Report) {
        check_name(name, pointer, report);
        if name == MASTER {
            report.push(pointer, "reserved_name", "\"master\" is the name of the master itself", "another name");
        }
        match self.by_name.get(name) {
            Some(first) => {
                let message = format!("{name:?} is also the name of {}", describe(*first));
                report.push(pointer, "duplicate_name", message, "a name of its own among tracks and buses");
            }
            None => {
                self.by_name.insert(name, named);
            }
        }
    }

    /// Whose name it is.
    pub fn get(&self, name: &str) -> Option<Named> {
        self.by_name.get(name).copied()
    }

    /// The track or bus of a name; reports a name that nothing has.
    pub fn resolve(&self, name: &str, pointer: &str, report: &mut Report) -> Option<Named> {
        let found = self.get(name);
        if found.is_none() && !report.is_full() {
            let all = || self.tracks().chain(self.buses());
            let message = format!("no track or bus is named {name:?}{}", did_you_mean(name, all()));
            report.push(pointer, "dangling_name", message, one_of(all()));
        }
        found
    }

    /// The bus of a name; reports anything else. `others` are names that could stand there as well.
    pub fn bus(&self, name: &str, others: &[&'a str], pointer: &str, report: &mut Report) -> Option<BusIndex> {
        let known = || self.buses().chain(others.iter().copied());
        match self.get(name) {
            Some(Named::Bus(index)) => return Some(index),
            Some(Named::Track(_)) => {
                let message = format!("{name:?} is a track; only buses can be fed");
                report.push(pointer, "not_a_bus", message, one_of(known()));
            }
            None if report.is_full() => {}
            None => {
                let message = format!("no bus is named {name:?}{}", did_you_mean(name, known()));
                report.push(pointer, "dangling_name", message, one_of(known()));
            }
        }
        None
    }

    /// The track of a name; reports anything else. `reason` says why a bus cannot stand there.
    pub fn track(&self, name: &str, reason: &str, pointer: &str, report: &mut Report) -> Option<TrackIndex> {
        match self.get(name) {
            Some(Named::Track(index)) => return Some(index),
            Some(Named::Bus(_)) => {
                let message = format!("{name:?} is a bus; {reason}");
                report.push(pointer, "not_a_track", message, one_of(self.tracks()));
            }
            None if report.is_full() => {}
            None => {
                let message = format!("no track is named {name:?}{}", did_you_mean(name, self.tracks()));
                report.push(pointer, "dangling_name", message, one_of(self.tracks()));
            }
        }
        None
    }

    /// The names of all tracks.
    pub fn tracks(&self) -> impl Iterator<Item = &'a str> {
        self.document.tracks.iter().map(|track| track.name.as_str())
    }

    /// The names of all buses.
    pub fn buses(&self) -> impl Iterator<Item = &'a str> {
        self.document.buses.iter().map(|bus| bus.name.as_str())
    }
}

/// Reports a name that nobody could read or refer to.
pub(super) fn check_name(name: &str, pointer: &str, report: &mut Report) {
    let chars = name.chars().count();
    let message = if name.trim().is_empty() {
        "the name is empty".to_owned()
    } else if chars > MAX_NAME_CHARS {
        format!("the name has {chars} characters")
    } else if name.chars().any(char::is_control) {
        format!("the name {name:?} holds a control character")
    } else {
        return;
    };
    report.push(
        pointer,
        "bad_name",
        message,
        format!("1 to {MAX_NAME_CHARS} characters, none of them a control character"),
    );
}

fn describe(named: Named) -> String {
    match named {
        Named::Track(index) => format!("track {}", index + 1),
        Named::Bus(index) => format!("bus {}", index + 1),
    }
}
