//! Who runs what next. Pure: the claim reads these values under the queue's lock and writes what is decided here.
//!
//! Tasks stand in *fronts*: those of one project, demand and priority, oldest first. All tasks of a front ask the same of
//! a worker, so that when the first cannot be placed, none can. The order is: fair share between projects by weight, then
//! class (a task that has waited long enters the front class), then age. What fits no asker is passed over, and kept a
//! worker free for once it has waited too long.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

#[cfg(test)]
mod tests;

/// A task enters the front class of its project after this long for each class that it stands behind: nothing waits for
/// ever behind more urgent tasks.
pub const AGEING_MICROS: i64 = 15 * 60 * 1_000_000;
/// A task that fits no worker as they become free is kept one free for after this long.
pub const RESERVE_AFTER_MICROS: i64 = 30 * 1_000_000;
/// A task gives way to one behind it in its front, whose inputs lie in an asker's cache, for at most this long.
pub const NEARNESS_PATIENCE_MICROS: i64 = 5 * 1_000_000;
/// Session documents in one answer take at most this, so that it fits a message; one task is handed out however large.
const MAX_DOCUMENT_BYTES: i64 = 12 * 1024 * 1024;
/// Workers kept free that one claim asks for.
const MAX_OVERDUE: usize = 8;

/// What a task asks of its worker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Demand {
    /// Slots it takes, at least.
    pub slots: i32,
    /// It takes all slots of its worker.
    pub whole_worker: bool,
    pub memory_bytes: i64,
    pub labels: Vec<String>,
    /// Named limits, of each of which it holds one.
    pub limits: Vec<String>,
    pub revisions: BTreeMap<String, u32>,
}

impl Demand {
    /// Slots it takes of a worker that has so many.
    pub fn slots_of(&self, worker_slots: i32) -> i32 {
        if self.whole_worker { worker_slots.max(self.slots) } else { self.slots }
    }
}

/// What a worker offers when nothing runs on it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Offer {
    pub slots: i32,
    /// None if it did not say: then none is refused for it.
    pub memory_bytes: Option<i64>,
    pub labels: Vec<String>,
    pub revisions: BTreeMap<String, u32>,
}

impl Offer {
    /// Whether a task could run on it once nothing else does.
    pub fn meets(&self, demand: &Demand) -> bool {
        self.slots >= demand.slots
            && self.memory_bytes.is_none_or(|bytes| bytes >= demand.memory_bytes)
            && demand.labels.iter().all(|label| self.labels.contains(label))
            && demand.revisions.iter().all(|(name, revision)| self.revisions.get(name) == Some(revision))
    }
}

/// A project with what runs of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Project {
    pub weight: i32,
    pub running_tasks: i64,
    /// Those of workers kept free for it included.
    pub running_slots: i64,
    pub running_limit: Option<i64>,
}

/// A ready task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub task_id: Uuid,
    pub ready_micros: i64,
    pub document_bytes: i64,
    /// Who made most of what it reads.
    pub near: Option<Uuid>,
}

/// The first ready tasks of one project, demand and priority.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Front {
    /// Index of its project.
    pub project: usize,
    pub demand: Demand,
    pub priority: i64,
    /// Oldest first.
    pub candidates: Vec<Candidate>,
    /// There are more behind the last.
    pub more: bool,
}

/// A worker that asks for tasks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asker<'a> {
    pub worker_id: Uuid,
    pub offer: &'a Offer,
    pub max_tasks: usize,
    pub used_slots: i64,
    pub used_memory_bytes: i64,
    /// The task that it is kept free for.
    pub reserved: Option<Reserved>,
}

/// A ready task that a worker is kept free for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reserved {
    pub task_id: Uuid,
    /// What it will take.
    pub slots: i32,
    pub memory_bytes: i64,
}

/// Everything that the decision rests on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene<'a> {
    pub now_micros: i64,
    pub projects: Vec<Project>,
    pub fronts: Vec<Front>,
    /// What is left of each named limit.
    pub limits: BTreeMap<String, i64>,
    pub askers: Vec<Asker<'a>>,
    /// Tasks that a worker is kept free for, whether or not it asks.
    pub reserved: BTreeSet<Uuid>,
}

