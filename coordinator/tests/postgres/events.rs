use mixdown_coordinator::queue::cancel::cancel;
use mixdown_coordinator::queue::events;
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::settle::{Outcome, Settlement, Success, settle};
use mixdown_coordinator::state::JobState;
use mixdown_dsp::plan::Plan;
use uuid::Uuid;

use crate::support::{Farm, planned, submission, two_stems_one_mix};

#[tokio::test]
async fn a_job_tells_its_story_in_order_and_ends_with_its_end() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    let worker = farm.worker(1).await;
    farm.run_all(worker).await;
    let told = events::after(&farm.pool, "default", job_id, 0, 100).await.unwrap();
    let messages: Vec<&str> = told.iter().map(|event| event.message.split(" on worker").next().unwrap()).collect();
    let expected = [
        "queued with 3 tasks",
        "vox runs",
        "vox is done",
        "bass runs",
        "bass is done",
        "master is ready",
        "master runs",
        "master is done",
        "every master is delivered",
    ];
    assert_eq!(messages, expected);
    assert_eq!(told.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    assert!(told.windows(2).all(|pair| pair[0].progress <= pair[1].progress));
    assert_eq!(told.last().unwrap().job_state, JobState::Succeeded);
    assert!((told.last().unwrap().progress - 1.0).abs() < 1e-9);
    let rest = events::after(&farm.pool, "default", job_id, 7, 100).await.unwrap();
    assert_eq!(rest, told[7..]);
    assert!(events::after(&farm.pool, "other", job_id, 0, 100).await.unwrap().is_empty());
}

/// Settles race, while a reader follows: it must see 1, 2, 3… without ever having to go back.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_no_gap_while_many_tasks_end_at_once() {
    let farm = Farm::new().await;
    let plan = Plan {
        tasks: (0..24).map(|number| planned(&format!("stem {number}"), &[], &[])).collect(),
        cached: Vec::new(),
    };
    let mut job = submission("default");
    job.deliverables.clear();
    let job_id = farm.submit(&job, plan).await;
    let worker = farm.worker(24).await;
    let held = farm.claim(worker, 24).await;
    let mut settling = tokio::task::JoinSet::new();
    for assignment in held {
        let artifacts = farm.make("default", assignment.task_id).await;
        let (pool, store) = (farm.pool.clone(), farm.store.clone());
        settling.spawn(async move {
            let settlement = Settlement {
                worker_id: worker,
                task_id: assignment.task_id,
                attempt: assignment.attempt,
                request_id: Uuid::new_v4(),
                outcome: Outcome::Success(Success { artifacts, ..Success::default() }),
            };
            settle(&pool, &store, &settlement).await.unwrap();
        });
    }
    let mut seen = 0;
    loop {
        let page = events::after(&farm.pool, "default", job_id, seen, 5).await.unwrap();
        for event in &page {
            assert_eq!(event.sequence, seen + 1);
            seen = event.sequence;
        }
        if page.last().is_some_and(|event| event.job_state != JobState::Active) {
            break;
        }
        tokio::task::yield_now().await;
    }
    settling.join_all().await;
    // Queued, 24 started, 24 done, and the end.
    assert_eq!(seen, 50);
}

#[tokio::test]
async fn a_cancelled_jobs_last_event_is_its_end() {
    let farm = Farm::new().await;
    let job_id = farm.submit(&submission("default"), two_stems_one_mix()).await;
    cancel(&farm.pool, "default", job_id, &Request::new(Uuid::new_v4(), "CancelJob", &[])).await.unwrap();
    let told = events::after(&farm.pool, "default", job_id, 0, 100).await.unwrap();
    let states: Vec<JobState> = told.iter().map(|event| event.job_state).collect();
    assert_eq!(states.iter().filter(|state| **state != JobState::Active).count(), 1);
    assert_eq!(states.last(), Some(&JobState::Cancelled));
    assert_eq!(told.len(), 5);
}
