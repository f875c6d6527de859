//! Claims while somebody holds a snapshot open, beside claims while nobody does: nothing dead is cleared away meanwhile.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::coordinator::Coordinator;
use crate::workers::{WORKERS, lease, register, settle};
use crate::{depth, jobs, pulse};

/// Workers that lease and settle one task each a second: 100 settlements a second. The others hold one task and beat.
const SETTLING: usize = 100;
/// Claims that are measured, for some 5 s.
const CLAIMS: usize = 400;
/// How long the snapshot is held by default; MIXDOWN_BENCH_SNAPSHOT_SECONDS=600 holds it for ten minutes.
const HELD: u64 = 40;

/// How long the farm works before claims are measured.
pub fn seconds() -> u64 {
    let set = std::env::var("MIXDOWN_BENCH_SNAPSHOT_SECONDS").ok();
    set.map_or(HELD, |text| text.parse().expect("MIXDOWN_BENCH_SNAPSHOT_SECONDS is a number of seconds"))
}

/// The median time of a claim in milliseconds, after `seconds` of 100 settlements and 1,000 beats a second that go on
/// meanwhile, with a snapshot held from their begin or without one.
pub async fn claim_milliseconds(pool: &PgPool, coordinator: &Coordinator, held: bool) -> f64 {
    let tasks = usize::try_from(seconds() + 60).unwrap() * SETTLING + WORKERS + CLAIMS * 20;
    for _ in 0..tasks.div_ceil(100) {
        jobs::queue(pool, 100).await;
    }
    jobs::analyze(pool).await;
    let mut snapshot = pool.begin().await.unwrap();
    if held {
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *snapshot).await.unwrap();
        sqlx::query("select count(*) from task").execute(&mut *snapshot).await.unwrap();
    }
    let products = Arc::new(jobs::products(pool, &coordinator.store).await);
    let mut running = JoinSet::new();
    for (number, (worker_id, mut client)) in register(coordinator, WORKERS, 1).await.into_iter().enumerate() {
        if number >= SETTLING {
            let held = client.lease(lease(&worker_id, 1, 1.0)).await.unwrap().into_inner().assignments;
            running.spawn(pulse::beat(number, worker_id, client, held, || ()));
            continue;
        }
        running.spawn(pulse::beat(number, worker_id.clone(), client.clone(), Vec::new(), || ()));
        let products = Arc::clone(&products);
        running.spawn(async move {
            tokio::time::sleep(Duration::from_secs(1) * u32::try_from(number).unwrap() / SETTLING as u32).await;
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            loop {
                ticks.tick().await;
                for task in client.lease(lease(&worker_id, 1, 1.0)).await.unwrap().into_inner().assignments {
                    settle(&mut client, &worker_id, task, &products).await;
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(seconds())).await;
    let milliseconds = depth::median(pool, CLAIMS).await;
    running.abort_all();
    snapshot.rollback().await.unwrap();
    milliseconds
}
