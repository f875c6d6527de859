//! A coordinator that hands out what a test gives it and tells the test what it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mixdown_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use mixdown_proto::v1::*;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::in_time;

/// A call that the worker made.
#[derive(Debug, Clone)]
pub enum Call {
    Register(RegisterRequest),
    Lease(LeaseRequest),
    Heartbeat(HeartbeatRequest),
    Settle(SettleRequest),
    Relinquish(RelinquishRequest),
}

#[derive(Default)]
pub struct Plan {
    pub assignments: VecDeque<Assignment>,
    /// Handed back by every heartbeat.
    pub stop: Vec<LeaseRef>,
    pub drain: bool,
    /// Answers given instead of the true ones, first to last, by call.
    pub register_errors: VecDeque<Status>,
    pub lease_errors: VecDeque<Status>,
    pub settle_errors: VecDeque<Status>,
    pub lease_lost: bool,
    /// The newest life of the worker that it claims to know, unless the worker tells a later one.
    pub known_life: i64,
}

struct Service {
    plan: Arc<Mutex<Plan>>,
    changed: Arc<Notify>,
    calls: mpsc::UnboundedSender<Call>,
}

pub struct Coordinator {
    pub url: String,
    plan: Arc<Mutex<Plan>>,
    changed: Arc<Notify>,
    calls: mpsc::UnboundedReceiver<Call>,
}

impl Coordinator {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (plan, changed) = (Arc::<Mutex<Plan>>::default(), Arc::<Notify>::default());
        let (calls_tx, calls) = mpsc::unbounded_channel();
        let service = Service { plan: Arc::clone(&plan), changed: Arc::clone(&changed), calls: calls_tx };
        let server = tonic::transport::Server::builder().add_service(WorkerServiceServer::new(service));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { url, plan, changed, calls }
    }

    /// Changes the script.
    pub fn plan(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan.lock().unwrap());
        self.changed.notify_waiters();
    }

    pub fn hand_out(&self, assignment: Assignment) {
        self.plan(|plan| plan.assignments.push_back(assignment));
    }

    /// The next call that `pick` takes; others are passed over.
    pub async fn next<T>(&mut self, mut pick: impl FnMut(Call) -> Option<T>) -> T {
        let picked = async {
            loop {
                let call = self.calls.recv().await.expect("the coordinator ended");
                if let Some(picked) = pick(call) {
                    return picked;
                }
            }
        };
        in_time(picked).await
    }

    pub async fn settled(&mut self) -> SettleRequest {
        self.next(|call| match call {
            Call::Settle(request) => Some(request),
            _ => None,
        })
        .await
    }

    /// The next settlement, which must be a success.
    pub async fn success(&mut self) -> TaskSuccess {
        match self.settled().await.outcome {
            Some(settle_request::Outcome::Success(success)) => success,
            other => panic!("expected a success, got {other:?}"),
        }
    }

    /// The next settlement, which must be a failure.
    pub async fn failure(&mut self) -> Failure {
        match self.settled().await.outcome {
            Some(settle_request::Outcome::Failure(failure)) => failure,
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    /// The next call that ends a lease.
    pub async fn relinquished(&mut self) -> RelinquishRequest {
        self.next(|call| match call {
            Call::Relinquish(request) => Some(request),
            Call::Settle(request) => panic!("expected nothing to be settled, got {request:?}"),
            _ => None,
        })
        .await
    }
}

impl Service {
    fn told(&self, call: Call) {
        // The test may have ended.
        let _ = self.calls.send(call);
    }

    fn error(&self, of: impl FnOnce(&mut Plan) -> &mut VecDeque<Status>) -> Result<(), Status> {
        of(&mut self.plan.lock().unwrap()).pop_front().map_or(Ok(()), Err)
    }
}

#[tonic::async_trait]
impl WorkerService for Service {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<RegisterResponse>, Status> {
        let request = request.into_inner();
        let life = request.life.max(self.plan.lock().unwrap().known_life);
        self.told(Call::Register(request));
        self.error(|plan| &mut plan.register_errors)?;
        Ok(Response::new(RegisterResponse {
            lease_seconds: 1.0,
            heartbeat_seconds: 0.01,
            life,
            ..RegisterResponse::default()
        }))
    }

    async fn lease(&self, request: Request<LeaseRequest>) -> Result<Response<LeaseResponse>, Status> {
        let request = request.into_inner();
        self.told(Call::Lease(request.clone()));
        self.error(|plan| &mut plan.lease_errors)?;
        let answer = async {
            loop {
                let changed = self.changed.notified();
                {
                    let mut plan = self.plan.lock().unwrap();
                    if plan.drain || !plan.assignments.is_empty() {
                        let most = plan.assignments.len().min(request.max_tasks as usize);
                        let assignments = plan.assignments.drain(..most).collect();
                        return LeaseResponse { assignments, drain: plan.drain };
                    }
                }
                changed.await;
            }
        };
        let wait = Duration::from_secs_f64(request.wait_seconds);
        Ok(Response::new(tokio::time::timeout(wait, answer).await.unwrap_or_default()))
    }

    async fn heartbeat(&self, request: Request<HeartbeatRequest>) -> Result<Response<HeartbeatResponse>, Status> {
        self.told(Call::Heartbeat(request.into_inner()));
        let plan = self.plan.lock().unwrap();
        Ok(Response::new(HeartbeatResponse {
            stop: plan.stop.clone(),
            drain: plan.drain,
            ..HeartbeatResponse::default()
        }))
    }

    async fn settle(&self, request: Request<SettleRequest>) -> Result<Response<SettleResponse>, Status> {
        self.told(Call::Settle(request.into_inner()));
        self.error(|plan| &mut plan.settle_errors)?;
        Ok(Response::new(SettleResponse { lease_lost: self.plan.lock().unwrap().lease_lost }))
    }

    async fn relinquish(&self, request: Request<RelinquishRequest>) -> Result<Response<RelinquishResponse>, Status> {
        self.told(Call::Relinquish(request.into_inner()));
        Ok(Response::new(RelinquishResponse {}))
    }

    async fn list_workers(&self, _: Request<ListWorkersRequest>) -> Result<Response<ListWorkersResponse>, Status> {
        Err(Status::unimplemented("workers do not ask for this"))
    }

    async fn release_worker(
        &self,
        _: Request<ReleaseWorkerRequest>,
    ) -> Result<Response<ReleaseWorkerResponse>, Status> {
        Err(Status::unimplemented("workers do not ask for this"))
    }

    async fn drain_worker(&self, _: Request<DrainWorkerRequest>) -> Result<Response<DrainWorkerResponse>, Status> {
        Err(Status::unimplemented("workers do not ask for this"))
    }
}
