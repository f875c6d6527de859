//! What is dropped by age and size, what never is, and that a dry run tells the truth.

use std::collections::BTreeSet;
use std::time::Duration;

use mixdown_coordinator::blobs::Soundness;
use mixdown_coordinator::queue::garbage::{
    Amount, Bounds, drop_artifacts, hold_orphan, mark, next_going, unknown, would_drop,
};
use mixdown_coordinator::queue::settle::{Outcome, Settled, Success};
use mixdown_coordinator::queue::submit::{Submission, Submitted, submit};
use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::Plan;
use mixdown_proto::v1;

use crate::support::running;
use crate::support::{Farm, key, planned, submission, two_stems_one_mix};

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

fn by_age() -> Bounds {
    Bounds { older_than: Some(MONTH), ..Bounds::default() }
}

async fn age_everything(farm: &Farm) {
    for statement in [
        "update artifact set use_time = now() - interval '40 days'",
        "update blob set pinned_until = now() - interval '39 days'",
    ] {
        sqlx::query(statement).execute(&farm.pool).await.unwrap();
    }
}

/// An input file that was uploaded, in the store and in its row.
async fn upload(farm: &Farm, bytes: &[u8]) -> String {
    let digest = Digest::of(bytes).to_string();
    let file = farm.folder.path().join(&digest);
    std::fs::write(&file, bytes).unwrap();
    farm.store.put_file(&file, &farm.store.blob("default", &digest).unwrap()).await.unwrap();
    sqlx::query("insert into blob (project_id, digest, size_bytes, uploaded) values ('default', $1, $2, true)")
        .bind(&digest)
        .bind(bytes.len() as i64)
        .execute(&farm.pool)
        .await
        .unwrap();
    digest
}

async fn dropped_blobs(farm: &Farm, bounds: &Bounds) -> Amount {
    let mut amount = Amount::default();
    while let Some(going) = next_going(&farm.pool, bounds).await.unwrap() {
        going.blobs.iter().for_each(|(_, _, bytes)| amount.add(*bytes));
        let all = going.blobs.len();
        going.forget(all).await.unwrap();
    }
    amount
}

#[tokio::test]
async fn a_dry_run_tells_what_goes_and_changes_nothing() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    farm.run_all(farm.worker(1).await).await;
    upload(&farm, b"an input file of long ago").await;
    age_everything(&farm).await;
    let (artifacts, blobs) = would_drop(&farm.pool, &by_age()).await.unwrap();
    assert_eq!((artifacts.count, blobs.count), (2, 3), "two stems, their blobs, and the input file");
    assert_eq!(farm.stored().await.len(), 3, "nothing went");
    assert_eq!(drop_artifacts(&farm.pool, &by_age()).await.unwrap(), artifacts);
    assert_eq!(dropped_blobs(&farm, &by_age()).await, blobs);
    assert_eq!(farm.stored().await, [key("master")], "masters stay unless asked for");
    let masters = Bounds { masters: true, ..by_age() };
    assert_eq!(drop_artifacts(&farm.pool, &masters).await.unwrap().count, 1);
    assert_eq!(dropped_blobs(&farm, &masters).await.count, 1);
}

