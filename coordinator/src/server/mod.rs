//! One coordinator: listens, keeps house, shuts down in good order.

pub(crate) mod collect;
pub mod deliver;
mod housekeeping;
pub(crate) mod mend;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mixdown_proto::v1::blob_service_server::BlobServiceServer;
use mixdown_proto::v1::job_service_server::JobServiceServer;
use mixdown_proto::v1::worker_service_server::WorkerServiceServer;
use mixdown_proto::{MAX_MESSAGE_BYTES, MAX_REPORTS_BYTES, v1};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use self::mend::Mender;
use crate::blobs::{self, Store};
use crate::queue::claim::Terms;
use crate::rpc::beats::Beats;
use crate::rpc::blobs::Blobs;
use crate::rpc::jobs::Jobs;
use crate::rpc::leasing::Leasing;
use crate::rpc::workers::{Workers, settling};
use crate::rpc::{Farm, lost_after};
use crate::wakeup::Wakeups;
use crate::{database, queue, tokens};

/// How long calls may go on once the coordinator is told to stop: watchers would never end.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Bytes of an upload on their way before they are taken in: a few parts of it.
const WINDOW_BYTES: u32 = 4 << 20;

/// How a coordinator runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// `postgres://…`.
    pub database_url: String,
    /// Connections to the database, at most.
    pub database_connections: u32,
    /// A folder, `file:///…` or `s3://BUCKET/PREFIX`.
    pub store_url: String,
    /// A folder for uploads that are under way.
    pub scratch_dir: PathBuf,
    /// Certificate and key, if calls are to be encrypted.
    pub tls: Option<Tls>,
    /// Lets the coordinator listen beyond this machine without TLS, and lets in calls without a token.
    pub insecure: bool,
    /// How long a lease lives without a heartbeat, in seconds.
    pub lease_seconds: f64,
    /// How often workers are to heartbeat, in seconds.
    pub heartbeat_seconds: f64,
    /// Bytes of artifacts that can be made again to keep, at most.
    pub artifact_bytes: u64,
    /// How long after their end jobs leave the tables of work.
    pub archive_after: Duration,
    /// How long a collection of garbage leaves an object alone that no row knows.
    pub orphan_grace: Duration,
}

impl Default for Config {
    /// Everything but the places: database, store and scratch folder are empty.
    fn default() -> Self {
        Self {
            database_url: String::new(),
            database_connections: 16,
            store_url: String::new(),
            scratch_dir: PathBuf::new(),
            tls: None,
            insecure: false,
            lease_seconds: 30.0,
            heartbeat_seconds: 1.0,
            artifact_bytes: 50 << 30,
            archive_after: Duration::from_secs(30 * 24 * 3600),
            orphan_grace: collect::ORPHAN_GRACE,
        }
    }
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the certificate and those that it rests on.
    pub certificate_file: PathBuf,
    /// PEM file of its private key.
    pub key_file: PathBuf,
}

/// Why a coordinator does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The database failed.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] blobs::Error),
    /// A file cannot be read, or a folder not be made.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Others could call, or listen in, unhindered.
    #[error(
        "refusing to listen on {address}, which other machines reach, without {missing}: {remedy}, listen on 127.0.0.1, \
         or pass --insecure if everybody who reaches this address may use the farm"
    )]
    Unprotected {
        /// Where it would have listened.
        address: SocketAddr,
        /// What is missing.
        missing: &'static str,
        /// What would provide it.
        remedy: &'static str,
    },
    /// The lease would run out between heartbeats.
    #[error(
        "a lease of {lease_seconds} s does not outlive heartbeats every {heartbeat_seconds} s: expected at least twice as long"
    )]
    Lease {
        /// As configured.
        lease_seconds: f64,
        /// As configured.
        heartbeat_seconds: f64,
    },
    /// Certificate or key are not usable, or the listener failed.
    #[error("cannot serve on {address}")]
    Serve {
        /// Where.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: tonic::transport::Error,
    },
}

