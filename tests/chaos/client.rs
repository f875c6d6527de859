//! A client that does not give up: every call is made again, under its request id, until it is answered; some are made
//! twice at once.

use std::collections::BTreeSet;
use std::time::Duration;

use mixdown_proto::v1::blob_service_client::BlobServiceClient;
use mixdown_proto::v1::job_service_client::JobServiceClient;
use mixdown_proto::v1::worker_service_client::WorkerServiceClient;
use mixdown_proto::v1::{
    CancelJobRequest, CollectGarbageRequest, CollectGarbageResponse, Failure, FailureKind, Granularity, Requirements,
    RetryJobRequest, SettleRequest, SubmitJobRequest, settle_request::Outcome,
};
use mixdown_proto::{MAX_MESSAGE_BYTES, MAX_REPORTS_BYTES};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use uuid::Uuid;

const ANSWER: Duration = Duration::from_secs(5);
/// For a collection of garbage, which deletes one object after the other.
const COLLECTED: Duration = Duration::from_secs(30);

/// The way to any coordinator.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
}

impl Client {
    pub fn new(address: std::net::SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        Self { endpoint: endpoint.connect_timeout(ANSWER) }
    }

    /// Each try has a connection of its own, so that a coordinator that is gone is not asked twice.
    async fn until_answered<T, F: Future<Output = Result<T, Status>>>(
        &self,
        call: impl Fn(Channel) -> F,
    ) -> Result<T, Status> {
        self.until_answered_within(ANSWER, call).await
    }

    async fn until_answered_within<T, F: Future<Output = Result<T, Status>>>(
        &self,
        patience: Duration,
        call: impl Fn(Channel) -> F,
    ) -> Result<T, Status> {
        loop {
            let refused = match self.endpoint.connect().await {
                Err(_) => None,
                Ok(channel) => match tokio::time::timeout(patience, call(channel)).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(status)) => Some(status),
                    Err(_) => None,
                },
            };
            match refused {
                Some(status)
                    if matches!(status.code(), Code::InvalidArgument | Code::AlreadyExists | Code::NotFound) =>
                {
                    return Err(status);
                }
                Some(status) if status.code() == Code::FailedPrecondition => return Err(status),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Submits a session, twice at once if `twice`, whose tasks hold these named limits; gives the job's id, or nothing when
    /// the farm lacks an input file.
    pub async fn submit(&self, session_json: String, name: String, limits: Vec<String>, twice: bool) -> Option<String> {
        let request = SubmitJobRequest {
            request_id: Uuid::new_v4().to_string(),
            session_json,
            granularity: Granularity::Spread.into(),
            display_name: name,
            requirements: Some(Requirements { limits, ..Requirements::default() }),
            ..SubmitJobRequest::default()
        };
        let submit = || {
            self.until_answered(|channel| {
                let request = request.clone();
                async move {
                    let mut jobs = JobServiceClient::new(channel).max_encoding_message_size(MAX_MESSAGE_BYTES);
                    Ok(jobs.submit_job(request).await?.into_inner().job.expect("a job is answered").job_id)
                }
            })
        };
        let copies = (0..1 + usize::from(twice)).map(|_| submit());
        let answers = futures::future::join_all(copies).await;
        let mut jobs = BTreeSet::new();
        for answer in answers {
            match answer {
                Ok(job) => _ = jobs.insert(job),
                // It may have been lost between the copies.
                Err(status) if status.code() == Code::FailedPrecondition => {}
                Err(status) => panic!("the session is not taken: {status}"),
            }
        }
        assert!(jobs.len() <= 1, "one request made two jobs: {jobs:?}");
        jobs.pop_first()
    }

    /// Makes a call twice at once: both copies are answered alike.
    async fn twice<F: Future<Output = Result<(), Status>>>(&self, call: impl Fn(Channel) -> F) -> Result<(), Status> {
        let (one, other) = tokio::join!(self.until_answered(&call), self.until_answered(&call));
        assert_eq!(one.is_ok(), other.is_ok(), "one request was answered with {one:?} and {other:?}");
        one
    }

    /// Cancels a job, by two calls at once; whether it could be cancelled.
    pub async fn cancel(&self, job_id: &str) -> bool {
        let request = CancelJobRequest { job_id: job_id.to_owned(), request_id: Uuid::new_v4().to_string() };
        let cancelled = self.twice(|channel| {
            let request = request.clone();
            async move { JobServiceClient::new(channel).cancel_job(request).await.map(drop) }
        });
        cancelled.await.is_ok()
    }

    /// Runs a failed or cancelled job again, by two calls at once.
    pub async fn retry(&self, job_id: &str) {
        let request = RetryJobRequest { job_id: job_id.to_owned(), request_id: Uuid::new_v4().to_string() };
        let retried = self.twice(|channel| {
            let request = request.clone();
            async move { JobServiceClient::new(channel).retry_job(request).await.map(drop) }
        });
        retried.await.expect("the job is run again");
    }

    /// Settles an attempt; whether it counted.
    pub async fn settle(&self, request: SettleRequest) -> bool {
        let answer = self.until_answered(|channel| {
            let request = request.clone();
            async move {
                let mut workers = WorkerServiceClient::new(channel).max_encoding_message_size(MAX_REPORTS_BYTES);
                Ok(workers.settle(request).await?.into_inner().lease_lost)
            }
        });
        !answer.await.expect("it is answered")
    }

    /// Fails an attempt that has ended, as a worker would that knows nothing of it; whether it counted.
    pub async fn fail_late(&self, worker: Uuid, task: Uuid, attempt: i32) -> bool {
        let failure = Failure { kind: FailureKind::BadSession.into(), message: "too late".into() };
        let request = SettleRequest {
            worker_id: worker.to_string(),
            task_id: task.to_string(),
            attempt,
            request_id: Uuid::new_v4().to_string(),
            outcome: Some(Outcome::Failure(failure)),
            ..SettleRequest::default()
        };
        self.settle(request).await
    }

    /// Collects garbage: what was not used for so long.
    pub async fn collect_garbage(&self, unused: Duration) -> CollectGarbageResponse {
        let request = CollectGarbageRequest {
            unused_seconds: Some(unused.as_secs_f64()),
            request_id: Uuid::new_v4().to_string(),
            ..CollectGarbageRequest::default()
        };
        let answer = self.until_answered_within(COLLECTED, |channel| {
            let request = request.clone();
            async move { Ok(BlobServiceClient::new(channel).collect_garbage(request).await?.into_inner()) }
        });
        answer.await.expect("garbage is collected")
    }
}
