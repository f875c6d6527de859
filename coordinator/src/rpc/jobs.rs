//! JobService.

use std::collections::BTreeMap;

use futures::stream::BoxStream;
use mixdown_proto::v1;
use mixdown_proto::v1::job_service_server::JobService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Farm, auth, check, status, submit, views, watch};
use crate::queue::archive::{self, Archived};
use crate::queue::cancel::{Changed, cancel};
use crate::queue::retry_job::retry_job;
use crate::queue::view::AttemptRow;
use crate::queue::{request, view};
use crate::state::JobState;

/// Jobs, for clients.
#[derive(Debug, Clone)]
pub(crate) struct Jobs(pub Farm);

impl Jobs {
    async fn job(&self, project_id: &str, job_id: Uuid) -> Result<v1::Job, Status> {
        match view::job(&self.0.pool, project_id, job_id).await? {
            Some(row) => Ok(views::job(row)),
            None => Ok(views::job(self.archived(project_id, job_id).await?.job)),
        }
    }

    async fn archived(&self, project_id: &str, job_id: Uuid) -> Result<Archived, Status> {
        let found = archive::find(&self.0.pool, project_id, job_id).await?;
        found.ok_or_else(|| status::not_found("job", &job_id.to_string()))
    }

    async fn changed(&self, project_id: &str, job_id: Uuid, changed: Changed) -> Result<v1::Job, Status> {
        match changed {
            Changed::Done => self.job(project_id, job_id).await,
            Changed::NoSuchJob => {
                self.archived(project_id, job_id).await?;
                let message = format!("job {job_id} ended long ago and is archived: submit the session again");
                Err(status::failed_precondition("JOB_ARCHIVED", message))
            }
            Changed::RequestReused => Err(status::request_reused()),
            Changed::NotPossible(state) => Err(status::failed_precondition(
                "JOB_STATE",
                format!(
                    "job {job_id} is {}: only an active job is cancelled, only a failed or cancelled one run again",
                    name_of(state)
                ),
            )),
            Changed::ArtifactsDropped => Err(status::failed_precondition(
                "ARTIFACTS_DROPPED",
                format!("what job {job_id} was to be made of was dropped since: submit the session again"),
            )),
        }
    }
}

