//! The worker and its coordinator: registering, leasing, heartbeats, draining, outages.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};

use mixdown_dsp::progress::Monitor;
use mixdown_proto::v1::RegisterRequest;
use mixdown_worker::threads::Threads;
use mixdown_worker::{Config, Error};
use support::coordinator::{Call, Coordinator};
use support::engine::{Script, until_cancelled};
use support::store::Faulty;
use support::{Farm, LIMIT, assignment, in_time};
use tonic::Status;

fn registration(call: Call) -> Option<RegisterRequest> {
    match call {
        Call::Register(request) => Some(request),
        _ => None,
    }
}

/// A task that waits until the test opens it, and tells when it has begun.
struct Gate {
    begun: tokio::sync::mpsc::UnboundedReceiver<()>,
    open: mpsc::Sender<()>,
}

fn gated(script: Script, name: &str) -> (Script, Gate) {
    let (open, opened) = mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    let (begun_tx, begun) = tokio::sync::mpsc::unbounded_channel();
    let script = script.task(name, &[], move |_, monitor| {
        monitor.advance(25);
        begun_tx.send(()).unwrap();
        opened.lock().unwrap().recv().unwrap();
        Ok(vec![])
    });
    (script, Gate { begun, open })
}

#[tokio::test]
async fn a_worker_registers_under_one_id_for_good_and_says_what_it_can_render() {
    let mut farm = Farm::start(Script::default(), Faulty::new(), |config| config.slots = 3).await;
    let first = farm.coordinator.next(registration).await;
    assert_eq!((first.slots, first.revisions["eq"]), (3, 7));
    farm.halt.cancel();
    farm.ended().await.unwrap();

    let again = Coordinator::start().await;
    let dir = farm.cache.path().to_owned();
    let mut restarted = Farm::start_with(again, Script::default(), Faulty::new(), |config| config.cache_dir = dir);
    assert_eq!(restarted.coordinator.next(registration).await.worker_id, first.worker_id);
}

#[tokio::test]
async fn a_worker_counts_its_lives_and_goes_on_from_what_the_farm_knows() {
    let mut farm = Farm::start(Script::default(), Faulty::new(), |_| {}).await;
    assert_eq!(farm.coordinator.next(registration).await.life, 1);
    farm.halt.cancel();
    farm.ended().await.unwrap();

    // The farm has heard of more lives than the folder, which was put back from a backup, remembers.
    let again = Coordinator::start().await;
    again.plan(|plan| plan.known_life = 40);
    let dir = farm.cache.path().to_owned();
    let mut restarted = Farm::start_with(again, Script::default(), Faulty::new(), |config| config.cache_dir = dir);
    let first = restarted.coordinator.next(registration).await;
    assert_eq!(first.life, 2);
    let second = restarted.coordinator.next(registration).await;
    assert_eq!(second.life, 41);
    assert_ne!(second.request_id, first.request_id, "another call, not a repetition");
    restarted.coordinator.next(|call| matches!(call, Call::Lease(_)).then_some(())).await;
    restarted.halt.cancel();
    assert_eq!(restarted.coordinator.relinquished().await.register_request_id, second.request_id);
}

#[tokio::test]
async fn a_coordinator_that_is_away_is_waited_for() {
    let coordinator = Coordinator::start().await;
    coordinator.plan(|plan| {
        plan.register_errors.extend(vec![Status::unavailable("starting"); 3]);
        plan.lease_errors.extend(vec![Status::unavailable("restarting"); 3]);
    });
    coordinator.hand_out(assignment("task", 1));
    let script = Script::default().task("task", &[], |_, _| Ok(vec![]));
    let mut farm = Farm::start_with(coordinator, script, Faulty::new(), |_| {});
    let mut request_ids = BTreeSet::new();
    farm.coordinator
        .next(|call| match call {
            Call::Lease(request) => {
                request_ids.insert(request.request_id);
                None
            }
            Call::Settle(request) => Some(request),
            _ => None,
        })
        .await;
    assert!(request_ids.len() <= 2, "one call, repeated under one id, and at most the poll that follows");
}

#[tokio::test]
async fn a_worker_that_is_refused_ends_and_says_why() {
    let coordinator = Coordinator::start().await;
    coordinator.plan(|plan| plan.register_errors.push_back(Status::unauthenticated("no such token")));
    let mut farm = Farm::start_with(coordinator, Script::default(), Faulty::new(), |_| {});
    let error = farm.ended().await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }));
    assert!(error.to_string().ends_with("refuses this worker: no such token"), "{error}");
}