#[tokio::test]
async fn what_a_live_job_needs_never_goes_however_old() {
    let farm = Farm::new().await;
    let input = upload(&farm, b"an input file").await;
    let mut job = submission("default");
    job.assets.insert(input.clone());
    let job_id = farm.submit(&job, two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    let vox = farm.claim_one(worker).await;
    farm.succeed(worker, &vox).await;
    age_everything(&farm).await;
    let everything = Bounds { artifact_bytes: Some(0), masters: true, ..by_age() };
    assert_eq!(would_drop(&farm.pool, &everything).await.unwrap(), (Amount::default(), Amount::default()));
    assert_eq!(drop_artifacts(&farm.pool, &everything).await.unwrap(), Amount::default());
    assert_eq!(dropped_blobs(&farm, &everything).await, Amount::default());
    // A master that a job is yet to deliver is needed too.
    farm.run_all(worker).await;
    assert_eq!(farm.state(job_id).await, "succeeded");
    let again = Submission { deliver_to: "again".into(), ..submission("default") };
    farm.submit(&again, Plan { tasks: Vec::new(), cached: vec![(key("master"), "master".into())] }).await;
    age_everything(&farm).await;
    assert_eq!(drop_artifacts(&farm.pool, &everything).await.unwrap().count, 2, "the stems");
    assert_eq!(farm.stored().await, [key("master")]);
}

#[tokio::test]
async fn a_job_that_is_submitted_while_its_input_is_dropped_is_told_that_it_is_missing() {
    let farm = Farm::new().await;
    let input = upload(&farm, b"an input file").await;
    age_everything(&farm).await;
    let mut job = submission("default");
    job.assets.insert(input.clone());
    // It is marked, the bytes are going, the transaction is open.
    let dropping = next_going(&farm.pool, &by_age()).await.unwrap().unwrap();
    let submitted = submit(&farm.pool, &job, |_| two_stems_one_mix());
    let (submitted, forgotten) = tokio::join!(submitted, dropping.forget(1));
    forgotten.unwrap();
    assert_eq!(submitted.unwrap(), Submitted::MissingAssets(vec![input.clone()]));
    // The other way round: a job that is being submitted keeps it, though the collection began to look before.
    let input_again = upload(&farm, b"an input file").await;
    assert_eq!(input, input_again);
    age_everything(&farm).await;
    let mut pinning = farm.pool.begin().await.unwrap();
    sqlx::query("update blob set pinned_until = now() + interval '1 day'").execute(&mut *pinning).await.unwrap();
    let bounds = by_age();
    let collecting = next_going(&farm.pool, &bounds);
    let (collected, committed) = tokio::join!(collecting, pinning.commit());
    committed.unwrap();
    assert!(collected.unwrap().is_none(), "the row was pinned meanwhile");
}

#[tokio::test]
async fn whoever_asks_for_a_blob_that_is_being_dropped_hears_that_it_is_missing() {
    let farm = Farm::new().await;
    let input = upload(&farm, b"an input file").await;
    age_everything(&farm).await;
    let coordinator = farm.start().await;
    let mut blobs = coordinator.blobs().await;
    let dropping = next_going(&farm.pool, &by_age()).await.unwrap().unwrap();
    let asked = blobs.find_missing(v1::FindMissingRequest { digests: vec![input.clone()] });
    let (answer, forgotten) = tokio::join!(asked, dropping.forget(1));
    forgotten.unwrap();
    assert_eq!(answer.unwrap().into_inner().missing_digests, [input]);
    coordinator.stop().await;
}

/// Where a collection is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    BeforeTheBytes,
    AfterTheBytes,
}

