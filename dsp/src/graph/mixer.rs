//! One mix, or a group's part of it: stems through strips, buses and the master chain.

use std::collections::BTreeSet;

use super::junction::{Junction, Point, Signal};
use super::strip::StripGain;
use super::view::View;
use super::wiring::{Feed, Source, Way, WiredBus, Wiring};
use crate::buffer::Buffer;
use crate::kernels::pan::PanLaw;
use crate::node::Prepare;
use crate::session::ValidSession;
use crate::session::document::Tap;
use crate::session::valid::{BusIndex, Insert, KeySource, MixIndex, Strip, TrackIndex};

/// A mix at work. At time t of the render it yields its session frame t − [`Mixer::lag_frames`].
pub struct Mixer {
    /// In the order of the wiring; each is taken out while it runs.
    buses: Vec<Option<Box<RunningBus>>>,
    /// Per bus of the session, where in `buses` it is a key.
    keys: Vec<Option<usize>>,
    master: Junction,
    master_fader: StripGain,
    silence: Buffer,
    block_frames: usize,
    time: i64,
}

struct RunningBus {
    junction: Junction,
    /// After the inserts.
    output: Buffer,
    /// After fader and balance, where something is keyed by it.
    key: Option<(StripGain, Buffer)>,
}

impl Mixer {
    /// What is wired so, in blocks of `block_frames`; `lag_of` says by how many frames each stem lags the time of the render.
    #[must_use]
    pub fn new(
        session: &ValidSession,
        wiring: &Wiring,
        block_frames: usize,
        lag_of: &dyn Fn(TrackIndex) -> usize,
    ) -> Self {
        Building { session, wiring, block_frames, lag_of }.mixer()
    }

    /// Frames by which the mix lags the time of the render.
    #[must_use]
    pub fn lag_frames(&self) -> usize {
        self.master.lag_out()
    }

    /// Fills `out`, a stereo buffer, with what comes next. `stem` gives the stems of [`Wiring::stems`] over the same time.
    pub fn next<'a>(&mut self, out: &mut Buffer, stem: &dyn Fn(TrackIndex) -> &'a Buffer) {
        let mut done = 0;
        while done < out.frames() {
            let count = (out.frames() - done).min(self.block_frames).min(self.frames_until_start());
            self.block(count, &|track| View::new(stem(track), done, count), out, done);
            self.time += count as i64;
            done += count;
        }
    }

    fn frames_until_start(&self) -> usize {
        let buses = self.buses.iter().flatten().map(|bus| &bus.junction);
        buses.chain([&self.master]).map(|junction| junction.frames_until_start(self.time)).min().unwrap_or(usize::MAX)
    }

    /// Runs one block and writes it to `out` from `at` on.
    fn block<'a>(&mut self, frames: usize, stem: &dyn Fn(TrackIndex) -> View<'a>, out: &mut Buffer, at: usize) {
        for place in 0..self.buses.len() {
            let Some(mut bus) = self.buses[place].take() else { continue };
            let rendered = bus
                .junction
                .run(self.time, frames, &|point| signal(&self.buses, &self.keys, &self.silence, point, frames, stem));
            View::new(rendered, 0, frames).copy_to(&mut bus.output);
            if let Some((gain, key)) = &mut bus.key {
                key.set_frames(frames);
                let factors = gain.over(self.time - bus.junction.lag_out() as i64, frames);
                factors.scale(View::new(&bus.output, 0, frames), key, 0);
            }
            self.buses[place] = Some(bus);
        }
        let Self { buses, keys, silence, master, master_fader, time, .. } = self;
        let frame = *time - master.lag_out() as i64;
        let rendered = master.run(*time, frames, &|point| signal(buses, keys, silence, point, frames, stem));
        let rendered = View::new(rendered, 0, frames);
        master_fader.over(frame, frames).scale(rendered, out, at);
    }
}

/// What a point of the mix yields in the block at hand; buses that do not run are silent.
fn signal<'a, 's: 'a>(
    buses: &'a [Option<Box<RunningBus>>],
    keys: &[Option<usize>],
    silence: &'a Buffer,
    point: Point,
    frames: usize,
    stem: &dyn Fn(TrackIndex) -> View<'s>,
) -> View<'a> {
    let buffer = match point {
        Point::Stem(track) => return stem(track),
        Point::Inserts(place) => buses[place].as_deref().map(|bus| &bus.output),
        Point::Fader(bus) => {
            let running = keys[bus].and_then(|place| buses[place].as_deref());
            running.and_then(|bus| bus.key.as_ref()).map(|(_, key)| key)
        }
    };
    View::new(buffer.unwrap_or(silence), 0, frames)
}

/// What a mixer is built from.
struct Building<'a> {
    session: &'a ValidSession,
    wiring: &'a Wiring,
    block_frames: usize,
    lag_of: &'a dyn Fn(TrackIndex) -> usize,
}

