//! What deliverables hold: mixes, stems, groups, and one of each.

use std::collections::BTreeMap;

use super::mixes::{find, usual};
use super::shares::{Desk, MixGroups};
use super::{Context, Report};
use crate::session::document::{self, Each};
use crate::session::fault::Fault;
use crate::session::suggest::did_you_mean;
use crate::session::valid::{Content, GroupPrint, MixIndex, TrackIndex};

/// Finds what deliverables hold, and gathers the groups' prints that they ask for.
pub(super) struct Contents<'a> {
    desk: Desk<'a>,
    /// Of the mixes whose groups are asked for.
    groups: BTreeMap<MixIndex, MixGroups>,
    pub group_prints: Vec<GroupPrint>,
    pub notes: Vec<Fault>,
}

impl<'a> Contents<'a> {
    /// Nothing found yet.
    pub fn new(desk: Desk<'a>) -> Self {
        Self { desk, groups: BTreeMap::new(), group_prints: Vec::new(), notes: Vec::new() }
    }

    /// What the files of a deliverable hold: one content, or one of each. Empty if something was reported.
    pub fn of(
        &mut self,
        pointer: &str,
        deliverable: &document::Deliverable,
        context: &Context<'_>,
        report: &mut Report,
    ) -> Vec<Content> {
        let document::Deliverable { mix, print, group, each, .. } = deliverable;
        let holds = [("print", print.is_some()), ("group", group.is_some()), ("each", each.is_some())];
        let mut given = holds.into_iter().filter(|(_, given)| *given).map(|(field, _)| field);
        match (given.next(), given.next()) {
            (None, _) if mix.is_none() => {
                let expected = "`mix`, `print`, `group` or `each`";
                report.push(pointer, "missing_field", "the deliverable holds nothing", expected);
                return Vec::new();
            }
            (Some(first), Some(second)) => {
                let message = format!("a deliverable holds one thing, but here is {second:?} beside {first:?}");
                report.push(format!("{pointer}/{second}"), "too_many", message, "either of them");
                return Vec::new();
            }
            _ => {}
        }
        let beside_mix = match (print, each) {
            (Some(_), _) => {
                Some(("print", "a deliverable holds a mix or a print, not both", "either `mix` or `print`"))
            }
            (_, Some(Each::Mix)) => Some(("mix", "every mix is asked for, and one of them", "no `mix` here")),
            (_, Some(Each::Track)) => Some(("mix", "stems are the same in all mixes", "no `mix` here")),
            _ => None,
        };
        if let Some((field, message, expected)) = beside_mix.filter(|_| mix.is_some()) {
            report.push(format!("{pointer}/{field}"), "too_many", message, expected);
            return Vec::new();
        }
        if let Some(track) = print {
            let reason = "a print holds the stem of a track; `group` prints buses too";
            let track = context.names.track(track, reason, &format!("{pointer}/print"), report);
            return track.map(Content::Print).into_iter().collect();
        }
        let named = mix.as_ref().map(|mix| find(mix, self.desk.mixes, &format!("{pointer}/mix"), report));
        let Some(mix) = named.unwrap_or_else(|| Some(usual(self.desk.mixes))) else { return Vec::new() };
        match (group, each) {
            (Some(group), _) => self.group(pointer, group, mix, report).into_iter().collect(),
            (None, None) => vec![Content::Mix(mix)],
            (None, Some(Each::Mix)) => (0..self.desk.mixes.len()).map(Content::Mix).collect(),
            (None, Some(Each::Group)) => self.every_group(mix),
            (None, Some(Each::Track)) => {
                let plays = |track: &TrackIndex| !context.document.tracks[*track].clips.is_empty();
                (0..self.desk.tracks.len()).filter(plays).map(Content::Print).collect()
            }
        }
    }

    /// The groups of a mix. What there is to note of them is noted once.
    fn groups(&mut self, mix: MixIndex) -> &MixGroups {
        let Self { desk, groups, notes, .. } = self;
        groups.entry(mix).or_insert_with(|| {
            let groups = desk.groups_of(mix);
            notes.extend(groups.notes.iter().cloned());
            groups
        })
    }

    fn group(&mut self, pointer: &str, name: &str, mix: MixIndex, report: &mut Report) -> Option<Content> {
        let pointer = format!("{pointer}/group");
        let mix_name = self.desk.mixes[mix].name.clone();
        let groups = self.groups(mix);
        let Some((index, print)) = groups.find(name) else {
            let message =
                format!("no group of the mix {mix_name:?} is named {name:?}{}", did_you_mean(name, groups.names()));
            report.push(pointer, "dangling_name", message, groups.expected());
            return None;
        };
        let (print, heard) = (print.clone(), groups.heard[index]);
        if !heard {
            let message = format!(
                "nothing of the group {name:?} reaches the master of the mix {mix_name:?}: its print is silent"
            );
            self.notes.push(Fault::at(pointer, "silent_group", message, "a group that sounds in the mix"));
        }
        Some(self.asked(print))
    }

    fn every_group(&mut self, mix: MixIndex) -> Vec<Content> {
        let groups = self.groups(mix);
        let heard = groups.prints.iter().zip(&groups.heard).filter(|(_, heard)| **heard);
        let prints: Vec<GroupPrint> = heard.map(|(print, _)| print.clone()).collect();
        prints.into_iter().map(|print| self.asked(print)).collect()
    }

    /// The content of a print, however often it is asked for.
    fn asked(&mut self, print: GroupPrint) -> Content {
        let same = |other: &GroupPrint| other.mix == print.mix && other.name == print.name;
        let known = self.group_prints.iter().position(same);
        Content::Group(known.unwrap_or_else(|| {
            self.group_prints.push(print);
            self.group_prints.len() - 1
        }))
    }
}
