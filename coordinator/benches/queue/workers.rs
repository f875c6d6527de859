//! Simulated workers: they lease and settle over gRPC, and render nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mixdown_proto::v1::worker_service_client::WorkerServiceClient;
use mixdown_proto::v1::{
    Assignment, LeaseRequest, MadeArtifact, RegisterRequest, SettleRequest, TaskSuccess, settle_request::Outcome,
};
use sqlx::PgPool;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::coordinator::Coordinator;
use crate::jobs;

pub const WORKERS: usize = 1000;
/// Workers share connections, as the machines of a farm would share a few proxies: what a connection costs is the kernel's.
const CONNECTIONS: usize = 16;
/// Tasks of one claim, and of one job.
const TASKS: i32 = 20;
/// Jobs queued for the throughput: enough that the queue never runs dry.
const JOBS: usize = 1000;
const TASKS_OF_A_JOB: usize = 100;

pub type Client = WorkerServiceClient<Channel>;

/// Registers so many workers.
pub async fn register(coordinator: &Coordinator, workers: usize, slots: i32) -> Vec<(String, Client)> {
    let clients: Vec<Client> = (0..CONNECTIONS).map(|_| coordinator.workers()).collect();
    let mut registered = Vec::new();
    for number in 0..workers {
        let (worker_id, mut client) = (Uuid::new_v4().to_string(), clients[number % CONNECTIONS].clone());
        let request = RegisterRequest {
            worker_id: worker_id.clone(),
            name: format!("worker {number}"),
            slots,
            revisions: [("gain".to_owned(), 1)].into_iter().collect(),
            version: "bench".into(),
            request_id: Uuid::new_v4().to_string(),
            ..RegisterRequest::default()
        };
        client.register(request).await.unwrap();
        registered.push((worker_id, client));
    }
    registered
}

pub fn lease(worker_id: &str, max_tasks: i32, wait_seconds: f64) -> LeaseRequest {
    let request_id = Uuid::new_v4().to_string();
    LeaseRequest { worker_id: worker_id.to_owned(), max_tasks, wait_seconds, request_id }
}

/// What queued tasks make, by task: key, digest and size.
pub type Products = BTreeMap<String, (String, String, i64)>;

/// Settles a task as done.
pub async fn settle(client: &mut Client, worker_id: &str, task: Assignment, products: &Products) {
    let (key, digest, size_bytes) = products[&task.task_id].clone();
    let made = MadeArtifact { key, digest, size_bytes, report_json: String::new() };
    let request = SettleRequest {
        worker_id: worker_id.to_owned(),
        task_id: task.task_id,
        attempt: task.attempt,
        request_id: Uuid::new_v4().to_string(),
        outcome: Some(Outcome::Success(TaskSuccess { artifacts: vec![made], ..TaskSuccess::default() })),
        ..SettleRequest::default()
    };
    assert!(!client.settle(request).await.unwrap().into_inner().lease_lost);
}

/// Leases and settlements of 1,000 workers, each claiming 20 and settling one after the other, counted in both halves from
/// when every worker has had its first tasks.
pub async fn pairs_per_second(pool: &PgPool, coordinator: &Coordinator, duration: Duration) -> f64 {
    for _ in 0..JOBS {
        jobs::queue(pool, TASKS_OF_A_JOB).await;
    }
    jobs::analyze(pool).await;
    let made = Arc::new(jobs::products(pool, &coordinator.store).await);
    let halves = Arc::new(AtomicU64::new(0));
    let begun = Arc::new(Barrier::new(WORKERS + 1));
    let mut running = JoinSet::new();
    for (worker_id, mut client) in register(coordinator, WORKERS, TASKS).await {
        let (made, halves, begun) = (Arc::clone(&made), Arc::clone(&halves), Arc::clone(&begun));
        running.spawn(async move {
            let mut leased = client.lease(lease(&worker_id, TASKS, 60.0)).await.unwrap().into_inner();
            begun.wait().await;
            loop {
                for task in leased.assignments {
                    settle(&mut client, &worker_id, task, &made).await;
                    halves.fetch_add(1, Ordering::Relaxed);
                }
                leased = client.lease(lease(&worker_id, TASKS, 60.0)).await.unwrap().into_inner();
                halves.fetch_add(leased.assignments.len() as u64, Ordering::Relaxed);
            }
        });
    }
    begun.wait().await;
    let begun = Instant::now();
    tokio::time::sleep(duration).await;
    let pairs = halves.load(Ordering::Relaxed) as f64 / 2.0 / begun.elapsed().as_secs_f64();
    running.shutdown().await;
    let left: i64 =
        sqlx::query_scalar("select count(*) from task where state = 'ready'").fetch_one(pool).await.unwrap();
    assert!(left > 0, "the queue ran dry: {JOBS} jobs are too few for this machine");
    pairs
}

/// Milliseconds from a job's commit to its worker's answer, half of them and 99 of 100, while 1,000 workers wait and 20
/// jobs a second come in.
pub async fn ready_to_started(pool: &PgPool, coordinator: &Coordinator) -> (f64, f64) {
    const JOBS: usize = 200;
    const EVERY: Duration = Duration::from_millis(50);
    let started: Arc<Mutex<BTreeMap<String, Instant>>> = Arc::default();
    let mut waiting = JoinSet::new();
    for (worker_id, mut client) in register(coordinator, WORKERS, 1).await {
        let started = Arc::clone(&started);
        waiting.spawn(async move {
            // Each takes one task and holds it: there are more workers than jobs.
            loop {
                let leased = client.lease(lease(&worker_id, 1, 60.0)).await.unwrap().into_inner();
                if let Some(task) = leased.assignments.into_iter().next() {
                    started.lock().unwrap().insert(task.job_id, Instant::now());
                    return;
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut ready = Vec::new();
    let mut ticks = tokio::time::interval(EVERY);
    for _ in 0..JOBS {
        ticks.tick().await;
        let job_id = jobs::queue(pool, 1).await;
        ready.push((job_id.to_string(), Instant::now()));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    waiting.abort_all();
    let started = started.lock().unwrap();
    let mut times: Vec<f64> = ready
        .iter()
        .map(|(job_id, ready)| started[job_id].saturating_duration_since(*ready).as_secs_f64() * 1000.0)
        .collect();
    times.sort_by(f64::total_cmp);
    (times[JOBS / 2], times[JOBS * 99 / 100])
}
