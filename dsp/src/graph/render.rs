//! One pass over a session: stems, and all mixes made of them, at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::Error;
use super::mixer::Mixer;
use super::responses::with_responses;
use super::spool::Spool;
use super::stem::{Stem, keying_tracks};
use super::wiring::Wiring;
use crate::buffer::Buffer;
use crate::digest::Digest;
use crate::progress::Monitor;
use crate::relay::{Leg, listening, on_the_way, relay};
use crate::session::ValidSession;
use crate::session::valid::TrackIndex;

/// What a pass makes, and of what.
pub struct Request<'a> {
    /// The session.
    pub session: &'a ValidSession,
    /// The file of every asset, by its index.
    pub asset_paths: &'a [PathBuf],
    /// The tracks whose stems are rendered from their clips.
    pub render_stems: &'a BTreeMap<TrackIndex, StemRequest>,
    /// The artifact of the stem of any other track.
    pub stem_artifact: &'a (dyn Fn(TrackIndex) -> PathBuf + 'a),
    /// The mixes and groups' parts of mixes, each with the PCM file it goes to.
    pub mixes: &'a [(Wiring, PathBuf)],
    /// Threads that render, at least 1.
    pub threads: usize,
    /// Frames per block, at least 1.
    pub block_frames: usize,
    /// Whether the files are hashed while they are written.
    pub hashed: bool,
}

/// What becomes of a rendered stem.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StemRequest {
    /// The PCM file it goes to, beside the mixes that it enters.
    pub file: Option<PathBuf>,
}

/// Hears a mix while it is made, as its file gets it.
pub type Listener<'a> = Box<dyn FnMut(&Buffer) + Send + 'a>;

/// Memory for all stems on their way from where they are rendered to the mixes, in bytes: decides how long the chunks are.
const CHUNK_BYTES: usize = 32 << 20;
/// Frames of a chunk at most: the stems of a production then fit a core's own cache.
const MOST_FRAMES: usize = 4096;
/// Frames of a chunk at least, or its handing over would cost more than it holds.
const LEAST_FRAMES: usize = 512;

