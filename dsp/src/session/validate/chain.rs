//! Chains of inserts: names, channels, parameters, side-chains.

use super::files::processor_file;
use super::names::{Named, check_name};
use super::{Context, Report};
use crate::node::ParameterLane;
use crate::nodes::Processor;
use crate::session::document;
use crate::session::tree::segment;
use crate::session::valid::{BusIndex, Insert, KeySource, TrackIndex};

/// Whose chain it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Track(TrackIndex),
    Bus(BusIndex),
    Master,
}

/// A chain with every insert, bypassed ones among them: automation may name those too.
pub(super) struct Chain {
    pub inserts: Vec<Insert>,
    bypassed: Vec<bool>,
    /// Channels that leave the chain.
    pub channels_out: usize,
}

impl Chain {
    /// The inserts that are at work, each with its lanes. Empty if the lanes were not read.
    pub fn finish(self, mut lanes: Vec<Vec<ParameterLane>>) -> Vec<Insert> {
        lanes.resize(self.inserts.len(), Vec::new());
        let inserts = self.inserts.into_iter().zip(self.bypassed).zip(lanes);
        inserts.filter(|((_, bypassed), _)| !bypassed).map(|((insert, _), lanes)| Insert { lanes, ..insert }).collect()
    }
}

/// The chain of what is at `pointer`.
pub(super) fn chain(
    pointer: &str,
    inserts: &[document::Insert],
    channels: usize,
    owner: Owner,
    context: &Context<'_>,
    report: &mut Report,
) -> Chain {
    let mut chain = Chain { inserts: Vec::new(), bypassed: Vec::new(), channels_out: channels };
    for (index, insert) in inserts.iter().enumerate() {
        let pointer = format!("{pointer}/inserts/{index}");
        let name = name(&pointer, insert, index, report);
        if let Some(first) = chain.inserts.iter().position(|other| other.name == name) {
            let message = format!("{name:?} is also the name of insert {}", first + 1);
            report.push(format!("{pointer}/name"), "duplicate_name", message, "a name of its own in the chain");
        }
        check_parameters(&pointer, &insert.processor, context, report);
        let mut processor = insert.processor.clone();
        resolve_beats(&pointer, &mut processor, context, report);
        let asset = processor_file(&pointer, &mut processor, context, report);
        let sidechain = sidechain(&pointer, insert, owner, context, report);
        if !insert.bypass {
            chain.channels_out = processor.parameters().channels_out(chain.channels_out);
        }
        chain.inserts.push(Insert { name, processor, asset, sidechain, lanes: Vec::new() });
        chain.bypassed.push(insert.bypass);
    }
    chain
}

/// The given name, or the processor's with the insert's place in the chain from 1: `eq-1`.
fn name(pointer: &str, insert: &document::Insert, index: usize, report: &mut Report) -> String {
    match &insert.name {
        Some(name) => {
            check_name(name, &format!("{pointer}/name"), report);
            name.clone()
        }
        None => format!("{}-{}", insert.processor.name(), index + 1),
    }
}

fn check_parameters(pointer: &str, processor: &Processor, context: &Context<'_>, report: &mut Report) {
    for (field, fault) in processor.parameters().faults(context.base.sample_rate_hz) {
        let (message, expected) = fault.split_once("; expected ").unwrap_or((&fault, ""));
        let pointer = format!("{pointer}/{}{}", processor.name(), field_pointer(&field));
        report.push(pointer, "bad_parameter", format!("{field} {message}"), expected);
    }
}

/// Turns a delay in beats into milliseconds, which are all that its node, and its key, know.
fn resolve_beats(pointer: &str, processor: &mut Processor, context: &Context<'_>, report: &mut Report) {
    let Processor::Delay(delay) = processor else { return };
    let Some(beats) = delay.time_beats.take() else { return };
    let pointer = format!("{pointer}/delay/time_beats");
    let Some(tempo_bpm) = context.base.tempo_bpm else {
        let message = format!("the delay counts {beats} beats, but the session has no tempo");
        report.push(pointer, "no_tempo", message, "`tempo_bpm` in the document, or `time_ms`");
        return;
    };
    delay.time_ms = beats * 60_000.0 / tempo_bpm;
    if !(1.0..=5000.0).contains(&delay.time_ms) {
        let message = format!("{beats} beats at {tempo_bpm} beats per minute are {} ms", delay.time_ms);
        report.push(pointer, "out_of_range", message, "1 to 5000 ms");
    }
}

/// `bands.2.gain_db`, where bands count from 1, as `/bands/1/gain_db`.
fn field_pointer(field: &str) -> String {
    let step = |step: &str| match step.parse::<usize>() {
        Ok(number) => format!("/{}", number.saturating_sub(1)),
        Err(_) => format!("/{}", segment(step)),
    };
    field.split('.').filter(|part| !part.is_empty()).map(step).collect()
}

fn sidechain(
    pointer: &str,
    insert: &document::Insert,
    owner: Owner,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<KeySource> {
    let name = insert.sidechain.as_deref()?;
    let pointer = format!("{pointer}/sidechain");
    if !insert.processor.parameters().accepts_sidechain() {
        let message = format!("{} listens to no side-chain", insert.processor.name());
        report.push(&pointer, "no_sidechain", message, "no `sidechain` here");
    }
    match owner {
        Owner::Track(_) => {
            let reason = "a track keys from stems only, so that its own stem depends on no mix";
            context.names.track(name, reason, &pointer, report).map(KeySource::Track)
        }
        Owner::Bus(_) | Owner::Master => context.names.resolve(name, &pointer, report).map(|named| match named {
            Named::Track(index) => KeySource::Track(index),
            Named::Bus(index) => KeySource::Bus(index),
        }),
    }
}
