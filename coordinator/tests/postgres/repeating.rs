//! Calls whose answer was lost: the connection to the database is cut after the commit was carried out. Repeated under the
//! same request id they give the first answer, and the database holds what one call does.

#[path = "../../../tests/support/cut.rs"]
mod cut;

use std::path::PathBuf;

use cut::Cut;
use mixdown_coordinator::blobs::Soundness;
use mixdown_coordinator::queue::cancel::{Changed, cancel};
use mixdown_coordinator::queue::claim::{Claim, claim};
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::retry_job::retry_job;
use mixdown_coordinator::queue::settle::{Outcome, Settled, Settlement, Success, settle};
use mixdown_coordinator::queue::submit::{Submission, Submitted, submit};
use mixdown_coordinator::queue::workers::{Order, Ordered, Registration, leave, list, order, register, relinquish};
use mixdown_coordinator::server::Config;
use mixdown_dsp::digest::Digest;
use mixdown_proto::v1;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use crate::support::farm::LEASE;
use crate::support::running::{Coordinator, upload};
use crate::support::{Farm, submission, two_stems_one_mix};

/// A farm whose database can also be reached through a proxy that cuts commits.
struct Scene {
    farm: Farm,
    cut: Cut,
    url: String,
    through: PgPool,
}

impl Scene {
    async fn new() -> Self {
        let farm = Farm::new().await;
        let options: PgConnectOptions = farm.url.parse().unwrap();
        let socket = PathBuf::from(options.get_socket().unwrap()).join(".s.PGSQL.5432");
        let cut = Cut::before(socket).await;
        let url = format!("postgres://{}@{}/{}", options.get_username(), cut.address, options.get_database().unwrap());
        let through = mixdown_coordinator::database::open(&url, 2).await.unwrap();
        Self { farm, cut, url, through }
    }

    /// Makes a call whose commit is cut, then makes it again.
    async fn twice<T: std::fmt::Debug, E: std::fmt::Debug>(&self, call: impl AsyncFn(&PgPool) -> Result<T, E>) -> T {
        self.cut.cut_commits(1);
        call(&self.through).await.expect_err("the answer of the first call is lost");
        assert_eq!(self.cut.left(), 0, "a commit was cut");
        call(&self.through).await.unwrap()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.farm.pool).await.unwrap()
    }
}

