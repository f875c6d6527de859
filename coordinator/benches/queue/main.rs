//! What the queue costs, on a durable PostgreSQL of its own, over real gRPC on the loopback, as ratios in one run:
//!
//! - claim and settle pairs per second of 1,000 simulated workers, beside what this PostgreSQL does for the same commits
//!   without us;
//! - the time from ready to started, below saturation;
//! - a claim before 1,000,000 queued tasks, beside one before 2,000;
//! - a claim on a farm with a year of history, beside one on a new farm;
//! - a claim while a snapshot is held open at 100 settlements and 1,000 heartbeats a second, beside one without;
//! - what 1,000 heartbeating workers cost, and how soon they hear of a cancelled task;
//! - submitting a session of 100 tracks beyond its uploads: FindMissing and SubmitJob.
//!
//! `make bench` runs it; `MIXDOWN_BENCH_QUEUE` names the parts to run. The coordinator is a process of its own, so that its CPU time can be told from the workers'.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod coordinator;
mod depth;
mod history;
mod jobs;
mod pulse;
mod snapshot;
mod submitting;
mod without_us;
mod workers;

use std::path::PathBuf;
use std::time::Duration;

use mixdown_coordinator::database;
use mixdown_coordinator::private_postgres::{Options, PrivatePostgres};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use crate::coordinator::Coordinator;

/// How long throughput is measured.
const SECONDS: Duration = Duration::from_secs(8);

/// What `MIXDOWN_BENCH_QUEUE` may name, separated by commas; all of it unless told.
const PARTS: [&str; 6] = ["pairs", "start", "pulse", "depth", "history", "snapshot"];

/// One line of the table.
struct Line {
    what: &'static str,
    measured: String,
    goal: &'static str,
    reached: bool,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match std::env::var("MIXDOWN_BENCH_COORDINATOR") {
        Ok(database_url) => runtime.block_on(coordinator::serve(&database_url)),
        Err(_) => runtime.block_on(measure()),
    }
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path().join("postgres"));
    options.search_path = std::env::var_os("PATH");
    options.programs_dir = std::env::var_os("MIXDOWN_POSTGRES_BIN").map(PathBuf::from);
    let postgres = PrivatePostgres::start(&options).await.unwrap();
    let bench = Bench { postgres, folder: folder.path().to_owned() };
    let only = std::env::var("MIXDOWN_BENCH_QUEUE").unwrap_or_else(|_| PARTS.join(","));
    for part in only.split(',') {
        match part {
            "pairs" => bench.pairs().await,
            "start" => bench.start().await,
            "pulse" => bench.pulse().await,
            "depth" => bench.depth().await,
            "history" => bench.history().await,
            "snapshot" => bench.snapshot().await,
            other => panic!("MIXDOWN_BENCH_QUEUE: {other:?} is none of {}", PARTS.join(", ")),
        }
    }
    bench.postgres.stop().await.unwrap();
}

struct Bench {
    postgres: PrivatePostgres,
    folder: PathBuf,
}

impl Bench {
    /// A database of its own with our schema, and a coordinator for it.
    async fn farm(&self, name: &str) -> (PgPool, Coordinator) {
        let (pool, url) = fresh(&self.postgres, name, true).await;
        (pool, Coordinator::start(&url, &self.folder))
    }

    async fn pairs(&self) {
        let (plain, _) = fresh(&self.postgres, "without_us", false).await;
        let without_us = without_us::pairs_per_second(&plain, SECONDS).await;
        plain.close().await;
        let (pool, coordinator) = self.farm("farm").await;
        let pairs = workers::pairs_per_second(&pool, &coordinator, SECONDS).await;
        coordinator.stop();
        tell(&Line {
            what: "claim and settle pairs per second, 1,000 workers",
            measured: format!("{pairs:.0} of {without_us:.0} without us: {:.0} %", 100.0 * pairs / without_us),
            goal: "at least 50 %",
            reached: pairs >= 0.5 * without_us,
        });
    }

