//! A relay of a worker's calls that makes each of them twice, at two coordinators and one copy a little later. It can hold
//! them for a while too: what it passes on then is stale.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use mixdown_proto::v1::worker_service_client::WorkerServiceClient;
use mixdown_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use mixdown_proto::v1::{
    DrainWorkerRequest, DrainWorkerResponse, HeartbeatRequest, HeartbeatResponse, LeaseRequest, LeaseResponse,
    ListWorkersRequest, ListWorkersResponse, RegisterRequest, RegisterResponse, ReleaseWorkerRequest,
    ReleaseWorkerResponse, RelinquishRequest, RelinquishResponse, SettleRequest, SettleResponse,
    settle_request::Outcome,
};
use mixdown_proto::{MAX_MESSAGE_BYTES, MAX_REPORTS_BYTES};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use crate::support::way::Way;

/// By how much the second copy of a call comes later, at most.
const LATEST_MILLIS: u64 = 300;
/// How long the answer to the other copy is waited for once there is one.
const OTHER_PATIENCE: Duration = Duration::from_secs(2);
/// Settlements remembered, to be sent once more.
const REMEMBERED: usize = 20;
/// Tasks that one answer carries at most, each with a session of the largest size.
const TASKS: usize = 8;

type Client = WorkerServiceClient<Channel>;

/// What a relay has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls of which both copies were answered.
    pub doubled: usize,
    /// Successes that came when their attempt had ended.
    pub stale_successes: usize,
    /// The last settlements that were answered, and whether they counted.
    pub settled: VecDeque<(SettleRequest, bool)>,
    /// Answers to the two copies of a call that do not agree.
    pub wrong: Vec<String>,
}

impl Seen {
    fn add_settlement(&mut self, request: SettleRequest, counted: bool) {
        self.stale_successes += usize::from(!counted && matches!(request.outcome, Some(Outcome::Success(_))));
        self.settled.push_back((request, counted));
        if self.settled.len() > REMEMBERED {
            self.settled.pop_front();
        }
    }
}

/// A relay; clones are the same.
#[derive(Debug, Clone)]
pub struct Relay {
    pub address: SocketAddr,
    coordinators: Vec<Client>,
    held: Arc<watch::Sender<bool>>,
    random: Arc<Mutex<fastrand::Rng>>,
    seen: Arc<Mutex<Seen>>,
}

impl Relay {
    /// Relays to coordinators by these ways.
    pub async fn open(ways: &[Way], seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let client = |way: &Way| {
            let endpoint = Endpoint::from_shared(format!("http://{}", way.address)).expect("an address");
            // A connection that is cut off is given up, as a worker gives up its own.
            let endpoint = endpoint.connect_timeout(OTHER_PATIENCE).http2_keep_alive_interval(OTHER_PATIENCE);
            Client::new(endpoint.keep_alive_timeout(OTHER_PATIENCE).connect_lazy())
                .max_decoding_message_size(MAX_MESSAGE_BYTES * TASKS)
                .max_encoding_message_size(MAX_REPORTS_BYTES)
        };
        let relay = Self {
            address,
            coordinators: ways.iter().map(client).collect(),
            held: Arc::new(watch::Sender::new(false)),
            random: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            seen: Arc::default(),
        };
        let service = WorkerServiceServer::new(relay.clone())
            .max_decoding_message_size(MAX_REPORTS_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES * TASKS);
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        relay
    }

