//! A coordinator that does what a test tells it to: the other end of the wire.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::blob_service_server::{BlobService, BlobServiceServer};
use mixdown_proto::v1::job_service_server::{JobService, JobServiceServer};
use mixdown_proto::v1::*;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

type Answer<T> = Result<Response<T>, Status>;
type Parts<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The id of the one job of the farm.
pub const JOB_ID: &str = "0190d5c2-7d5f-7b4e-9c55-2b7a5c0d9e11";

/// What the farm is told to do, and what it has seen.
#[derive(Default)]
pub struct Script {
    /// Blobs that the farm has; what is uploaded joins them.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Bytes of unfinished uploads.
    pub partial: BTreeMap<String, Vec<u8>>,
    /// Uploads that broke off after this many bytes, one after the other.
    pub break_uploads_after: Vec<usize>,
    /// Failures of SubmitJob before it succeeds, one after the other.
    pub submit_failures: Vec<Status>,
    /// Events per WatchJob call; a call past the last one waits for ever.
    pub watches: Vec<Vec<WatchJobResponse>>,
    /// Whether the watch stays open after its events.
    pub watch_stays_open: bool,
    /// What GetJob says.
    pub job: GetJobResponse,
    /// Status that every call fails with.
    pub refuse: Option<Status>,
    /// Downloads break off after this many bytes, one after the other.
    pub break_downloads_after: Vec<usize>,

    /// Calls as they came.
    pub submits: Vec<SubmitJobRequest>,
    /// Where uploads began, by digest.
    pub upload_offsets: Vec<(String, i64)>,
    /// The cursors of WatchJob calls.
    pub cursors: Vec<i64>,
    /// Where downloads began.
    pub download_offsets: Vec<i64>,
    /// Jobs that were cancelled.
    pub cancelled: Vec<String>,
    /// Bearer tokens that came.
    pub tokens: Vec<String>,
}

/// A farm that listens. It stops when dropped.
pub struct Farm {
    /// Its address for `--coordinator`.
    pub url: String,
    script: Arc<Mutex<Script>>,
    _runtime: tokio::runtime::Runtime,
}

impl Farm {
    /// Starts a farm on a free port.
    pub fn start(script: Script) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let script = Arc::new(Mutex::new(script));
        let listener = runtime.block_on(tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Service(Arc::clone(&script));
        runtime.spawn(
            tonic::transport::Server::builder()
                .add_service(JobServiceServer::new(service.clone()))
                .add_service(BlobServiceServer::new(service))
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        Self { url, script, _runtime: runtime }
    }

    /// What it has seen.
    pub fn seen(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }
}

/// An event of the farm's job.
pub fn event(sequence: i64, message: &str) -> WatchJobResponse {
    WatchJobResponse {
        sequence,
        job_state: JobState::Active.into(),
        message: message.to_owned(),
        progress: 0.5,
        ..Default::default()
    }
}

/// What GetJob says of a job that ended so, with one task and these files.
pub fn ended(state: JobState, files: &[(&str, &[u8])]) -> GetJobResponse {
    GetJobResponse {
        job: Some(Job { job_id: JOB_ID.to_owned(), state: state.into(), ..Default::default() }),
        tasks: vec![Task {
            kind: "fused".to_owned(),
            display_name: "everything".to_owned(),
            state: TaskState::Succeeded.into(),
            worker_name: "studio-2".to_owned(),
            seconds: 1.5,
            realtime_factor: 40.0,
            ..Default::default()
        }],
        deliverables: files
            .iter()
            .map(|(name, bytes)| Deliverable {
                file_name: (*name).to_owned(),
                digest: Digest::of(bytes).to_string(),
                size_bytes: bytes.len() as i64,
                report_json: r#"{"format":"wav","depth":"24","measurement":{"duration_seconds":2.0}}"#.to_owned(),
            })
            .collect(),
    }
}

#[derive(Clone)]
struct Service(Arc<Mutex<Script>>);

impl Service {
    fn script<T>(&self, request: &Request<T>) -> Result<MutexGuard<'_, Script>, Status> {
        let mut script = self.0.lock().unwrap();
        if let Some(token) = request.metadata().get("authorization") {
            script.tokens.push(token.to_str().unwrap().to_owned());
        }
        match &script.refuse {
            Some(status) => Err(status.clone()),
            None => Ok(script),
        }
    }
}

/// What a connection that breaks in the middle of a stream looks like to the other end.
fn broken() -> Status {
    Status::unavailable("the connection broke")
}

#[tonic::async_trait]
impl BlobService for Service {
    async fn find_missing(&self, request: Request<FindMissingRequest>) -> Answer<FindMissingResponse> {
        let script = self.script(&request)?;
        let missing = request.get_ref().digests.iter().filter(|digest| !script.blobs.contains_key(*digest)).cloned();
        Ok(Response::new(FindMissingResponse { missing_digests: missing.collect() }))
    }

    async fn get_upload(&self, request: Request<GetUploadRequest>) -> Answer<GetUploadResponse> {
        let script = self.script(&request)?;
        let digest = &request.get_ref().digest;
        let committed_bytes = script.partial.get(digest).map_or(0, Vec::len) as i64;
        Ok(Response::new(GetUploadResponse { committed_bytes, complete: script.blobs.contains_key(digest) }))
    }

