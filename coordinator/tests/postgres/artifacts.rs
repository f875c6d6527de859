use mixdown_coordinator::queue::garbage::{Bounds, drop_artifacts, next_going};
use mixdown_dsp::plan::Plan;

use crate::support::{Farm, key, planned, submission, two_stems_one_mix};

async fn keep_only(farm: &Farm, bytes: u64) {
    collect(farm, &Bounds { artifact_bytes: Some(bytes), ..Bounds::default() }).await;
}

async fn collect(farm: &Farm, bounds: &Bounds) {
    drop_artifacts(&farm.pool, bounds).await.unwrap();
    while let Some(going) = next_going(&farm.pool, bounds).await.unwrap() {
        for (project_id, digest, _) in &going.blobs {
            farm.store.delete(&farm.store.blob(project_id, digest).unwrap()).await.unwrap();
        }
        let all = going.blobs.len();
        going.forget(all).await.unwrap();
    }
}

#[tokio::test]
async fn artifacts_beyond_the_bound_go_oldest_first_and_masters_never() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    farm.run_all(worker).await;
    sqlx::query("update artifact set use_time = now() - interval '1 day' where artifact_key = $1")
        .bind(key("vox").to_string())
        .execute(&farm.pool)
        .await
        .unwrap();
    let sizes: i64 = sqlx::query_scalar("select sum(size_bytes)::bigint from artifact where not master")
        .fetch_one(&farm.pool)
        .await
        .unwrap();
    keep_only(&farm, sizes as u64 - 1).await;
    let mut expected = [key("bass"), key("master")];
    expected.sort();
    let mut stored = farm.stored().await;
    stored.sort();
    assert_eq!(stored, expected);
    keep_only(&farm, 0).await;
    assert_eq!(farm.stored().await, [key("master")]);
    let blobs: Vec<(String, i64)> =
        sqlx::query_as("select digest, size_bytes from blob").fetch_all(&farm.pool).await.unwrap();
    assert_eq!(blobs.len(), 1);
    assert!(farm.store.size(&farm.store.blob("default", &blobs[0].0).unwrap()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_an_unfinished_task_reads_is_kept() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let vox = farm.claim_one(worker).await;
    farm.succeed(worker, &vox).await;
    keep_only(&farm, 0).await;
    assert_eq!(farm.stored().await, [key("vox")]);
    farm.run_all(worker).await;
    keep_only(&farm, 0).await;
    assert_eq!(farm.stored().await, [key("master")]);
}

#[tokio::test]
async fn pinned_and_uploaded_blobs_stay() {
    let farm = Farm::new().await;
    for (name, uploaded, pinned) in [("a", true, false), ("b", false, true), ("c", false, false)] {
        sqlx::query(
            "insert into blob (project_id, digest, size_bytes, uploaded, pinned_until)
             values ('default', $1, 1, $2, now() + case when $3 then 1 else -1 end * interval '1 hour')",
        )
        .bind(key(name).to_string())
        .bind(uploaded)
        .bind(pinned)
        .execute(&farm.pool)
        .await
        .unwrap();
    }
    keep_only(&farm, 0).await;
    let left: i64 = sqlx::query_scalar("select count(*) from blob").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(left, 2);
}

#[tokio::test]
async fn settling_waits_for_a_blob_that_is_being_deleted_and_finds_it_gone() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), Plan { tasks: vec![planned("vox", &[], &[])], cached: Vec::new() }).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    let made = farm.make("default", held.task_id).await;
    sqlx::query("insert into blob (project_id, digest, size_bytes, uploaded, pinned_until) values ('default', $1, 1, false, now() - interval '1 hour')")
        .bind(&made[0].digest)
        .execute(&farm.pool)
        .await
        .unwrap();
    let going = next_going(&farm.pool, &Bounds::default()).await.unwrap().unwrap();
    let delete = async {
        let (project_id, digest, _) = &going.blobs[0];
        farm.store.delete(&farm.store.blob(project_id, digest).unwrap()).await.unwrap();
        going.forget(1).await.unwrap();
    };
    let success = mixdown_coordinator::queue::settle::Success { artifacts: made, ..Default::default() };
    let outcome = mixdown_coordinator::queue::settle::Outcome::Success(success);
    let settle = farm.settle(worker, &held, uuid::Uuid::new_v4(), outcome);
    tokio::join!(settle, delete);
    assert_eq!(farm.outcomes(held.task_id).await, ["failed"]);
}
