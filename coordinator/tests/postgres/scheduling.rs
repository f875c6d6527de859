//! Limits, labels, memory, whole workers, nearness, and why tasks wait.

use std::time::Duration;

use mixdown_coordinator::queue::claim::{Ask, Claim, Claimer, Terms};
use mixdown_coordinator::queue::expire;
use mixdown_coordinator::queue::heartbeat::heartbeat;
use mixdown_coordinator::queue::settle::Settled;
use mixdown_coordinator::queue::submit::{Requirements, Submission, Submitted, submit};
use mixdown_coordinator::queue::workers;
use mixdown_coordinator::state::Priority;
use mixdown_dsp::plan::Plan;
use serde_json::json;
use uuid::Uuid;

use crate::support::farm::LEASE;
use crate::support::{Farm, independent, planned, submission, two_stems_one_mix};

const GIB: i64 = 1 << 30;

fn requiring(requirements: Requirements) -> Submission {
    Submission { requirements, ..submission("default") }
}

fn named(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

impl Farm {
    async fn queue(&self, job: &Submission, tasks: usize) -> Uuid {
        self.submit(job, independent(job, tasks)).await
    }

    async fn set_limit(&self, name: &str, count: i32) {
        mixdown_coordinator::limits::set(&self.pool, name, count).await.unwrap();
    }
}

#[tokio::test]
async fn a_project_runs_no_more_tasks_than_its_limit() {
    let farm = Farm::new().await;
    mixdown_coordinator::projects::set(&farm.pool, "default", None, Some(Some(3))).await.unwrap().unwrap();
    let job = farm.queue(&submission("default"), 5).await;
    let worker = farm.worker(8).await;
    let held = farm.claim(worker, 8).await;
    assert_eq!(held.len(), 3);
    assert_eq!(farm.reasons("default", job).await[3..], ["project at its limit 3/3", "project at its limit 3/3"]);
    assert_eq!(farm.succeed(worker, &held[0]).await, Settled::Accepted);
    assert_eq!(farm.claim(worker, 8).await.len(), 1);
    assert_eq!(farm.usage().await, json!({ "tasks/default": 3, "slots/default": 3 }));
}

#[tokio::test]
async fn a_named_limit_counts_over_all_projects_and_holds_up_nobody_else() {
    let farm = Farm::new().await;
    sqlx::query("insert into project (project_id) values ('a')").execute(&farm.pool).await.unwrap();
    farm.set_limit("plugin-x", 2).await;
    let wants = Requirements { limits: named("plugin-x"), ..Requirements::default() };
    let one = requiring(wants.clone());
    let other = Submission { project_id: "a".into(), ..requiring(wants.clone()) };
    let waiting = farm.queue(&one, 40).await;
    farm.queue(&other, 40).await;
    let plain = farm.queue(&submission("default"), 2).await;
    let worker = farm.worker(9).await;
    let held = farm.claim(worker, 9).await;
    let of = |job: Uuid| held.iter().filter(|task| task.job_id == job).count();
    // The third by its turn was one that wants what is used up: those that do not are not held up by it.
    assert_eq!((held.len(), of(waiting), of(plain)), (4, 1, 2));
    assert_eq!(farm.usage().await["limit/plugin-x"], 2);
    assert_eq!(farm.reasons("default", waiting).await[1], "limit plugin-x is in use 2/2");
    farm.let_leases_run_out().await;
    assert_eq!(farm.usage().await, json!({}));
    // One that nobody has set is refused at the door.
    let unknown = requiring(Requirements { limits: named("plugin-y"), ..Requirements::default() });
    let refused = submit(&farm.pool, &unknown, |_| independent(&unknown, 1)).await.unwrap();
    assert_eq!(refused, Submitted::UnknownLimits(named("plugin-y")));
}

#[tokio::test]
async fn a_task_goes_only_to_a_worker_with_its_labels_and_memory() {
    let farm = Farm::new().await;
    let wants = Requirements { labels: named("gpu"), memory_bytes: 3 * GIB, ..Requirements::default() };
    let job = farm.queue(&requiring(wants), 2).await;
    assert_eq!(farm.reasons("default", job).await[0], "no worker is connected");
    let plain = farm.worker_with(4, 16 * GIB, &["fast"]).await;
    assert!(farm.claim(plain, 4).await.is_empty());
    assert_eq!(farm.reasons("default", job).await[0], "no worker has label gpu");
    let small = farm.worker_with(4, 2 * GIB, &["gpu"]).await;
    assert!(farm.claim(small, 4).await.is_empty());
    assert_eq!(farm.reasons("default", job).await[0], "no worker has all of label gpu, 3.0 GiB of memory");
    // Slots for four, memory for one.
    let able = farm.worker_with(4, 5 * GIB, &["fast", "gpu"]).await;
    let held = farm.claim(able, 4).await;
    assert_eq!((held.len(), held[0].memory_bytes), (1, 3 * GIB));
    assert_eq!(farm.reasons("default", job).await[1], "next for a worker that becomes free");
    assert_eq!(farm.succeed(able, &held[0]).await, Settled::Accepted);
    assert_eq!(farm.claim(able, 4).await.len(), 1);
}

#[tokio::test]
async fn a_task_whose_need_of_memory_grows_asks_for_another_worker() {
    let farm = Farm::new().await;
    farm.queue(&submission("default"), 1).await;
    let small = farm.worker_with(1, 2 * GIB, &[]).await;
    let held = farm.claim_one(small).await;
    sqlx::query("update task set memory_bytes = $1").bind(4 * GIB).execute(&farm.pool).await.unwrap();
    workers::relinquish(&farm.pool, small, &[(held.task_id, held.attempt)]).await.unwrap();
    assert!(farm.claim(small, 1).await.is_empty());
    let large = farm.worker_with(1, 4 * GIB, &[]).await;
    assert_eq!(farm.claim_one(large).await.task_id, held.task_id);
}

#[tokio::test]
async fn a_task_takes_as_many_slots_as_it_asks_for() {
    let farm = Farm::new().await;
    let wants = Requirements { slots: 3, ..Requirements::default() };
    farm.queue(&requiring(wants), 2).await;
    farm.queue(&submission("default"), 4).await;
    let worker = farm.worker(5).await;
    let held = farm.claim(worker, 8).await;
    let mut slots: Vec<i32> = held.iter().map(|task| task.slots).collect();
    slots.sort_unstable();
    assert_eq!(slots, [1, 1, 3]);
    let rows = workers::list(&farm.pool, None, 10, 30.0).await.unwrap();
    assert_eq!((rows[0].running, rows[0].used_slots), (3, 5));
}

/// The starvation of CGRU's issue 540: a task that needs a whole worker behind small ones that never end.
#[tokio::test]
async fn a_task_that_needs_a_whole_worker_is_kept_one_free_behind_an_endless_stream_of_small_ones() {
    let farm = Farm::new().await;
    let (one, two) = (farm.worker(2).await, farm.worker(2).await);
    let stream = farm.queue(&submission("default"), 400).await;
    let mut running = Vec::new();
    for worker in [one, one, two, two] {
        running.push((worker, farm.claim_one(worker).await));
    }
    let whole = requiring(Requirements { whole_worker: true, ..Requirements::default() });
    let waiting = Submission { priority: Priority::Urgent, ..whole };
    let waiting = farm.queue(&waiting, 1).await;
    // One task ends after the other, so that no worker is ever free by itself.
    let mut turns = 0;
    let mut overdue_since = None;
    loop {
        let (worker, task) = running.remove(0);
        assert_eq!(farm.succeed(worker, &task).await, Settled::Accepted);
        running.extend(farm.claim(worker, 1).await.into_iter().map(|task| (worker, task)));
        turns += 1;
        if turns == 20 {
            assert!(running.iter().all(|(_, task)| task.job_id == stream), "nothing is reserved before its time");
            farm.let_wait(31).await;
            overdue_since = Some(turns);
        }
        if running.iter().any(|(_, task)| task.job_id == waiting) {
            break;
        }
        if turns == 21 {
            let reason = &farm.reasons("default", waiting).await[0];
            assert!(reason.ends_with(" is kept free for it"), "{reason}");
        }
        assert!(turns < 60, "it starves");
    }
    // Once overdue it waits for the four tasks that run, not for those that come.
    assert!(turns - overdue_since.unwrap() <= 5, "{turns}");
    let reservations: i64 = sqlx::query_scalar("select count(*) from reservation").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(reservations, 0);
    let whole = running.iter().find(|(_, task)| task.job_id == waiting).unwrap();
    assert_eq!(whole.1.slots, 2);
}

#[tokio::test]
async fn a_worker_kept_free_still_takes_what_leaves_room() {
    let farm = Farm::new().await;
    let worker = farm.worker(4).await;
    farm.queue(&submission("default"), 2).await;
    let held = farm.claim(worker, 2).await;
    let large = farm.queue(&requiring(Requirements { slots: 3, ..Requirements::default() }), 1).await;
    farm.let_wait(31).await;
    assert!(farm.claim(worker, 4).await.is_empty());
    farm.queue(&submission("default"), 10).await;
    // Two of four slots are taken and three are kept: nothing more fits until one is given back.
    assert!(farm.claim(worker, 4).await.is_empty());
    assert_eq!(farm.succeed(worker, &held[0]).await, Settled::Accepted);
    let next = farm.claim(worker, 4).await;
    assert_eq!(next.iter().map(|task| task.job_id).collect::<Vec<_>>(), [large]);
    assert_eq!(farm.succeed(worker, &held[1]).await, Settled::Accepted);
    assert_eq!(farm.claim(worker, 4).await.len(), 1);
}

#[tokio::test]
async fn a_reservation_ends_with_its_worker_or_its_task() {
    let farm = Farm::new().await;
    let (one, two) = (farm.worker(2).await, farm.worker(2).await);
    farm.queue(&submission("default"), 2).await;
    let (first, second) = (farm.claim_one(one).await, farm.claim_one(two).await);
    farm.queue(&requiring(Requirements { whole_worker: true, ..Requirements::default() }), 1).await;
    farm.let_wait(31).await;
    assert!(farm.claim(one, 1).await.is_empty());
    let kept = async || {
        let kept: Option<Uuid> =
            sqlx::query_scalar("select worker_id from reservation").fetch_optional(&farm.pool).await.unwrap();
        kept
    };
    let reserved = kept().await.unwrap();
    farm.order(&reserved.to_string(), workers::Order::Drain).await;
    let other = if reserved == one { two } else { one };
    assert!(farm.claim(other, 1).await.is_empty());
    assert_eq!(kept().await, Some(other), "the other worker is kept free instead");
    farm.succeed(one, &first).await;
    farm.succeed(two, &second).await;
    assert_eq!(farm.claim(other, 1).await.len(), 1);
    assert_eq!(kept().await, None);
}

#[tokio::test]
async fn at_most_a_quarter_of_the_workers_that_live_are_kept_free() {
    let farm = Farm::new().await;
    for _ in 0..20 {
        farm.fall_silent(farm.worker(2).await).await;
    }
    let mut live = Vec::new();
    for _ in 0..8 {
        live.push(farm.worker(2).await);
    }
    farm.queue(&submission("default"), 20).await;
    for worker in &live {
        farm.claim_one(*worker).await;
    }
    // Each asks something else: of tasks that ask the same, the first alone waits for its turn.
    for gib in 1..7 {
        let wants = Requirements { whole_worker: true, memory_bytes: gib * GIB, ..Requirements::default() };
        farm.queue(&Submission { priority: Priority::Urgent, ..requiring(wants) }, 1).await;
    }
    farm.let_wait(31).await;
    for worker in &live {
        farm.claim(*worker, 1).await;
    }
    let kept: Vec<Uuid> = sqlx::query_scalar("select worker_id from reservation").fetch_all(&farm.pool).await.unwrap();
    assert_eq!(kept.len(), 2, "of eight, whatever has died");
    assert!(kept.iter().all(|worker| live.contains(worker)));
}

#[tokio::test]
async fn a_task_goes_to_the_worker_whose_cache_holds_what_it_reads() {
    let farm = Farm::new().await;
    let (near, far) = (farm.worker(4).await, farm.worker(4).await);
    let first = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let stems = farm.claim(near, 2).await;
    let older = farm.queue(&submission("default"), 1).await;
    for stem in &stems {
        farm.succeed(near, stem).await;
    }
    // Both ask together: the far one asked first, the older task stands first.
    let ask = |worker_id| Ask { worker_id, max_tasks: 1, request_id: Uuid::new_v4() };
    let terms = Terms { lease: LEASE, lost_after: Duration::from_secs(60), reserve: true };
    let claims = Claimer::default().claim(&farm.pool, &[ask(far), ask(near)], terms).await.unwrap();
    let jobs: Vec<Uuid> = claims
        .answers
        .iter()
        .map(|answer| match answer {
            Claim::Assigned(tasks) => tasks[0].job_id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(jobs, [older, first]);
}

#[tokio::test]
async fn nearness_never_goes_before_the_order_between_projects() {
    let farm = Farm::new().await;
    sqlx::query("insert into project (project_id) values ('a')").execute(&farm.pool).await.unwrap();
    let near = farm.worker(4).await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let stems = farm.claim(near, 2).await;
    for stem in &stems {
        farm.succeed(near, stem).await;
    }
    let busy = farm.worker(4).await;
    farm.queue(&submission("default"), 3).await;
    assert_eq!(farm.claim(busy, 3).await.len(), 3);
    let below_its_share = farm.queue(&submission("a"), 1).await;
    assert_eq!(farm.claim_one(near).await.job_id, below_its_share);
}

#[tokio::test]
async fn nothing_waits_for_ever_behind_more_urgent_tasks() {
    let farm = Farm::new().await;
    let bulk = Submission { priority: Priority::Bulk, ..submission("default") };
    let normal = submission("default");
    let (bulk, normal) = (farm.queue(&bulk, 1).await, farm.queue(&normal, 1).await);
    farm.let_wait(15 * 60 + 1).await;
    let urgent = Submission { priority: Priority::Urgent, ..submission("default") };
    let urgent = farm.queue(&urgent, 3).await;
    let worker = farm.worker(9).await;
    assert_eq!(farm.reasons("default", urgent).await[0], "behind 1 task");
    assert_eq!(farm.reasons("default", bulk).await[0], "behind 4 urgent tasks");
    assert_eq!(farm.claim_one(worker).await.job_id, normal, "15 minutes for each class");
    assert_eq!(farm.claim_one(worker).await.job_id, urgent);
    farm.let_wait(15 * 60).await;
    assert_eq!(farm.claim_one(worker).await.job_id, bulk);
}

#[tokio::test]
async fn the_front_leaves_claimed_tasks_behind_it_while_a_snapshot_is_held() {
    let farm = Farm::new().await;
    let worker = farm.worker(1000).await;
    // Somebody looks at the database, and goes on looking.
    let mut snapshot = farm.pool.begin().await.unwrap();
    sqlx::query("set transaction isolation level repeatable read").execute(&mut *snapshot).await.unwrap();
    sqlx::query("select count(*) from task").execute(&mut *snapshot).await.unwrap();
    // Twenty jobs, each with a time of its own; of each claim the first half ends one job and begins the next.
    for _ in 0..20 {
        farm.queue(&submission("default"), 10).await;
    }
    let first = farm.claim(worker, 5).await.len();
    assert_eq!(first, 5);
    for turn in 0..19 {
        sqlx::query("update claim_front set move_time = now() - interval '1 minute'")
            .execute(&farm.pool)
            .await
            .unwrap();
        assert_eq!(farm.claim(worker, 10).await.len(), 10);
        let (claimed, hidden): (i64, i64) = sqlx::query_as(
            "select
                 count(*) filter (where state <> 'ready' and ready_time >= front_time),
                 count(*) filter (where state = 'ready' and ready_time < front_time)
             from task join claim_front using (project_id, demand_id, priority)",
        )
        .fetch_one(&farm.pool)
        .await
        .unwrap();
        assert_eq!(hidden, 0, "the front hides nothing");
        assert_eq!(claimed, 5, "after {} claims the front stands at the job that was begun last", turn + 2);
    }
    drop(snapshot);
}

#[tokio::test]
async fn heartbeats_leave_the_rows_alone_that_claims_read() {
    let farm = Farm::new().await;
    let worker = farm.worker(4).await;
    let place = async || {
        let place: String = sqlx::query_scalar("select ctid::text || xmin::text from worker where worker_id = $1")
            .bind(worker)
            .fetch_one(&farm.pool)
            .await
            .unwrap();
        place
    };
    let heard = async || {
        let rows = workers::list(&farm.pool, None, 1, 60.0).await.unwrap();
        rows[0].heartbeat_micros
    };
    let (before, heard_before) = (place().await, heard().await);
    for _ in 0..50 {
        heartbeat(&farm.pool, worker, &[], LEASE).await.unwrap();
    }
    assert_eq!(place().await, before, "no new version of the worker's row");
    assert!(heard().await > heard_before);
}

#[tokio::test]
async fn a_task_that_comes_back_stands_behind_no_front() {
    let farm = Farm::new().await;
    let worker = farm.worker(9).await;
    farm.queue(&submission("default"), 1).await;
    let held = farm.claim_one(worker).await;
    farm.queue(&submission("default"), 2).await;
    sqlx::query("update claim_front set move_time = now() - interval '1 minute'").execute(&farm.pool).await.unwrap();
    farm.claim_one(worker).await;
    workers::relinquish(&farm.pool, worker, &[(held.task_id, held.attempt)]).await.unwrap();
    assert_eq!(farm.claim_one(worker).await.task_id, held.task_id, "the oldest");
    expire::tidy(&farm.pool).await.unwrap();
    assert_eq!(farm.claim(worker, 9).await.len(), 1);
}

#[tokio::test]
async fn what_runs_is_counted_as_it_is_whatever_ends_it() {
    let farm = Farm::new().await;
    farm.set_limit("egress", 9).await;
    let wants = Requirements { limits: named("egress"), slots: 2, ..Requirements::default() };
    let job = requiring(wants);
    let plan = Plan {
        tasks: (0..5).map(|number| planned(&format!("{} {number}", job.job_id), &[], &[])).collect(),
        cached: Vec::new(),
    };
    let job_id = farm.submit(&job, plan).await;
    let worker = farm.worker(20).await;
    let held = farm.claim(worker, 20).await;
    assert_eq!(farm.usage().await, json!({ "tasks/default": 5, "slots/default": 10, "limit/egress": 5 }));
    farm.succeed(worker, &held[0]).await;
    workers::relinquish(&farm.pool, worker, &[(held[1].task_id, held[1].attempt)]).await.unwrap();
    assert_eq!(farm.usage().await, json!({ "tasks/default": 3, "slots/default": 6, "limit/egress": 3 }));
    let call = mixdown_coordinator::queue::request::Request::new(Uuid::new_v4(), "CancelJob", &[]);
    mixdown_coordinator::queue::cancel::cancel(&farm.pool, "default", job_id, &call).await.unwrap();
    assert_eq!(farm.usage().await, json!({}));
}
