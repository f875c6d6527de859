//! A client that does not give up: every call is made again, under its request id, until it is answered; some are made
//! twice at once.

use std::time::Duration;

use mixdown_proto::MAX_MESSAGE_BYTES;
use mixdown_proto::v1::job_service_client::JobServiceClient;
use mixdown_proto::v1::worker_service_client::WorkerServiceClient;
use mixdown_proto::v1::{
    Failure, FailureKind, Granularity, Requirements, RetryJobRequest, SettleRequest, SubmitJobRequest,
    settle_request::Outcome,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use uuid::Uuid;

const ANSWER: Duration = Duration::from_secs(5);

/// The way to any coordinator.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
}

impl Client {
    pub fn new(address: std::net::SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        Self { endpoint: endpoint.connect_timeout(ANSWER).timeout(ANSWER) }
    }

    /// Each try has a connection of its own, so that a coordinator that is gone is not asked twice.
    async fn until_answered<T, F: Future<Output = Result<T, Status>>>(
        &self,
        call: impl Fn(Channel) -> F,
    ) -> Result<T, Status> {
        loop {
            let refused = match self.endpoint.connect().await {
                Err(_) => None,
                Ok(channel) => match tokio::time::timeout(ANSWER, call(channel)).await {
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

    /// Submits a session, twice at once if `twice`, whose tasks hold these named limits; gives the job's id.
    pub async fn submit(&self, session_json: String, name: String, limits: Vec<String>, twice: bool) -> String {
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
        let answers = futures::future::try_join_all(copies).await.expect("the session is taken");
        assert!(answers.iter().all(|job| *job == answers[0]), "one request made two jobs: {answers:?}");
        answers[0].clone()
    }

    /// Runs a failed job again.
    pub async fn retry(&self, job_id: String) {
        let request = RetryJobRequest { job_id, request_id: Uuid::new_v4().to_string() };
        let retried = self.until_answered(|channel| {
            let request = request.clone();
            async move { JobServiceClient::new(channel).retry_job(request).await.map(drop) }
        });
        retried.await.expect("the job is run again");
    }

    /// Settles an attempt that has ended, as a worker would that knows nothing of it; whether it counted.
    pub async fn settle_late(&self, worker: Uuid, task: Uuid, attempt: i32) -> bool {
        let failure = Failure { kind: FailureKind::BadSession.into(), message: "too late".into() };
        let request = SettleRequest {
            worker_id: worker.to_string(),
            task_id: task.to_string(),
            attempt,
            request_id: Uuid::new_v4().to_string(),
            outcome: Some(Outcome::Failure(failure)),
            ..SettleRequest::default()
        };
        let answer = self.until_answered(|channel| {
            let request = request.clone();
            async move { Ok(WorkerServiceClient::new(channel).settle(request).await?.into_inner().lease_lost) }
        });
        !answer.await.expect("it is answered")
    }
}
