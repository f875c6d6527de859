//! One task at a time: what becomes of it, of its bytes and of its failures.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::ExecuteError;
use mixdown_proto::v1::{FailureKind, LeaseRef};
use mixdown_worker::blobs::{self, BlobStore};
use support::coordinator::Call;
use support::engine::{Script, artifact, key, master, until_cancelled};
use support::store::{self, Faulty, put};
use support::{Farm, assignment, blob, in_time};
use tonic::Status;

const VOX: &[u8] = b"the vocal";

#[tokio::test]
async fn a_task_is_fetched_rendered_stored_and_settled() {
    let folder = tempfile::tempdir().unwrap();
    let files = blobs::open(folder.path().to_str().unwrap()).unwrap();
    put(&*files, VOX).await;
    put(&*files, b"a stem").await;
    let script = Script::default().task("mix", &[VOX], |files, _| {
        let asset = std::fs::read(files.asset("Vox", &Digest::of(VOX))).unwrap();
        let stem = std::fs::read(files.artifact(&key("stem"))).unwrap();
        let bytes = [asset, stem].concat();
        Ok(vec![artifact(files, "mix", &bytes), master(files, "Main #1.wav", b"a master")])
    });
    let mut farm = Farm::start(script, Arc::clone(&files), |_| {}).await;
    let mut task = assignment("mix", 3);
    task.artifact_digests.insert(key("stem").to_string(), Digest::of(b"a stem").to_string());
    farm.coordinator.hand_out(task);

    let settled = farm.coordinator.settled().await;
    assert_eq!((settled.task_id.as_str(), settled.attempt), ("mix", 3));
    let Some(mixdown_proto::v1::settle_request::Outcome::Success(success)) = settled.outcome else {
        panic!("{settled:?}");
    };
    let [mix, main] = &success.artifacts[..] else { panic!("{success:?}") };
    assert_eq!(
        (mix.key.clone(), mix.digest.clone()),
        (key("mix").to_string(), Digest::of(b"the vocala stem").to_string())
    );
    assert_eq!((mix.size_bytes, mix.report_json.as_str()), (15, ""));
    assert_eq!(main.report_json, r#"{"integrated_lufs":-14.0}"#);
    assert_eq!((success.fetched_bytes, success.stored_bytes), (15, 15 + 8));
    assert!(success.realtime_factor > 0.0);
    assert_eq!(store::read(&*files, &blob(b"the vocala stem")).await, b"the vocala stem");
    assert_eq!(store::read(&*files, &blob(b"a master")).await, b"a master");
    let written: Vec<_> =
        std::fs::read_dir(folder.path().join("projects/p1")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(written, ["blobs"], "a worker writes under no name: its lease may be lost");
    assert_eq!(std::fs::read_dir(farm.cache.path().join("work")).unwrap().count(), 0, "scratch is removed");
}

#[tokio::test]
async fn what_a_worker_made_itself_it_need_not_fetch() {
    let store = Faulty::new();
    let script = Script::default().task("stem", &[], |files, _| Ok(vec![artifact(files, "stem", b"a stem")])).task(
        "mix",
        &[],
        |files, _| {
            assert_eq!(std::fs::read(files.artifact(&key("stem"))).unwrap(), b"a stem");
            Ok(vec![])
        },
    );
    let mut farm = Farm::start(script, store.clone(), |_| {}).await;
    farm.coordinator.hand_out(assignment("stem", 1));
    let stem = farm.coordinator.success().await.artifacts.remove(0);
    let mut mix = assignment("mix", 1);
    mix.artifact_digests.insert(stem.key, stem.digest);
    farm.coordinator.hand_out(mix);
    assert_eq!(farm.coordinator.success().await.fetched_bytes, 0);
    assert_eq!(store.gets(), 0);
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_stops_and_settles_nothing() {
    let (told_tx, mut told) = tokio::sync::mpsc::unbounded_channel();
    let script = Script::default()
        .task("lost", &[], move |files, monitor| {
            told_tx.send("begun").unwrap();
            let result = until_cancelled(monitor);
            told_tx.send("ended").unwrap();
            // It may end well all the same: nobody wants it any more.
            result.or_else(|_| Ok(vec![artifact(files, "late", b"too late")]))
        })
        .task("next", &[], |_, _| Ok(vec![]));
    let store = Faulty::new();
    let mut farm = Farm::start(script, store.clone(), |_| {}).await;
    farm.coordinator.hand_out(assignment("lost", 1));
    assert_eq!(in_time(told.recv()).await, Some("begun"));
    farm.coordinator.plan(|plan| plan.stop = vec![LeaseRef { task_id: "lost".into(), attempt: 1 }]);
    assert_eq!(in_time(told.recv()).await, Some("ended"));
    farm.coordinator.hand_out(assignment("next", 1));
    assert_eq!(farm.coordinator.settled().await.task_id, "next");
    assert!(store.size(&blob(b"too late")).await.is_err(), "its result is thrown away");
}

#[tokio::test]
async fn a_lease_lost_before_its_render_begins_never_renders() {
    let (begun_tx, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let script = Script::default()
        .task("lost", &[VOX], move |_, _| {
            begun_tx.send(()).unwrap();
            Ok(vec![])
        })
        .task("next", &[], |_, _| Ok(vec![]));
    let store = Faulty::holding(&[VOX]).await;
    // Its fetch waits for as long as the test likes.
    store.permits.forget_permits(usize::MAX >> 3);
    let mut farm = Farm::start(script, store, |_| {}).await;
    farm.coordinator.plan(|plan| plan.stop = vec![LeaseRef { task_id: "lost".into(), attempt: 1 }]);
    farm.coordinator.hand_out(assignment("lost", 1));
    farm.coordinator.hand_out(assignment("next", 1));
    assert_eq!(farm.coordinator.settled().await.task_id, "next");
    assert!(begun.try_recv().is_err());
}

#[tokio::test]
async fn stopping_another_attempt_of_the_same_task_stops_nothing() {
    let gate = Arc::new(Mutex::new(None));
    let (open, opened) = std::sync::mpsc::channel::<()>();
    *gate.lock().unwrap() = Some(opened);
    let script = Script::default().task("task", &[], move |_, monitor| {
        gate.lock().unwrap().take().unwrap().recv().unwrap();
        assert!(!monitor.is_cancelled());
        Ok(vec![])
    });
    let mut farm = Farm::start(script, Faulty::new(), |_| {}).await;
    farm.coordinator.plan(|plan| plan.stop = vec![LeaseRef { task_id: "task".into(), attempt: 1 }]);
    farm.coordinator.hand_out(assignment("task", 2));
    // Two heartbeats that name the lease: the answer to the first has then been heard.
    for _ in 0..2 {
        farm.coordinator
            .next(|call| matches!(call, Call::Heartbeat(beat) if !beat.leases.is_empty()).then_some(()))
            .await;
    }
    open.send(()).unwrap();
    farm.coordinator.success().await;
}

#[tokio::test]
async fn a_panic_fails_the_attempt_and_not_the_worker() {
    let script = Script::default().task("bad", &[], |_, _| panic!("the delay line is {} frames short", 3)).task(
        "good",
        &[],
        |_, _| Ok(vec![]),
    );
    let mut farm = Farm::start(script, Faulty::new(), |_| {}).await;
    farm.coordinator.hand_out(assignment("bad", 1));
    let failure = farm.coordinator.failure().await;
    assert_eq!(failure.kind(), FailureKind::Internal);
    assert_eq!(failure.message, "the render panicked: the delay line is 3 frames short");
    farm.coordinator.hand_out(assignment("good", 1));
    farm.coordinator.success().await;
}

#[tokio::test]
async fn a_panic_while_a_task_is_read_fails_the_attempt_too() {
    let mut farm = Farm::start(Script::default(), Faulty::new(), |_| {}).await;
    farm.coordinator.hand_out(assignment("nonsense", 1));
    let failure = farm.coordinator.failure().await;
    assert_eq!(failure.kind(), FailureKind::Internal);
    assert!(failure.message.contains("index 9 of 3"), "{}", failure.message);
}

#[tokio::test]
async fn failures_tell_whether_trying_again_may_help() {
    let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
    let script = Script::default()
        .task("media", &[], |_, _| Err(ExecuteError::BadMedia("`vox.flac` is cut off".into())))
        .task("session", &[], |_, _| Err(ExecuteError::BadSession("an over of 2 dB".into())))
        .task("disk", &[], move |_, _| Err(ExecuteError::Io { what: "cannot write the mix".into(), source: full() }));
    let mut farm = Farm::start(script, Faulty::new(), |_| {}).await;
    let expected = [
        ("media", FailureKind::BadMedia, "`vox.flac` is cut off"),
        ("session", FailureKind::BadSession, "an over of 2 dB"),
        ("disk", FailureKind::Resource, "cannot write the mix: no storage space"),
        ("unreadable", FailureKind::BadSession, "no task is named unreadable"),
    ];
    for (task, kind, message) in expected {
        farm.coordinator.hand_out(assignment(task, 1));
        let failure = farm.coordinator.failure().await;
        assert_eq!((failure.kind(), failure.message.as_str()), (kind, message));
    }
}

#[tokio::test]
async fn wrong_bytes_in_the_store_are_fetched_once_more_and_then_named() {
    let store = Faulty::holding(&[VOX]).await;
    let script = Script::default().task("stem", &[VOX], |_, _| Ok(vec![]));
    let mut farm = Farm::start(script, store.clone(), |_| {}).await;

    store.wrong.lock().unwrap().insert(blob(VOX), (2, b"the v0cal".to_vec()));
    farm.coordinator.hand_out(assignment("stem", 1));
    let failure = farm.coordinator.failure().await;
    assert_eq!(failure.kind(), FailureKind::Storage);
    assert!(failure.message.contains(&Digest::of(VOX).to_string()), "{}", failure.message);
    assert_eq!(store.gets(), 2);

    store.wrong.lock().unwrap().insert(blob(VOX), (1, b"the v0cal".to_vec()));
    farm.coordinator.hand_out(assignment("stem", 2));
    farm.coordinator.success().await;
}

#[tokio::test]
async fn a_blob_that_is_not_there_fails_at_once_and_is_named() {
    let script = Script::default().task("stem", &[VOX], |_, _| Ok(vec![]));
    let store = Faulty::new();
    let mut farm = Farm::start(script, store.clone(), |_| {}).await;
    farm.coordinator.hand_out(assignment("stem", 1));
    let failure = farm.coordinator.failure().await;
    assert_eq!(failure.kind(), FailureKind::Storage);
    assert!(failure.message.contains(&Digest::of(VOX).to_string()), "{}", failure.message);
    assert_eq!(store.gets(), 1);
}

#[tokio::test]
async fn a_store_that_recovers_in_time_costs_only_time() {
    let store = Faulty::holding(&[VOX]).await;
    let script = Script::default().task("stem", &[VOX], |files, _| Ok(vec![artifact(files, "stem", b"a stem")]));
    let mut farm = Farm::start(script, store.clone(), |_| {}).await;
    store.outage.store(7, Ordering::SeqCst);
    farm.coordinator.hand_out(assignment("stem", 1));
    farm.coordinator.success().await;
    assert_eq!(store::read(&*store, &blob(b"a stem")).await, b"a stem");
}

#[tokio::test]
async fn a_store_that_does_not_recover_in_time_fails_the_attempt() {
    let store = Faulty::new();
    let script = Script::default().task("stem", &[], |files, _| Ok(vec![artifact(files, "stem", b"a stem")]));
    let mut farm = Farm::start(script, store.clone(), |config| config.storage_patience = Duration::ZERO).await;
    store.outage.store(usize::MAX, Ordering::SeqCst);
    farm.coordinator.hand_out(assignment("stem", 1));
    let failure = farm.coordinator.failure().await;
    assert_eq!(failure.kind(), FailureKind::Storage);
    assert!(failure.message.ends_with("the store is on fire"), "{}", failure.message);
    store.outage.store(0, Ordering::SeqCst);
    farm.coordinator.hand_out(assignment("stem", 2));
    farm.coordinator.success().await;
}

#[tokio::test]
async fn a_settlement_is_repeated_under_its_request_id_until_it_is_answered() {
    let script = Script::default().task("task", &[], |_, _| Ok(vec![]));
    let mut farm = Farm::start(script, Faulty::new(), |_| {}).await;
    farm.coordinator.plan(|plan| {
        plan.settle_errors.extend([Status::unavailable("restarting"), Status::internal("the database is away")]);
    });
    farm.coordinator.hand_out(assignment("task", 1));
    let first = farm.coordinator.settled().await;
    assert!(!first.request_id.is_empty());
    for _ in 0..2 {
        assert_eq!(farm.coordinator.settled().await, first);
    }
}

#[tokio::test]
async fn a_refused_settlement_is_not_repeated() {
    let script = Script::default().task("refused", &[], |_, _| Ok(vec![])).task("next", &[], |_, _| Ok(vec![]));
    let mut farm = Farm::start(script, Faulty::new(), |_| {}).await;
    farm.coordinator.plan(|plan| plan.settle_errors.push_back(Status::invalid_argument("no such artifact")));
    farm.coordinator.hand_out(assignment("refused", 1));
    assert_eq!(farm.coordinator.settled().await.task_id, "refused");
    farm.coordinator.hand_out(assignment("next", 1));
    assert_eq!(farm.coordinator.settled().await.task_id, "next");
}

#[tokio::test]
async fn a_render_that_takes_more_memory_than_the_worker_may_ends_as_out_of_memory_and_the_worker_lives() {
    let script = Script::default()
        .task("greedy", &[], |_, monitor| {
            let mut taken: Vec<Vec<u8>> = Vec::new();
            while !monitor.is_cancelled() {
                assert!(taken.len() < 4096, "nobody ended it");
                // Written, so that it is resident.
                taken.push(vec![1; 1 << 20]);
                std::thread::park_timeout(Duration::from_millis(1));
            }
            Err(ExecuteError::Cancelled)
        })
        .task("modest", &[], |files, _| Ok(vec![artifact(files, "modest", b"a stem")]));
    let resident = mixdown_worker::memory::resident_bytes().unwrap();
    let limit = |config: &mut mixdown_worker::Config| config.memory_limit_bytes = Some(2 * resident + (64 << 20));
    let mut farm = Farm::start(script, Faulty::new(), limit).await;
    farm.coordinator.hand_out(assignment("greedy", 1));
    assert_eq!(farm.coordinator.failure().await.kind(), FailureKind::OutOfMemory);
    farm.coordinator.hand_out(assignment("modest", 1));
    assert_eq!(farm.coordinator.success().await.artifacts.len(), 1);
}

#[tokio::test]
async fn a_worker_whose_disk_failed_takes_no_task_before_it_can_write_again() {
    let script = Script::default()
        .task("full", &[], |files, _| {
            // As a disk that went read-only: nothing can be written where attempts work. (Root writes everywhere.)
            let work = files.work_dir().parent().unwrap().to_owned();
            std::fs::rename(&work, work.with_extension("away")).unwrap();
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            Err(ExecuteError::Io { what: "cannot write the mix".into(), source })
        })
        .task("next", &[], |files, _| Ok(vec![artifact(files, "next", b"a stem")]));
    let mut farm = Farm::start(script, Faulty::new(), |_| {}).await;
    farm.coordinator.hand_out(assignment("full", 1));
    assert_eq!(farm.coordinator.failure().await.kind(), FailureKind::Resource);
    farm.coordinator.hand_out(assignment("next", 1));
    // Beats go on: the worker lives. It asks for nothing: what was asked before the failure was answered with it.
    let mut beats = 0;
    while beats < 20 {
        beats += farm
            .coordinator
            .next(|call| match call {
                Call::Heartbeat(_) => Some(1),
                Call::Lease(_) => panic!("it asks for tasks that it cannot run"),
                _ => None,
            })
            .await;
    }
    let work = farm.cache.path().join("work");
    std::fs::rename(work.with_extension("away"), &work).unwrap();
    assert_eq!(farm.coordinator.success().await.artifacts.len(), 1);
}
