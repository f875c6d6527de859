//! The same commits without us: a table with one index, 20 rows claimed in one transaction, each completed in its own, by
//! as many connections as serve PostgreSQL best.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor as _, PgPool};
use tokio::task::JoinSet;
use tokio::time::Instant;

const CONNECTIONS: [u32; 2] = [8, 32];

const CLAIM: &str = "update job set state = 1, owner = $1, lease = now() + interval '30 s'
     where id in (select id from job where state = 0 order by prio, id for update skip locked limit 20)
     returning id";

pub async fn pairs_per_second(pool: &PgPool, duration: Duration) -> f64 {
    pool.execute(
        "create table job (
             id bigserial primary key, state smallint not null default 0, prio int not null default 0, owner int,
             lease timestamptz, payload jsonb not null, done timestamptz) with (fillfactor = 70);
         insert into job (payload)
         select jsonb_build_object('track', 't' || number, 'sha', md5(number::text))
         from generate_series(1, 300000) as number;
         create index on job (prio, id) where state = 0;",
    )
    .await
    .unwrap();
    pool.execute("vacuum analyze job").await.unwrap();
    pool.execute("checkpoint").await.unwrap();
    let mut best: f64 = 0.0;
    for connections in CONNECTIONS {
        best = best.max(run(pool, connections, duration).await);
    }
    best
}

async fn run(pool: &PgPool, connections: u32, duration: Duration) -> f64 {
    let options = pool.connect_options().as_ref().clone();
    let pool = PgPoolOptions::new().max_connections(connections).connect_with(options).await.unwrap();
    let (completed, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut clients = JoinSet::new();
    for client in 0..connections {
        let (pool, completed) = (pool.clone(), Arc::clone(&completed));
        clients.spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            while begun.elapsed() < duration {
                let ids: Vec<i64> =
                    sqlx::query_scalar(CLAIM).bind(client.cast_signed()).fetch_all(&mut *connection).await.unwrap();
                for id in ids {
                    sqlx::query("update job set state = 2, done = now() where id = $1")
                        .bind(id)
                        .execute(&mut *connection)
                        .await
                        .unwrap();
                    completed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    clients.join_all().await;
    completed.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}
