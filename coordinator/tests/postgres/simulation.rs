//! A whole farm in virtual time on the real statements: shares, limits, starvation. Small here; with MIXDOWN_LONG set, as
//! `make test-long` does, 1,000 workers run 100,000 tasks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::time::Duration;

use mixdown_coordinator::queue::artifacts::Made;
use mixdown_coordinator::queue::claim::{Ask, Assignment, Claim, Claimer, Terms};
use mixdown_coordinator::queue::settle::{Outcome, Settled, Settlement, Success, settle_all};
use mixdown_coordinator::queue::submit::{Requirements, Submission};
use mixdown_coordinator::queue::workers::{Registration, register};
use mixdown_coordinator::state::Priority;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::{Plan, PlannedTask};
use uuid::Uuid;

use crate::support::{Farm, key, planned, submission};

/// Seconds between two looks of the farm; tasks end and begin together at them.
const STEP: i64 = 10;
/// Seconds that a task takes, at least and at most.
const TASK_SECONDS: (i64, i64) = (20, 180);
/// Weights of the projects that compete.
const WEIGHTS: [i32; 4] = [1, 2, 3, 4];
const CAPPED: &str = "capped";
const CAPPED_TASKS: i32 = 7;
const PLUGIN_LICENCES: i32 = 5;
const GIB: i64 = 1 << 30;

/// The sizes of one run.
struct Size {
    workers: usize,
    tasks: usize,
}

fn size() -> Size {
    match std::env::var_os("MIXDOWN_LONG") {
        Some(_) => Size { workers: 1000, tasks: 100_000 },
        None => Size { workers: 60, tasks: 2_000 },
    }
}

/// Marsaglia's xorshift64: the same farm every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct SimulatedWorker {
    worker_id: Uuid,
    slots: i32,
    memory_bytes: i64,
    gpu: bool,
    used_slots: i32,
    used_memory_bytes: i64,
}

/// What the farm was asked, to be held against what it does.
#[derive(Clone)]
struct Asked {
    project: String,
    requirements: Requirements,
    ready: i64,
}

struct Running {
    worker: usize,
    assignment: Assignment,
}

struct Simulation {
    farm: Farm,
    dice: Dice,
    /// Virtual seconds since the farm began.
    now: i64,
    workers: Vec<SimulatedWorker>,
    asked: HashMap<Uuid, Asked>,
    running: HashMap<Uuid, Running>,
    ends: BinaryHeap<Reverse<(i64, Uuid)>>,
    claimer: Claimer,
    blob: Made,
    /// By job: how long its tasks waited, the longest.
    waited: BTreeMap<Uuid, i64>,
}

