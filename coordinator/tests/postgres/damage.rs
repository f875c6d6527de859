//! A stored artifact that is damaged is made again by the jobs that need it; a damaged input file is asked for again.

use std::collections::BTreeMap;

use mixdown_coordinator::blobs::Soundness;
use mixdown_coordinator::blobs::naming::{Master, Put, There};
use mixdown_coordinator::planning::Replanned;
use mixdown_coordinator::queue::damage::{Forgotten, forget};
use mixdown_coordinator::queue::settle::Settled;
use mixdown_coordinator::queue::submit::Submission;
use mixdown_coordinator::state::{Failure, FailureKind};
use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::{Key, Plan, TaskKind};
use mixdown_proto::layout;
use uuid::Uuid;

use crate::support::{Farm, key, planned, submission, two_stems_one_mix};

/// Plans the hand-made session as the sound engine would: from the master back to what is there.
fn planner(_: &str, present: &dyn Fn(&Key) -> bool) -> Option<Replanned> {
    let mut tasks = Vec::new();
    let mut cached = Vec::new();
    if present(&key("master")) {
        cached.push((key("master"), "master".to_owned()));
    } else {
        for stem in ["bass", "vox"] {
            if present(&key(stem)) {
                cached.push((key(stem), stem.to_owned()));
            } else {
                tasks.push(planned(stem, &[], &[]));
            }
        }
        let after: Vec<usize> = (0..tasks.len()).collect();
        tasks.push(planned("master", &["bass", "vox"], &after));
    }
    let kinds = [("vox", TaskKind::Stem), ("bass", TaskKind::Stem), ("master", TaskKind::Master)];
    let artifacts: BTreeMap<Key, TaskKind> = kinds.iter().map(|(name, kind)| (key(name), *kind)).collect();
    Some(Replanned { plan: Plan { tasks, cached }, artifacts })
}

async fn blob_of(farm: &Farm, name: &str) -> String {
    sqlx::query_scalar("select digest from artifact where artifact_key = $1")
        .bind(key(name).to_string())
        .fetch_one(&farm.pool)
        .await
        .unwrap()
}

/// Runs both stems, then damages one in the store.
async fn with_a_damaged_stem(farm: &Farm) -> (Uuid, Uuid, String) {
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(2).await;
    for _ in 0..2 {
        let held = farm.claim_one(worker).await;
        assert_eq!(farm.succeed(worker, &held).await, Settled::Accepted);
    }
    let digest = blob_of(farm, "vox").await;
    std::fs::write(
        farm.folder.path().join("store").join(farm.store.blob("default", &digest).unwrap().as_ref()),
        "other",
    )
    .unwrap();
    (job_id, worker, digest)
}

#[tokio::test]
async fn a_damaged_artifact_is_made_again_and_every_job_that_waits_goes_on() {
    let farm = Farm::new().await;
    let (job_id, worker, digest) = with_a_damaged_stem(&farm).await;
    // Another job waits for the same master.
    let waiting = Plan { tasks: Vec::new(), cached: vec![(key("master"), "master".to_owned())] };
    let second = submission("default");
    let second = Submission { deliver_to: "elsewhere".into(), ..second };
    let second = farm.submit(&second, waiting).await;

    let held = farm.claim_one(worker).await;
    assert_eq!(held.display_name, "master");
    let failure = Failure { kind: FailureKind::Storage, message: "wrong bytes".into() };
    assert_eq!(farm.fail(worker, &held, failure).await, Settled::Accepted);
    assert_eq!(farm.store.look_at("default", &digest).await.unwrap(), Soundness::Damaged);
    let forgotten = forget(&farm.pool, "default", &digest, &planner).await.unwrap();
    let mut jobs = [job_id, second];
    jobs.sort();
    assert_eq!(forgotten.replanned, jobs);
    assert_eq!(forgotten.artifacts, [key("vox").to_string()]);

    assert_eq!(farm.run_all(worker).await, 2, "the stem and the master, once for both jobs");
    assert_eq!(farm.store.look_at("default", &digest).await.unwrap(), Soundness::Sound);
    assert_eq!(farm.state(job_id).await, "succeeded");
    let names: Vec<String> = farm.tasks(job_id).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["vox", "bass", "vox", "master"], "what was withdrawn no longer belongs to the job");
    assert_eq!(farm.state(second).await, "succeeded");
}

