//! What heartbeats cost, and how soon a cancelled task's worker hears of it.

use std::path::Path;
use std::time::Duration;

use mixdown_coordinator::queue::cancel::{Changed, cancel};
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::server::Config;
use mixdown_proto::v1::{Assignment, HeartbeatRequest, LeaseProgress};
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::coordinator::Coordinator;
use crate::jobs;
use crate::workers::{Client, WORKERS, lease, register};

const MEASURED: Duration = Duration::from_secs(20);
/// Jobs cancelled while it is measured, each of so many tasks.
const CANCELS: usize = 10;
const TASKS: usize = 20;

/// How often workers beat, as coordinators ask for by default.
fn every() -> Duration {
    Duration::from_secs_f64(Config::default().heartbeat_seconds)
}

pub struct Pulse {
    /// Shares of a core.
    pub coordinator: f64,
    pub postgres: f64,
    /// The longest time from a cancel to its worker, in milliseconds.
    pub cancel_ms: f64,
    pub cancels: usize,
}

/// 1,000 workers that each run a task and beat, while jobs are cancelled.
pub async fn measure(pool: &PgPool, coordinator: &Coordinator) -> Pulse {
    let mut job_ids = Vec::new();
    for _ in 0..WORKERS / TASKS {
        job_ids.push(jobs::queue(pool, TASKS).await);
    }
    let (stopped, mut stops) = mpsc::unbounded_channel();
    let mut beating = JoinSet::new();
    for (number, (worker_id, mut client)) in register(coordinator, WORKERS, 1).await.into_iter().enumerate() {
        let held = client.lease(lease(&worker_id, 1, 1.0)).await.unwrap().into_inner().assignments.remove(0);
        let (stopped, job_id) = (stopped.clone(), held.job_id.clone());
        beating.spawn(beat(number, worker_id, client, vec![held], move || {
            let _ = stopped.send((job_id.clone(), Instant::now()));
        }));
    }
    tokio::time::sleep(every() + Duration::from_secs(1)).await;
    let postmaster = postmaster(pool).await;
    let (begun, before) = (Instant::now(), (cpu_seconds(coordinator.id()), family_seconds(postmaster)));

    let mut longest: f64 = 0.0;
    let mut ticks = tokio::time::interval(MEASURED / u32::try_from(CANCELS).unwrap());
    for job_id in job_ids.iter().take(CANCELS) {
        ticks.tick().await;
        let request = Request::new(Uuid::new_v4(), "CancelJob", &[]);
        let asked = Instant::now();
        assert_eq!(cancel(pool, "default", *job_id, &request).await.unwrap(), Changed::Done);
        // All its workers hear of it.
        for _ in 0..TASKS {
            let (heard_of, heard) = stops.recv().await.unwrap();
            assert_eq!(heard_of, job_id.to_string());
            longest = longest.max(heard.saturating_duration_since(asked).as_secs_f64() * 1000.0);
        }
    }
    tokio::time::sleep_until(begun + MEASURED).await;
    let elapsed = begun.elapsed().as_secs_f64();
    let after = (cpu_seconds(coordinator.id()), family_seconds(postmaster));
    beating.abort_all();
    Pulse {
        coordinator: (after.0 - before.0) / elapsed,
        postgres: (after.1 - before.1) / elapsed,
        cancel_ms: longest,
        cancels: CANCELS * TASKS,
    }
}

/// Beats for a worker that holds these tasks; calls `stopped` when it hears that it holds one no more.
pub async fn beat(number: usize, worker_id: String, mut client: Client, held: Vec<Assignment>, stopped: impl Fn()) {
    // Workers do not beat in step.
    tokio::time::sleep(every() * u32::try_from(number % WORKERS).unwrap() / WORKERS as u32).await;
    let progress = |task: Assignment| LeaseProgress { task_id: task.task_id, attempt: task.attempt, progress: 0.5 };
    let mut leases: Vec<LeaseProgress> = held.into_iter().map(progress).collect();
    loop {
        let begun = Instant::now();
        let request = HeartbeatRequest {
            worker_id: worker_id.clone(),
            leases: leases.clone(),
            wait_seconds: every().as_secs_f64(),
        };
        let heard = client.heartbeat(request).await.unwrap().into_inner();
        if !heard.stop.is_empty() {
            leases.clear();
            stopped();
        }
        tokio::time::sleep_until(begun + every()).await;
    }
}

/// The first process of the server that holds this database.
async fn postmaster(pool: &PgPool) -> u32 {
    let data_dir: String = sqlx::query_scalar("show data_directory").fetch_one(pool).await.unwrap();
    let text = std::fs::read_to_string(Path::new(&data_dir).join("postmaster.pid")).unwrap();
    text.lines().next().unwrap().trim().parse().unwrap()
}

/// User and system time of a process, with that of its children which have ended.
fn cpu_seconds(process: u32) -> f64 {
    stat(process).map_or(0.0, |(_, ticks)| ticks)
}

/// The same of a process and the children that it has.
fn family_seconds(process: u32) -> f64 {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = processes.filter_map(stat).filter(|(parent, _)| *parent == process).map(|(_, seconds)| seconds);
    cpu_seconds(process) + children.sum::<f64>()
}

/// Parent and CPU time, from proc(5).
fn stat(process: u32) -> Option<(u32, f64)> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Some((fields.get(1)?.parse().ok()?, ticks / TICKS_PER_SECOND))
}