/// Runs a coordinator until `shutdown` resolves. Any number may run on one database.
///
/// # Errors
/// See [`Error`]; after it has begun to listen, it goes on whatever happens to the database or the store.
pub async fn serve(config: Config, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    // One cryptography for every part of the program; a second installation is refused, and means that one is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address =
        listener.local_addr().map_err(|source| Error::File { path: PathBuf::from("the listening socket"), source })?;
    if !(config.heartbeat_seconds > 0.0 && config.lease_seconds >= 2.0 * config.heartbeat_seconds) {
        let Config { lease_seconds, heartbeat_seconds, .. } = config;
        return Err(Error::Lease { lease_seconds, heartbeat_seconds });
    }
    let pool = database::open(&config.database_url, config.database_connections).await?;
    check_protection(&config, address, tokens::any(&pool).await?)?;
    let mut server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES);
    if let Some(tls) = &config.tls {
        let identity = Identity::from_pem(read(&tls.certificate_file)?, read(&tls.key_file)?);
        server = server
            .tls_config(ServerTlsConfig::new().identity(identity))
            .map_err(|source| Error::Serve { address, source })?;
    }
    std::fs::create_dir_all(&config.scratch_dir)
        .map_err(|source| Error::File { path: config.scratch_dir.clone(), source })?;
    let (store, wakeups) = (Store::open(&config.store_url)?, Wakeups::default());
    // A store that is away for the moment is no reason not to start; its workers are then not told.
    let store_id = store.identity().await.unwrap_or_else(|error| {
        tracing::warn!(error = %crate::rpc::describe(&error), "cannot tell which store this is");
        String::new()
    });
    let lease = Duration::from_secs_f64(config.lease_seconds);
    let heartbeat = Duration::from_secs_f64(config.heartbeat_seconds);
    let terms = Terms { lease, lost_after: lost_after(lease), reserve: true };
    let farm = Farm {
        pool: pool.clone(),
        leasing: Leasing::start(pool.clone(), &wakeups, terms),
        beats: Beats::start(pool.clone(), &wakeups, lease, heartbeat),
        settling: settling(pool.clone(), store.clone()),
        mender: Mender::new(pool.clone(), store.clone()),
        store,
        store_id,
        masters: Arc::default(),
        wakeups,
        scratch_dir: config.scratch_dir.clone(),
        lease,
        heartbeat,
        anonymous: config.insecure || address.ip().is_loopback(),
        orphan_grace: config.orphan_grace,
    };

    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<JobServiceServer<Jobs>>().await;
    health.set_serving::<BlobServiceServer<Blobs>>().await;
    health.set_serving::<WorkerServiceServer<Workers>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(v1::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("because the descriptors are compiled in");
    let jobs = JobServiceServer::new(Jobs(farm.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_REPORTS_BYTES);
    let workers = WorkerServiceServer::new(Workers(farm.clone()))
        .max_decoding_message_size(MAX_REPORTS_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let blobs = BlobServiceServer::new(Blobs(farm.clone()));

    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let serving = server
        .add_service(health_service)
        .add_service(reflection)
        .add_service(jobs)
        .add_service(workers)
        .add_service(blobs)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), async {
            let _ = stopping.await;
        });
    let serving = async { serving.await.map_err(|source| Error::Serve { address, source }) };
    tokio::pin!(serving);
    tracing::info!(%address, "the coordinator listens");
    let result = tokio::select! {
        result = &mut serving => result,
        () = housekeeping::run(&farm, config.artifact_bytes, config.archive_after) => unreachable!("because housekeeping has no end"),
        () = shutdown => {
            // Balancers hear of it first; then no call is taken any more, and those under way may end.
            health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
            drop(stop);
            tokio::time::timeout(SHUTDOWN_GRACE, &mut serving).await.unwrap_or(Ok(()))
        }
    };
    pool.close().await;
    tracing::info!(%address, "the coordinator has stopped");
    result
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Refuses to be reachable by other machines without encryption and tokens, unless told otherwise.
fn check_protection(config: &Config, address: SocketAddr, any_token: bool) -> Result<(), Error> {
    if config.insecure || address.ip().is_loopback() {
        return Ok(());
    }
    if config.tls.is_none() {
        let remedy = "name a certificate with --tls-cert and --tls-key";
        return Err(Error::Unprotected { address, missing: "TLS", remedy });
    }
    if !any_token {
        let remedy = "make a token with `mixdown tokens create`";
        return Err(Error::Unprotected { address, missing: "a token in the database", remedy });
    }
    Ok(())
}
