//! What each group puts into a mix: its tracks, and its share of every bus.

use std::collections::BTreeSet;

use super::groups::Groups;
use crate::session::fault::Fault;
use crate::session::suggest::one_of;
use crate::session::valid::{
    Bus, BusIndex, GroupPrint, Insert, Mix, MixIndex, Output, Share, Strip, Track, TrackIndex,
};

/// The parts of a session that groups are worked out from.
pub(super) struct Desk<'a> {
    pub tracks: &'a [Track],
    pub buses: &'a [Bus],
    pub bus_order: &'a [BusIndex],
    pub mixes: &'a [Mix],
    pub groups: &'a Groups,
}

/// The groups of one mix.
pub(super) struct MixGroups {
    /// What each group puts into the mix, those of buses that stand alone last.
    pub prints: Vec<GroupPrint>,
    /// Per print, whether anything of it reaches the master.
    pub heard: Vec<bool>,
    /// What the engineer should know: which buses stand alone.
    pub notes: Vec<Fault>,
}

/// Index of a group, or beyond those of a bus that stands alone.
type Owner = usize;

impl Desk<'_> {
    /// The groups of a mix. Whatever sounds in it is in one of them.
    ///
    /// A bus passes on what it is fed, split by whose it is, if all of its inserts pass sums as sums; then each share can
    /// be made alone (superposition). A bus that does not, and is fed by one group, is wholly that group's; one that is fed by
    /// several, and named by none, stands alone: its sound is a group of its own.
    pub fn groups_of(&self, mix: MixIndex) -> MixGroups {
        let mut notes = Vec::new();
        // Per bus, whose sounds leave it: nobody's if it is silent.
        let mut owners: Vec<BTreeSet<Owner>> = vec![BTreeSet::new(); self.buses.len()];
        for &index in self.bus_order.iter().filter(|bus| self.mixes[mix].bus_sounds[**bus]) {
            let fed = self.feeders(mix, index, &owners);
            owners[index] = match self.groups.of_bus[index] {
                Some(group) if !fed.is_empty() => [group].into(),
                None if fed.len() > 1 && bending(&self.buses[index]).is_some() => {
                    notes.push(self.note(mix, index, &fed));
                    [self.alone(index)].into()
                }
                _ => fed,
            };
        }
        let prints: Vec<GroupPrint> = (0..self.groups.names.len() + self.buses.len())
            .filter(|owner| *owner < self.groups.names.len() || owners.iter().any(|owners| owners.contains(owner)))
            .map(|owner| self.print(mix, owner, &owners))
            .collect();
        let heard = prints.iter().map(|print| self.reaches_master(print)).collect();
        MixGroups { prints, heard, notes }
    }

    /// Whose sounds flow into a bus.
    fn feeders(&self, mix: MixIndex, bus: BusIndex, owners: &[BTreeSet<Owner>]) -> BTreeSet<Owner> {
        let sounding = |track: &usize| self.sounds(mix, *track) && feeds(&self.tracks[*track].strip, bus);
        let tracks = (0..self.tracks.len()).filter(sounding).map(|track| self.groups.of_track[track]);
        let buses = self.buses.iter().zip(owners).filter(|(other, _)| feeds(&other.strip, bus));
        tracks.chain(buses.flat_map(|(_, owners)| owners.iter().copied())).collect()
    }

    /// Whether a track is heard in a mix at all.
    fn sounds(&self, mix: MixIndex, track: TrackIndex) -> bool {
        self.mixes[mix].track_sounds[track] && !self.tracks[track].clips.is_empty()
    }

    fn alone(&self, bus: BusIndex) -> Owner {
        self.groups.names.len() + bus
    }

    fn print(&self, mix: MixIndex, owner: Owner, owners: &[BTreeSet<Owner>]) -> GroupPrint {
        let share = |owners: &BTreeSet<Owner>| match owners.len() {
            _ if !owners.contains(&owner) => Share::Nothing,
            1 => Share::Whole,
            _ => Share::Part,
        };
        GroupPrint {
            name: self.name(owner),
            mix,
            tracks: (0..self.tracks.len())
                .map(|track| self.sounds(mix, track) && self.groups.of_track[track] == owner)
                .collect(),
            buses: owners.iter().map(share).collect(),
        }
    }

    /// The name of a group; a bus that stands alone lends its own, as long as no group has it.
    fn name(&self, owner: Owner) -> String {
        let names = &self.groups.names;
        let Some(bus) = owner.checked_sub(names.len()) else { return names[owner].clone() };
        let taken = |name: &String| {
            let others = self.buses.iter().enumerate().any(|(other, bus_of)| other != bus && bus_of.name == *name);
            names.contains(name) || others
        };
        let own = self.buses[bus].name.clone();
        if !names.contains(&own) {
            return own;
        }
        let numbered = (2..).map(|number| format!("{own} bus {number}"));
        [format!("{own} bus")].into_iter().chain(numbered).find(|name| !taken(name)).unwrap_or(own)
    }

    fn reaches_master(&self, print: &GroupPrint) -> bool {
        let tracks = self.tracks.iter().zip(&print.tracks).filter(|(_, sounds)| **sounds);
        let buses = self.buses.iter().zip(&print.buses).filter(|(_, share)| **share != Share::Nothing);
        let mut strips = tracks.map(|(track, _)| &track.strip).chain(buses.map(|(bus, _)| &bus.strip));
        strips.any(|strip| strip.output == Output::Master)
    }

    fn note(&self, mix: MixIndex, bus: BusIndex, fed: &BTreeSet<Owner>) -> Fault {
        let names: Vec<String> = fed.iter().map(|owner| format!("\"{}\"", self.name(*owner))).collect();
        let (name, mix) = (&self.buses[bus].name, &self.mixes[mix].name);
        let message = format!(
            "in the mix {mix:?} the bus {name:?} is shared by the groups {} and cannot be split, because of its {}: its sound is \
             a group of its own, {:?}",
            names.join(", "),
            bending(&self.buses[bus]).unwrap_or_default(),
            self.name(self.alone(bus)),
        );
        let remedy = "nothing, or the bus in the `buses` of the group that is to have it";
        Fault::at(format!("/buses/{bus}"), "shared_bus", message, remedy)
    }
}

impl MixGroups {
    /// The print of the group of a name, with its index.
    pub fn find(&self, name: &str) -> Option<(usize, &GroupPrint)> {
        self.prints.iter().enumerate().find(|(_, print)| print.name == name)
    }

    /// What could stand where a group is named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.prints.iter().map(|print| print.name.as_str())
    }

    /// The same in words.
    pub fn expected(&self) -> String {
        one_of(self.names())
    }
}

fn feeds(strip: &Strip, bus: BusIndex) -> bool {
    strip.output == Output::Bus(bus) || strip.sends.iter().any(|send| send.to == bus)
}

/// The name of the first insert that does not pass sums as sums.
fn bending(bus: &Bus) -> Option<String> {
    let bends = |insert: &&Insert| !insert.processor.parameters().is_linear(insert.sidechain.is_some());
    bus.inserts.iter().find(bends).map(|insert| format!("insert {:?}", insert.name))
}
