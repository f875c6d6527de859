//! What flows where in a mix, or in a group's part of one: which buses run, and what each of them is fed.

use std::collections::BTreeSet;

use crate::session::ValidSession;
use crate::session::valid::{BusIndex, GroupPrint, Insert, KeySource, MixIndex, Output, Share, Strip, TrackIndex};

/// A mix, or what a group puts into it, taken apart.
///
/// A group's part may need a bus twice: as it is in the mix, because something is keyed by it or because all of it is the
/// group's, and as it sounds with the group alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Wiring {
    /// The mix.
    pub mix: MixIndex,
    /// The buses that run, each after those that feed or key it.
    pub buses: Vec<WiredBus>,
    /// What flows into the master, in the order of summation.
    pub master: Vec<Feed>,
    /// Whether the sum goes through the master chain.
    pub master_chain: bool,
}

/// A bus at its place in a [`Wiring`].
#[derive(Debug, Clone, PartialEq)]
pub struct WiredBus {
    /// The bus.
    pub bus: BusIndex,
    /// Whether it is fed as in the mix; otherwise by the group alone.
    pub whole: bool,
    /// What it is fed, in the order of summation.
    pub feeds: Vec<Feed>,
}

/// One way from a strip into a bus or the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feed {
    /// Whose strip.
    pub from: Source,
    /// The way.
    pub way: Way,
}

/// What a strip gets its sound from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A track's stem.
    Track(TrackIndex),
    /// The bus at a place in [`Wiring::buses`].
    Bus(usize),
}

/// How a signal leaves a strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By its output.
    Output,
    /// By the send at an index.
    Send(usize),
}

impl Wiring {
    /// A whole mix.
    #[must_use]
    pub fn of_mix(session: &ValidSession, mix: MixIndex) -> Self {
        let mut plan = Planning::new(session, mix, None);
        for &bus in &session.bus_order {
            plan.run(bus, true);
        }
        plan.wiring(Output::Master, session.mixes[mix].master_chain)
    }

    /// A group's part of a mix, before the master chain: nothing runs that it does not need.
    #[must_use]
    pub fn of_group(session: &ValidSession, print: &GroupPrint) -> Self {
        let mut plan = Planning::new(session, print.mix, Some(print));
        for &bus in &session.bus_order {
            plan.run(bus, true);
            if print.buses[bus] == Share::Part {
                plan.run(bus, false);
            }
        }
        let mut wiring = plan.wiring(Output::Master, false);
        wiring.drop_unneeded(session);
        wiring
    }

    /// The tracks whose stems it is made of: those that sound, and those that key what runs.
    #[must_use]
    pub fn stems(&self, session: &ValidSession) -> BTreeSet<TrackIndex> {
        let feeds = self.buses.iter().flat_map(|bus| &bus.feeds).chain(&self.master);
        let sounding = feeds.filter_map(|feed| match feed.from {
            Source::Track(track) => Some(track),
            Source::Bus(_) => None,
        });
        let keying = self.inserts(session).filter_map(|insert| match insert.sidechain {
            Some(KeySource::Track(track)) => Some(track),
            Some(KeySource::Bus(_)) | None => None,
        });
        sounding.chain(keying).collect()
    }

    /// The inserts that run, those of a bus that runs twice two times.
    pub fn inserts<'a>(&'a self, session: &'a ValidSession) -> impl Iterator<Item = &'a Insert> {
        let master = if self.master_chain { session.master.inserts.as_slice() } else { &[] };
        self.buses.iter().flat_map(|wired| &session.buses[wired.bus].inserts).chain(master)
    }

    /// Where a bus runs as in the mix: there it is a key. `None` if it is silent or not needed.
    #[must_use]
    pub fn key(&self, bus: BusIndex) -> Option<usize> {
        self.buses.iter().position(|wired| wired.whole && wired.bus == bus)
    }

    /// Whether anything that runs is keyed by a bus.
    #[must_use]
    pub fn keys_by(&self, session: &ValidSession, bus: BusIndex) -> bool {
        self.inserts(session).any(|insert| insert.sidechain == Some(KeySource::Bus(bus)))
    }

