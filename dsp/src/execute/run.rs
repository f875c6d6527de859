//! The steps of a task: decode, render, solve, finish.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::decode::decode;
use super::share::Share;
use super::{ExecuteError, Files, Made, Options};
use crate::digest::Digest;
use crate::finish::{self, Hearing, Solution};
use crate::graph::{self, Listener, Request, StemRequest, WholeFile, Wiring, in_parallel};
use crate::plan::{Key, Keys, TaskSpec, cost, solved_on};
use crate::progress::Monitor;
use crate::session::ValidSession;
use crate::session::valid::{AssetIndex, Content, DeliverableIndex, GroupPrintIndex, MixIndex, TrackIndex};

/// A task at work.
pub(super) struct Run<'a> {
    pub session: &'a ValidSession,
    pub keys: &'a Keys,
    pub task: &'a TaskSpec,
    pub files: &'a dyn Files,
    pub options: Options,
    pub monitor: &'a dyn Monitor,
}

/// What a pass leaves beside its files.
struct Rendered {
    /// Mixes that a gain is to be solved on.
    heard: BTreeMap<MixIndex, Hearing>,
    /// Of files, where any is kept.
    digests: BTreeMap<PathBuf, Digest>,
}

impl Run<'_> {
    /// Runs every step.
    pub(super) fn all(&self) -> Result<Vec<Made>, ExecuteError> {
        self.check()?;
        let mut made = self.decode()?;
        let Rendered { heard, digests } = self.render()?;
        let kept = |key: Key, path: PathBuf| Made { key, digest: digests.get(&path).copied(), path, master: None };
        made.extend(self.task.keep_stems.iter().map(|track| kept(self.keys.stems[*track], self.stem_file(*track))));
        made.extend(self.task.keep_mixes.iter().map(|mix| kept(self.keys.mixes[*mix], self.mix_file(*mix))));
        let groups = &self.task.keep_groups;
        made.extend(groups.iter().map(|print| kept(self.keys.groups[*print], self.group_file(*print))));
        made.extend(self.solve(heard)?);
        made.extend(self.finish()?);
        Ok(made)
    }

    /// Refuses a task that is none of this session's: it comes over the wire.
    fn check(&self) -> Result<(), ExecuteError> {
        let (session, task) = (self.session, self.task);
        let within = |indices: &[usize], count: usize| indices.iter().all(|index| *index < count);
        let known = within(&task.decode, session.assets.len())
            && within(&task.render_stems, session.tracks.len())
            && within(&task.mixes, session.mixes.len())
            && within(&task.groups, session.group_prints.len())
            && within(&task.solutions, session.mixes.len())
            && within(&task.masters, session.deliverables.len())
            && task.keep_stems.iter().all(|track| task.render_stems.contains(track))
            && task.keep_mixes.iter().all(|mix| task.mixes.contains(mix))
            && task.keep_groups.iter().all(|print| task.groups.contains(print));
        let keyed = task.decode.iter().all(|asset| self.keys.decoded[*asset].is_some())
            && task.solutions.iter().all(|mix| self.keys.solutions[*mix].is_some());
        if known && keyed {
            Ok(())
        } else {
            Err(ExecuteError::BadSession("the task names artifacts that this session does not have".to_owned()))
        }
    }

    fn work_file(&self, name: &str) -> PathBuf {
        self.files.work_dir().join(name)
    }

    fn decoded_file(&self, asset: AssetIndex) -> PathBuf {
        self.work_file(&format!("decoded-{asset}.pcm"))
    }

    fn stem_file(&self, track: TrackIndex) -> PathBuf {
        self.work_file(&format!("stem-{track}.pcm"))
    }

    fn mix_file(&self, mix: MixIndex) -> PathBuf {
        self.work_file(&format!("mix-{mix}.pcm"))
    }

    fn group_file(&self, print: GroupPrintIndex) -> PathBuf {
        self.work_file(&format!("group-{print}.pcm"))
    }

    fn solution_file(&self, mix: MixIndex) -> PathBuf {
        self.work_file(&format!("solution-{mix}.json"))
    }

    /// Where a stem is, rendered by this task or before.
    fn stem_source(&self, track: TrackIndex) -> PathBuf {
        if self.task.render_stems.contains(&track) {
            self.stem_file(track)
        } else {
            self.files.artifact(&self.keys.stems[track])
        }
    }

    /// Where a mix is, made by this task or before.
    fn mix_source(&self, mix: MixIndex) -> PathBuf {
        if self.task.mixes.contains(&mix) { self.mix_file(mix) } else { self.files.artifact(&self.keys.mixes[mix]) }
    }

    /// Where a group's print is, made by this task (of the same recipe, perhaps in another mix) or before.
    fn group_source(&self, print: GroupPrintIndex) -> PathBuf {
        let key = self.keys.groups[print];
        let made = self.task.group_of_key(self.keys, key);
        made.map_or_else(|| self.files.artifact(&key), |print| self.group_file(print))
    }

    /// The file that clips of an asset read: the original of a lossless one, the PCM of a lossy one.
    fn asset_source(&self, asset: AssetIndex) -> PathBuf {
        match self.keys.decoded[asset] {
            _ if self.task.decode.contains(&asset) => self.decoded_file(asset),
            Some(key) => self.files.artifact(&key),
            None => self.original(asset),
        }
    }

    fn original(&self, asset: AssetIndex) -> PathBuf {
        let asset = &self.session.assets[asset];
        self.files.asset(&asset.name, &asset.facts.digest)
    }

    fn decode(&self) -> Result<Vec<Made>, ExecuteError> {
        in_parallel(self.options.threads, self.task.decode.clone(), |index| {
            let asset = &self.session.assets[index];
            let share = Share::new(self.monitor, cost::decode_ns(self.session, index), asset.facts.frames);
            decode(asset, &self.original(index), &self.decoded_file(index), &share)?;
            share.finish();
            Ok::<_, ExecuteError>(())
        })?;
        let made = |index: &AssetIndex| {
            let key = self.keys.decoded[*index]?;
            Some(Made { key, path: self.decoded_file(*index), digest: None, master: None })
        };
        Ok(self.task.decode.iter().filter_map(made).collect())
    }

    /// One pass over the session for all stems, mixes and groups. Mixes that a gain is solved on are heard on the way, and files are
    /// hashed where any is kept.
    fn render(&self) -> Result<Rendered, ExecuteError> {
        let (session, task) = (self.session, self.task);
        let printed: BTreeSet<TrackIndex> = task
            .masters
            .iter()
            .filter_map(|file| match session.deliverables[*file].content {
                Content::Print(track) => Some(track),
                Content::Mix(_) | Content::Group(_) => None,
            })
            .collect();
        let render_stems: BTreeMap<TrackIndex, StemRequest> = task
            .render_stems
            .iter()
            .map(|track| {
                let stored = task.keep_stems.contains(track) || printed.contains(track);
                (*track, StemRequest { file: stored.then(|| self.stem_file(*track)) })
            })
            .collect();
        let asset_paths: Vec<PathBuf> = (0..session.assets.len()).map(|asset| self.asset_source(asset)).collect();
        let mix = |mix: &MixIndex| (Wiring::of_mix(session, *mix), self.mix_file(*mix));
        let group = |print: &GroupPrintIndex| {
            (Wiring::of_group(session, &session.group_prints[*print]), self.group_file(*print))
        };
        let mixes: Vec<(Wiring, PathBuf)> = task.mixes.iter().map(mix).chain(task.groups.iter().map(group)).collect();
        let request = Request {
            session,
            asset_paths: &asset_paths,
            render_stems: &render_stems,
            stem_artifact: &|track| self.files.artifact(&self.keys.stems[track]),
            mixes: &mixes,
            threads: self.options.threads,
            block_frames: self.options.block_frames,
            hashed: !(task.keep_stems.is_empty() && task.keep_mixes.is_empty() && task.keep_groups.is_empty()),
        };
        let stems: u64 = task.render_stems.iter().map(|track| cost::stem_ns(session, *track)).sum();
        let mixes: u64 = task.mixes.iter().map(|mix| cost::mix_ns(session, *mix)).sum();
        let groups: u64 = task.groups.iter().map(|print| cost::group_ns(session, *print)).sum();
        let is_solved = |mix: &&MixIndex| self.task.solutions.contains(mix);
        let hearing = |mix: &MixIndex| (*mix, Hearing::new(session.sample_rate_hz, 2));
        let mut heard: BTreeMap<MixIndex, Hearing> = task.mixes.iter().filter(is_solved).map(hearing).collect();
        let listeners = heard.iter_mut().filter_map(|(mix, hearing)| {
            let index = task.mixes.iter().position(|made| made == mix)?;
            let listener: Listener<'_> = Box::new(|block| hearing.push(block));
            Some((index, listener))
        });
        let digests = graph::render(&request, listeners.collect(), stems + mixes + groups, self.monitor)?;
        Ok(Rendered { heard, digests })
    }

    fn solve(&self, mut heard: BTreeMap<MixIndex, Hearing>) -> Result<Vec<Made>, ExecuteError> {
        let Some(loudness) = &self.session.loudness else { return Ok(Vec::new()) };
        let solved = self.task.solutions.iter().map(|mix| (*mix, heard.remove(mix)));
        in_parallel(self.options.threads, solved.collect(), |(mix, heard)| {
            let share = Share::new(self.monitor, cost::solve_ns(self.session), 4 * self.session.length_frames);
            let threads = self.threads_of_each(self.task.solutions.len());
            let solution =
                finish::solve(&self.mix_source(mix), heard, loudness, threads, &share).map_err(
                    |error| match error {
                        ExecuteError::BadSession(why) => {
                            ExecuteError::BadSession(format!("mix \"{}\": {why}", self.session.mixes[mix].name))
                        }
                        other => other,
                    },
                )?;
            share.finish();
            write_solution(&self.solution_file(mix), &solution)
        })?;
        let made = |mix: &MixIndex| {
            let key = self.keys.solutions[*mix]?;
            Some(Made { key, path: self.solution_file(*mix), digest: None, master: None })
        };
        Ok(self.task.solutions.iter().filter_map(made).collect())
    }

    /// The solution that a mix's gain is taken from. It is read from its file even if this task has just made it, so that a
    /// master has the same bits whichever task makes it.
    fn solution_of(&self, mix: MixIndex) -> Result<Option<Solution>, ExecuteError> {
        let Some(solved) = solved_on(self.session, mix) else { return Ok(None) };
        let path = match self.keys.solutions[solved] {
            _ if self.task.solutions.contains(&solved) => self.solution_file(solved),
            Some(key) => self.files.artifact(&key),
            None => return Ok(None),
        };
        read_solution(&path).map(Some)
    }

    /// The threads that each of so many jobs has to itself.
    fn threads_of_each(&self, jobs: usize) -> usize {
        (self.options.threads / jobs.max(1)).max(1)
    }

    fn finish(&self) -> Result<Vec<Made>, ExecuteError> {
        let mut made: Vec<Option<Made>> = vec![None; self.task.masters.len()];
        let jobs: Vec<_> = self.task.masters.iter().copied().zip(&mut made).collect();
        in_parallel(self.options.threads, jobs, |(index, made)| {
            *made = Some(self.master(index)?);
            Ok::<_, ExecuteError>(())
        })?;
        Ok(made.into_iter().flatten().collect())
    }

    fn master(&self, index: DeliverableIndex) -> Result<Made, ExecuteError> {
        let deliverable = &self.session.deliverables[index];
        let (source, solution) = match deliverable.content {
            Content::Mix(mix) => (self.mix_source(mix), self.solution_of(mix)?),
            Content::Print(track) => (self.stem_source(track), None),
            Content::Group(print) => (self.group_source(print), None),
        };
        let share = Share::new(self.monitor, cost::master_ns(self.session, index), 2 * self.session.length_frames);
        let work_dir = self.files.work_dir();
        let cover = self.session.cover.as_ref().map(|cover| self.files.asset(&cover.name, &cover.facts.digest));
        let (solution, cover) = (solution.as_ref(), cover.as_deref());
        let threads = self.threads_of_each(self.task.masters.len());
        let (path, report) = finish::deliver(&source, self.session, index, solution, cover, work_dir, threads, &share)?;
        share.finish();
        let master = Some((deliverable.file_name.clone(), report));
        Ok(Made { key: self.keys.masters[index], path, digest: None, master })
    }
}

fn write_solution(path: &Path, solution: &Solution) -> Result<(), ExecuteError> {
    let file = WholeFile::new(path);
    let bytes = serde_json::to_vec(solution).map_err(io::Error::other).map_err(graph::Error::writing(path))?;
    fs::write(file.partial(), bytes).map_err(graph::Error::writing(path))?;
    Ok(file.complete()?)
}

fn read_solution(path: &Path) -> Result<Solution, ExecuteError> {
    let bytes = fs::read(path).map_err(graph::Error::reading(path))?;
    let read = serde_json::from_slice(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
    Ok(read.map_err(graph::Error::reading(path))?)
}
