//! A coordinator in a process of its own: this program, started again.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mixdown_coordinator::server::{self, Config};
use mixdown_proto::v1::blob_service_client::BlobServiceClient;
use mixdown_proto::v1::job_service_client::JobServiceClient;
use mixdown_proto::v1::worker_service_client::WorkerServiceClient;
use tokio::net::TcpListener;
use tonic::transport::Channel;

pub struct Coordinator {
    process: Child,
    url: String,
    pub store: PathBuf,
}

/// Serves until it is killed.
pub async fn serve(database_url: &str) {
    let folder = PathBuf::from(std::env::var_os("MIXDOWN_BENCH_FOLDER").unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let config = Config {
        database_url: database_url.to_owned(),
        store_url: format!("file://{}", folder.join("store").display()),
        scratch_dir: folder.join("scratch"),
        ..Config::default()
    };
    server::serve(config, listener, std::future::pending()).await.unwrap();
}

impl Coordinator {
    pub fn start(database_url: &str, folder: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env("MIXDOWN_BENCH_COORDINATOR", database_url)
            .env("MIXDOWN_BENCH_FOLDER", folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { process, url: format!("http://{}", address.trim()), store: folder.join("store") }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A connection of its own; connects with the first call.
    fn channel(&self) -> Channel {
        Channel::from_shared(self.url.clone()).unwrap().tcp_nodelay(true).connect_lazy()
    }

    pub fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel())
    }

    pub fn blobs(&self) -> BlobServiceClient<Channel> {
        BlobServiceClient::new(self.channel())
    }

    pub fn workers(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel())
    }

    pub fn stop(mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