    /// Leaves out the buses that nothing of leads to the master, nor keys what does.
    fn drop_unneeded(&mut self, session: &ValidSession) {
        let mut needed = vec![false; self.buses.len()];
        let mut open: Vec<usize> = sources(&self.master).collect();
        while let Some(place) = open.pop() {
            if std::mem::replace(&mut needed[place], true) {
                continue;
            }
            open.extend(sources(&self.buses[place].feeds));
            let inserts = session.buses[self.buses[place].bus].inserts.iter();
            open.extend(inserts.filter_map(|insert| match insert.sidechain {
                Some(KeySource::Bus(bus)) => self.key(bus),
                Some(KeySource::Track(_)) | None => None,
            }));
        }
        let mut places = needed.iter().scan(0, |next, needed| {
            let place = *next;
            *next += usize::from(*needed);
            Some(place)
        });
        let places: Vec<usize> = places.by_ref().collect();
        let mut keep = needed.iter();
        self.buses.retain(|_| keep.next().copied().unwrap_or(false));
        for feed in self.buses.iter_mut().flat_map(|bus| &mut bus.feeds).chain(&mut self.master) {
            if let Source::Bus(place) = &mut feed.from {
                *place = places[*place];
            }
        }
    }
}

fn sources(feeds: &[Feed]) -> impl Iterator<Item = usize> + '_ {
    feeds.iter().filter_map(|feed| match feed.from {
        Source::Bus(place) => Some(place),
        Source::Track(_) => None,
    })
}

/// A wiring in the making.
struct Planning<'a> {
    session: &'a ValidSession,
    mix: MixIndex,
    print: Option<&'a GroupPrint>,
    buses: Vec<WiredBus>,
    /// Per bus, the place where it runs whole, and where it runs for the group alone.
    whole: Vec<Option<usize>>,
    part: Vec<Option<usize>>,
}

impl<'a> Planning<'a> {
    fn new(session: &'a ValidSession, mix: MixIndex, print: Option<&'a GroupPrint>) -> Self {
        let nowhere = vec![None; session.buses.len()];
        Self { session, mix, print, buses: Vec::new(), whole: nowhere.clone(), part: nowhere }
    }

    /// Runs a bus, if it sounds and something is there to sound through it.
    fn run(&mut self, bus: BusIndex, whole: bool) {
        let feeds = self.feeds(Output::Bus(bus), whole);
        if self.session.mixes[self.mix].bus_sounds[bus] && !feeds.is_empty() {
            let places = if whole { &mut self.whole } else { &mut self.part };
            places[bus] = Some(self.buses.len());
            self.buses.push(WiredBus { bus, whole, feeds });
        }
    }

    fn wiring(self, into: Output, master_chain: bool) -> Wiring {
        let master = self.feeds(into, self.print.is_none());
        Wiring { mix: self.mix, buses: self.buses, master, master_chain }
    }

    /// What flows into a bus or the master, in the order of summation: tracks in document order, then buses in document
    /// order; of each its output, then its sends.
    fn feeds(&self, into: Output, whole: bool) -> Vec<Feed> {
        let version = &self.session.mixes[self.mix];
        let group = self.print.filter(|_| !whole);
        let mut feeds = Vec::new();
        for (index, track) in self.session.tracks.iter().enumerate() {
            if group.map_or(version.track_sounds[index], |group| group.tracks[index]) {
                feeds.extend(ways(&track.strip, into).map(|way| Feed { from: Source::Track(index), way }));
            }
        }
        for (index, bus) in self.session.buses.iter().enumerate() {
            let place = match group.map_or(Share::Whole, |group| group.buses[index]) {
                Share::Nothing => None,
                Share::Part => self.part[index],
                Share::Whole => self.whole[index],
            };
            let Some(place) = place else { continue };
            feeds.extend(ways(&bus.strip, into).map(|way| Feed { from: Source::Bus(place), way }));
        }
        feeds
    }
}

/// All ways from a strip into a bus or the master.
fn ways(strip: &Strip, into: Output) -> impl Iterator<Item = Way> + '_ {
    let output = (strip.output == into).then_some(Way::Output);
    let sends = strip.sends.iter().enumerate().filter(move |(_, send)| Output::Bus(send.to) == into);
    output.into_iter().chain(sends.map(|(index, _)| Way::Send(index)))
}