/// Begins to collect input file `input` and is stopped there, as by SIGKILL: what was not committed is not.
async fn collect_until(farm: &Farm, input: &str, stopped: Stopped) {
    age_everything(farm).await;
    if stopped == Stopped::BeforeTheBytes {
        assert_eq!(mark(&farm.pool, &by_age()).await.unwrap(), 1);
        return;
    }
    let going = next_going(&farm.pool, &by_age()).await.unwrap().unwrap();
    farm.store.delete(&farm.store.blob("default", input).unwrap()).await.unwrap();
    drop(going);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_stopped_on_the_way_promises_nothing_that_is_gone() {
    for stopped in [Stopped::BeforeTheBytes, Stopped::AfterTheBytes] {
        let farm = Farm::new().await;
        let content = b"an input file";
        let input = upload(&farm, content).await;
        let coordinator = farm.start().await;
        let mut blobs = coordinator.blobs().await;
        collect_until(&farm, &input, stopped).await;
        // Whoever asks is told that it is missing, by every call that tells.
        let find = v1::FindMissingRequest { digests: vec![input.clone()] };
        let missing = blobs.find_missing(find.clone()).await.unwrap().into_inner().missing_digests;
        assert_eq!(missing, std::slice::from_ref(&input), "{stopped:?}");
        let download = v1::DownloadRequest { digest: input.clone(), offset_bytes: 0 };
        let unknown = blobs.download(download).await.err().unwrap();
        assert_eq!(unknown.code(), tonic::Code::NotFound, "{stopped:?}");
        let mut job = submission("default");
        job.assets.insert(input.clone());
        let submitted = submit(&farm.pool, &job, |_| two_stems_one_mix()).await.unwrap();
        assert_eq!(submitted, Submitted::MissingAssets(vec![input.clone()]), "{stopped:?}");
        // Uploaded again it is there, and no collection takes it.
        blobs.upload(futures::stream::iter(running::upload(content, &input, 0, 5))).await.unwrap();
        assert!(blobs.find_missing(find).await.unwrap().into_inner().missing_digests.is_empty(), "{stopped:?}");
        assert_eq!(dropped_blobs(&farm, &by_age()).await, Amount::default(), "{stopped:?}");
        assert_eq!(farm.store.look_at("default", &input).await.unwrap(), Soundness::Sound, "{stopped:?}");
        // What nobody stores again goes with the next collection.
        collect_until(&farm, &input, stopped).await;
        assert_eq!(would_drop(&farm.pool, &Bounds::default()).await.unwrap().1.count, 1, "{stopped:?}");
        assert_eq!(dropped_blobs(&farm, &Bounds::default()).await.count, 1, "{stopped:?}");
        coordinator.stop().await;
    }
}

#[tokio::test]
async fn what_a_stopped_collection_was_about_is_there_again_when_a_task_stores_it() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), Plan { tasks: vec![planned("vox", &[], &[])], cached: Vec::new() }).await;
    let worker = farm.worker(1).await;
    let held = farm.claim_one(worker).await;
    let artifacts = farm.make("default", held.task_id).await;
    sqlx::query(
        "insert into blob (project_id, digest, size_bytes, uploaded, going_since)
         values ('default', $1, $2, false, now())",
    )
    .bind(&artifacts[0].digest)
    .bind(artifacts[0].size_bytes)
    .execute(&farm.pool)
    .await
    .unwrap();
    let outcome = Outcome::Success(Success { artifacts: artifacts.clone(), ..Success::default() });
    assert_eq!(farm.settle(worker, &held, uuid::Uuid::new_v4(), outcome).await, Settled::Accepted);
    assert_eq!(dropped_blobs(&farm, &Bounds::default()).await, Amount::default());
    assert_eq!(farm.store.look_at("default", &artifacts[0].digest).await.unwrap(), Soundness::Sound);
}

#[tokio::test]
async fn a_blob_that_the_store_does_not_delete_stands_in_nobodys_way() {
    let farm = Farm::new().await;
    for number in 0..3 {
        upload(&farm, format!("input file {number}").as_bytes()).await;
    }
    age_everything(&farm).await;
    let going = next_going(&farm.pool, &by_age()).await.unwrap().unwrap();
    let stubborn = going.blobs[1].1.clone();
    going.forget(1).await.unwrap();
    let going = next_going(&farm.pool, &by_age()).await.unwrap().unwrap();
    assert_eq!(going.blobs.len(), 2);
    assert_eq!(going.blobs[1].1, stubborn, "it comes last");
    going.forget(1).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar("select digest from blob").fetch_all(&farm.pool).await.unwrap();
    assert_eq!(left, [stubborn]);
}

