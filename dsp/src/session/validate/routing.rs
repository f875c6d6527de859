//! Strips and where they lead: outputs, sends, the order of buses, circles.

use super::automation::{Lanes, Target};
use super::chain::Chain;
use super::cycle::{Edge, order};
use super::names::{MASTER, Named};
use super::{Context, Report};
use crate::automation::Lane;
use crate::node::ParameterLane;
use crate::session::document;
use crate::session::valid::{BusIndex, Output, Send, Strip};

/// A strip, and the lanes that its automation has for the chain before it.
pub(super) struct StripParts {
    pub strip: Strip,
    pub insert_lanes: Vec<Vec<ParameterLane>>,
}

/// The strip of the track or bus at `pointer`.
pub(super) fn strip(
    pointer: &str,
    strip: &document::Strip,
    chain: &Chain,
    context: &Context<'_>,
    report: &mut Report,
) -> StripParts {
    let output = match strip.output.as_deref() {
        None | Some(MASTER) => Output::Master,
        Some(name) => {
            let bus = context.names.bus(name, &[MASTER], &format!("{pointer}/output"), report);
            bus.map_or(Output::Master, Output::Bus)
        }
    };
    let mut lanes = Lanes::of(pointer, &strip.automation, Some(&strip.sends), chain, context, report);
    let mut sends = Vec::new();
    for (index, send) in strip.sends.iter().enumerate() {
        let pointer = format!("{pointer}/sends/{index}/to");
        if let Some(first) = strip.sends[..index].iter().position(|other| other.to == send.to) {
            let message = format!("send {} goes to {:?} already", first + 1, send.to);
            report.push(&pointer, "duplicate_name", message, "one send to each bus");
        }
        let to = context.names.bus(&send.to, &[], &pointer, report).unwrap_or(0);
        sends.push(Send { to, gain_db: lanes.take(Target::Send(index), send.gain_db), tap: send.tap });
    }
    StripParts {
        strip: Strip {
            fader_db: lanes.take(Target::Fader, strip.fader_db),
            pan: lanes.take(Target::Pan, strip.pan),
            invert_polarity: strip.invert_polarity,
            mute: strip.mute,
            output,
            sends,
        },
        insert_lanes: lanes.into_inserts(),
    }
}

/// The master's fader, and the lanes of its chain.
pub(super) fn master(
    master: &document::Master,
    chain: &Chain,
    context: &Context<'_>,
    report: &mut Report,
) -> (Lane, Vec<Vec<ParameterLane>>) {
    let mut lanes = Lanes::of("/master", &master.automation, None, chain, context, report);
    (lanes.take(Target::Fader, master.fader_db), lanes.into_inserts())
}

/// Reports tracks whose stems need each other.
pub(super) fn track_cycles(context: &Context<'_>, report: &mut Report) {
    let mut edges = Vec::new();
    for (to, track) in context.document.tracks.iter().enumerate() {
        for (pointer, named) in keys(&format!("/tracks/{to}"), &track.inserts, context) {
            if let Named::Track(from) = named {
                edges.push(Edge { from, to, pointer });
            }
        }
    }
    if let Err(circles) = order(context.document.tracks.len(), &edges) {
        let name = |index: usize| context.document.tracks[index].name.as_str();
        report_circles(&circles, "tracks key each other in a circle", name, report);
    }
}

/// Buses so that each comes after all that feed or key it; reports circles.
pub(super) fn bus_order(context: &Context<'_>, report: &mut Report) -> Vec<BusIndex> {
    let mut edges = Vec::new();
    for (index, bus) in context.document.buses.iter().enumerate() {
        let pointer = format!("/buses/{index}");
        let output = bus.strip.output.iter().map(|name| (format!("{pointer}/output"), name));
        let sends = bus.strip.sends.iter().enumerate().map(|(send, to)| (format!("{pointer}/sends/{send}/to"), &to.to));
        for (pointer, name) in output.chain(sends) {
            if let Some(Named::Bus(to)) = context.names.get(name) {
                edges.push(Edge { from: index, to, pointer });
            }
        }
        for (pointer, named) in keys(&pointer, &bus.inserts, context) {
            if let Named::Bus(from) = named {
                edges.push(Edge { from, to: index, pointer });
            }
        }
    }
    order(context.document.buses.len(), &edges).unwrap_or_else(|circles| {
        let name = |index: usize| context.document.buses[index].name.as_str();
        report_circles(&circles, "buses feed each other in a circle", name, report);
        Vec::new()
    })
}

/// Where the inserts at work take their keys from.
fn keys(pointer: &str, inserts: &[document::Insert], context: &Context<'_>) -> Vec<(String, Named)> {
    let inserts = inserts.iter().enumerate().filter(|(_, insert)| !insert.bypass);
    inserts
        .filter_map(|(index, insert)| {
            let named = context.names.get(insert.sidechain.as_deref()?)?;
            Some((format!("{pointer}/inserts/{index}/sidechain"), named))
        })
        .collect()
}

fn report_circles<'a>(circles: &[Vec<&Edge>], what: &str, name: impl Fn(usize) -> &'a str, report: &mut Report) {
    for circle in circles {
        let Some(first) = circle.first() else { continue };
        let along: Vec<String> = circle.iter().map(|edge| format!("{:?}", name(edge.from))).collect();
        let message = format!("{what}: {} → {:?}", along.join(" → "), name(first.from));
        report.push(&first.pointer, "cycle", message, "signals that flow one way");
    }
}