#[tonic::async_trait]
impl JobService for Jobs {
    async fn submit_job(
        &self,
        request: Request<v1::SubmitJobRequest>,
    ) -> Result<Response<v1::SubmitJobResponse>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let (job_id, changes) = submit::submit_job(&self.0, project_id.clone(), request.into_inner()).await?;
        self.0.masters.notify_one();
        let revision_changes = changes
            .into_iter()
            .map(|change| v1::RevisionChange {
                name: change.name,
                from_revision: change.from_revision,
                to_revision: change.to_revision,
            })
            .collect();
        let job = self.job(&project_id, job_id).await?;
        tracing::info!(job.id = %job_id, project.id = %project_id, "queued \"{}\"", job.display_name);
        Ok(Response::new(v1::SubmitJobResponse { job: Some(job), revision_changes }))
    }

    async fn get_job(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::GetJobResponse>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let job_id = check::uuid("job_id", &request.get_ref().job_id)?;
        let Some(job) = view::job(&self.0.pool, &project_id, job_id).await? else {
            let archived = self.archived(&project_id, job_id).await?;
            let tasks = archived.tasks.into_iter().map(views::archived_task);
            return Ok(Response::new(v1::GetJobResponse {
                job: Some(views::job(archived.job)),
                tasks: with_attempts(tasks, archived.attempts),
                deliverables: archived.deliverables.into_iter().map(views::deliverable).collect(),
            }));
        };
        let tasks = view::tasks(&self.0.pool, &project_id, job_id, None, self.0.lost_after_seconds()).await?;
        let attempts = view::attempts(&self.0.pool, &project_id, job_id).await?;
        let deliverables = view::deliverables(&self.0.pool, &project_id, job_id).await?;
        Ok(Response::new(v1::GetJobResponse {
            job: Some(views::job(job)),
            tasks: with_attempts(tasks.into_iter().map(views::task), attempts),
            deliverables: deliverables.into_iter().map(views::deliverable).collect(),
        }))
    }

    async fn list_jobs(&self, request: Request<v1::ListJobsRequest>) -> Result<Response<v1::ListJobsResponse>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let page_size = check::page_size(request.page_size)?;
        let after = check::page_token::<i64>(&request.page_token)?;
        let state = views::wanted_state(request.state());
        let mut rows = view::jobs(&self.0.pool, &project_id, state, after, page_size + 1).await?;
        rows.extend(archive::jobs(&self.0.pool, &project_id, state, after, page_size + 1).await?);
        rows.sort_by_key(|row| std::cmp::Reverse((row.create_micros, row.job_id)));
        // One that was archived between the two looks.
        rows.dedup_by_key(|row| row.job_id);
        let more = i64::try_from(rows.len()).unwrap_or(i64::MAX) > page_size;
        rows.truncate(usize::try_from(page_size).unwrap_or(usize::MAX));
        let next_page_token = match rows.last() {
            Some(last) if more => format!("{}:{}", last.job_id, last.create_micros),
            _ => String::new(),
        };
        Ok(Response::new(v1::ListJobsResponse { jobs: rows.into_iter().map(views::job).collect(), next_page_token }))
    }

    type WatchJobStream = BoxStream<'static, Result<v1::WatchJobResponse, Status>>;

    async fn watch_job(&self, request: Request<v1::WatchJobRequest>) -> Result<Response<Self::WatchJobStream>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let job_id = check::uuid("job_id", &request.get_ref().job_id)?;
        let after_sequence = request.get_ref().after_sequence;
        if view::job(&self.0.pool, &project_id, job_id).await?.is_none() {
            let archived = self.archived(&project_id, job_id).await?;
            return Ok(Response::new(watch::archived(archived, after_sequence)));
        }
        Ok(Response::new(watch::watch(self.0.clone(), project_id, job_id, after_sequence)))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::CancelJobResponse>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let job_id = check::uuid("job_id", &request.job_id)?;
        let request_id = check::uuid("request_id", &request.request_id)?;
        let call = request::Request::new(request_id, "CancelJob", &[job_id.as_bytes()]);
        let changed = cancel(&self.0.pool, &project_id, job_id, &call).await?;
        let job = self.changed(&project_id, job_id, changed).await?;
        Ok(Response::new(v1::CancelJobResponse { job: Some(job) }))
    }

    async fn retry_job(&self, request: Request<v1::RetryJobRequest>) -> Result<Response<v1::RetryJobResponse>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let job_id = check::uuid("job_id", &request.job_id)?;
        let request_id = check::uuid("request_id", &request.request_id)?;
        let call = request::Request::new(request_id, "RetryJob", &[job_id.as_bytes()]);
        let changed = retry_job(&self.0.pool, &project_id, job_id, &call).await?;
        self.0.masters.notify_one();
        let job = self.changed(&project_id, job_id, changed).await?;
        Ok(Response::new(v1::RetryJobResponse { job: Some(job) }))
    }
}

/// Tasks with what became of their attempts.
fn with_attempts(tasks: impl Iterator<Item = v1::Task>, rows: Vec<AttemptRow>) -> Vec<v1::Task> {
    let mut attempts: BTreeMap<String, Vec<v1::Attempt>> = BTreeMap::new();
    for row in rows {
        attempts.entry(row.task_id.to_string()).or_default().push(views::attempt(row));
    }
    tasks.map(|task| v1::Task { attempts: attempts.remove(&task.task_id).unwrap_or_default(), ..task }).collect()
}

/// The state as people call it.
fn name_of(state: JobState) -> &'static str {
    match state {
        JobState::Active => "active",
        JobState::Succeeded => "done",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
    }
}
