//! Groups: to which of them each track belongs, and which buses are wholly one's.

use super::names::{Named, check_name};
use super::{Context, Report};
use crate::session::document::Ungrouped;
use crate::session::valid::{Bus, BusIndex, Output, Track};

/// The group of the tracks that are in no other.
const REST: &str = "Rest";

/// Index into [`Groups::names`].
pub(super) type GroupIndex = usize;

/// Every group, stated or not; each track is in exactly one.
#[derive(Default)]
pub(super) struct Groups {
    pub names: Vec<String>,
    pub of_track: Vec<GroupIndex>,
    /// The group that has the whole of a bus.
    pub of_bus: Vec<Option<GroupIndex>>,
}

impl Groups {
    /// The groups of a session with these tracks and buses.
    pub fn of(tracks: &[Track], buses: &[Bus], context: &Context<'_>, report: &mut Report) -> Self {
        let mut groups = Self { of_bus: vec![None; buses.len()], ..Self::default() };
        let mut of_track = vec![None; tracks.len()];
        groups.state(&mut of_track, context, report);
        // Joining is decided by what is stated, before groups are made of what is left.
        let joined: Vec<Option<GroupIndex>> =
            tracks.iter().map(|track| way(track, buses).find_map(|bus| groups.of_bus[bus])).collect();
        for (track, joined) in joined.into_iter().enumerate() {
            let group = of_track[track].or(joined).unwrap_or_else(|| groups.left_over(&tracks[track], buses, context));
            groups.of_track.push(group);
        }
        groups
    }

    /// Takes in what the document says.
    fn state(&mut self, of_track: &mut [Option<GroupIndex>], context: &Context<'_>, report: &mut Report) {
        for (group, stated) in context.document.groups.iter().enumerate() {
            let pointer = format!("/groups/{group}");
            check_name(&stated.name, &format!("{pointer}/name"), report);
            if self.names.contains(&stated.name) {
                let message = format!("{:?} is also the name of another group", stated.name);
                report.push(format!("{pointer}/name"), "duplicate_name", message, "a name of its own among groups");
            }
            self.names.push(stated.name.clone());
            for (index, name) in stated.tracks.iter().enumerate() {
                let pointer = format!("{pointer}/tracks/{index}");
                let reason = "a group names its buses in `buses`";
                if let Some(track) = context.names.track(name, reason, &pointer, report) {
                    self.put(&mut of_track[track], group, name, &pointer, report);
                }
            }
            for (index, name) in stated.buses.iter().enumerate() {
                let pointer = format!("{pointer}/buses/{index}");
                if let Some(bus) = bus(name, &pointer, context, report) {
                    let mut place = self.of_bus[bus];
                    self.put(&mut place, group, name, &pointer, report);
                    self.of_bus[bus] = place;
                }
            }
        }
    }

    /// Puts a track or bus into a group, unless it is in one.
    fn put(&self, place: &mut Option<GroupIndex>, group: GroupIndex, name: &str, pointer: &str, report: &mut Report) {
        match *place {
            None => *place = Some(group),
            Some(first) => {
                let message = format!("{name:?} is in the group {:?} already", self.names[first]);
                report.push(pointer, "in_two_groups", message, "each track and bus in one group at most");
            }
        }
    }

    /// The group of a track that is in no stated one.
    fn left_over(&mut self, track: &Track, buses: &[Bus], context: &Context<'_>) -> GroupIndex {
        match context.document.ungrouped {
            Ungrouped::Rest => self.named(REST),
            Ungrouped::ByTrack => self.named(&track.name),
            Ungrouped::ByBus => match way(track, buses).last() {
                Some(bus) => {
                    let group = self.named(&buses[bus].name);
                    self.of_bus[bus].get_or_insert(group);
                    group
                }
                None => self.named(&track.name),
            },
        }
    }

    /// The group of a name; a new one if there is none yet.
    fn named(&mut self, name: &str) -> GroupIndex {
        self.names.iter().position(|other| other == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }
}

/// The buses from a track's output on to the master. Ends even where buses lead in a circle, which is told elsewhere.
fn way<'a>(track: &Track, buses: &'a [Bus]) -> impl Iterator<Item = BusIndex> + use<'a> {
    let bus = |output: Output| match output {
        Output::Bus(bus) => Some(bus),
        Output::Master => None,
    };
    let onward = move |from: &BusIndex| bus(buses[*from].strip.output);
    std::iter::successors(bus(track.strip.output), onward).take(buses.len())
}

/// The bus of a name; reports anything else.
fn bus(name: &str, pointer: &str, context: &Context<'_>, report: &mut Report) -> Option<BusIndex> {
    match context.names.resolve(name, pointer, report)? {
        Named::Bus(bus) => Some(bus),
        Named::Track(_) => {
            let message = format!("{name:?} is a track");
            report.push(pointer, "not_a_bus", message, "a bus here, and tracks in `tracks`");
            None
        }
    }
}
