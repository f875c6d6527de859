//! Automation lanes: which parameter, and a course within its range.

use super::chain::Chain;
use super::{Context, Report};
use crate::automation::{Curve, Knot, Lane};
use crate::node::{ParameterLane, ParameterSpec};
use crate::session::document::{self, Automation};
use crate::session::suggest::{did_you_mean, one_of};

/// A parameter of a strip or of the chain before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Fader,
    Pan,
    /// The gain of the send at an index.
    Send(usize),
    /// A parameter of an insert: both by index.
    Insert(usize, usize),
}

/// The lanes of one strip.
pub(super) struct Lanes {
    lanes: Vec<(Target, Lane)>,
    inserts: usize,
}

impl Lanes {
    /// Reads the lanes of what is at `pointer`. The master has no `sends` and no pan.
    pub fn of(
        pointer: &str,
        automation: &[Automation],
        sends: Option<&[document::Send]>,
        chain: &Chain,
        context: &Context<'_>,
        report: &mut Report,
    ) -> Self {
        let mut lanes: Vec<(Target, Lane)> = Vec::new();
        for (index, automation) in automation.iter().enumerate() {
            let pointer = format!("{pointer}/automation/{index}");
            let parameter = &automation.parameter;
            let Some((target, spec)) = find(parameter, sends, chain) else {
                if !report.is_full() {
                    unknown(&pointer, parameter, sends, chain, report);
                }
                continue;
            };
            if lanes.iter().any(|(other, _)| *other == target) {
                let message = format!("{parameter:?} is automated already");
                report.push(format!("{pointer}/parameter"), "duplicate_name", message, "one lane for each parameter");
            }
            lanes.extend(lane(&pointer, automation, &spec, context, report).map(|lane| (target, lane)));
        }
        Self { lanes, inserts: chain.inserts.len() }
    }

    /// The lane of a parameter, or its constant value.
    pub fn take(&mut self, target: Target, value: f64) -> Lane {
        let at = self.lanes.iter().position(|(other, _)| *other == target);
        at.map_or_else(|| Lane::constant(value), |at| self.lanes.swap_remove(at).1)
    }

    /// The lanes of every insert of the chain, by parameter.
    pub fn into_inserts(self) -> Vec<Vec<ParameterLane>> {
        let mut inserts = vec![Vec::new(); self.inserts];
        for (target, lane) in self.lanes {
            if let Target::Insert(insert, parameter) = target {
                inserts[insert].push(ParameterLane { parameter, lane });
            }
        }
        for lanes in &mut inserts {
            lanes.sort_by_key(|lane| lane.parameter);
        }
        inserts
    }
}

fn spec(name: &str, min: f64, max: f64) -> ParameterSpec {
    ParameterSpec { name: name.to_owned(), min, max }
}

/// What `parameter` names, and its range.
fn find(parameter: &str, sends: Option<&[document::Send]>, chain: &Chain) -> Option<(Target, ParameterSpec)> {
    match parameter {
        "fader_db" => return Some((Target::Fader, spec(parameter, -120.0, 24.0))),
        "pan" if sends.is_some() => return Some((Target::Pan, spec(parameter, -1.0, 1.0))),
        _ => {}
    }
    if let Some(bus) = parameter.strip_prefix("sends.").and_then(|rest| rest.strip_suffix(".gain_db")) {
        let send = sends?.iter().position(|send| send.to == bus)?;
        return Some((Target::Send(send), spec(parameter, -120.0, 24.0)));
    }
    let rest = parameter.strip_prefix("inserts.")?;
    // Names may hold dots: the longest that leaves a parameter is meant.
    let mut found: Option<(usize, usize, ParameterSpec)> = None;
    for (index, insert) in chain.inserts.iter().enumerate() {
        let Some(name) = after(rest, &insert.name) else {
            continue;
        };
        let longer = found.as_ref().is_none_or(|(other, ..)| chain.inserts[*other].name.len() < insert.name.len());
        let specs = insert.processor.parameters().specs();
        if let Some((parameter, spec)) = specs.into_iter().enumerate().find(|(_, spec)| longer && spec.name == name) {
            found = Some((index, parameter, spec));
        }
    }
    found.map(|(insert, parameter, spec)| (Target::Insert(insert, parameter), spec))
}