impl Simulation {
    async fn new(workers: usize) -> Self {
        let farm = Farm::new().await;
        for statement in [
            "create table virtual_clock as select now() + interval '1 day' as begun, 0::bigint as seconds",
            "create or replace function farm_now() returns timestamptz language sql stable
             return (select begun + seconds * interval '1 second' from virtual_clock)",
        ] {
            sqlx::query(statement).execute(&farm.pool).await.unwrap();
        }
        mixdown_coordinator::limits::set(&farm.pool, "plugin-x", PLUGIN_LICENCES).await.unwrap();
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
            now: 0,
            workers: Vec::new(),
            asked: HashMap::new(),
            running: HashMap::new(),
            ends: BinaryHeap::new(),
            claimer: Claimer::default(),
            blob,
            waited: BTreeMap::new(),
        };
        for number in 0..workers {
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
            life: 0,
        };
        register(&self.farm.pool, &registration).await.unwrap();
        self.workers.push(worker);
    }

    /// Queues a job of tasks that all ask the same.
    async fn queue(&mut self, project: &str, priority: Priority, requirements: Requirements, tasks: usize) -> Uuid {
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
        for task_id in ids {
            let asked = Asked { project: project.to_owned(), requirements: requirements.clone(), ready: self.now };
            self.asked.insert(task_id, asked);
        }
        job.job_id
    }

    /// What most jobs ask for, in the same mixture for every project.
    fn mixture(&mut self) -> (Priority, Requirements) {
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

    /// One look: ends what is over, begins what may begin, and holds everything against what was asked.
    async fn step(&mut self) {
        self.now += STEP;
        sqlx::query("update virtual_clock set seconds = $1").bind(self.now).execute(&self.farm.pool).await.unwrap();
        self.end().await;
        self.begin().await;
        self.check().await;
    }

    async fn end(&mut self) {
        let mut settlements = Vec::new();
        while let Some(Reverse((end, task_id))) = self.ends.peek().copied() {
            if end > self.now {
                break;
            }
            self.ends.pop();
            let Running { worker, assignment } = self.running.remove(&task_id).unwrap();
            let worker = &mut self.workers[worker];
            worker.used_slots -= assignment.slots;
            worker.used_memory_bytes -= assignment.memory_bytes;
            let made = Made { key: key(&assignment.display_name).to_string(), ..self.blob.clone() };
            settlements.push(Settlement {
                worker_id: worker.worker_id,
                task_id,
                attempt: assignment.attempt,
                request_id: Uuid::new_v4(),
                outcome: Outcome::Success(Success { artifacts: vec![made], ..Success::default() }),
            });
        }
        for batch in settlements.chunks(256) {
            let batch: Vec<&Settlement> = batch.iter().collect();
            let settled = settle_all(&self.farm.pool, &self.farm.store, &batch).await.unwrap();
            assert!(settled.iter().all(|settled| *settled == Settled::Accepted));
        }
    }

    async fn begin(&mut self) {
        let terms = Terms { lease: Duration::from_secs(600), lost_after: Duration::from_secs(1 << 30), reserve: true };
        loop {
            let free: Vec<usize> = (0..self.workers.len())
                .filter(|worker| self.workers[*worker].used_slots < self.workers[*worker].slots)
                .collect();
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
        let waited = self.waited.entry(assignment.job_id).or_default();
        *waited = (self.now - asked.ready).max(*waited);
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
        self.ends.push(Reverse((self.now + seconds, assignment.task_id)));
        self.running.insert(assignment.task_id, Running { worker, assignment });
    }

    /// Limits, as this side counts them, and as the database does.
    async fn check(&self) {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for (task_id, running) in &self.running {
            let asked = &self.asked[task_id];
            *counts.entry(format!("tasks/{}", asked.project)).or_default() += 1;
            *counts.entry(format!("slots/{}", asked.project)).or_default() += i64::from(running.assignment.slots);
            for limit in &asked.requirements.limits {
                *counts.entry(format!("limit/{limit}")).or_default() += 1;
            }
        }
        let count = |name: &str| counts.get(name).copied().unwrap_or(0);
        assert!(count("limit/plugin-x") <= i64::from(PLUGIN_LICENCES));
        assert!(count(&format!("tasks/{CAPPED}")) <= i64::from(CAPPED_TASKS));
        assert_eq!(self.farm.usage().await, serde_json::json!(counts));
    }

    /// Slots in use by project.
    fn slots(&self) -> BTreeMap<String, i64> {
        let mut slots = BTreeMap::new();
        for (task_id, running) in &self.running {
            *slots.entry(self.asked[task_id].project.clone()).or_default() += i64::from(running.assignment.slots);
        }
        slots
    }

    /// Projects that have tasks ready which any worker could run.
    async fn backlog(&self) -> BTreeMap<String, i64> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select project_id, count(*) from task join demand using (project_id, demand_id)
             where state = 'ready' and labels = '{}' and limits = '{}' and slots = 1 group by 1",
        )
        .fetch_all(&self.farm.pool)
        .await
        .unwrap();
        rows.into_iter().collect()
    }
}

