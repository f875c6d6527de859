//! One mix: stems through strips, buses and the master chain.

use std::collections::BTreeSet;

use super::junction::{Junction, Point, Signal};
use super::strip::StripGain;
use super::view::View;
use crate::buffer::Buffer;
use crate::kernels::pan::PanLaw;
use crate::node::Prepare;
use crate::session::ValidSession;
use crate::session::document::Tap;
use crate::session::valid::{BusIndex, Insert, KeySource, MixIndex, Output, Strip, TrackIndex};

/// A mix at work. At time t of the render it yields its session frame t − [`Mixer::lag_frames`].
pub struct Mixer {
    /// Per bus of the session, those that anything sounds through.
    buses: Vec<Option<Box<RunningBus>>>,
    /// Bus indices, each after those that feed or key it.
    order: Vec<BusIndex>,
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
    /// A mix that runs in blocks of `block_frames`; `lag_of` says by how many frames each stem lags the time of the render.
    #[must_use]
    pub fn new(
        session: &ValidSession,
        mix: MixIndex,
        block_frames: usize,
        lag_of: &dyn Fn(TrackIndex) -> usize,
    ) -> Self {
        Wiring { session, mix, block_frames, lag_of }.mixer()
    }

    /// Frames by which the mix lags the time of the render.
    #[must_use]
    pub fn lag_frames(&self) -> usize {
        self.master.lag_out()
    }

    /// Fills `out`, a stereo buffer, with what comes next. `stem` gives the stems of [`stems_of_mix`] over the same time.
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
        for place in 0..self.order.len() {
            let index = self.order[place];
            let Some(mut bus) = self.buses[index].take() else { continue };
            let rendered =
                bus.junction.run(self.time, frames, &|point| signal(&self.buses, &self.silence, point, frames, stem));
            View::new(rendered, 0, frames).copy_to(&mut bus.output);
            if let Some((gain, key)) = &mut bus.key {
                key.set_frames(frames);
                let factors = gain.over(self.time - bus.junction.lag_out() as i64, frames);
                factors.scale(View::new(&bus.output, 0, frames), key, 0);
            }
            self.buses[index] = Some(bus);
        }
        let Self { buses, silence, master, master_fader, time, .. } = self;
        let frame = *time - master.lag_out() as i64;
        let rendered = master.run(*time, frames, &|point| signal(buses, silence, point, frames, stem));
        let rendered = View::new(rendered, 0, frames);
        master_fader.over(frame, frames).scale(rendered, out, at);
    }
}

/// What a point of the mix yields in the block at hand; buses that do not run are silent.
fn signal<'a, 's: 'a>(
    buses: &'a [Option<Box<RunningBus>>],
    silence: &'a Buffer,
    point: Point,
    frames: usize,
    stem: &dyn Fn(TrackIndex) -> View<'s>,
) -> View<'a> {
    let bus = |index: BusIndex| buses[index].as_deref();
    let buffer = match point {
        Point::Stem(track) => return stem(track),
        Point::Inserts(index) => bus(index).map(|bus| &bus.output),
        Point::Fader(index) => bus(index).and_then(|bus| bus.key.as_ref()).map(|(_, key)| key),
    };
    View::new(buffer.unwrap_or(silence), 0, frames)
}

/// What a mix is wired from.
struct Wiring<'a> {
    session: &'a ValidSession,
    mix: MixIndex,
    block_frames: usize,
    lag_of: &'a dyn Fn(TrackIndex) -> usize,
}