/// One task for one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Index of its front.
    pub front: usize,
    pub task_id: Uuid,
    /// Index of the worker.
    pub asker: usize,
    /// What it takes of it.
    pub slots: i32,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Placement {
    pub placed: Vec<Placed>,
    /// Tasks, with their fronts, that a worker is to be kept free for.
    pub overdue: Vec<(usize, Uuid)>,
    /// The candidates of a front ran out before the askers: look again.
    pub more: bool,
}

/// The class that a task stands in, given how long it has waited.
pub(crate) fn class(priority: i64, waited_micros: i64) -> i64 {
    if waited_micros >= AGEING_MICROS * priority { 0 } else { priority }
}

/// Places ready tasks on the workers that ask.
pub(crate) fn place(scene: Scene<'_>) -> Placement {
    let mut by_room: Vec<usize> = (0..scene.askers.len()).collect();
    // Fullest first, so that whole workers stay free; then who has asked for longest.
    by_room.sort_by_key(|&asker| i64::from(scene.askers[asker].offer.slots) - scene.askers[asker].used_slots);
    let mut placer = Placer {
        loads: scene.askers.iter().map(|asker| Load { tasks_left: asker.max_tasks, document_bytes: 0 }).collect(),
        by_id: scene.askers.iter().enumerate().map(|(index, asker)| (asker.worker_id, index)).collect(),
        able: vec![BTreeMap::new(); scene.fronts.len()],
        closed: scene.fronts.iter().map(|front| front.candidates.is_empty()).collect(),
        by_room,
        placement: Placement::default(),
        scene,
    };
    placer.start_reserved();
    while !placer.placement.more && !placer.by_room.is_empty() {
        let Some(front) = placer.next_front() else { break };
        placer.serve(front);
    }
    placer.placement
}

/// What a claim has given an asker so far.
struct Load {
    tasks_left: usize,
    document_bytes: i64,
}

struct Placer<'a> {
    scene: Scene<'a>,
    loads: Vec<Load>,
    by_id: BTreeMap<Uuid, usize>,
    /// Askers that may take another task, fullest first.
    by_room: Vec<usize>,
    /// Whether an asker meets a front's demand, as far as that was asked.
    able: Vec<BTreeMap<usize, bool>>,
    /// Fronts of which nothing more can be placed.
    closed: Vec<bool>,
    placement: Placement,
}

