use std::collections::{BTreeMap, BTreeSet};

use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::submit::{RevisionChange, Submission, Submitted, submit};
use mixdown_coordinator::queue::view;
use mixdown_coordinator::state::Priority;
use mixdown_dsp::plan::Plan;
use uuid::Uuid;

use crate::support::{Farm, key, planned, submission, two_stems_one_mix};

/// What a planner that looks would plan: everything of the song that is not present.
fn plan_missing(present: &dyn Fn(&mixdown_dsp::plan::Key) -> bool) -> Plan {
    let whole = two_stems_one_mix();
    if present(&key("master")) {
        return Plan { tasks: Vec::new(), cached: vec![(key("master"), "master".into())] };
    }
    let mut plan = Plan::default();
    let mut after = Vec::new();
    for task in &whole.tasks[..2] {
        if present(&task.makes[0]) {
            plan.cached.push((task.makes[0], task.display_name.clone()));
        } else {
            after.push(plan.tasks.len());
            plan.tasks.push(task.clone());
        }
    }
    plan.tasks.push(planned("master", &["bass", "vox"], &after));
    plan
}

async fn queue(farm: &Farm, submission: &Submission) -> Uuid {
    match submit(&farm.pool, submission, plan_missing).await.unwrap() {
        Submitted::Queued { job_id, .. } => job_id,
        other => panic!("{other:?}"),
    }
}

async fn count(farm: &Farm, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(&farm.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_repeated_at_once_queues_one_job() {
    let farm = Farm::new().await;
    let first = submission("default");
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let mut again = first.clone();
        again.job_id = Uuid::now_v7();
        let pool = farm.pool.clone();
        calls.spawn(async move { submit(&pool, &again, plan_missing).await.unwrap() });
    }
    let answers = calls.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!((count(&farm, "job").await, count(&farm, "task").await), (1, 3));
}

#[tokio::test]
async fn a_request_id_with_other_content_is_refused() {
    let farm = Farm::new().await;
    let first = submission("default");
    queue(&farm, &first).await;
    let mut other = submission("default");
    other.request = Request { request_id: first.request.request_id, ..other.request };
    assert_eq!(submit(&farm.pool, &other, plan_missing).await.unwrap(), Submitted::RequestReused);
    assert_eq!(count(&farm, "job").await, 1);
}

#[tokio::test]
async fn a_job_without_its_input_files_is_not_there_at_all() {
    let farm = Farm::new().await;
    let digest = mixdown_dsp::digest::Digest::of(b"a kick").to_string();
    let mut job = submission("default");
    job.assets = BTreeSet::from([digest.clone()]);
    assert_eq!(submit(&farm.pool, &job, plan_missing).await.unwrap(), Submitted::MissingAssets(vec![digest.clone()]));
    assert_eq!((count(&farm, "job").await, count(&farm, "task").await, count(&farm, "session").await), (0, 0, 0));
    // Another project's blob of the same digest does not help.
    sqlx::query("insert into project (project_id) values ('other')").execute(&farm.pool).await.unwrap();
    sqlx::query("insert into blob (project_id, digest, size_bytes, uploaded) values ('other', $1, 1, true)")
        .bind(&digest)
        .execute(&farm.pool)
        .await
        .unwrap();
    assert!(matches!(submit(&farm.pool, &job, plan_missing).await.unwrap(), Submitted::MissingAssets(_)));
}

#[tokio::test]
async fn two_jobs_that_need_the_same_artifacts_make_them_once() {
    let farm = Farm::new().await;
    let (first, second) = (queue(&farm, &submission("default")).await, queue(&farm, &submission("default")).await);
    assert_eq!(count(&farm, "task").await, 3);
    assert_eq!(farm.tasks(second).await, farm.tasks(first).await);
    let worker = farm.worker(2).await;
    assert_eq!(farm.run_all(worker).await, 3);
    assert_eq!(farm.state(first).await, "succeeded");
    assert_eq!(farm.state(second).await, "succeeded");
}

#[tokio::test]
async fn another_projects_artifacts_are_neither_used_nor_waited_for() {
    let farm = Farm::new().await;
    sqlx::query("insert into project (project_id) values ('other')").execute(&farm.pool).await.unwrap();
    queue(&farm, &submission("other")).await;
    let worker = farm.worker(2).await;
    farm.run_all(worker).await;
    let job_id = queue(&farm, &submission("default")).await;
    let states: Vec<String> = farm.tasks(job_id).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["ready", "ready", "blocked"]);
}