    async fn upload(&self, request: Request<Streaming<UploadRequest>>) -> Answer<UploadResponse> {
        drop(self.script(&request)?);
        let mut parts = request.into_inner();
        let Some(UploadRequest { part: Some(upload_request::Part::Head(head)) }) = parts.message().await? else {
            return Err(Status::invalid_argument("the first message is the head"));
        };
        let break_after = {
            let mut script = self.0.lock().unwrap();
            script.upload_offsets.push((head.digest.clone(), head.offset_bytes));
            if script.break_uploads_after.is_empty() { usize::MAX } else { script.break_uploads_after.remove(0) }
        };
        while let Some(part) = parts.message().await? {
            let Some(upload_request::Part::Data(data)) = part.part else {
                return Err(Status::invalid_argument("bytes follow the head"));
            };
            let mut script = self.0.lock().unwrap();
            let partial = script.partial.entry(head.digest.clone()).or_default();
            partial.extend_from_slice(&data);
            if partial.len() >= break_after {
                return Err(broken());
            }
        }
        let mut script = self.0.lock().unwrap();
        let bytes = script.partial.remove(&head.digest).unwrap_or_default();
        if Digest::of(&bytes).to_string() != head.digest || bytes.len() as i64 != head.size_bytes {
            return Err(Status::invalid_argument("these are other bytes"));
        }
        let size_bytes = bytes.len() as i64;
        script.blobs.insert(head.digest.clone(), bytes);
        Ok(Response::new(UploadResponse { digest: head.digest, size_bytes }))
    }

    async fn collect_garbage(
        &self,
        _: Request<CollectGarbageRequest>,
    ) -> Result<Response<CollectGarbageResponse>, Status> {
        Err(Status::unimplemented("these tests do not ask for this"))
    }

    type DownloadStream = Parts<DownloadResponse>;

    async fn download(&self, request: Request<DownloadRequest>) -> Answer<Self::DownloadStream> {
        let mut script = self.script(&request)?;
        let DownloadRequest { digest, offset_bytes } = request.into_inner();
        script.download_offsets.push(offset_bytes);
        let bytes = script.blobs.get(&digest).ok_or_else(|| Status::not_found("no such blob"))?.clone();
        let break_after =
            if script.break_downloads_after.is_empty() { usize::MAX } else { script.break_downloads_after.remove(0) };
        let size_bytes = bytes.len() as i64;
        let rest = bytes[offset_bytes as usize..].iter().take(break_after).copied().collect::<Vec<u8>>();
        let is_cut = offset_bytes as usize + rest.len() < bytes.len();
        let mut parts: Vec<Result<DownloadResponse, Status>> =
            rest.chunks(1000).map(|data| Ok(DownloadResponse { data: data.to_vec(), size_bytes })).collect();
        if is_cut {
            parts.push(Err(broken()));
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }
}

#[tonic::async_trait]
impl JobService for Service {
    async fn submit_job(&self, request: Request<SubmitJobRequest>) -> Answer<SubmitJobResponse> {
        let mut script = self.script(&request)?;
        script.submits.push(request.into_inner());
        if !script.submit_failures.is_empty() {
            return Err(script.submit_failures.remove(0));
        }
        let job = Job { job_id: JOB_ID.to_owned(), state: JobState::Active.into(), ..Default::default() };
        let change = RevisionChange { name: "compressor".to_owned(), from_revision: 1, to_revision: 2 };
        Ok(Response::new(SubmitJobResponse { job: Some(job), revision_changes: vec![change] }))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Answer<GetJobResponse> {
        let script = self.script(&request)?;
        if request.get_ref().job_id != JOB_ID {
            return Err(Status::not_found(format!("no job {}", request.get_ref().job_id)));
        }
        let mut answer = script.job.clone();
        // The job has ended once everything scripted has been told.
        if let Some(job) = &mut answer.job
            && (script.cursors.len() < script.watches.len() || script.watch_stays_open)
        {
            job.state = JobState::Active.into();
        }
        Ok(Response::new(answer))
    }

    async fn list_jobs(&self, request: Request<ListJobsRequest>) -> Answer<ListJobsResponse> {
        drop(self.script(&request)?);
        let page: usize = request.get_ref().page_token.parse().unwrap_or(0);
        let size = request.get_ref().page_size as usize;
        let job = |number: usize| Job {
            job_id: format!("job-{number}"),
            display_name: format!("song {number}"),
            state: JobState::Succeeded.into(),
            progress: 1.0,
            ..Default::default()
        };
        // Three jobs in all, at most two a page.
        let last = (page + size.min(2)).min(3);
        let next_page_token = if last < 3 { last.to_string() } else { String::new() };
        Ok(Response::new(ListJobsResponse { jobs: (page..last).map(job).collect(), next_page_token }))
    }

    type WatchJobStream = Parts<WatchJobResponse>;

    async fn watch_job(&self, request: Request<WatchJobRequest>) -> Answer<Self::WatchJobStream> {
        let mut script = self.script(&request)?;
        let call = script.cursors.len();
        script.cursors.push(request.get_ref().after_sequence);
        let events: Vec<_> = script.watches.get(call).cloned().unwrap_or_default().into_iter().map(Ok).collect();
        let is_last = call + 1 >= script.watches.len();
        let events = tokio_stream::iter(events);
        Ok(Response::new(if !is_last {
            Box::pin(events.chain(tokio_stream::once(Err(broken()))))
        } else if script.watch_stays_open {
            Box::pin(events.chain(tokio_stream::pending()))
        } else {
            Box::pin(events)
        }))
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Answer<CancelJobResponse> {
        let mut script = self.script(&request)?;
        script.cancelled.push(request.into_inner().job_id);
        let job = Job { job_id: JOB_ID.to_owned(), state: JobState::Cancelled.into(), ..Default::default() };
        Ok(Response::new(CancelJobResponse { job: Some(job) }))
    }

    async fn retry_job(&self, request: Request<RetryJobRequest>) -> Answer<RetryJobResponse> {
        drop(self.script(&request)?);
        let job = Job { job_id: JOB_ID.to_owned(), state: JobState::Active.into(), ..Default::default() };
        Ok(Response::new(RetryJobResponse { job: Some(job) }))
    }
}
