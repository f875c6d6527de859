//! One pass over a session: stems, and all mixes made of them, at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::Error;
use super::mixer::Mixer;
use super::parallel::in_parallel;
use super::responses::with_responses;
use super::spool::Spool;
use super::stem::{Stem, keying_tracks};
use super::wiring::Wiring;
use crate::buffer::Buffer;
use crate::progress::Monitor;
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
}

/// What becomes of a rendered stem.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StemRequest {
    /// The PCM file it goes to, beside the mixes that it enters.
    pub file: Option<PathBuf>,
}

/// Memory for the stems between stems and mixes, in bytes: decides how long the chunks are.
const CHUNK_BYTES: usize = 32 << 20;

/// Renders what is asked for, and tells `monitor` of `cost` units of work in all. The bytes do not depend on threads or block length; memory does not grow with the session's
/// duration.
///
/// # Errors
/// See [`Error`]; files that are not whole keep a name that ends in `.part`.
pub fn render(request: &Request<'_>, cost: u64, monitor: &dyn Monitor) -> Result<(), Error> {
    let mut pass = Pass::new(request)?;
    let chunk_frames = pass.chunk_frames(request.block_frames);
    let mut time = 0;
    // The mixes work on the stems of one chunk while the stems of the next are rendered.
    while time < pass.end || pass.ready_frames > 0 {
        if monitor.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let frames = (pass.end - time).min(chunk_frames as u64) as usize;
        pass.step(request, frames)?;
        let done = |time: u64| (u128::from(cost) * u128::from(time) / u128::from(pass.end)) as u64;
        monitor.advance(done(time + frames as u64) - done(time));
        time += frames as u64;
    }
    Ok(())
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
    /// Per stem, the chunk that the mixes read.
    ready: Vec<Buffer>,
    ready_frames: usize,
    /// Per stem, the chunk that is being rendered.
    filling: Vec<Buffer>,
    end: u64,
}

struct StemRun {
    stem: Stem,
    spool: Option<Spool>,
}

struct MixRun {
    mixer: Mixer,
    out: Buffer,
    spool: Spool,
}

/// One thing that a thread does in one step.
enum Job<'a> {
    Mix {
        run: &'a mut MixRun,
        stems: &'a [Buffer],
        frames: usize,
    },
    Stem {
        run: &'a mut StemRun,
        out: &'a mut Buffer,
        before: &'a [Buffer],
    },
    /// Two stems that are alike.
    Stems {
        runs: [&'a mut StemRun; 2],
        outs: [&'a mut Buffer; 2],
    },
}

impl Pass {
    fn new(request: &Request<'_>) -> Result<Self, Error> {
        let session = &*with_responses(request)?;
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
                |path| Spool::create(path, stem.channels(), session.sample_rate_hz, stem.lag_frames(), stem.frames());
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
            let spool = Spool::create(path, 2, session.sample_rate_hz, lag, session.length_frames)?;
            mixes.push(MixRun { mixer, out: Buffer::new(2, 0), spool });
        }
        let chunks = || stems.iter().map(|run| Buffer::new(run.stem.channels(), 0)).collect();
        Ok(Self { ready: chunks(), filling: chunks(), ready_frames: 0, stems, places, levels, mixes, end })
    }

    /// Frames per step: enough to keep threads busy, little enough to stay modest with very many tracks, a multiple of the
    /// block length.
    fn chunk_frames(&self, block_frames: usize) -> usize {
        let bytes_per_frame: usize = self.stems.iter().map(|run| 2 * 4 * run.stem.channels()).sum();
        let frames = (CHUNK_BYTES / bytes_per_frame.max(1)).clamp(1024, 16_384);
        (frames / block_frames).max(1) * block_frames
    }

    /// Mixes the chunk that is ready and renders the stems of the next, `frames` long.
    fn step(&mut self, request: &Request<'_>, frames: usize) -> Result<(), Error> {
        let Self { stems, places, levels, mixes, ready, ready_frames, filling, .. } = self;
        let places: &[Option<usize>] = places;
        let run = |job: Job<'_>| match job {
            Job::Mix { run, stems, frames } => run.next(frames, &|track| stem_of(places, stems, track)),
            Job::Stem { run, out, before } => run.next(out, &|track| stem_of(places, before, track)),
            Job::Stems { runs: [run, other], outs: [out, other_out] } => run.next_beside(out, other, other_out),
        };
        let mut mixing: Vec<Job<'_>> = Vec::new();
        if *ready_frames > 0 {
            mixing.extend(mixes.iter_mut().map(|run| Job::Mix { run, stems: ready, frames: *ready_frames }));
        }
        if frames > 0 {
            filling.iter_mut().for_each(|chunk| chunk.set_frames(frames));
            let mut rest = stems.as_mut_slice();
            let mut start = 0;
            for end in levels.iter().copied() {
                let (level, later) = rest.split_at_mut(end - start);
                let (before, out) = filling.split_at_mut(start);
                // Mixes come first: they are few and long, stems even out the rest.
                let mut jobs = std::mem::take(&mut mixing);
                let mut level = level.iter_mut().zip(out).peekable();
                while let Some((run, out)) = level.next() {
                    jobs.push(match level.next_if(|(other, _)| run.stem.is_like(&other.stem)) {
                        Some((other, other_out)) => Job::Stems { runs: [run, other], outs: [out, other_out] },
                        None => Job::Stem { run, out, before },
                    });
                }
                in_parallel(request.threads, jobs, run)?;
                (rest, start) = (later, end);
            }
        }
        in_parallel(request.threads, mixing, run)?;
        std::mem::swap(ready, filling);
        *ready_frames = if mixes.is_empty() { 0 } else { frames };
        Ok(())
    }
}

impl StemRun {
    fn next<'k>(&mut self, out: &mut Buffer, key: &dyn Fn(TrackIndex) -> &'k Buffer) -> Result<(), Error> {
        self.stem.next(out, key)?;
        self.keep(out)
    }

    fn next_beside(&mut self, out: &mut Buffer, other: &mut Self, other_out: &mut Buffer) -> Result<(), Error> {
        self.stem.next_beside(out, &mut other.stem, other_out)?;
        self.keep(out)?;
        other.keep(other_out)
    }

    fn keep(&mut self, out: &Buffer) -> Result<(), Error> {
        self.spool.as_mut().map_or(Ok(()), |spool| spool.write(out))
    }
}

impl MixRun {
    fn next<'a>(&mut self, frames: usize, stem: &dyn Fn(TrackIndex) -> &'a Buffer) -> Result<(), Error> {
        self.out.set_frames(frames);
        self.mixer.next(&mut self.out, stem);
        self.spool.write(&self.out)
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
