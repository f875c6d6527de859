//! WorkerService.

use std::time::Duration;

use mixdown_proto::v1;
use mixdown_proto::v1::worker_service_server::WorkerService;
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::combine::Combiner;
use super::{Farm, auth, check, status, views};
use crate::blobs::Store;
use crate::queue;
use crate::queue::artifacts::Made;
use crate::queue::claim::{self, Ask, Claim};
use crate::queue::heartbeat::{self, Beat, Heartbeat};
use crate::queue::settle::{Outcome, Settled, Settlement, Success, settle_all};
use crate::queue::view;
use crate::queue::workers::{self, Order, Ordered};

const LONGEST_WAIT_SECONDS: f64 = 60.0;
pub(super) const MAX_SLOTS: i32 = 1024;
const MAX_DAMAGED: usize = 100;
/// Batches of settlements under way: one may ask the store while another writes.
const SETTLING_BATCHES: usize = 2;

/// Settlements that are made together.
pub(crate) type Settling = Combiner<Settlement, Result<Settled, Status>>;

/// Makes settlements together for as long as there are clones.
pub(crate) fn settling(pool: sqlx::PgPool, store: Store) -> Settling {
    Combiner::new(SETTLING_BATCHES, move |settlements: Vec<Settlement>| {
        let (pool, store) = (pool.clone(), store.clone());
        async move {
            let settled = settle_all(&pool, &store, &settlements.iter().collect::<Vec<_>>()).await;
            match settled {
                Ok(settled) => settled.into_iter().map(Ok).collect(),
                Err(error) => {
                    let status = Status::from(error);
                    settlements.iter().map(|_| Err(status.clone())).collect()
                }
            }
        }
    })
}

/// When a call that may wait so many seconds is to be answered.
fn deadline(wait_seconds: f64) -> Result<Instant, Status> {
    if !(0.0..=LONGEST_WAIT_SECONDS).contains(&wait_seconds) {
        return Err(status::invalid_field("wait_seconds", format!("{wait_seconds} is not within 0 to 60")));
    }
    Ok(Instant::now() + Duration::from_secs_f64(wait_seconds))
}

/// The farm, for workers.
#[derive(Debug, Clone)]
pub(crate) struct Workers(pub Farm);

impl Workers {
    /// Gives a worker an order of an admin's.
    async fn order(&self, request_id: &str, worker: String, order: Order) -> Result<v1::Worker, Status> {
        let request_id = check::uuid("request_id", request_id)?;
        let name = match order {
            Order::Drain => "DrainWorker",
            Order::Release => "ReleaseWorker",
        };
        let call = queue::request::Request::new(request_id, name, &[worker.as_bytes()]);
        match workers::order(&self.0.pool, &worker, order, &call, self.0.lost_after_seconds()).await? {
            Ordered::Done(row) => Ok(views::worker(*row)),
            Ordered::NoSuchWorker => Err(status::not_found("worker", &worker)),
            Ordered::RequestReused => Err(status::request_reused()),
        }
    }
}

fn lease_refs(leases: &[v1::LeaseRef]) -> Result<Vec<(Uuid, i32)>, Status> {
    leases.iter().map(|lease| Ok((check::uuid("leases.task_id", &lease.task_id)?, lease.attempt))).collect()
}

fn assignment(row: claim::Assignment) -> v1::Assignment {
    v1::Assignment {
        task_id: row.task_id.to_string(),
        attempt: row.attempt,
        job_id: row.job_id.to_string(),
        project_id: row.project_id,
        session_json: row.document,
        task_json: row.spec,
        artifact_digests: row.input_keys.into_iter().zip(row.input_digests).collect(),
        slots: row.slots,
        memory_bytes: row.memory_bytes,
    }
}

fn success(success: v1::TaskSuccess) -> Result<Success, Status> {
    for made in &success.artifacts {
        check::digest("success.artifacts.key", &made.key)?;
        check::digest("success.artifacts.digest", &made.digest)?;
        if made.size_bytes < 0 {
            return Err(status::invalid_field("success.artifacts.size_bytes", "it is negative".into()));
        }
    }
    let made = |made: v1::MadeArtifact| Made {
        key: made.key,
        digest: made.digest,
        size_bytes: made.size_bytes,
        report_json: made.report_json,
    };
    Ok(Success {
        artifacts: success.artifacts.into_iter().map(made).collect(),
        cpu_seconds: success.cpu_seconds,
        fetched_bytes: success.fetched_bytes,
        stored_bytes: success.stored_bytes,
        realtime_factor: success.realtime_factor,
    })
}