#[tokio::test]
async fn an_object_that_no_row_knows_is_found_and_held_against_whoever_stores_it() {
    let farm = Farm::new().await;
    let known = upload(&farm, b"known").await;
    let orphan = Digest::of(b"orphan").to_string();
    let name = |project: &str, digest: &str| (project.to_owned(), digest.to_owned());
    let objects = [name("default", &known), name("default", &orphan), name("elsewhere", &known)];
    assert_eq!(unknown(&farm.pool, &objects).await.unwrap(), [1, 2]);
    assert!(hold_orphan(&farm.pool, "default", &known).await.unwrap().is_none());
    assert!(hold_orphan(&farm.pool, "elsewhere", &known).await.unwrap().is_none(), "no project of ours");
    let held = hold_orphan(&farm.pool, "default", &orphan).await.unwrap().unwrap();
    let record =
        sqlx::query("insert into blob (project_id, digest, size_bytes, uploaded) values ('default', $1, 6, false)")
            .bind(&orphan)
            .execute(&farm.pool);
    let release = async {
        // Whoever records it waits: the row is not there for anybody.
        let rows: i64 = sqlx::query_scalar("select count(*) from blob").fetch_one(&farm.pool).await.unwrap();
        assert_eq!(rows, 1);
        drop(held);
    };
    let (recorded, ()) = tokio::join!(record, release);
    recorded.unwrap();
}

#[tokio::test]
async fn an_admin_collects_garbage_over_the_wire() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), Plan { tasks: vec![planned("vox", &[], &[])], cached: Vec::new() }).await;
    farm.run_all(farm.worker(1).await).await;
    age_everything(&farm).await;
    let digest: String = sqlx::query_scalar("select digest from blob").fetch_one(&farm.pool).await.unwrap();
    let place = farm.store.blob("default", &digest).unwrap();
    // A coordinator collects by itself when it starts: only then there is one collection at a time.
    let first = Digest::of(b"collected first").to_string();
    sqlx::query("insert into blob (project_id, digest, size_bytes, uploaded) values ('default', $1, 6, false)")
        .bind(&first)
        .execute(&farm.pool)
        .await
        .unwrap();
    let coordinator = farm.start().await;
    let mut blobs = coordinator.blobs().await;
    while sqlx::query("select from blob where digest = $1")
        .bind(&first)
        .fetch_optional(&farm.pool)
        .await
        .unwrap()
        .is_some()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ask = |dry_run| v1::CollectGarbageRequest {
        unused_seconds: Some(MONTH.as_secs_f64()),
        artifact_bytes: None,
        masters: false,
        dry_run,
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    for dry_run in [true, false] {
        assert!(farm.store.size(&place).await.unwrap().is_some());
        let answer = blobs.collect_garbage(ask(dry_run)).await.unwrap().into_inner();
        assert_eq!(answer.artifacts.unwrap().count, 1);
        assert_eq!(answer.blobs.unwrap().count, 1);
        assert_eq!(answer.orphans.unwrap().count, 0, "nothing is a day old by the store's clock");
    }
    assert!(farm.store.size(&place).await.unwrap().is_none());
    coordinator.stop().await;
}

#[tokio::test]
async fn two_collections_at_once_take_different_blobs_and_neither_ends_early() {
    let farm = Farm::new().await;
    let mut uploaded = BTreeSet::new();
    for number in 0..30 {
        uploaded.insert(upload(&farm, format!("input file {number}").as_bytes()).await);
    }
    age_everything(&farm).await;
    let bounds = by_age();
    let one = next_going(&farm.pool, &bounds).await.unwrap().expect("nothing refers to these");
    let other = next_going(&farm.pool, &bounds);
    let other = tokio::time::timeout(Duration::from_secs(30), other).await.expect("it waits for nobody");
    let other = other.unwrap().expect("there are more than one takes at once");
    assert!(next_going(&farm.pool, &bounds).await.unwrap().is_none(), "the rest is theirs");
    let taken: Vec<String> = one.blobs.iter().chain(&other.blobs).map(|(_, digest, _)| digest.clone()).collect();
    assert_eq!(taken.len(), 30, "none is taken twice");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), uploaded);
    one.forget(20).await.unwrap();
    other.forget(10).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from blob").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(left, 0);
}
