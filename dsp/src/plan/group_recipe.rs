//! What a group's part of a mix is made of: only what is heard or listened to in it, so that work on one group leaves the
//! prints of the others alone.

use serde::Serialize;

use super::keys::{Key, stage};
use super::recipe::{Heard, InsertRecipe, KeyRecipe, LaneRecipe};
use crate::graph::{Feed, Source, Way, Wiring};
use crate::session::document::Tap;
use crate::session::valid::{GroupPrint, KeySource, Strip};

/// What a group's part of a mix is made of. Buses go by their place in it.
#[derive(Serialize)]
pub(super) struct GroupRecipe {
    stages: [(&'static str, u32); 2],
    sample_rate_hz: u32,
    frames: u64,
    pan_law_db: f64,
    buses: Vec<BusRecipe>,
    master: Vec<FeedRecipe>,
}

#[derive(Serialize)]
struct BusRecipe {
    feeds: Vec<FeedRecipe>,
    inserts: Vec<InsertRecipe>,
    /// The fader behind which the bus keys others.
    key: Option<GainRecipe>,
}

#[derive(Serialize)]
struct FeedRecipe {
    from: FromRecipe,
    gain: GainRecipe,
}

#[derive(Serialize)]
enum FromRecipe {
    Stem(Key),
    Bus(usize),
}

/// What a signal meets on its way out of a strip.
#[derive(Serialize)]
struct GainRecipe {
    fader: Option<FaderRecipe>,
    send_db: Option<LaneRecipe>,
}

#[derive(Serialize)]
struct FaderRecipe {
    db: LaneRecipe,
    offset_db: f64,
    pan: LaneRecipe,
    invert_polarity: bool,
}

impl GroupRecipe {
    /// The recipe of a group's print.
    pub fn of(heard: &Heard<'_>, print: &GroupPrint, stems: &[Key]) -> Self {
        let session = heard.session;
        let mix = &session.mixes[print.mix];
        let wiring = Wiring::of_group(session, print);
        let bus_of = |place: usize| wiring.buses[place].bus;
        let feed = |feed: &Feed| {
            let (from, strip, offset_db) = match feed.from {
                Source::Track(track) => {
                    (FromRecipe::Stem(stems[track]), &session.tracks[track].strip, mix.track_offset_db[track])
                }
                Source::Bus(place) => {
                    let bus = bus_of(place);
                    (FromRecipe::Bus(place), &session.buses[bus].strip, mix.bus_offset_db[bus])
                }
            };
            FeedRecipe { from, gain: GainRecipe::of(strip, offset_db, feed.way) }
        };
        let key = |source| match source {
            KeySource::Track(track) => KeyRecipe::Stem(stems[track]),
            KeySource::Bus(bus) => KeyRecipe::Bus(wiring.key(bus)),
        };
        let buses = wiring.buses.iter().map(|wired| {
            let bus = &session.buses[wired.bus];
            let is_key = wired.whole && wiring.keys_by(session, wired.bus);
            BusRecipe {
                feeds: wired.feeds.iter().map(feed).collect(),
                inserts: InsertRecipe::chain(&bus.inserts, heard, key),
                key: is_key.then(|| GainRecipe::of(&bus.strip, mix.bus_offset_db[wired.bus], Way::Output)),
            }
        });
        Self {
            stages: [("group", stage("group")), ("mix", stage("mix"))],
            sample_rate_hz: session.sample_rate_hz,
            frames: session.length_frames,
            pan_law_db: session.pan_law_db,
            buses: buses.collect(),
            master: wiring.master.iter().map(feed).collect(),
        }
    }
}

impl GainRecipe {
    fn of(strip: &Strip, offset_db: f64, way: Way) -> Self {
        let send = match way {
            Way::Output => None,
            Way::Send(index) => Some(&strip.sends[index]),
        };
        let fader = || FaderRecipe {
            db: (&strip.fader_db).into(),
            offset_db,
            pan: (&strip.pan).into(),
            invert_polarity: strip.invert_polarity,
        };
        Self {
            fader: send.is_none_or(|send| send.tap == Tap::PostFader).then(fader),
            send_db: send.map(|send| (&send.gain_db).into()),
        }
    }
}