#[tokio::test]
async fn a_task_that_runs_while_what_it_reads_is_forgotten_is_cancelled_and_made_again() {
    let farm = Farm::new().await;
    let (job_id, worker, digest) = with_a_damaged_stem(&farm).await;
    // It failed, and is tried again when the last look condemns the blob.
    let held = farm.claim_one(worker).await;
    let forgotten = forget(&farm.pool, "default", &digest, &planner).await.unwrap();
    assert_eq!(forgotten.replanned, [job_id]);
    assert_eq!(farm.outcomes(held.task_id).await, ["cancelled"]);
    assert_eq!(farm.usage().await, serde_json::json!({}), "it holds nothing");
    let late = Failure { kind: FailureKind::Storage, message: "wrong bytes".into() };
    assert_eq!(farm.fail(worker, &held, late).await, Settled::LeaseLost);
    assert_eq!(farm.run_all(worker).await, 2, "the stem and the master");
    assert_eq!(farm.state(job_id).await, "succeeded");
}

#[tokio::test]
async fn a_damaged_master_is_not_delivered_but_made_again() {
    let farm = Farm::new().await;
    let first = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    farm.run_all(worker).await;
    assert_eq!(farm.state(first).await, "succeeded");
    let digest = blob_of(&farm, "master").await;
    let place = farm.store.blob("default", &digest).unwrap();
    std::fs::write(farm.folder.path().join("store").join(place.as_ref()), "other bytes").unwrap();
    let again = Submission { deliver_to: "again".into(), ..submission("default") };
    let again = farm.submit(&again, Plan { tasks: Vec::new(), cached: vec![(key("master"), "master".into())] }).await;
    let to = farm.store.place(&layout::delivery("default", "again", "Main.wav")).unwrap();
    let master = Master { project_id: "default", digest: &digest, size_bytes: 19, fresh: false };
    assert_eq!(farm.store.put_under(master, &to, There::Nothing).await.unwrap(), Put::Damaged);
    assert_eq!(farm.store.size(&to).await.unwrap(), None, "nothing lies under the master's name");
    let forgotten = forget(&farm.pool, "default", &digest, &planner).await.unwrap();
    assert_eq!(forgotten.replanned, [again]);
    assert_eq!(farm.run_all(worker).await, 1);
    assert_eq!(farm.state(again).await, "succeeded");
}

#[tokio::test]
async fn a_damaged_input_file_fails_the_jobs_that_need_it_and_is_asked_for_again() {
    let farm = Farm::new().await;
    let digest = Digest::of(b"an input file").to_string();
    sqlx::query("insert into blob (project_id, digest, size_bytes, uploaded) values ('default', $1, 13, true)")
        .bind(&digest)
        .execute(&farm.pool)
        .await
        .unwrap();
    let mut needy = submission("default");
    needy.assets.insert(digest.clone());
    let needy = farm.submit(&needy, two_stems_one_mix()).await;
    let forgotten = forget(&farm.pool, "default", &digest, &planner).await.unwrap();
    assert_eq!(forgotten, Forgotten { failed: vec![needy], ..Forgotten::default() });
    assert_eq!(farm.state(needy).await, "failed");
    let message: String = sqlx::query_scalar("select failure_message from job").fetch_one(&farm.pool).await.unwrap();
    assert!(message.contains(&digest) && message.contains("submit the session again"), "{message}");
    let blobs: i64 = sqlx::query_scalar("select count(*) from blob").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(blobs, 0, "FindMissing names it");
}