#[tonic::async_trait]
impl WorkerService for Workers {
    async fn register(&self, request: Request<v1::RegisterRequest>) -> Result<Response<v1::RegisterResponse>, Status> {
        auth::worker(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let request_id = check::uuid("request_id", &request.request_id)?;
        if !(1..=MAX_SLOTS).contains(&request.slots) {
            return Err(status::invalid_field("slots", format!("{} is not within 1 to {MAX_SLOTS}", request.slots)));
        }
        if request.life < 0 {
            return Err(status::invalid_field("life", "it is negative".into()));
        }
        let worker_id = check::uuid("worker_id", &request.worker_id)?;
        let registration = workers::Registration {
            worker_id,
            name: if request.name.is_empty() { worker_id.to_string() } else { request.name },
            slots: request.slots,
            revisions: request.revisions.into_iter().collect(),
            version: request.version,
            request_id,
            memory_bytes: (request.memory_bytes > 0).then_some(request.memory_bytes),
            labels: check::names("labels", request.labels)?,
            life: request.life,
        };
        let life = workers::register(&self.0.pool, &registration).await?;
        tracing::info!(worker.id = %worker_id, "worker {} registered with {} slots", registration.name, registration.slots);
        Ok(Response::new(v1::RegisterResponse {
            lease_seconds: self.0.lease.as_secs_f64(),
            heartbeat_seconds: self.0.heartbeat.as_secs_f64(),
            store_id: self.0.store_id.clone(),
            life,
        }))
    }

    async fn lease(&self, request: Request<v1::LeaseRequest>) -> Result<Response<v1::LeaseResponse>, Status> {
        auth::worker(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let worker_id = check::uuid("worker_id", &request.worker_id)?;
        let request_id = check::uuid("request_id", &request.request_id)?;
        if !(1..=MAX_SLOTS).contains(&request.max_tasks) {
            return Err(status::invalid_field(
                "max_tasks",
                format!("{} is not within 1 to {MAX_SLOTS}", request.max_tasks),
            ));
        }
        let ask = Ask { worker_id, max_tasks: request.max_tasks, request_id };
        match self.0.leasing.lease(ask, deadline(request.wait_seconds)?).await? {
            Claim::UnknownWorker => Err(status::unknown_worker()),
            Claim::Drain => Ok(Response::new(v1::LeaseResponse { assignments: Vec::new(), drain: true })),
            Claim::Assigned(assigned) => {
                let assignments = assigned.into_iter().map(assignment).collect();
                Ok(Response::new(v1::LeaseResponse { assignments, drain: false }))
            }
        }
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        auth::worker(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let worker_id = check::uuid("worker_id", &request.worker_id)?;
        let mut leases = Vec::with_capacity(request.leases.len());
        for lease in &request.leases {
            let task_id = check::uuid("leases.task_id", &lease.task_id)?;
            let progress = if lease.progress.is_finite() { lease.progress as f32 } else { 0.0 };
            leases.push(heartbeat::Progress { task_id, attempt: lease.attempt, progress });
        }
        let beat = Beat { worker_id, leases };
        match self.0.beats.beat(beat, deadline(request.wait_seconds)?).await? {
            Heartbeat::UnknownWorker => Err(status::unknown_worker()),
            Heartbeat::Heard { stop, drain, quarantine_reason } => {
                let lease_ref =
                    |(task_id, attempt): (Uuid, i32)| v1::LeaseRef { task_id: task_id.to_string(), attempt };
                let stop = stop.into_iter().map(lease_ref).collect();
                let quarantine_reason = quarantine_reason.unwrap_or_default();
                Ok(Response::new(v1::HeartbeatResponse { stop, drain, quarantine_reason }))
            }
        }
    }

    async fn settle(&self, request: Request<v1::SettleRequest>) -> Result<Response<v1::SettleResponse>, Status> {
        auth::worker(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let outcome = match request.outcome {
            None => return Err(status::invalid_field("outcome", "it is missing".into())),
            Some(v1::settle_request::Outcome::Success(made)) => Outcome::Success(success(made)?),
            Some(v1::settle_request::Outcome::Failure(failure)) => Outcome::Failure(views::reported_failure(failure)),
        };
        let settlement = Settlement {
            worker_id: check::uuid("worker_id", &request.worker_id)?,
            task_id: check::uuid("task_id", &request.task_id)?,
            attempt: request.attempt,
            request_id: check::uuid("request_id", &request.request_id)?,
            outcome,
        };
        let damaged = request.damaged_digests;
        if damaged.len() > MAX_DAMAGED {
            return Err(status::invalid_field(
                "damaged_digests",
                format!("{} are more than {MAX_DAMAGED}", damaged.len()),
            ));
        }
        for digest in &damaged {
            check::digest("damaged_digests", digest)?;
        }
        let masters = match &settlement.outcome {
            Outcome::Success(success) => success.artifacts.iter().any(|made| !made.report_json.is_empty()),
            Outcome::Failure(_) => false,
        };
        let Settlement { worker_id, task_id, attempt, .. } = settlement;
        let success = matches!(settlement.outcome, Outcome::Success(_));
        let settled = self.0.settling.call(settlement).await;
        let settled = settled.ok_or_else(|| Status::unavailable("the coordinator stops; try again"))??;
        if settled == Settled::Accepted
            && !damaged.is_empty()
            && let Some(project_id) = view::project_of_task(&self.0.pool, task_id).await?
        {
            self.0.mender.begin(project_id, damaged);
        }
        if settled == Settled::LeaseLost {
            tracing::info!(
                task.id = %task_id, attempt, worker.id = %worker_id, success,
                "a settlement came after its lease was lost; it does not count"
            );
        }
        if masters {
            self.0.masters.notify_one();
        }
        Ok(Response::new(v1::SettleResponse { lease_lost: settled == Settled::LeaseLost }))
    }

    async fn relinquish(
        &self,
        request: Request<v1::RelinquishRequest>,
    ) -> Result<Response<v1::RelinquishResponse>, Status> {
        auth::worker(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let worker_id = check::uuid("worker_id", &request.worker_id)?;
        check::uuid("request_id", &request.request_id)?;
        let leases = lease_refs(&request.leases)?;
        if request.leaving {
            let life = request.register_request_id;
            let life = if life.is_empty() { None } else { Some(check::uuid("register_request_id", &life)?) };
            workers::leave(&self.0.pool, worker_id, &leases, life).await?;
        } else {
            workers::relinquish(&self.0.pool, worker_id, &leases).await?;
        }
        Ok(Response::new(v1::RelinquishResponse {}))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        auth::admin(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let page_size = check::page_size(request.page_size)?;
        let after = check::page_token::<String>(&request.page_token)?;
        let mut rows = workers::list(&self.0.pool, after.as_ref(), page_size + 1, self.0.lost_after_seconds()).await?;
        let more = i64::try_from(rows.len()).unwrap_or(i64::MAX) > page_size;
        rows.truncate(usize::try_from(page_size).unwrap_or(usize::MAX));
        let next_page_token = match rows.last() {
            Some(last) if more => format!("{}:{}", last.worker_id, last.name),
            _ => String::new(),
        };
        let workers = rows.into_iter().map(views::worker).collect();
        Ok(Response::new(v1::ListWorkersResponse { workers, next_page_token }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::DrainWorkerResponse>, Status> {
        auth::admin(&self.0, request.metadata()).await?;
        let v1::DrainWorkerRequest { request_id, worker } = request.into_inner();
        let worker = Some(self.order(&request_id, worker, Order::Drain).await?);
        Ok(Response::new(v1::DrainWorkerResponse { worker }))
    }

    async fn release_worker(
        &self,
        request: Request<v1::ReleaseWorkerRequest>,
    ) -> Result<Response<v1::ReleaseWorkerResponse>, Status> {
        auth::admin(&self.0, request.metadata()).await?;
        let v1::ReleaseWorkerRequest { request_id, worker } = request.into_inner();
        let worker = Some(self.order(&request_id, worker, Order::Release).await?);
        Ok(Response::new(v1::ReleaseWorkerResponse { worker }))
    }
}