#[tokio::test]
async fn an_urgent_job_raises_the_tasks_of_others_that_it_waits_for() {
    let farm = Farm::new().await;
    let mut bulk = submission("default");
    bulk.priority = Priority::Bulk;
    queue(&farm, &bulk).await;
    let mut urgent = submission("default");
    urgent.priority = Priority::Urgent;
    queue(&farm, &urgent).await;
    let priorities: Vec<i16> = sqlx::query_scalar("select priority from task").fetch_all(&farm.pool).await.unwrap();
    assert_eq!(priorities, [0, 0, 0]);
}

#[tokio::test]
async fn an_identical_job_renders_nothing_and_its_tasks_are_cached() {
    let farm = Farm::new().await;
    let worker = farm.worker(2).await;
    queue(&farm, &submission("default")).await;
    farm.run_all(worker).await;
    let mut again = submission("default");
    again.deliver_to = "elsewhere".into();
    let job_id = queue(&farm, &again).await;
    assert_eq!(farm.run_all(worker).await, 0);
    assert_eq!(farm.tasks(job_id).await, [("master".to_owned(), "succeeded".to_owned())]);
    farm.deliver_all().await;
    let job = view::job(&farm.pool, "default", job_id).await.unwrap().unwrap();
    assert_eq!((job.cached, job.succeeded), (1, 1));
    assert!((job.progress - 1.0).abs() < 1e-9);
    assert_eq!(farm.state(job_id).await, "succeeded");
    let files = view::deliverables(&farm.pool, "default", job_id).await.unwrap();
    assert_eq!(files[0].report_json, "{\"integrated_lufs\":-14.0}");
    assert!(!files[0].digest.is_empty());
}

#[tokio::test]
async fn a_task_that_waits_says_why() {
    let farm = Farm::new().await;
    let job_id = queue(&farm, &submission("default")).await;
    let reasons = async || {
        let tasks = view::tasks(&farm.pool, "default", job_id, None, 60.0).await.unwrap();
        tasks.into_iter().map(|task| task.waiting_reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons().await, ["no worker is connected", "no worker is connected", "waiting for vox and 1 more"]);
    farm.register(Uuid::new_v4(), 1, &[("gain", 2)]).await;
    assert_eq!(reasons().await[0], "no worker supports gain revision 1");
    farm.worker(1).await;
    assert_eq!(reasons().await[..2], ["next for a worker that becomes free", "behind 1 task"]);
}

#[tokio::test]
async fn a_submit_says_what_sounds_different_from_the_last_time() {
    let farm = Farm::new().await;
    let first = submission("default");
    queue(&farm, &first).await;
    let mut second = submission("default");
    second.document.clone_from(&first.document);
    second.session_digest.clone_from(&first.session_digest);
    second.revisions = BTreeMap::from([("gain".to_owned(), 3), ("eq".to_owned(), 1)]);
    let Submitted::Queued { revision_changes, .. } = submit(&farm.pool, &second, plan_missing).await.unwrap() else {
        panic!("not queued")
    };
    assert_eq!(revision_changes, [RevisionChange { name: "gain".into(), from_revision: 1, to_revision: 3 }]);
    let Submitted::Queued { revision_changes: again, .. } = submit(&farm.pool, &second, plan_missing).await.unwrap()
    else {
        panic!("not queued")
    };
    assert_eq!(again, revision_changes);
}