impl Building<'_> {
    fn mixer(&self) -> Mixer {
        let Self { session, wiring, block_frames, .. } = *self;
        let mut buses: Vec<Option<Box<RunningBus>>> = Vec::with_capacity(wiring.buses.len());
        for wired in &wiring.buses {
            let bus = self.bus(wired, &buses);
            buses.push(Some(Box::new(bus)));
        }
        let (inserts, master_fader) = if wiring.master_chain {
            (session.master.inserts.as_slice(), StripGain::fader(&session.master.fader_db))
        } else {
            (&[][..], StripGain::pre_fader(PanLaw::Balance))
        };
        Mixer {
            master: self.junction(&wiring.master, inserts, &buses),
            master_fader,
            keys: (0..session.buses.len()).map(|bus| wiring.key(bus)).collect(),
            buses,
            silence: Buffer::new(2, block_frames),
            block_frames,
            time: 0,
        }
    }

    fn bus(&self, wired: &WiredBus, buses: &[Option<Box<RunningBus>>]) -> RunningBus {
        let bus = &self.session.buses[wired.bus];
        let junction = self.junction(&wired.feeds, &bus.inserts, buses);
        let key = (wired.whole && self.wiring.keys_by(self.session, wired.bus)).then(|| {
            let gain = StripGain::post_fader(&bus.strip, self.offset_db(wired.bus), PanLaw::Balance);
            (gain, Buffer::new(2, self.block_frames))
        });
        RunningBus { output: Buffer::new(junction.channels_out(), self.block_frames), junction, key }
    }

    fn offset_db(&self, bus: BusIndex) -> f64 {
        self.session.mixes[self.wiring.mix].bus_offset_db[bus]
    }

    fn junction(&self, feeds: &[Feed], inserts: &[Insert], buses: &[Option<Box<RunningBus>>]) -> Junction {
        let prepare =
            Prepare { sample_rate_hz: self.session.sample_rate_hz, channels: 2, max_block_frames: self.block_frames };
        let feeds = feeds.iter().map(|feed| self.feed(*feed, buses)).collect();
        Junction::new(feeds, inserts, prepare, &|source| match source {
            KeySource::Track(track) => self.stem_signal(track),
            KeySource::Bus(bus) => {
                let running = self.wiring.key(bus).and_then(|place| buses.get(place)?.as_ref());
                let lag = running.map_or(0, |bus| bus.junction.lag_out());
                Signal { point: Point::Fader(bus), channels: 2, lag }
            }
        })
    }

    fn stem_signal(&self, track: TrackIndex) -> Signal {
        let channels = self.session.tracks[track].stem_channels;
        Signal { point: Point::Stem(track), channels, lag: (self.lag_of)(track) }
    }

    /// What flows along one way, and its gain there.
    fn feed(&self, feed: Feed, buses: &[Option<Box<RunningBus>>]) -> (Signal, StripGain) {
        let session = self.session;
        match feed.from {
            Source::Track(index) => {
                let track = &session.tracks[index];
                let is_mono = track.stem_channels == 1;
                let law = if is_mono { PanLaw::mono(session.pan_law_db) } else { PanLaw::Balance };
                let offset_db = session.mixes[self.wiring.mix].track_offset_db[index];
                (self.stem_signal(index), gain(&track.strip, offset_db, law, feed.way))
            }
            Source::Bus(place) => {
                let junction = &buses[place].as_ref().expect("because buses are wired in their order").junction;
                let signal =
                    Signal { point: Point::Inserts(place), channels: junction.channels_out(), lag: junction.lag_out() };
                let bus = self.wiring.buses[place].bus;
                (signal, gain(&session.buses[bus].strip, self.offset_db(bus), PanLaw::Balance, feed.way))
            }
        }
    }
}

/// The gain of a way out of a strip.
fn gain(strip: &Strip, offset_db: f64, law: PanLaw, way: Way) -> StripGain {
    let post_fader = || StripGain::post_fader(strip, offset_db, law);
    match way {
        Way::Output => post_fader(),
        Way::Send(index) => {
            let send = &strip.sends[index];
            match send.tap {
                Tap::PreFader => StripGain::pre_fader(law).sent(&send.gain_db),
                Tap::PostFader => post_fader().sent(&send.gain_db),
            }
        }
    }
}

/// The tracks whose stems a mix is made of: those that sound, and those that key its buses or the master.
#[must_use]
pub fn stems_of_mix(session: &ValidSession, mix: MixIndex) -> BTreeSet<TrackIndex> {
    let version = &session.mixes[mix];
    let sounding = (0..session.tracks.len()).filter(|track| version.track_sounds[*track]);
    let keying = session.mix_inserts(mix).filter_map(|insert| match insert.sidechain {
        Some(KeySource::Track(track)) => Some(track),
        Some(KeySource::Bus(_)) | None => None,
    });
    sounding.chain(keying).collect()
}