#[tokio::test]
async fn a_submission_whose_answer_was_lost_queues_one_job() {
    let scene = Scene::new().await;
    let first = submission("default");
    // A client that repeats the call sends the same content; the job's id is drawn anew by whichever coordinator hears it.
    let again = submission("default");
    let again = Submission { job_id: again.job_id, ..first.clone() };
    let calls = std::cell::RefCell::new(vec![again, first.clone()]);
    let submitted = scene
        .twice(async |pool| {
            let call = calls.borrow_mut().pop().unwrap();
            submit(pool, &call, |_| two_stems_one_mix()).await
        })
        .await;
    assert_eq!(submitted, Submitted::Queued { job_id: first.job_id, revision_changes: Vec::new() });
    assert_eq!(scene.count("select count(*) from job").await, 1);
    assert_eq!(scene.count("select count(*) from task").await, 3);
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_hands_out_the_same_attempts() {
    let scene = Scene::new().await;
    scene.farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = scene.farm.worker(2).await;
    let request_id = Uuid::new_v4();
    let claimed = scene.twice(async |pool| claim(pool, worker, 1, request_id, LEASE).await).await;
    let Claim::Assigned(assigned) = claimed else { panic!("{claimed:?}") };
    assert_eq!(assigned.len(), 1);
    assert_eq!(assigned[0].attempt, 1);
    assert_eq!(scene.count("select count(*) from attempt").await, 1);
    assert_eq!(scene.count("select count(*) from lease").await, 1);
}

#[tokio::test]
async fn a_settlement_whose_answer_was_lost_counts_once() {
    let scene = Scene::new().await;
    scene.farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = scene.farm.worker(1).await;
    let held = scene.farm.claim_one(worker).await;
    let artifacts = scene.farm.make("default", held.task_id).await;
    let settlement = Settlement {
        worker_id: worker,
        task_id: held.task_id,
        attempt: held.attempt,
        request_id: Uuid::new_v4(),
        outcome: Outcome::Success(Success { artifacts, ..Success::default() }),
    };
    let settled = scene.twice(async |pool| settle(pool, &scene.farm.store, &settlement).await).await;
    assert_eq!(settled, Settled::Accepted);
    assert_eq!(scene.farm.outcomes(held.task_id).await, ["succeeded"]);
    assert_eq!(scene.count("select count(*) from event where message = 'vox is done'").await, 1);
}

#[tokio::test]
async fn cancel_and_retry_whose_answers_were_lost_happen_once() {
    let scene = Scene::new().await;
    let job_id = scene.farm.submit(&submission("default"), two_stems_one_mix()).await;
    let call = Request::new(Uuid::new_v4(), "CancelJob", &[job_id.as_bytes()]);
    let cancelled = scene.twice(async |pool| cancel(pool, "default", job_id, &call).await).await;
    assert_eq!(cancelled, Changed::Done);
    assert_eq!(scene.count("select count(*) from event where message = 'the job is cancelled'").await, 1);
    let call = Request::new(Uuid::new_v4(), "RetryJob", &[job_id.as_bytes()]);
    let retried = scene.twice(async |pool| retry_job(pool, "default", job_id, &call).await).await;
    assert_eq!(retried, Changed::Done);
    assert_eq!(scene.count("select count(*) from event where message like 'to be run again%'").await, 1);
    assert_eq!(scene.farm.state(job_id).await, "active");
}

fn registration() -> Registration {
    Registration {
        worker_id: Uuid::new_v4(),
        name: "studio".into(),
        slots: 1,
        revisions: [("gain".to_owned(), 1)].into(),
        version: "test".into(),
        request_id: Uuid::new_v4(),
        memory_bytes: None,
        labels: Vec::new(),
        life: 0,
    }
}

#[tokio::test]
async fn a_registration_that_is_heard_twice_costs_no_attempt() {
    let scene = Scene::new().await;
    scene.farm.submit(&submission("default"), two_stems_one_mix()).await;
    let registration = registration();
    scene.twice(async |pool| register(pool, &registration).await).await;
    let held = scene.farm.claim_one(registration.worker_id).await;
    // Once more, late: a copy that was under way all the time.
    register(&scene.farm.pool, &registration).await.unwrap();
    assert_eq!(scene.farm.outcomes(held.task_id).await, ["-"]);
    let next_life = Registration { request_id: Uuid::new_v4(), ..registration };
    register(&scene.farm.pool, &next_life).await.unwrap();
    assert_eq!(scene.farm.outcomes(held.task_id).await, ["worker_lost"]);
}

/// A coordinator that reaches its database through the proxy.
async fn coordinator_through(scene: &Scene) -> Coordinator {
    Coordinator::start(Config { database_url: scene.url.clone(), ..scene.farm.config() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_of_garbage_whose_answer_was_lost_gives_the_first_answer_and_takes_nothing_more() {
    let scene = Scene::new().await;
    let coordinator = coordinator_through(&scene).await;
    let mut blobs = coordinator.blobs().await;
    let unneeded = "insert into blob (project_id, digest, size_bytes, uploaded)
         select 'default', encode(sha256(random()::text::bytea), 'hex'), 7, true from generate_series(1, 3)";
    let unneeded = async || {
        sqlx::query(unneeded).execute(&scene.farm.pool).await.unwrap();
        sqlx::query("update blob set pinned_until = now() - interval '2 days'")
            .execute(&scene.farm.pool)
            .await
            .unwrap();
    };
    unneeded().await;
    let call = v1::CollectGarbageRequest {
        unused_seconds: Some(3600.0),
        request_id: Uuid::new_v4().to_string(),
        ..v1::CollectGarbageRequest::default()
    };
    // The commit after which the rows are gone: the collection is carried out, and nobody hears of it.
    scene.cut.cut_commit_after("Forgets blobs");
    let cut = blobs.collect_garbage(call.clone()).await.unwrap_err();
    assert_eq!((cut.code(), scene.cut.left()), (tonic::Code::Unavailable, 0));
    assert_eq!(scene.count("select count(*) from blob").await, 0, "the commit was carried out");
    let first = blobs.collect_garbage(call.clone()).await.unwrap().into_inner();
    unneeded().await;
    let again = blobs.collect_garbage(call.clone()).await.unwrap().into_inner();
    assert_eq!(again, first);
    assert_eq!(scene.count("select count(*) from blob").await, 3, "what came since is another call's");
    let other = v1::CollectGarbageRequest { dry_run: true, ..call.clone() };
    assert_eq!(blobs.collect_garbage(other).await.unwrap_err().code(), tonic::Code::AlreadyExists);
    let next = v1::CollectGarbageRequest { request_id: Uuid::new_v4().to_string(), ..call };
    assert_eq!(blobs.collect_garbage(next).await.unwrap().into_inner().blobs.unwrap().count, 3);
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_answer_was_lost_is_complete_when_it_is_made_again() {
    let scene = Scene::new().await;
    let coordinator = coordinator_through(&scene).await;
    let mut blobs = coordinator.blobs().await;
    let content = b"an input file";
    let digest = Digest::of(content).to_string();
    scene.cut.cut_commit_after("is stored, uploaded by a client");
    let cut = blobs.upload(futures::stream::iter(upload(content, &digest, 0, 5))).await.unwrap_err();
    assert_eq!((cut.code(), scene.cut.left()), (tonic::Code::Unavailable, 0));
    let held = blobs.get_upload(v1::GetUploadRequest { digest: digest.clone() }).await.unwrap().into_inner();
    assert!(held.complete, "{held:?}");
    let again = blobs.upload(futures::stream::iter(upload(content, &digest, 0, 5))).await.unwrap().into_inner();
    assert_eq!((again.digest.as_str(), again.size_bytes), (digest.as_str(), content.len() as i64));
    assert_eq!(scene.count("select count(*) from blob where uploaded").await, 1);
    assert_eq!(scene.farm.store.look_at("default", &digest).await.unwrap(), Soundness::Sound);
    coordinator.stop().await;
}

#[tokio::test]
async fn a_registration_of_an_earlier_life_that_comes_late_ends_nothing() {
    let farm = Farm::new().await;
    farm.submit(&submission("default"), two_stems_one_mix()).await;
    let coordinator = farm.start().await;
    let mut workers = coordinator.workers().await;
    let call = |life| v1::RegisterRequest {
        worker_id: "5e8c8f1c-9a6e-4f5b-8a34-6d9d2a1a7a11".into(),
        slots: 1,
        revisions: [("gain".to_owned(), 1)].into(),
        request_id: Uuid::new_v4().to_string(),
        life,
        ..v1::RegisterRequest::default()
    };
    let mut life = async |call: &v1::RegisterRequest| workers.register(call.clone()).await.unwrap().into_inner().life;
    // The first life's second call was held by the network, and never heard, before the worker was started again.
    let (first, held, second) = (call(1), call(2), call(3));
    assert_eq!(life(&first).await, 1);
    assert_eq!(life(&second).await, 3);
    let task = farm.claim_one(second.worker_id.parse().unwrap()).await;
    for late in [&held, &first, &second] {
        assert_eq!(life(late).await, 3, "it is told which life is the newest");
        assert_eq!(farm.outcomes(task.task_id).await, ["-"], "life {} ends nothing", late.life);
    }
    let registered: Uuid =
        sqlx::query_scalar("select register_request_id from worker").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(registered.to_string(), second.request_id, "it is the second life that says goodbye");
    // A later one ends what the one before left open; so does that of a worker that does not count.
    assert_eq!(life(&call(4)).await, 4);
    assert_eq!(farm.outcomes(task.task_id).await, ["worker_lost"]);
    let task = farm.claim_one(second.worker_id.parse().unwrap()).await;
    assert_eq!(life(&call(0)).await, 4);
    assert_eq!(farm.outcomes(task.task_id).await.last().map(String::as_str), Some("worker_lost"));
    coordinator.stop().await;
}

#[tokio::test]
async fn a_goodbye_that_is_heard_twice_and_late_does_not_end_the_next_life() {
    let scene = Scene::new().await;
    scene.farm.submit(&submission("default"), two_stems_one_mix()).await;
    let first = registration();
    register(&scene.farm.pool, &first).await.unwrap();
    let worker = first.worker_id;
    let held = scene.farm.claim_one(worker).await;
    let leases = [(held.task_id, held.attempt)];
    scene.twice(async |pool| leave(pool, worker, &leases, Some(first.request_id)).await).await;
    assert_eq!(scene.farm.outcomes(held.task_id).await, ["relinquished"]);
    let state = || list(&scene.farm.pool, None, 10, 30.0);
    assert_eq!(state().await.unwrap()[0].state, "gone");
    // Once more, late: a copy that was under way when the worker was started again.
    register(&scene.farm.pool, &Registration { request_id: Uuid::new_v4(), ..first.clone() }).await.unwrap();
    let again = scene.farm.claim_one(worker).await;
    leave(&scene.farm.pool, worker, &leases, Some(first.request_id)).await.unwrap();
    assert_eq!(scene.farm.outcomes(again.task_id).await.last().map(String::as_str), Some("-"));
    let row = state().await.unwrap().remove(0);
    assert_eq!((row.state.as_str(), row.running), ("active", 1));
}

#[tokio::test]
async fn relinquishing_draining_and_releasing_whose_answers_were_lost_happen_once() {
    let scene = Scene::new().await;
    scene.farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = scene.farm.worker(1).await;
    let held = scene.farm.claim_one(worker).await;
    let leases = [(held.task_id, held.attempt)];
    scene.twice(async |pool| relinquish(pool, worker, &leases).await).await;
    assert_eq!(scene.farm.outcomes(held.task_id).await, ["relinquished"]);
    let call = Request::new(Uuid::new_v4(), "DrainWorker", &[worker.as_bytes()]);
    let name = worker.to_string();
    let ordered = scene.twice(async |pool| order(pool, &name, Order::Drain, &call, 600.0).await).await;
    assert!(matches!(ordered, Ordered::Done(row) if row.state == "draining"));
    assert_eq!(scene.count("select count(*) from worker_request").await, 1);
    let forgiven = "select (extract(epoch from forgiven_time) * 1000000)::bigint from worker";
    let call = Request::new(Uuid::new_v4(), "ReleaseWorker", &[worker.as_bytes()]);
    let ordered = scene.twice(async |pool| order(pool, &name, Order::Release, &call, 600.0).await).await;
    assert!(matches!(ordered, Ordered::Done(row) if row.quarantine_reason.is_none()));
    assert_eq!(scene.count("select count(*) from worker_request").await, 2);
    // Once more, late: what the worker failed since is not forgiven by it.
    let since = scene.count(forgiven).await;
    order(&scene.farm.pool, &name, Order::Release, &call, 600.0).await.unwrap();
    assert_eq!(scene.count(forgiven).await, since);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_not_connected_to() {
    let farm = Farm::new().await;
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&farm.pool).await.unwrap();
    let switch = async |on: bool| {
        let statement = format!("alter database {name} set default_transaction_read_only = {on}");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&farm.pool).await.unwrap();
    };
    switch(true).await;
    let refused = mixdown_coordinator::database::open(&farm.url, 1).await.unwrap_err();
    assert!(matches!(refused, mixdown_coordinator::database::Error::Connect { .. }), "{refused:?}");
    switch(false).await;
    mixdown_coordinator::database::open(&farm.url, 1).await.unwrap().close().await;
}
