use futures::StreamExt as _;
use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::{self, SubmitJobRequest, WatchJobRequest};
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::support::running::upload;
use crate::support::{Farm, submission, two_stems_one_mix};

const KICK: &[u8] = b"these are the bytes of a kick drum";

/// A session of one track whose asset is `KICK`; whether it decodes is for workers to say.
fn session() -> serde_json::Value {
    json!({
        "version": 1,
        "sample_rate_hz": 48000,
        "metadata": { "title": "One kick" },
        "tracks": [{ "name": "Kick", "clips": [{ "file": "kick.wav" }] }],
        "deliverables": [{ "name": "Main", "mix": "main", "format": "wav", "depth": "24" }],
        "assets": {
            "kick.wav": {
                "digest": Digest::of(KICK).to_string(), "size_bytes": KICK.len(), "frames": 48000,
                "sample_rate_hz": 48000, "channels": 1, "lossy": false
            }
        }
    })
}

fn submit(session: &serde_json::Value) -> SubmitJobRequest {
    SubmitJobRequest {
        request_id: Uuid::new_v4().to_string(),
        session_json: session.to_string(),
        granularity: v1::Granularity::Spread.into(),
        ..SubmitJobRequest::default()
    }
}

async fn upload_kick(coordinator: &crate::support::running::Coordinator) {
    let messages = upload(KICK, &Digest::of(KICK).to_string(), 0, 100);
    coordinator.blobs().await.upload(futures::stream::iter(messages)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_queued_once_its_files_are_there() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut jobs = coordinator.jobs().await;
    let request = submit(&session());
    let missing = jobs.submit_job(request.clone()).await.unwrap_err();
    assert_eq!(missing.code(), Code::FailedPrecondition);
    let details = missing.get_error_details();
    assert_eq!(details.precondition_failure().unwrap().violations[0].subject, Digest::of(KICK).to_string());
    assert_eq!(details.error_info().unwrap().reason, "MISSING_BLOBS");

    upload_kick(&coordinator).await;
    let job = jobs.submit_job(request.clone()).await.unwrap().into_inner().job.unwrap();
    assert_eq!((job.display_name.as_str(), job.state()), ("One kick", v1::JobState::Active));
    assert_eq!(job.deliver_to, format!("jobs/{}", job.job_id));
    let again = jobs.submit_job(request.clone()).await.unwrap().into_inner().job.unwrap();
    assert_eq!(again.job_id, job.job_id);
    let reused = jobs.submit_job(SubmitJobRequest { display_name: "other".into(), ..request }).await.unwrap_err();
    assert_eq!(reused.code(), Code::AlreadyExists);

    let view = jobs.get_job(v1::GetJobRequest { job_id: job.job_id }).await.unwrap().into_inner();
    assert!(!view.tasks.is_empty());
    assert!(view.tasks.iter().all(|task| !task.waiting_reason.is_empty()));
    assert_eq!(view.deliverables.iter().map(|file| file.file_name.as_str()).collect::<Vec<_>>(), ["Main.wav"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_faults_is_refused_with_every_one_of_them() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut bad = session();
    bad["tracks"][0]["output"] = json!("Nowhere");
    bad["deliverables"][0]["mix"] = json!("nothing");
    let refused = coordinator.jobs().await.submit_job(submit(&bad)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let fields: Vec<String> = refused
        .get_error_details()
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect();
    assert_eq!(fields, ["session_json/deliverables/0/mix", "session_json/tracks/0/output"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_out_of_range_are_named() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut jobs = coordinator.jobs().await;
    let good = submit(&session());
    let cases = [
        (SubmitJobRequest { request_id: "7".into(), ..good.clone() }, "request_id"),
        (SubmitJobRequest { deliver_to: "../x".into(), ..good.clone() }, "deliver_to"),
        (SubmitJobRequest { display_name: "x".repeat(201), ..good.clone() }, "display_name"),
        (SubmitJobRequest { session_json: " ".repeat((16 << 20) + 1), ..good }, "session_json"),
    ];
    for (request, field) in cases {
        let refused = jobs.submit_job(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        assert_eq!(refused.get_error_details().bad_request().unwrap().field_violations[0].field, field);
    }
    let bad_page = v1::ListJobsRequest { page_size: 1001, ..v1::ListJobsRequest::default() };
    assert_eq!(jobs.list_jobs(bad_page).await.unwrap_err().code(), Code::InvalidArgument);
    let unknown = v1::GetJobRequest { job_id: Uuid::new_v4().to_string() };
    assert_eq!(jobs.get_job(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_newest_first_without_loss() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.insert(0, farm.submit(&submission("default"), two_stems_one_mix()).await.to_string());
    }
    let mut jobs = coordinator.jobs().await;
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListJobsRequest { page_size: 2, page_token, state: v1::JobState::Active.into() };
        let page = jobs.list_jobs(request).await.unwrap().into_inner();
        seen.extend(page.jobs.into_iter().map(|job| job.job_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, expected);
    for _ in 0..3 {
        farm.worker(1).await;
    }
    let mut workers = coordinator.workers().await;
    let first = workers
        .list_workers(v1::ListWorkersRequest { page_size: 2, page_token: String::new() })
        .await
        .unwrap()
        .into_inner();
    let rest = workers
        .list_workers(v1::ListWorkersRequest { page_size: 2, page_token: first.next_page_token.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((first.workers.len(), rest.workers.len(), rest.next_page_token.as_str()), (2, 1, ""));
}

/// A worker and two clients over the wire, through two coordinators on one database.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_watched_to_its_end_through_another_coordinator() {
    let farm = Farm::new().await;
    let (one, two) = (farm.start().await, farm.start().await);
    upload_kick(&one).await;
    let job = one.jobs().await.submit_job(submit(&session())).await.unwrap().into_inner().job.unwrap();
    let watch = WatchJobRequest { job_id: job.job_id.clone(), after_sequence: 0 };
    let mut watching = two.jobs().await.watch_job(watch.clone()).await.unwrap().into_inner();

    let mut worker = one.workers().await;
    let worker_id = Uuid::new_v4().to_string();
    let known = worker
        .register(v1::RegisterRequest {
            worker_id: worker_id.clone(),
            name: "rack 1".into(),
            slots: 2,
            revisions: mixdown_dsp::plan::revisions().into_iter().collect(),
            version: "test".into(),
            request_id: Uuid::new_v4().to_string(),
            ..v1::RegisterRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert!(known.lease_seconds >= 2.0 * known.heartbeat_seconds);
    loop {
        let leased = worker
            .lease(v1::LeaseRequest {
                worker_id: worker_id.clone(),
                max_tasks: 1,
                wait_seconds: 0.0,
                request_id: Uuid::new_v4().to_string(),
            })
            .await
            .unwrap()
            .into_inner();
        let Some(assignment) = leased.assignments.into_iter().next() else { break };
        assert_eq!(assignment.session_json, session().to_string());
        assert_eq!(assignment.project_id, "default");
        let _: mixdown_dsp::plan::TaskSpec = serde_json::from_str(&assignment.task_json).unwrap();
        let artifacts = farm.make("default", assignment.task_id.parse().unwrap()).await;
        let made = |made: mixdown_coordinator::queue::artifacts::Made| v1::MadeArtifact {
            key: made.key,
            digest: made.digest,
            size_bytes: made.size_bytes,
            report_json: made.report_json,
        };
        let success =
            v1::TaskSuccess { artifacts: artifacts.into_iter().map(made).collect(), ..v1::TaskSuccess::default() };
        let settled = worker
            .settle(v1::SettleRequest {
                damaged_digests: Vec::new(),
                worker_id: worker_id.clone(),
                task_id: assignment.task_id,
                attempt: assignment.attempt,
                request_id: Uuid::new_v4().to_string(),
                outcome: Some(v1::settle_request::Outcome::Success(success)),
            })
            .await
            .unwrap();
        assert!(!settled.into_inner().lease_lost);
    }

    let mut sequence = 0;
    let mut last = None;
    while let Some(event) = watching.next().await {
        let event = event.unwrap();
        if event.create_time.is_some() {
            assert_eq!(event.sequence, sequence + 1);
        }
        sequence = event.sequence;
        last = Some(event);
    }
    assert_eq!(last.unwrap().job_state(), v1::JobState::Succeeded);
    // From the middle on, after the end: the rest and nothing else.
    let rest =
        two.jobs().await.watch_job(WatchJobRequest { after_sequence: 3, ..watch.clone() }).await.unwrap().into_inner();
    let rest: Vec<i64> = rest.map(|event| event.unwrap().sequence).collect().await;
    assert_eq!(rest, (4..=sequence).collect::<Vec<_>>());

    // The same session again: nothing to render, the master copied to where this job wants it.
    let again = SubmitJobRequest { deliver_to: "album".into(), ..submit(&session()) };
    let cached = two.ended(again).await;
    assert_eq!(cached.state(), v1::JobState::Succeeded);
    let counts = cached.task_counts.unwrap();
    assert_eq!((counts.cached, counts.waiting), (counts.succeeded, 0));
    assert!(farm.folder.path().join("store/projects/default/album/Main.wav").is_file());
    // And once more where other bytes lie.
    std::fs::write(farm.folder.path().join("store/projects/default/album/Main.wav"), b"other bytes").unwrap();
    let refused = SubmitJobRequest { deliver_to: "album".into(), ..submit(&session()) };
    let refused = two.ended(refused).await;
    assert_eq!(refused.state(), v1::JobState::Failed);
    assert!(refused.failure.unwrap().message.contains("--replace"));
    let replaced = SubmitJobRequest { deliver_to: "album".into(), replace: true, ..submit(&session()) };
    let replaced = two.ended(replaced).await;
    assert_eq!(replaced.state(), v1::JobState::Succeeded);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_lease_is_answered_when_a_task_becomes_ready() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let worker_id = farm.worker(1).await.to_string();
    let mut worker = coordinator.workers().await;
    let request =
        v1::LeaseRequest { worker_id, max_tasks: 1, wait_seconds: 60.0, request_id: Uuid::new_v4().to_string() };
    let submission = submission("default");
    let submitting = farm.submit(&submission, two_stems_one_mix());
    let (leased, _) = tokio::join!(worker.lease(request), submitting);
    assert_eq!(leased.unwrap().into_inner().assignments.len(), 1);
}
