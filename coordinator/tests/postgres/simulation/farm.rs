//! The farm in virtual time: its workers are counters, all that decides is PostgreSQL.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::time::Duration;

use mixdown_coordinator::queue::artifacts::Made;
use mixdown_coordinator::queue::claim::{Ask, Assignment, Claim, Claimer, Terms};
use mixdown_coordinator::queue::expire::expire;
use mixdown_coordinator::queue::heartbeat::{Beat, Heartbeat, Progress, heartbeats};
use mixdown_coordinator::queue::settle::{Outcome, Settled, Settlement, Success, settle_all};
use mixdown_coordinator::queue::submit::{Requirements, Submission};
use mixdown_coordinator::queue::workers::{Registration, register};
use mixdown_coordinator::state::Priority;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::{Plan, PlannedTask};
use uuid::Uuid;

use super::dice::Dice;
use super::waits::{Demand, Waits};
use super::{CAPPED, CAPPED_TASKS, GIB, Size, TASK_SECONDS, projects};
use crate::support::{Farm, key, planned, submission};

/// Seconds between two looks of the farm; tasks end and begin together at them.
pub const STEP: i64 = 10;
/// How long a lease lives, and a worker that is not heard of.
pub const LEASE: Duration = Duration::from_secs(60);

pub struct SimulatedWorker {
    pub worker_id: Uuid,
    pub slots: i32,
    memory_bytes: i64,
    gpu: bool,
    used_slots: i32,
    used_memory_bytes: i64,
    /// Its machine is gone: it neither beats nor asks nor settles.
    pub lost: bool,
}

/// What the farm was asked, to be held against what it does.
#[derive(Clone)]
pub struct Asked {
    pub project: String,
    pub requirements: Requirements,
    pub demand: Demand,
    ready: i64,
}

pub struct Running {
    pub worker: usize,
    pub assignment: Assignment,
}

pub struct Simulation {
    pub farm: Farm,
    pub dice: Dice,
    pub size: Size,
    /// Virtual seconds since the farm began.
    pub now: i64,
    pub workers: Vec<SimulatedWorker>,
    pub asked: HashMap<Uuid, Asked>,
    pub running: HashMap<Uuid, Running>,
    ends: BinaryHeap<Reverse<(i64, Uuid, i32)>>,
    claimer: Claimer,
    blob: Made,
    pub waits: Waits,
    /// Tasks that succeeded.
    pub done: usize,
    /// Attempts whose worker was lost.
    pub lost: usize,
}

impl Simulation {
    pub async fn new(size: Size) -> Self {
        let farm = Farm::new().await;
        for statement in [
            "create table virtual_clock as select now() + interval '1 day' as begun, 0::bigint as seconds",
            "create or replace function farm_now() returns timestamptz language sql stable
             return (select begun + seconds * interval '1 second' from virtual_clock)",
        ] {
            sqlx::query(statement).execute(&farm.pool).await.unwrap();
        }
        mixdown_coordinator::limits::set(&farm.pool, "plugin-x", size.licences).await.unwrap();
        let bytes = b"every stem of this farm sounds the same";
        let digest = Digest::of(bytes).to_string();
        let file = farm.folder.path().join(&digest);
        std::fs::write(&file, bytes).unwrap();
        for (project_id, weight) in projects() {
            sqlx::query("insert into project (project_id, weight) values ($1, $2)")
                .bind(&project_id)
                .bind(weight)
                .execute(&farm.pool)
                .await
                .unwrap();
            farm.store.put_file(&file, &farm.store.blob(&project_id, &digest).unwrap()).await.unwrap();
        }
        mixdown_coordinator::projects::set(&farm.pool, CAPPED, None, Some(Some(CAPPED_TASKS))).await.unwrap();
        let blob = Made { key: String::new(), digest, size_bytes: bytes.len() as i64, report_json: String::new() };
        let mut simulation = Self {
            farm,
            dice: Dice(0x9E37_79B9_7F4A_7C15),
            size,
            now: 0,
            workers: Vec::new(),
            asked: HashMap::new(),
            running: HashMap::new(),
            ends: BinaryHeap::new(),
            claimer: Claimer::default(),
            blob,
            waits: Waits::default(),
            done: 0,
            lost: 0,
        };
        for number in 0..simulation.size.workers {
            simulation.add_worker(number).await;
        }
        simulation
    }