fn projects() -> Vec<(String, i32)> {
    let competing = WEIGHTS.iter().map(|weight| (format!("w{weight}"), *weight));
    competing.chain([(CAPPED.to_owned(), 1), ("stream".to_owned(), 1)]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_farm_shares_by_weight_starves_nothing_and_keeps_every_limit() {
    let Size { workers, tasks } = size();
    let mut farm = Simulation::new(workers).await;
    let total: i32 = WEIGHTS.iter().sum();
    let jobs = tasks / 40;
    for _ in 0..jobs {
        // By weight, so that the projects run out at about the same time.
        let mut pick = farm.dice.roll(total as u64) as i32;
        let weight = WEIGHTS.iter().find(|weight| {
            pick -= **weight;
            pick < 0
        });
        let (priority, requirements) = farm.mixture();
        farm.queue(&format!("w{}", weight.unwrap()), priority, requirements, 40).await;
    }
    farm.queue(CAPPED, Priority::Urgent, Requirements::default(), 300).await;

    let slots: i64 = farm.workers.iter().map(|worker| i64::from(worker.slots)).sum();
    let (mut used, mut looks) = (BTreeMap::<String, i64>::new(), 0);
    let mut whole = Vec::new();
    let mut bulk = None;
    loop {
        // Urgent work never ends in one project, with a bulk job behind it.
        let urgent = farm.workers.len() / 10;
        farm.queue("stream", Priority::Urgent, Requirements::default(), urgent.max(4)).await;
        if bulk.is_none() && looks == 8 {
            bulk = Some(farm.queue("stream", Priority::Bulk, Requirements::default(), 2).await);
        }
        // Now and then a task needs a whole worker, while small ones take every slot that becomes free.
        if looks % 40 == 20 && whole.len() < 4 {
            let wants = Requirements { whole_worker: true, slots: 4, ..Requirements::default() };
            whole.push(farm.queue("w2", Priority::Urgent, wants, 1).await);
        }
        farm.step().await;
        let backlog = farm.backlog().await;
        let all_compete =
            WEIGHTS.iter().all(|weight| backlog.get(&format!("w{weight}")).is_some_and(|left| *left > 50));
        if !all_compete {
            break;
        }
        for (project, slots) in farm.slots() {
            *used.entry(project).or_default() += slots;
        }
        looks += 1;
    }
    let busy: i64 = used.values().sum();
    let utilisation = busy as f64 / (slots * looks) as f64;
    println!("{workers} workers, {slots} slots, {looks} looks: {:.1} % of the slots in use", 100.0 * utilisation);

    // Who competes shares by weight what the capped and the stream leave.
    let competing: i64 = WEIGHTS.iter().map(|weight| used[&format!("w{weight}")]).sum();
    for weight in WEIGHTS {
        let share = used[&format!("w{weight}")] as f64 / competing as f64;
        let expected = f64::from(weight) / f64::from(total);
        println!("weight {weight}: {:.2} % of {:.0} %", 100.0 * share, 100.0 * expected);
        assert!((share / expected - 1.0).abs() < 0.05, "weight {weight}: {share} against {expected}");
    }
    assert!(utilisation > 0.95, "{utilisation}");

    // The bounds that docs/operations.md states: 30 s and the longest task for a whole worker; 30 minutes and the longest
    // task for a bulk task behind urgent ones.
    let reserve_bound = 30 + TASK_SECONDS.1 + 3 * STEP;
    let ageing_bound = 30 * 60 + TASK_SECONDS.1 + 3 * STEP;
    let end = farm.now + 2 * ageing_bound;
    while whole.iter().chain(&bulk).any(|job| !farm.waited.contains_key(job)) && farm.now < end {
        farm.queue("stream", Priority::Urgent, Requirements::default(), farm.workers.len() / 2).await;
        farm.step().await;
    }
    for job in &whole {
        let waited = farm.waited.get(job).copied();
        println!("a task that needs a whole worker waited for {waited:?} s");
        assert!(waited.is_some_and(|seconds| seconds <= reserve_bound), "{waited:?}");
    }
    let waited = bulk.and_then(|job| farm.waited.get(&job).copied());
    println!("a bulk task behind urgent ones waited for {waited:?} s");
    assert!(waited.is_some_and(|seconds| seconds <= ageing_bound), "{waited:?}");
}