impl Placer<'_> {
    /// Workers kept free serve their task before any other.
    fn start_reserved(&mut self) {
        for asker in 0..self.scene.askers.len() {
            let Some(reserved) = self.scene.askers[asker].reserved else { continue };
            let found = self.scene.fronts.iter().enumerate().find_map(|(front, tasks)| {
                let place = tasks.candidates.iter().position(|candidate| candidate.task_id == reserved.task_id)?;
                Some((front, place))
            });
            if let Some((front, place)) = found
                && self.within_limits(front)
                && self.fits(front, place, asker)
            {
                self.take(front, place, asker);
            }
        }
    }

    /// The front whose first task is next: of the project furthest below its share, the first class, the oldest.
    fn next_front(&self) -> Option<usize> {
        let open = self.scene.fronts.iter().enumerate().filter(|(index, _)| !self.closed[*index]);
        let place = |front: &Front| {
            let Project { running_slots, weight, .. } = self.scene.projects[front.project];
            let first = &front.candidates[0];
            let class = class(front.priority, self.scene.now_micros - first.ready_micros);
            ((running_slots + 1) as f64 / f64::from(weight), class, first.ready_micros, first.task_id)
        };
        let compare = |one: &Front, other: &Front| {
            let (one, other) = (place(one), place(other));
            one.0.total_cmp(&other.0).then((one.1, one.2, one.3).cmp(&(other.1, other.2, other.3)))
        };
        open.min_by(|(_, one), (_, other)| compare(one, other)).map(|(index, _)| index)
    }

    /// Places the first task of a front, or one behind it whose inputs are near; closes the front if neither can be.
    fn serve(&mut self, front: usize) {
        if !self.within_limits(front) {
            self.closed[front] = true;
            return;
        }
        if let Some((place, asker)) = self.near(front) {
            self.take(front, place, asker);
            return;
        }
        for index in 0..self.by_room.len() {
            let asker = self.by_room[index];
            if self.able(front, asker) && self.fits(front, 0, asker) {
                self.take(front, 0, asker);
                return;
            }
        }
        self.pass_over(front);
    }

    fn within_limits(&self, front: usize) -> bool {
        let Front { project, demand, .. } = &self.scene.fronts[front];
        let project = &self.scene.projects[*project];
        project.running_limit.is_none_or(|limit| project.running_tasks < limit)
            && demand.limits.iter().all(|name| self.scene.limits.get(name).is_some_and(|left| *left > 0))
    }

    /// A task among the first of a front, and the asker whose cache is likely to hold what it reads.
    fn near(&mut self, front: usize) -> Option<(usize, usize)> {
        let candidates = &self.scene.fronts[front].candidates;
        let patient = self.scene.now_micros - candidates[0].ready_micros < NEARNESS_PATIENCE_MICROS;
        let window = if patient { candidates.len() } else { 1 };
        (0..window).find_map(|place| {
            let near = self.scene.fronts[front].candidates[place].near?;
            let asker = *self.by_id.get(&near)?;
            (self.able(front, asker) && self.fits(front, place, asker)).then_some((place, asker))
        })
    }

    fn able(&mut self, front: usize, asker: usize) -> bool {
        let (offer, demand) = (self.scene.askers[asker].offer, &self.scene.fronts[front].demand);
        *self.able[front].entry(asker).or_insert_with(|| offer.meets(demand))
    }

    /// Whether an asker that meets the demand has room for a task now.
    fn fits(&self, front: usize, place: usize, asker: usize) -> bool {
        let (Front { demand, candidates, .. }, load) = (&self.scene.fronts[front], &self.loads[asker]);
        let (asker, candidate) = (&self.scene.askers[asker], &candidates[place]);
        let Offer { slots, memory_bytes, .. } = asker.offer;
        // Beside the task that it is kept free for, a worker takes only what leaves that its room.
        let (kept_slots, kept_bytes) = match asker.reserved {
            Some(kept) if kept.task_id != candidate.task_id => (i64::from(kept.slots), kept.memory_bytes),
            _ => (0, 0),
        };
        load.tasks_left > 0
            && asker.used_slots + i64::from(demand.slots_of(*slots)) + kept_slots <= i64::from(*slots)
            && memory_bytes.is_none_or(|bytes| asker.used_memory_bytes + demand.memory_bytes + kept_bytes <= bytes)
            && (load.document_bytes == 0 || load.document_bytes + candidate.document_bytes <= MAX_DOCUMENT_BYTES)
    }

    fn take(&mut self, front: usize, place: usize, asker: usize) {
        let tasks = &mut self.scene.fronts[front];
        let candidate = tasks.candidates.remove(place);
        let worker = &mut self.scene.askers[asker];
        let slots = tasks.demand.slots_of(worker.offer.slots);
        if worker.reserved.is_some_and(|kept| kept.task_id == candidate.task_id) {
            worker.reserved = None;
        } else {
            let project = &mut self.scene.projects[tasks.project];
            project.running_slots += i64::from(slots);
        }
        worker.used_slots += i64::from(slots);
        worker.used_memory_bytes += tasks.demand.memory_bytes;
        self.scene.projects[tasks.project].running_tasks += 1;
        for name in &tasks.demand.limits {
            *self.scene.limits.entry(name.clone()).or_default() -= 1;
        }
        let load = &mut self.loads[asker];
        load.tasks_left -= 1;
        load.document_bytes += candidate.document_bytes.max(1);
        if load.tasks_left == 0 || worker.used_slots >= i64::from(worker.offer.slots) {
            self.by_room.retain(|&other| other != asker);
        }
        if tasks.candidates.is_empty() {
            self.closed[front] = true;
            self.placement.more |= tasks.more;
        }
        self.placement.placed.push(Placed { front, task_id: candidate.task_id, asker, slots });
    }

    /// Nobody who asks has room for the tasks of this front.
    fn pass_over(&mut self, front: usize) {
        self.closed[front] = true;
        let Front { project, demand, candidates, .. } = &self.scene.fronts[front];
        let first = &candidates[0];
        let overdue = self.scene.now_micros - first.ready_micros >= RESERVE_AFTER_MICROS;
        if overdue && !self.scene.reserved.contains(&first.task_id) && self.placement.overdue.len() < MAX_OVERDUE {
            self.placement.overdue.push((front, first.task_id));
            // As if it ran: a project reserves no more than its share.
            self.scene.projects[*project].running_slots += i64::from(demand.slots);
        }
    }
}
