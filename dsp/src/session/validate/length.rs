//! Lengths: of every stem, and of the session.

use super::{Context, Report};
use crate::session::time::MAX_SESSION_SECONDS;
use crate::session::valid::{Bus, BusIndex, Insert, Master, Output, Strip, Track};

/// A tail counts no longer than this.
const MAX_TAIL_SECONDS: u64 = 30;

/// Sets every track's `stem_frames` and gives the session's length: `end`, or the last clip end plus the longest tail of
/// any path.
pub(super) fn lengths(
    tracks: &mut [Track],
    buses: &[Bus],
    bus_order: &[BusIndex],
    master: &Master,
    context: &Context<'_>,
    report: &mut Report,
) -> u64 {
    let rate = context.base.sample_rate_hz;
    let max_tail = MAX_TAIL_SECONDS * u64::from(rate);
    let master_tail = chain_tail(&master.inserts, rate);
    let mut bus_tails = vec![0; buses.len()];
    for &index in bus_order.iter().rev() {
        let bus = &buses[index];
        bus_tails[index] = chain_tail(&bus.inserts, rate).saturating_add(onward(&bus.strip, &bus_tails, master_tail));
    }
    let (mut end, mut tail) = (0, 0);
    for track in tracks {
        let Some(clips_end) = track.clips.iter().map(|clip| clip.at_frames + clip.length_frames).max() else {
            continue;
        };
        let stem_tail = chain_tail(&track.inserts, rate);
        track.stem_frames = clips_end + stem_tail.min(max_tail);
        end = end.max(clips_end);
        tail = tail.max(stem_tail.saturating_add(onward(&track.strip, &bus_tails, master_tail)));
    }
    let length_frames = match &context.document.end {
        Some(time) => context.frames(time, "/end", report),
        None => end + whole_seconds(tail, rate).min(max_tail),
    };
    // With other faults at hand the clips may be missing because of them.
    if length_frames == 0 && report.0.is_empty() && context.unresolved.is_empty() {
        let place = if context.document.end.is_some() { "/end" } else { "/tracks" };
        report.push(place, "empty_session", "the session has no length", "at least one clip, or an `end` above 0");
    }
    let max_frames = MAX_SESSION_SECONDS * u64::from(rate);
    if length_frames > max_frames {
        let message = format!("the session is {length_frames} frames long");
        report.push("/tracks", "out_of_range", message, format!("at most 24 hours: {max_frames} frames"));
    }
    length_frames
}

/// A tail rounded up to whole seconds: a small edit to one track, which changes its tail by some frames, then changes the
/// length of no other mix or print, and they need not be rendered again.
fn whole_seconds(tail_frames: u64, rate: u32) -> u64 {
    tail_frames.div_ceil(u64::from(rate)).saturating_mul(u64::from(rate))
}

/// The longest tail from a strip on.
fn onward(strip: &Strip, bus_tails: &[u64], master_tail: u64) -> u64 {
    let output = match strip.output {
        Output::Master => master_tail,
        Output::Bus(bus) => bus_tails.get(bus).copied().unwrap_or(0),
    };
    let sends = strip.sends.iter().filter_map(|send| bus_tails.get(send.to).copied());
    sends.fold(output, u64::max)
}

fn chain_tail(inserts: &[Insert], rate: u32) -> u64 {
    inserts.iter().map(|insert| insert.processor.longest_tail_frames(&insert.lanes, rate)).fold(0, u64::saturating_add)
}