/// What follows the name of an insert.
fn after<'a>(parameter: &'a str, insert: &str) -> Option<&'a str> {
    parameter.strip_prefix(insert)?.strip_prefix('.')
}

/// Why a parameter that an insert does have cannot be automated.
fn why_fixed(parameter: &str, chain: &Chain) -> Option<String> {
    let rest = parameter.strip_prefix("inserts.")?;
    chain.inserts.iter().find_map(|insert| {
        let name = after(rest, &insert.name)?;
        let field = name.rsplit('.').next().unwrap_or(name);
        let fixed = insert.processor.parameters().fixed();
        let reason = fixed.iter().find(|(fixed, _)| *fixed == field).map(|(_, reason)| *reason);
        let value = insert.processor.field(name);
        let reason = match (reason, &value) {
            (Some(reason), _) if name == field || value.is_some() => reason,
            (None, Some(serde_json::Value::Number(_))) => "a band of its kind has no use for it",
            (None, Some(_)) => "it is a choice, made once for the session",
            _ => return None,
        };
        Some(format!("{field} of a {} cannot be automated: {reason}", insert.processor.name()))
    })
}

fn unknown(pointer: &str, parameter: &str, sends: Option<&[document::Send]>, chain: &Chain, report: &mut Report) {
    let mut known = vec!["fader_db".to_owned()];
    known.extend(sends.map(|_| "pan".to_owned()));
    known.extend(sends.into_iter().flatten().map(|send| format!("sends.{}.gain_db", send.to)));
    for insert in &chain.inserts {
        let specs = insert.processor.parameters().specs();
        known.extend(specs.into_iter().map(|spec| format!("inserts.{}.{}", insert.name, spec.name)));
    }
    let known = || known.iter().map(String::as_str);
    if let Some(message) = why_fixed(parameter, chain) {
        report.push(format!("{pointer}/parameter"), "not_automatable", message, one_of(known()));
        return;
    }
    let message = format!("no parameter {parameter:?} can be automated here{}", did_you_mean(parameter, known()));
    report.push(format!("{pointer}/parameter"), "dangling_name", message, one_of(known()));
}

fn lane(
    pointer: &str,
    automation: &Automation,
    spec: &ParameterSpec,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Lane> {
    let mut knots: Vec<Knot> = Vec::with_capacity(automation.points.len());
    let found = report.0.len();
    for (index, point) in automation.points.iter().enumerate() {
        let pointer = format!("{pointer}/points/{index}");
        let frame = context.frames(&point.at, &format!("{pointer}/at"), report);
        if let Some(before) = knots.last().filter(|before| before.frame >= frame) {
            let message = format!("the point at frame {frame} does not come after the one before it");
            report.push(format!("{pointer}/at"), "not_rising", message, format!("more than {} frames", before.frame));
        }
        if !(spec.min..=spec.max).contains(&point.value) {
            let message = format!("{} is {}", automation.parameter, point.value);
            report.push(format!("{pointer}/value"), "out_of_range", message, format!("{} to {}", spec.min, spec.max));
        }
        if let Some(before) = knots.last().filter(|before| before.curve == Curve::Exponential) {
            let one_sign = before.value * point.value > 0.0 && (point.value / before.value).is_finite();
            if !one_sign {
                let message = format!("an exponential segment cannot go from {} to {}", before.value, point.value);
                report.push(
                    format!("{pointer}/value"),
                    "bad_curve",
                    message,
                    "two values of one sign, neither of them 0",
                );
            }
        }
        knots.push(Knot { frame, value: point.value, curve: point.curve });
    }
    if report.0.len() > found { None } else { Lane::new(knots) }
}