    /// Passes nothing on until it is told to.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder panics")
    }

    /// Makes a call twice. The first answer that is `enough` is passed on, or else any; two answers must `agree`, the first
    /// one first.
    async fn twice<Q, A, F>(
        &self,
        request: Request<Q>,
        call: impl Fn(Client, Q) -> F + Send,
        enough: fn(&A) -> bool,
        agree: fn(&A, &A) -> bool,
    ) -> Result<Response<A>, Status>
    where
        Q: Clone + std::fmt::Debug + Send + 'static,
        A: Clone + std::fmt::Debug + Send + 'static,
        F: Future<Output = Result<Response<A>, Status>> + Send + 'static,
    {
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        let request = request.into_inner();
        let mut calls = self.copies(&request, call);
        let mut answered: Result<A, Status> = Err(Status::unavailable("no coordinator answers"));
        loop {
            let other = match &answered {
                Err(_) => calls.next().await,
                Ok(_) => tokio::time::timeout(OTHER_PATIENCE, calls.next()).await.unwrap_or_default(),
            };
            match other {
                None => return answered.map(Response::new),
                Some(Ok(answer)) if enough(&answer) => {
                    let (seen, first) = (Arc::clone(&self.seen), answer.clone());
                    tokio::spawn(async move {
                        let other = tokio::time::timeout(OTHER_PATIENCE, calls.next()).await;
                        let Ok(Some(Ok(other))) = other else { return };
                        let mut seen = seen.lock().expect("no holder panics");
                        seen.doubled += 1;
                        if !agree(&first, &other) {
                            seen.wrong.push(format!("{request:?} was answered with {first:?} and with {other:?}"));
                        }
                    });
                    return Ok(Response::new(answer));
                }
                Some(Ok(answer)) => {
                    self.seen().doubled += usize::from(answered.is_ok());
                    answered = Ok(answer);
                }
                Some(Err(status)) => answered = answered.or(Err(status)),
            }
        }
    }

    fn copies<Q, A, F>(
        &self,
        request: &Q,
        call: impl Fn(Client, Q) -> F,
    ) -> FuturesUnordered<BoxFuture<'static, Result<A, Status>>>
    where
        Q: Clone,
        A: Send + 'static,
        F: Future<Output = Result<Response<A>, Status>> + Send + 'static,
    {
        let mut coordinators = self.coordinators.clone();
        let mut random = self.random.lock().expect("no holder panics");
        random.shuffle(&mut coordinators);
        let copy = |(place, client): (usize, Client)| {
            let later = Duration::from_millis(if place == 0 { 0 } else { random.u64(..LATEST_MILLIS) });
            let answer = call(client, request.clone());
            async move {
                tokio::time::sleep(later).await;
                Ok(answer.await?.into_inner())
            }
            .boxed()
        };
        coordinators.into_iter().enumerate().map(copy).collect()
    }
}

/// Any answer will do.
fn any<A>(_: &A) -> bool {
    true
}

/// The tasks that were handed out.
fn attempts(answer: &LeaseResponse) -> Vec<(&str, i32)> {
    answer.assignments.iter().map(|task| (task.task_id.as_str(), task.attempt)).collect()
}

#[tonic::async_trait]
impl WorkerService for Relay {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<RegisterResponse>, Status> {
        let call = |mut client: Client, request| async move { client.register(request).await };
        self.twice(request, call, any, |first, other| first.lease_seconds == other.lease_seconds).await
    }

    async fn lease(&self, request: Request<LeaseRequest>) -> Result<Response<LeaseResponse>, Status> {
        let call = |mut client: Client, request| async move { client.lease(request).await };
        let enough = |answer: &LeaseResponse| answer.drain || !answer.assignments.is_empty();
        // What was handed out may have ended before the other copy asked.
        let agree = |first: &LeaseResponse, other: &LeaseResponse| {
            attempts(other).iter().all(|attempt| attempts(first).contains(attempt))
        };
        self.twice(request, call, enough, agree).await
    }

    async fn heartbeat(&self, request: Request<HeartbeatRequest>) -> Result<Response<HeartbeatResponse>, Status> {
        let call = |mut client: Client, request| async move { client.heartbeat(request).await };
        self.twice(request, call, any, |_, _| true).await
    }

    async fn settle(&self, request: Request<SettleRequest>) -> Result<Response<SettleResponse>, Status> {
        let call = |mut client: Client, request| async move { client.settle(request).await };
        let settlement = request.get_ref().clone();
        let answer = self.twice(request, call, any, |first, other| first == other).await?;
        self.seen().add_settlement(settlement, !answer.get_ref().lease_lost);
        Ok(answer)
    }

    async fn relinquish(&self, request: Request<RelinquishRequest>) -> Result<Response<RelinquishResponse>, Status> {
        let call = |mut client: Client, request| async move { client.relinquish(request).await };
        self.twice(request, call, any, |_, _| true).await
    }

    async fn list_workers(&self, _: Request<ListWorkersRequest>) -> Result<Response<ListWorkersResponse>, Status> {
        Err(Status::unimplemented("workers do not ask for this"))
    }

    async fn drain_worker(&self, _: Request<DrainWorkerRequest>) -> Result<Response<DrainWorkerResponse>, Status> {
        Err(Status::unimplemented("workers do not ask for this"))
    }

    async fn release_worker(
        &self,
        _: Request<ReleaseWorkerRequest>,
    ) -> Result<Response<ReleaseWorkerResponse>, Status> {
        Err(Status::unimplemented("workers do not ask for this"))
    }
}
