//! Why ready tasks wait, as clients are told: the right obstacle, and only those tasks ahead that are in the way.

use mixdown_coordinator::queue::submit::{Requirements, Submission};
use mixdown_coordinator::queue::workers::Order;

use crate::support::{Farm, independent, submission};

fn labelled(label: &str) -> Requirements {
    Requirements { labels: vec![label.to_owned()], ..Requirements::default() }
}

async fn queue(farm: &Farm, project_id: &str, requirements: Requirements, tasks: usize) -> uuid::Uuid {
    let job = Submission { requirements, ..submission(project_id) };
    farm.submit(&job, independent(&job, tasks)).await
}

#[tokio::test]
async fn a_project_that_has_more_than_another_that_waits_is_told_so() {
    let farm = Farm::new().await;
    sqlx::query("insert into project (project_id) values ('a')").execute(&farm.pool).await.unwrap();
    let worker = farm.worker(3).await;
    let served = queue(&farm, "default", Requirements::default(), 4).await;
    assert_eq!(farm.claim(worker, 3).await.len(), 3);
    assert_eq!(farm.reasons("default", served).await[3], "next for a worker that becomes free");
    // What no worker can run goes before nobody.
    let unable = queue(&farm, "a", labelled("gpu"), 1).await;
    assert_eq!(farm.reasons("default", served).await[3], "next for a worker that becomes free");
    assert_eq!(farm.reasons("a", unable).await[0], "no worker has label gpu");
    let below = queue(&farm, "a", Requirements::default(), 1).await;
    assert_eq!(farm.reasons("default", served).await[3], "project has its share, 3 slots in use");
    assert_eq!(farm.reasons("a", below).await[0], "next for a worker that becomes free");
}

#[tokio::test]
async fn only_tasks_that_could_take_its_place_stand_before_a_task() {
    let farm = Farm::new().await;
    mixdown_coordinator::limits::set(&farm.pool, "plugin-x", 0).await.unwrap();
    farm.worker_with(1, 16 << 30, &[]).await;
    let studio = farm.worker_with(1, 16 << 30, &["gpu"]).await;
    farm.order(&studio.to_string(), Order::Drain).await;
    queue(&farm, "default", labelled("gpu"), 5).await;
    queue(&farm, "default", Requirements { limits: vec!["plugin-x".into()], ..Requirements::default() }, 3).await;
    let plain = queue(&farm, "default", Requirements::default(), 1).await;
    assert_eq!(farm.reasons("default", plain).await, ["next for a worker that becomes free"]);
    farm.worker_with(1, 16 << 30, &["gpu"]).await;
    assert_eq!(farm.reasons("default", plain).await, ["behind 5 tasks"]);
    mixdown_coordinator::limits::set(&farm.pool, "plugin-x", 2).await.unwrap();
    assert_eq!(farm.reasons("default", plain).await, ["behind 8 tasks"]);
}

#[tokio::test]
async fn workers_that_are_set_aside_are_not_said_to_be_missing() {
    let farm = Farm::new().await;
    let job = queue(&farm, "default", Requirements::default(), 1).await;
    assert_eq!(farm.reasons("default", job).await, ["no worker is connected"]);
    let worker = farm.worker(1).await;
    sqlx::query("update worker set quarantine_reason = 'it fails', quarantine_time = now()")
        .execute(&farm.pool)
        .await
        .unwrap();
    assert_eq!(farm.reasons("default", job).await, ["the only able workers are quarantined"]);
    farm.order(&worker.to_string(), Order::Release).await;
    assert_eq!(farm.reasons("default", job).await, ["next for a worker that becomes free"]);
    farm.order(&worker.to_string(), Order::Drain).await;
    assert_eq!(farm.reasons("default", job).await, ["the only able workers are draining"]);
    farm.fall_silent(worker).await;
    assert_eq!(farm.reasons("default", job).await, ["no worker is connected"]);
}