impl Wiring<'_> {
    fn mixer(&self) -> Mixer {
        let session = self.session;
        let mut buses: Vec<Option<Box<RunningBus>>> = session.buses.iter().map(|_| None).collect();
        for index in session.bus_order.iter().copied().filter(|bus| session.mixes[self.mix].bus_sounds[*bus]) {
            let feeds = self.feeds(Output::Bus(index), &buses);
            if !feeds.is_empty() {
                buses[index] = Some(Box::new(self.bus(index, feeds, &buses)));
            }
        }
        let master_chain = session.mixes[self.mix].master_chain;
        let master_fader = if master_chain {
            StripGain::fader(&session.master.fader_db)
        } else {
            StripGain::pre_fader(PanLaw::Balance)
        };
        let feeds = self.feeds(Output::Master, &buses);
        Mixer {
            master: self.junction(feeds, master_inserts(session, self.mix), &buses),
            master_fader,
            buses,
            order: session.bus_order.clone(),
            silence: Buffer::new(2, self.block_frames),
            block_frames: self.block_frames,
            time: 0,
        }
    }

    fn bus(&self, index: BusIndex, feeds: Vec<(Signal, StripGain)>, buses: &[Option<Box<RunningBus>>]) -> RunningBus {
        let bus = &self.session.buses[index];
        let junction = self.junction(feeds, &bus.inserts, buses);
        let chains = self.session.buses.iter().map(|bus| bus.inserts.as_slice());
        let keys =
            chains.chain([self.session.master.inserts.as_slice()]).flatten().filter_map(|insert| insert.sidechain);
        let is_key = keys.into_iter().any(|source| source == KeySource::Bus(index));
        let offset_db = self.session.mixes[self.mix].bus_offset_db[index];
        let key = is_key.then(|| {
            (StripGain::post_fader(&bus.strip, offset_db, PanLaw::Balance), Buffer::new(2, self.block_frames))
        });
        RunningBus { output: Buffer::new(junction.channels_out(), self.block_frames), junction, key }
    }

    fn junction(
        &self,
        feeds: Vec<(Signal, StripGain)>,
        inserts: &[Insert],
        buses: &[Option<Box<RunningBus>>],
    ) -> Junction {
        let prepare =
            Prepare { sample_rate_hz: self.session.sample_rate_hz, channels: 2, max_block_frames: self.block_frames };
        Junction::new(feeds, inserts, prepare, &|source| match source {
            KeySource::Track(track) => self.stem_signal(track),
            KeySource::Bus(bus) => {
                let lag = buses[bus].as_ref().map_or(0, |bus| bus.junction.lag_out());
                Signal { point: Point::Fader(bus), channels: 2, lag }
            }
        })
    }

    fn stem_signal(&self, track: TrackIndex) -> Signal {
        let channels = self.session.tracks[track].stem_channels;
        Signal { point: Point::Stem(track), channels, lag: (self.lag_of)(track) }
    }

    /// What flows into a bus or the master, in the order of summation: tracks in document order, then buses in document
    /// order; of each its output, then its sends.
    fn feeds(&self, into: Output, buses: &[Option<Box<RunningBus>>]) -> Vec<(Signal, StripGain)> {
        let version = &self.session.mixes[self.mix];
        let mut feeds = Vec::new();
        for (index, track) in self.session.tracks.iter().enumerate().filter(|(index, _)| version.track_sounds[*index]) {
            let law = if track.stem_channels == 1 { PanLaw::mono(self.session.pan_law_db) } else { PanLaw::Balance };
            let signal = || self.stem_signal(index);
            feeds.extend(
                strip_gains(&track.strip, version.track_offset_db[index], law, into).map(|gain| (signal(), gain)),
            );
        }
        for (index, bus) in buses.iter().enumerate() {
            let Some(running) = bus else { continue };
            let signal = Signal {
                point: Point::Inserts(index),
                channels: running.junction.channels_out(),
                lag: running.junction.lag_out(),
            };
            let strip = &self.session.buses[index].strip;
            let gains = strip_gains(strip, version.bus_offset_db[index], PanLaw::Balance, into);
            feeds.extend(gains.map(|gain| (signal, gain)));
        }
        feeds
    }
}

/// The gains of all ways from a strip into a bus or the master.
fn strip_gains(strip: &Strip, offset_db: f64, law: PanLaw, into: Output) -> impl Iterator<Item = StripGain> + '_ {
    let post_fader = move || StripGain::post_fader(strip, offset_db, law);
    let output = (strip.output == into).then(post_fader);
    let sends = strip.sends.iter().filter(move |send| Output::Bus(send.to) == into);
    output.into_iter().chain(sends.map(move |send| match send.tap {
        Tap::PreFader => StripGain::pre_fader(law).sent(&send.gain_db),
        Tap::PostFader => post_fader().sent(&send.gain_db),
    }))
}

fn master_inserts(session: &ValidSession, mix: MixIndex) -> &[Insert] {
    if session.mixes[mix].master_chain { &session.master.inserts } else { &[] }
}

/// The tracks whose stems a mix is made of: those that sound, and those that key its buses or the master.
#[must_use]
pub fn stems_of_mix(session: &ValidSession, mix: MixIndex) -> BTreeSet<TrackIndex> {
    let version = &session.mixes[mix];
    let sounding = (0..session.tracks.len()).filter(|track| version.track_sounds[*track]);
    let chains = session.buses.iter().map(|bus| bus.inserts.as_slice()).chain([master_inserts(session, mix)]);
    let keying = chains.flatten().filter_map(|insert| match insert.sidechain {
        Some(KeySource::Track(track)) => Some(track),
        Some(KeySource::Bus(_)) | None => None,
    });
    sounding.chain(keying).collect()
}