    async fn add_worker(&mut self, number: usize) {
        let worker = SimulatedWorker {
            worker_id: Uuid::new_v4(),
            slots: [1, 2, 4][number % 3],
            memory_bytes: [8, 16, 32][number % 3] * GIB,
            gpu: number.is_multiple_of(5),
            used_slots: 0,
            used_memory_bytes: 0,
            lost: false,
        };
        let registration = Registration {
            worker_id: worker.worker_id,
            name: format!("worker {number}"),
            slots: worker.slots,
            revisions: BTreeMap::from([("gain".to_owned(), 1)]),
            version: "test".into(),
            memory_bytes: Some(worker.memory_bytes),
            request_id: Uuid::new_v4(),
            labels: if worker.gpu { vec!["gpu".to_owned()] } else { Vec::new() },
            life: 1,
        };
        register(&self.farm.pool, &registration).await.unwrap();
        self.workers.push(worker);
    }

    /// Queues a job of tasks that all ask the same.
    pub async fn queue(&mut self, project: &str, priority: Priority, requirements: Requirements, tasks: usize) {
        let job = Submission {
            project_id: project.to_owned(),
            priority,
            requirements: requirements.clone(),
            ..submission(project)
        };
        let memory = (1 + self.dice.roll(4)) << 30;
        let task =
            |number| PlannedTask { memory_bytes: memory, ..planned(&format!("{} {number}", job.job_id), &[], &[]) };
        let plan = Plan { tasks: (0..tasks).map(task).collect(), cached: Vec::new() };
        self.farm.submit(&job, plan).await;
        let ids: Vec<Uuid> = sqlx::query_scalar("select task_id from task where job_id = $1")
            .bind(job.job_id)
            .fetch_all(&self.farm.pool)
            .await
            .unwrap();
        let asked = Asked {
            project: project.to_owned(),
            demand: Demand::of(project, priority, &requirements),
            requirements,
            ready: self.now,
        };
        self.asked.extend(ids.into_iter().map(|task_id| (task_id, asked.clone())));
    }

    /// What most jobs ask for, in the same mixture for every project.
    pub fn mixture(&mut self) -> (Priority, Requirements) {
        let priority = match self.dice.roll(10) {
            0 => Priority::Urgent,
            1..=6 => Priority::Normal,
            _ => Priority::Bulk,
        };
        let requirements = match self.dice.roll(20) {
            0 => Requirements { limits: vec!["plugin-x".to_owned()], ..Requirements::default() },
            1 | 2 => Requirements { labels: vec!["gpu".to_owned()], ..Requirements::default() },
            3 => Requirements { slots: 2, ..Requirements::default() },
            4 => Requirements { memory_bytes: 7 * GIB, ..Requirements::default() },
            _ => Requirements::default(),
        };
        (priority, requirements)
    }

    /// One in fifty machines dies in the middle of its work, and another like it takes its place.
    pub async fn lose_workers(&mut self) {
        for _ in 0..self.size.workers.div_ceil(50) {
            let living: Vec<usize> = (0..self.workers.len()).filter(|worker| !self.workers[*worker].lost).collect();
            let worker = living[self.dice.roll(living.len() as u64) as usize];
            self.workers[worker].lost = true;
            self.lost += self.running.values().filter(|running| running.worker == worker).count();
            // Of the same slots, memory and label: the pattern repeats.
            self.add_worker(worker % self.size.workers).await;
        }
    }

    /// One look: the living say so, ends what is over, begins what may begin, and holds everything against what was asked.
    pub async fn step(&mut self) {
        self.now += STEP;
        sqlx::query("update virtual_clock set seconds = $1").bind(self.now).execute(&self.farm.pool).await.unwrap();
        self.beat().await;
        self.end().await;
        self.expire().await;
        self.begin().await;
        self.check().await;
    }

    async fn beat(&self) {
        let mut beats: HashMap<usize, Beat> = HashMap::new();
        for (place, worker) in self.workers.iter().enumerate().filter(|(_, worker)| !worker.lost) {
            beats.insert(place, Beat { worker_id: worker.worker_id, leases: Vec::new() });
        }
        for (task_id, Running { worker, assignment }) in &self.running {
            if let Some(beat) = beats.get_mut(worker) {
                beat.leases.push(Progress { task_id: *task_id, attempt: assignment.attempt, progress: 0.5 });
            }
        }
        let beats: Vec<&Beat> = beats.values().collect();
        for heard in heartbeats(&self.farm.pool, &beats, LEASE).await.unwrap() {
            let Heartbeat::Heard { stop, drain: false, quarantine_reason: None } = heard else { panic!("{heard:?}") };
            assert!(stop.is_empty(), "a worker that beats loses no lease");
        }
    }