    async fn start(&self) {
        let (pool, coordinator) = self.farm("idle").await;
        let (half, most) = workers::ready_to_started(&pool, &coordinator).await;
        coordinator.stop();
        tell(&Line {
            what: "from ready to started",
            measured: format!("p50 {half:.1} ms, p99 {most:.1} ms"),
            goal: "p50 20 ms, p99 100 ms",
            reached: half <= 20.0 && most <= 100.0,
        });
    }

    async fn pulse(&self) {
        let (pool, coordinator) = self.farm("pulse").await;
        let pulse = pulse::measure(&pool, &coordinator).await;
        tell(&Line {
            what: "1,000 heartbeating workers, share of a core",
            measured: format!("coordinator {:.3}, PostgreSQL {:.3}", pulse.coordinator, pulse.postgres),
            goal: "less than 0.1 together",
            reached: pulse.coordinator + pulse.postgres < 0.1,
        });
        tell(&Line {
            what: "from cancel to the worker, with them",
            measured: format!("longest {:.0} ms of {}", pulse.cancel_ms, pulse.cancels),
            goal: "2000 ms",
            reached: pulse.cancel_ms <= 2000.0,
        });
        let submitting = submitting::milliseconds(&pool, &coordinator).await;
        coordinator.stop();
        tell(&Line {
            what: "submitting a session of 100 tracks",
            measured: format!("median {submitting:.0} ms"),
            goal: "50 ms",
            reached: submitting <= 50.0,
        });
    }

    async fn depth(&self) {
        let (pool, _) = fresh(&self.postgres, "deep", true).await;
        let (shallow, deep) = depth::claim_milliseconds(&pool).await;
        pool.close().await;
        tell(&Line {
            what: "a claim of 20 before 1,000,000 tasks",
            measured: format!("{deep:.2} ms, {shallow:.2} ms before 2,000: {:+.0} %", 100.0 * (deep / shallow - 1.0)),
            goal: "less than +20 %",
            reached: deep < 1.2 * shallow,
        });
    }

    async fn history(&self) {
        let (pool, _) = fresh(&self.postgres, "history", true).await;
        let (new, old) = history::claim_milliseconds(&pool).await;
        pool.close().await;
        tell(&Line {
            what: "a claim of 20 after a year of 110,000 jobs",
            measured: format!("{old:.2} ms, {new:.2} ms without: {:+.0} %", 100.0 * (old / new - 1.0)),
            goal: "less than +10 %",
            reached: old < 1.1 * new,
        });
    }

    async fn snapshot(&self) {
        let mut claims = Vec::new();
        for (name, held) in [("unheld", false), ("held", true)] {
            let (pool, coordinator) = self.farm(name).await;
            claims.push(snapshot::claim_milliseconds(&pool, &coordinator, held).await);
            coordinator.stop();
            pool.close().await;
        }
        let lowered = 100.0 * (1.0 - claims[0] / claims[1]);
        let seconds = snapshot::seconds();
        tell(&Line {
            what: "claims per second under a snapshot held open",
            measured: format!("{lowered:.0} % lower ({:.2} ms, {:.2} ms) after {seconds} s", claims[1], claims[0]),
            goal: if seconds >= 600 { "less than 10 % lower" } else { "less than 10 % after 600 s" },
            reached: lowered < 10.0 && seconds >= 600,
        });
    }
}

fn tell(line: &Line) {
    let Line { what, measured, goal, reached } = line;
    println!("{what:<52} {measured:<52} {goal:<24} {}", if *reached { "reached" } else { "MISSED" });
}

/// A database of its own, with our schema or empty.
async fn fresh(postgres: &PrivatePostgres, name: &str, ours: bool) -> (PgPool, String) {
    let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
    let url = postgres.url_of(name);
    let pool = if ours { database::open(&url, 16).await.unwrap() } else { PgPool::connect(&url).await.unwrap() };
    (pool, url)
}
