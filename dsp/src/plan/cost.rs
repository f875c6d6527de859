//! What work costs: rough figures that decide how a session is cut and which stems are worth storing. They never enter
//! a key or a sample.

use super::keys::solved_on;
use super::spec::TaskSpec;
use crate::graph::Wiring;
use crate::nodes::Processor;
use crate::session::ValidSession;
use crate::session::valid::{Content, DeliverableIndex, GroupPrintIndex, Insert, MixIndex, TrackIndex};

/// Nanoseconds of one core per stereo frame for reading and placing a clip.
const CLIP_NS: u64 = 12;
/// Nanoseconds of one core per frame and track for fader, pan and sum.
const STRIP_NS: u64 = 4;
/// Nanoseconds of one core per frame for solving the loudness gain.
const SOLVE_NS: u64 = 250;
/// Nanoseconds of one core per frame for dithering, writing, measuring and analysing one file.
const PASS_NS: u64 = 350;
/// Nanoseconds of one core per frame for limiting it on the way.
const LIMIT_NS: u64 = 150;
/// Passes until no reader sees the file over its ceiling: mostly the second is the last.
const LIMITED_PASSES: u64 = 2;
/// Nanoseconds of one core per frame for encoding one lossy file, decoding it again and analysing what comes of it.
const LOSSY_NS: u64 = 900;
/// Encodings until a lossy file keeps its ceiling decoded, each of a master finished anew: two to four.
const KEPT_ENCODINGS: u64 = 3;
/// Nanoseconds per frame for storing a stem and reading it again: 8 bytes written, hashed, copied and read back.
pub(super) const STORE_NS: u64 = 40;

fn insert_ns(insert: &Insert) -> u64 {
    match &insert.processor {
        Processor::Gain(_) => 1,
        Processor::Trim(_)
        | Processor::Polarity(_)
        | Processor::Pan(_)
        | Processor::Width(_)
        | Processor::MidSide(_)
        | Processor::Swap(_)
        | Processor::Mono(_) => 2,
        Processor::Eq(eq) => 6 * eq.bands.len() as u64,
        Processor::Compressor(_) | Processor::Gate(_) => 12,
        Processor::Expander(_) | Processor::Transient(_) => 19,
        Processor::Saturator(_) => 500,
        Processor::Clipper(_) => 400,
        Processor::Limiter(_) => 120,
        Processor::MonoBelow(_) => 10,
        Processor::Multiband(multiband) => 40 * multiband.bands.len() as u64,
        Processor::DeEsser(_) => 60,
        Processor::DynamicEq(eq) => 25 * eq.bands.len() as u64,
        Processor::Delay(_) => 12,
        Processor::Reverb(_) => 200,
        // Two transforms a channel, and up to 32 parts of the response.
        Processor::Convolution(_) => 300,
    }
}

fn chain_ns(inserts: &[Insert]) -> u64 {
    inserts.iter().map(insert_ns).sum()
}

/// Nanoseconds of one core for rendering a stem.
pub(crate) fn stem_ns(session: &ValidSession, track: TrackIndex) -> u64 {
    let track = &session.tracks[track];
    track.stem_frames * (CLIP_NS + chain_ns(&track.inserts))
}

/// Nanoseconds of one core for making a mix of its stems.
pub(crate) fn mix_ns(session: &ValidSession, mix: MixIndex) -> u64 {
    let sounding = session.mixes[mix].track_sounds.iter().filter(|sounds| **sounds).count() as u64;
    let buses: u64 = session.buses.iter().map(|bus| STRIP_NS + chain_ns(&bus.inserts)).sum();
    session.length_frames * (sounding * STRIP_NS + buses + chain_ns(&session.master.inserts))
}

/// Nanoseconds of one core for making a group's part of a mix of its stems.
pub(crate) fn group_ns(session: &ValidSession, print: GroupPrintIndex) -> u64 {
    let wiring = Wiring::of_group(session, &session.group_prints[print]);
    let feeds = wiring.buses.iter().map(|bus| bus.feeds.len()).sum::<usize>() + wiring.master.len();
    let inserts: u64 = wiring.inserts(session).map(insert_ns).sum();
    session.length_frames * (feeds as u64 * STRIP_NS + inserts)
}

/// Nanoseconds of one core for solving a loudness gain.
pub(crate) fn solve_ns(session: &ValidSession) -> u64 {
    session.length_frames * SOLVE_NS
}

/// Nanoseconds of one core for finishing a deliverable.
pub(crate) fn master_ns(session: &ValidSession, deliverable: DeliverableIndex) -> u64 {
    let asked = &session.deliverables[deliverable];
    let is_limited = matches!(asked.content, Content::Mix(mix) if solved_on(session, mix).is_some());
    let finish_ns = if is_limited { LIMITED_PASSES * (PASS_NS + LIMIT_NS) } else { PASS_NS };
    let frame_ns = match asked.lossy {
        None => finish_ns,
        Some(lossy) if lossy.keep_ceiling_decoded => KEPT_ENCODINGS * (finish_ns + LOSSY_NS),
        Some(_) => finish_ns + LOSSY_NS,
    };
    session.length_frames * frame_ns * u64::from(asked.sample_rate_hz) / u64::from(session.sample_rate_hz)
}

/// Nanoseconds of one core for decoding a lossy asset.
pub(crate) fn decode_ns(session: &ValidSession, asset: usize) -> u64 {
    session.assets[asset].facts.frames * 100
}

/// The cost of a task, in nanoseconds of one core: [`super::PlannedTask::cost`], and what its progress adds up to.
#[must_use]
pub fn spec_cost(session: &ValidSession, spec: &TaskSpec) -> u64 {
    let decode: u64 = spec.decode.iter().map(|asset| decode_ns(session, *asset)).sum();
    let stems: u64 = spec.render_stems.iter().map(|track| stem_ns(session, *track)).sum();
    let mixes: u64 = spec.mixes.iter().map(|mix| mix_ns(session, *mix)).sum();
    let groups: u64 = spec.groups.iter().map(|print| group_ns(session, *print)).sum();
    let solutions = spec.solutions.len() as u64 * solve_ns(session);
    let masters: u64 = spec.masters.iter().map(|file| master_ns(session, *file)).sum();
    decode + stems + mixes + groups + solutions + masters
}
