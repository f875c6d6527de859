//! A farm of which PostgreSQL has no statistics yet.

use mixdown_coordinator::queue::settle::Settled;
use sqlx::{Connection as _, PgConnection};

use crate::support::{Farm, independent, submission};

const TASKS: usize = 300;
const WORKERS: usize = 20;
/// Rows read of all tables for each task, from its submission to its success; walking one table for each would be hundreds.
const ROWS_PER_TASK: i64 = 100;

#[tokio::test]
async fn what_a_task_costs_does_not_grow_with_how_many_there_are_before_the_first_statistics() {
    let farm = Farm::new().await;
    let submitted = submission("default");
    farm.submit(&submitted, independent(&submitted, TASKS)).await;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(farm.worker(1).await);
    }
    for number in 0..TASKS {
        let worker = workers[number % WORKERS];
        let task = farm.claim_one(worker).await;
        assert_eq!(farm.succeed(worker, &task).await, Settled::Accepted);
    }
    // What a connection has counted is told at its end.
    farm.pool.close().await;
    let mut connection = PgConnection::connect_with(&farm.pool.connect_options()).await.unwrap();
    let read: Vec<(String, i64)> = sqlx::query_as(
        "select relname::text, (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint / $1 as rows
         from pg_stat_user_tables order by rows desc limit 5",
    )
    .bind(i64::try_from(TASKS).unwrap())
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let per_task: i64 = read.iter().map(|(_, rows)| rows).sum();
    assert!((10..ROWS_PER_TASK).contains(&per_task), "{per_task} rows per task: {read:?}");
}