    /// Takes a task off its worker, as this side counts.
    fn release(&mut self, task_id: Uuid) -> Running {
        let running = self.running.remove(&task_id).unwrap();
        let worker = &mut self.workers[running.worker];
        worker.used_slots -= running.assignment.slots;
        worker.used_memory_bytes -= running.assignment.memory_bytes;
        running
    }

    async fn end(&mut self) {
        let mut settlements = Vec::new();
        while let Some(Reverse((end, task_id, attempt))) = self.ends.peek().copied() {
            if end > self.now {
                break;
            }
            self.ends.pop();
            let is_held = self
                .running
                .get(&task_id)
                .is_some_and(|running| running.assignment.attempt == attempt && !self.workers[running.worker].lost);
            if !is_held {
                continue;
            }
            let Running { worker, assignment } = self.release(task_id);
            let made = Made { key: key(&assignment.display_name).to_string(), ..self.blob.clone() };
            settlements.push(Settlement {
                worker_id: self.workers[worker].worker_id,
                task_id,
                attempt,
                request_id: Uuid::new_v4(),
                outcome: Outcome::Success(Success { artifacts: vec![made], ..Success::default() }),
            });
        }
        for batch in settlements.chunks(256) {
            let batch: Vec<&Settlement> = batch.iter().collect();
            let settled = settle_all(&self.farm.pool, &self.farm.store, &batch).await.unwrap();
            assert!(settled.iter().all(|settled| *settled == Settled::Accepted));
        }
        self.done += settlements.len();
    }

    /// Takes the leases of lost workers away once they have run out.
    async fn expire(&mut self) {
        if expire(&self.farm.pool).await.unwrap() == 0 {
            return;
        }
        let leased: Vec<Uuid> =
            sqlx::query_scalar("select task_id from lease").fetch_all(&self.farm.pool).await.unwrap();
        let leased: std::collections::HashSet<Uuid> = leased.into_iter().collect();
        let expired: Vec<Uuid> = self.running.keys().filter(|task_id| !leased.contains(task_id)).copied().collect();
        for task_id in expired {
            let Running { worker, .. } = self.release(task_id);
            assert!(self.workers[worker].lost, "only who is lost loses a lease");
        }
    }

    async fn begin(&mut self) {
        let terms = Terms { lease: LEASE, lost_after: LEASE, reserve: true };
        loop {
            let has_room = |worker: &SimulatedWorker| !worker.lost && worker.used_slots < worker.slots;
            let free: Vec<usize> = (0..self.workers.len()).filter(|worker| has_room(&self.workers[*worker])).collect();
            let ask = |worker: &usize| {
                let SimulatedWorker { worker_id, slots, used_slots, .. } = self.workers[*worker];
                Ask { worker_id, max_tasks: slots - used_slots, request_id: Uuid::new_v4() }
            };
            let asks: Vec<Ask> = free.iter().map(ask).collect();
            let claims = self.claimer.claim(&self.farm.pool, &asks, terms).await.unwrap();
            for (worker, answer) in free.into_iter().zip(claims.answers) {
                let Claim::Assigned(assignments) = answer else { panic!("{answer:?}") };
                assignments.into_iter().for_each(|assignment| self.start(worker, assignment));
            }
            if !claims.more {
                return;
            }
        }
    }

    fn start(&mut self, worker: usize, assignment: Assignment) {
        let asked = &self.asked[&assignment.task_id];
        if assignment.attempt == 1 {
            self.waits.add(&asked.demand, self.now - asked.ready);
        }
        let worker_of = &mut self.workers[worker];
        worker_of.used_slots += assignment.slots;
        worker_of.used_memory_bytes += assignment.memory_bytes;
        assert!(worker_of.used_slots <= worker_of.slots && worker_of.used_memory_bytes <= worker_of.memory_bytes);
        assert!(worker_of.gpu || asked.requirements.labels.is_empty());
        assert!(assignment.slots >= asked.requirements.slots);
        if asked.requirements.whole_worker {
            assert_eq!(assignment.slots, worker_of.slots);
        }
        let (least, most) = TASK_SECONDS;
        let seconds = least + self.dice.roll((most - least) as u64) as i64;
        self.waits.work(&asked.demand, seconds);
        self.ends.push(Reverse((self.now + seconds, assignment.task_id, assignment.attempt)));
        self.running.insert(assignment.task_id, Running { worker, assignment });
    }
}