/// Renders what is asked for, and tells `monitor` of `cost` units of work in all; each of the `listeners` hears the mix of its
/// index in the request. Gives the digests of the files, if they were hashed. The bytes do not depend on threads or block length; memory does not grow with the session's
/// duration.
///
/// # Errors
/// See [`Error`]; files that are not whole keep a name that ends in `.part`.
pub fn render(
    request: &Request<'_>,
    listeners: Vec<(usize, Listener<'_>)>,
    cost: u64,
    monitor: &dyn Monitor,
) -> Result<BTreeMap<PathBuf, Digest>, Error> {
    let mut pass = Pass::new(request)?;
    let chunk_frames = pass.chunk_frames(request) as u64;
    let end = pass.end;
    let mut made = 0;
    let make = |chunk: &mut Chunk| {
        if monitor.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let frames = (end - made).min(chunk_frames);
        made += frames;
        chunk.stems.iter_mut().chain(&mut chunk.mixes).for_each(|buffer| buffer.set_frames(frames as usize));
        chunk.end = made;
        Ok(frames > 0)
    };
    let mut told = 0;
    let tell = |end_of_chunk: &u64| {
        let done = (u128::from(cost) * u128::from(*end_of_chunk) / u128::from(end)) as u64;
        monitor.advance(done - told);
        told = done;
    };
    let empty = pass.empty_chunk();
    let mut legs = pass.legs(listeners);
    legs.push(listening(tell, |chunk| &chunk.end));
    relay(request.threads, || monitor.threads(), || empty.clone(), make, legs)?;
    Ok(pass.digests())
}

/// A render at work.
struct Pass {
    /// Every stem after those that key it.
    stems: Vec<StemRun>,
    /// Per track, its place in `stems`.
    places: Vec<Option<usize>>,
    /// Ends of the runs of stems that do not key each other.
    levels: Vec<usize>,
    mixes: Vec<MixRun>,
    end: u64,
}

struct StemRun {
    stem: Stem,
    spool: Option<Spool>,
}

struct MixRun {
    mixer: Mixer,
    spool: Spool,
}

/// All stems over some time, and the mixes made of them.
#[derive(Clone)]
struct Chunk {
    stems: Vec<Buffer>,
    mixes: Vec<Buffer>,
    /// The time at which it ends.
    end: u64,
}

impl Pass {
    fn new(request: &Request<'_>) -> Result<Self, Error> {
        let session = &*with_responses(request)?;
        let rate = session.sample_rate_hz;
        let (order, levels) = order_of_stems(request);
        let mut places = vec![None; session.tracks.len()];
        let mut stems: Vec<StemRun> = Vec::with_capacity(order.len());
        let mut end = 0;
        for track in order {
            let lag_of = |key: TrackIndex| places[key].map_or(0, |place: usize| stems[place].stem.lag_frames());
            let (stem, file) = match request.render_stems.get(&track) {
                Some(wanted) => {
                    let stem = Stem::render(session, track, request.asset_paths, request.block_frames, &lag_of);
                    (stem, wanted.file.as_deref())
                }
                None => (Stem::open(session, track, &(request.stem_artifact)(track))?, None),
            };
            let create =
                |path| Spool::create(path, stem.channels(), rate, stem.lag_frames(), stem.frames(), request.hashed);
            let spool = file.map(create).transpose()?;
            if spool.is_some() {
                end = end.max(stem.lag_frames() as u64 + stem.frames());
            }
            places[track] = Some(stems.len());
            stems.push(StemRun { stem, spool });
        }
        let mut mixes = Vec::with_capacity(request.mixes.len());
        for (wiring, path) in request.mixes {
            let lag_of = |track: TrackIndex| places[track].map_or(0, |place: usize| stems[place].stem.lag_frames());
            let mixer = Mixer::new(session, wiring, request.block_frames, &lag_of);
            let lag = mixer.lag_frames();
            end = end.max(lag as u64 + session.length_frames);
            let spool = Spool::create(path, 2, rate, lag, session.length_frames, request.hashed)?;
            mixes.push(MixRun { mixer, spool });
        }
        Ok(Self { stems, places, levels, mixes, end })
    }

    fn digests(&self) -> BTreeMap<PathBuf, Digest> {
        let stems = self.stems.iter().filter_map(|run| run.spool.as_ref());
        stems.chain(self.mixes.iter().map(|run| &run.spool)).filter_map(Spool::digest).collect()
    }

    fn empty_chunk(&self) -> Chunk {
        Chunk {
            stems: self.stems.iter().map(|run| Buffer::new(run.stem.channels(), 0)).collect(),
            mixes: vec![Buffer::new(2, 0); self.mixes.len()],
            end: 0,
        }
    }

    /// Frames of a chunk: little enough to stay modest with very many tracks, a multiple of the block length.
    fn chunk_frames(&self, request: &Request<'_>) -> usize {
        let bytes_per_frame: usize = self.stems.iter().map(|run| 4 * run.stem.channels()).sum();
        let frames = CHUNK_BYTES / (bytes_per_frame * on_the_way(request.threads)).max(1);
        (frames.clamp(LEAST_FRAMES, MOST_FRAMES) / request.block_frames).max(1) * request.block_frames
    }

    /// Every stem, or two that are alike, and then every mix and its file. A chunk comes to a stem after all that key it.
    fn legs<'a>(&'a mut self, listeners: Vec<(usize, Listener<'a>)>) -> Vec<Leg<'a, Chunk, Error>> {
        let Self { stems, places, levels, mixes, .. } = self;
        let places: &'a [Option<usize>] = places;
        let mut legs: Vec<Leg<'a, Chunk, Error>> = Vec::new();
        let mut runs = stems.iter_mut().enumerate().peekable();
        for end in levels.iter().copied() {
            while let Some((place, run)) = runs.next_if(|(place, _)| *place < end) {
                let like = runs.next_if(|(next, other)| *next < end && run.stem.is_like(&other.stem));
                legs.push(match like {
                    Some((_, other)) => Box::new(move |chunk| run.next_beside(other, &mut chunk.stems[place..])),
                    None => Box::new(move |chunk| {
                        let (before, out) = chunk.stems.split_at_mut(place);
                        run.next(&mut out[0], &|track| stem_of(places, before, track))
                    }),
                });
            }
        }
        let mut listeners: BTreeMap<usize, Listener<'a>> = listeners.into_iter().collect();
        for (index, MixRun { mixer, spool }) in mixes.iter_mut().enumerate() {
            let mut listener = listeners.remove(&index);
            legs.push(Box::new(move |chunk| {
                mixer.next(&mut chunk.mixes[index], &|track| stem_of(places, &chunk.stems, track));
                Ok(())
            }));
            legs.push(Box::new(move |chunk| spool.write(&chunk.mixes[index], listener.as_deref_mut())));
        }
        legs
    }
}

impl StemRun {
    fn next<'k>(&mut self, out: &mut Buffer, key: &dyn Fn(TrackIndex) -> &'k Buffer) -> Result<(), Error> {
        self.stem.next(out, key)?;
        self.keep(out)
    }

    /// The first two of the chunks.
    fn next_beside(&mut self, other: &mut Self, chunks: &mut [Buffer]) -> Result<(), Error> {
        let [out, other_out, ..] = chunks else { unreachable!("because both have a place") };
        self.stem.next_beside(out, &mut other.stem, other_out)?;
        self.keep(out)?;
        other.keep(other_out)
    }

    fn keep(&mut self, out: &Buffer) -> Result<(), Error> {
        self.spool.as_mut().map_or(Ok(()), |spool| spool.write(out, None))
    }
}

fn stem_of<'a>(places: &[Option<usize>], chunks: &'a [Buffer], track: TrackIndex) -> &'a Buffer {
    let place = places[track].expect("because a pass has every stem that its stems and mixes need");
    &chunks[place]
}

/// The tracks whose stems the pass needs, each after those that key it, and the ends of the levels: stems of one level do
/// not key each other.
fn order_of_stems(request: &Request<'_>) -> (Vec<TrackIndex>, Vec<usize>) {
    let session = request.session;
    let mut wanted: Vec<TrackIndex> = request.render_stems.keys().copied().collect();
    wanted.extend(request.mixes.iter().flat_map(|(wiring, _)| wiring.stems(session)));
    let mut level_of: Vec<Option<usize>> = vec![None; session.tracks.len()];
    for track in wanted {
        find_level(request, track, &mut level_of);
    }
    let deepest = level_of.iter().flatten().max().copied();
    let mut order = Vec::new();
    let mut ends = Vec::new();
    for level in 0..deepest.map_or(0, |deepest| deepest + 1) {
        order.extend((0..level_of.len()).filter(|track| level_of[*track] == Some(level)));
        ends.push(order.len());
    }
    (order, ends)
}

/// The level of a stem: 0 if nothing keys it or it is read, else one above the highest of its keys. Validation has
/// excluded cycles.
fn find_level(request: &Request<'_>, track: TrackIndex, level_of: &mut [Option<usize>]) -> usize {
    if let Some(level) = level_of[track] {
        return level;
    }
    let mut level = 0;
    if request.render_stems.contains_key(&track) {
        for key in keying_tracks(&request.session.tracks[track].inserts) {
            level = level.max(find_level(request, key, level_of) + 1);
        }
    }
    level_of[track] = Some(level);
    level
}