#[tokio::test]
async fn a_worker_that_its_coordinator_forgot_registers_again() {
    let mut farm = Farm::start(Script::default(), Faulty::new(), |_| {}).await;
    farm.coordinator.next(registration).await;
    farm.coordinator.plan(|plan| {
        plan.lease_errors.push_back(Status::not_found("no such worker"));
        plan.assignments.push_back(assignment("unknown", 1));
    });
    // The assignment ends the poll under way; the next one is refused.
    farm.coordinator.next(registration).await;
}

#[tokio::test]
async fn a_task_alone_has_all_threads_and_lends_them_while_another_runs() {
    let until = |threads: usize, monitor: &dyn Monitor| {
        let begun = Instant::now();
        while monitor.threads() != threads {
            assert!(begun.elapsed() < LIMIT, "{} threads, expected {threads}", monitor.threads());
            std::thread::yield_now();
        }
    };
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let script = Script::default().task("first", &[], move |_, monitor| {
        for threads in [4, 2, 4] {
            until(threads, monitor);
            told.send(threads).unwrap();
        }
        Ok(vec![])
    });
    let (script, mut second) = gated(script, "second");
    let threads = |config: &mut Config| (config.slots, config.threads) = (2, Threads::shared(4));
    let mut farm = Farm::start(script, Faulty::new(), threads).await;
    farm.coordinator.hand_out(assignment("first", 1));
    assert_eq!(in_time(tells.recv()).await, Some(4));
    farm.coordinator.hand_out(assignment("second", 1));
    in_time(second.begun.recv()).await.unwrap();
    assert_eq!(in_time(tells.recv()).await, Some(2));
    second.open.send(()).unwrap();
    farm.coordinator.success().await;
    farm.coordinator.success().await;
    assert_eq!(tells.recv().await, Some(4));
}

#[tokio::test]
async fn slots_run_side_by_side_and_never_more_than_there_are() {
    let together = Arc::new(Barrier::new(2));
    let script = Script::default().task("one", &[], {
        let together = Arc::clone(&together);
        move |_, _| {
            together.wait();
            Ok(vec![])
        }
    });
    let (script, mut gate) = gated(script, "gated");
    let script = script.task("two", &[], move |_, _| {
        together.wait();
        Ok(vec![])
    });
    let mut farm = Farm::start(script, Faulty::new(), |config| config.slots = 3).await;
    farm.coordinator.hand_out(assignment("gated", 1));
    in_time(gate.begun.recv()).await.unwrap();
    farm.coordinator.hand_out(assignment("one", 1));
    farm.coordinator.hand_out(assignment("two", 1));
    // Neither ends without the other.
    let ended = [farm.coordinator.settled().await.task_id, farm.coordinator.settled().await.task_id];
    assert_eq!(BTreeSet::from(ended), BTreeSet::from(["one".into(), "two".into()]));
    let asked = farm.coordinator.next(|call| match call {
        Call::Lease(request) => Some(request.max_tasks),
        _ => None,
    });
    assert!(asked.await <= 2, "one slot is taken");
    gate.open.send(()).unwrap();
    farm.coordinator.success().await;
}

#[tokio::test]
async fn heartbeats_carry_the_progress_of_every_lease() {
    let (script, gate) = gated(Script::default(), "task");
    let mut farm = Farm::start(script, Faulty::new(), |_| {}).await;
    farm.coordinator.hand_out(assignment("task", 4));
    let lease = farm
        .coordinator
        .next(|call| match call {
            Call::Heartbeat(beat) => beat.leases.into_iter().find(|lease| lease.progress > 0.0),
            _ => None,
        })
        .await;
    assert_eq!((lease.task_id.as_str(), lease.attempt, lease.progress), ("task", 4, 0.25));
    gate.open.send(()).unwrap();
    farm.coordinator.success().await;
    // Once settled, it is no longer held.
    farm.coordinator.next(|call| matches!(call, Call::Heartbeat(beat) if beat.leases.is_empty()).then_some(())).await;
}

#[tokio::test]
async fn an_assignment_that_comes_twice_runs_once() {
    let (script, mut gate) = gated(Script::default(), "task");
    let mut farm =
        Farm::start(script.task("next", &[], |_, _| Ok(vec![])), Faulty::new(), |config| config.slots = 2).await;
    farm.coordinator.hand_out(assignment("task", 1));
    in_time(gate.begun.recv()).await.unwrap();
    farm.coordinator.hand_out(assignment("task", 1));
    farm.coordinator.hand_out(assignment("next", 1));
    assert_eq!(farm.coordinator.settled().await.task_id, "next");
    gate.open.send(()).unwrap();
    assert_eq!(farm.coordinator.settled().await.task_id, "task");
    assert!(gate.begun.try_recv().is_err(), "it did not begin twice");
}

