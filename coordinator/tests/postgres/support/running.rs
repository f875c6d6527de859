use std::path::PathBuf;

use mixdown_coordinator::server::{Config, Error, serve};
use mixdown_proto::v1::blob_service_client::BlobServiceClient;
use mixdown_proto::v1::job_service_client::JobServiceClient;
use mixdown_proto::v1::worker_service_client::WorkerServiceClient;
use mixdown_proto::v1::{
    GetJobRequest, Job, SubmitJobRequest, UploadHead, UploadRequest, WatchJobRequest, upload_request::Part,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Request;
use tonic::transport::Channel;

use super::Farm;

/// A coordinator that listens on a port of its own.
pub struct Coordinator {
    pub address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Error>>,
}

impl Farm {
    pub fn config(&self) -> Config {
        Config {
            database_url: self.url.clone(),
            database_connections: 8,
            store_url: format!("file://{}", self.folder.path().join("store").display()),
            scratch_dir: self.folder.path().join("scratch"),
            ..Config::default()
        }
    }

    pub async fn start(&self) -> Coordinator {
        Coordinator::start(self.config()).await
    }
}

impl Coordinator {
    pub async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(config, listener, async {
            let _ = stopped.await;
        }));
        Self { address, stop, serving }
    }

    pub async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub async fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel().await)
    }

    pub async fn blobs(&self) -> BlobServiceClient<Channel> {
        BlobServiceClient::new(self.channel().await)
    }

    pub async fn workers(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel().await)
    }

    /// A job that is submitted, once it has ended.
    pub async fn ended(&self, request: SubmitJobRequest) -> Job {
        let job_id = self.jobs().await.submit_job(request).await.unwrap().into_inner().job.unwrap().job_id;
        let watch = WatchJobRequest { job_id: job_id.clone(), after_sequence: 0 };
        let mut events = self.jobs().await.watch_job(watch).await.unwrap().into_inner();
        while events.message().await.unwrap().is_some() {}
        self.jobs().await.get_job(GetJobRequest { job_id }).await.unwrap().into_inner().job.unwrap()
    }

    pub async fn stop(self) {
        drop(self.stop);
        self.serving.await.unwrap().unwrap();
    }
}

/// A request with a bearer token.
pub fn bearing<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// The messages of an upload, from an offset on, in parts of the size given.
pub fn upload(bytes: &[u8], digest: &str, offset: usize, part: usize) -> Vec<UploadRequest> {
    let head = UploadHead { digest: digest.to_owned(), size_bytes: bytes.len() as i64, offset_bytes: offset as i64 };
    let data = bytes[offset..].chunks(part).map(|data| Part::Data(data.to_vec()));
    std::iter::once(Part::Head(head)).chain(data).map(|part| UploadRequest { part: Some(part) }).collect()
}

/// A certificate for 127.0.0.1 and its key as PEM files; gives the certificate too.
pub fn certificate(folder: &std::path::Path) -> (PathBuf, PathBuf, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key, made.cert.pem())
}