#[tokio::test]
async fn a_draining_worker_finishes_what_it_holds_and_takes_no_more() {
    let (script, mut gate) = gated(Script::default(), "running");
    let mut farm = Farm::start(script, Faulty::new(), |config| config.slots = 2).await;
    let registered = farm.coordinator.next(registration).await;
    farm.coordinator.hand_out(assignment("running", 1));
    in_time(gate.begun.recv()).await.unwrap();
    farm.drain.cancel();
    gate.open.send(()).unwrap();
    farm.coordinator.success().await;
    let goodbye = farm.coordinator.relinquished().await;
    assert!(goodbye.leaving && goodbye.leases.is_empty(), "{goodbye:?}");
    assert_eq!(goodbye.register_request_id, registered.request_id, "it says which life of the worker leaves");
    farm.ended().await.unwrap();
}

#[tokio::test]
async fn a_draining_worker_gives_back_what_it_cannot_finish_in_time() {
    let script = Script::default().task("endless", &[], |_, monitor| until_cancelled(monitor));
    let mut farm = Farm::start(script, Faulty::new(), |config| config.drain_grace = Duration::from_millis(1)).await;
    farm.coordinator.hand_out(assignment("endless", 5));
    farm.coordinator.next(|call| matches!(call, Call::Heartbeat(beat) if !beat.leases.is_empty()).then_some(())).await;
    farm.drain.cancel();
    let goodbye = farm.coordinator.relinquished().await;
    assert!(goodbye.leaving);
    assert_eq!((goodbye.leases[0].task_id.as_str(), goodbye.leases[0].attempt), ("endless", 5));
    farm.ended().await.unwrap();
}

#[tokio::test]
async fn a_second_signal_gives_everything_back_at_once() {
    let script = Script::default().task("endless", &[], |_, monitor| until_cancelled(monitor));
    let mut farm = Farm::start(script, Faulty::new(), |config| config.drain_grace = Duration::from_secs(3600)).await;
    farm.coordinator.hand_out(assignment("endless", 1));
    farm.coordinator.next(|call| matches!(call, Call::Heartbeat(beat) if !beat.leases.is_empty()).then_some(())).await;
    farm.drain.cancel();
    farm.halt.cancel();
    assert_eq!(farm.coordinator.relinquished().await.leases.len(), 1);
    farm.ended().await.unwrap();
}

#[tokio::test]
async fn a_worker_told_to_drain_by_its_coordinator_finishes_and_leaves() {
    let (script, mut gate) = gated(Script::default(), "running");
    let mut farm = Farm::start(script, Faulty::new(), |config| config.drain_grace = Duration::ZERO).await;
    farm.coordinator.hand_out(assignment("running", 1));
    in_time(gate.begun.recv()).await.unwrap();
    farm.coordinator.plan(|plan| plan.drain = true);
    // No grace period counts: nobody is waiting for the machine.
    for _ in 0..3 {
        farm.coordinator.next(|call| matches!(call, Call::Heartbeat(_)).then_some(())).await;
    }
    gate.open.send(()).unwrap();
    farm.coordinator.success().await;
    assert!(farm.coordinator.relinquished().await.leaving);
    farm.ended().await.unwrap();
}

#[tokio::test]
async fn several_workers_live_in_one_process() {
    let script = Script::default().task("task", &[], |_, _| Ok(vec![]));
    let mut farms =
        [Farm::start(script.clone(), Faulty::new(), |_| {}).await, Farm::start(script, Faulty::new(), |_| {}).await];
    let mut ids = BTreeSet::new();
    for farm in &mut farms {
        farm.coordinator.hand_out(assignment("task", 1));
        ids.insert(farm.coordinator.settled().await.worker_id);
    }
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn a_second_worker_in_the_same_folder_is_refused() {
    let mut first = Farm::start(Script::default(), Faulty::new(), |_| {}).await;
    first.coordinator.next(registration).await;
    let dir = first.cache.path().to_owned();
    let mut second = Farm::start(Script::default(), Faulty::new(), |config| config.cache_dir = dir).await;
    assert!(matches!(second.ended().await, Err(Error::CacheInUse { .. })));
}
