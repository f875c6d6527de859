//! What a coordinator is told, alone or inside an embedded farm, and why it does not run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mixdown_coordinator::blobs::Store;
use mixdown_coordinator::server::{Config, Error, Tls};
use mixdown_coordinator::{blobs, database};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::DEFAULT_LISTEN;
use crate::errors::{CommandError, Exit};
use crate::quantity;

/// How often a coordinator that starts is asked whether it answers.
const PROBE_EVERY: Duration = Duration::from_millis(50);
/// How long a store may take to say anything at the start.
const STORE_TIMEOUT: Duration = Duration::from_secs(15);

/// Where and how a coordinator listens.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Coordinator")]
pub struct Arguments {
    /// Address and port to listen on; port 0 takes a free one and says which.
    #[arg(long, value_name = "ADDR", env = "MIXDOWN_LISTEN", default_value = DEFAULT_LISTEN)]
    pub listen: String,
    /// PEM file of the certificate, with those it rests on, for TLS.
    #[arg(long, value_name = "FILE", env = "MIXDOWN_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key.
    #[arg(long, value_name = "FILE", env = "MIXDOWN_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen beyond this machine without TLS and let in calls without a token: everybody who reaches the address may
    /// use the farm.
    #[arg(long)]
    pub insecure: bool,
    /// Most bytes of stems, mixes and decoded files kept; those used longest ago go first, masters stay.
    #[arg(long, value_name = "SIZE", env = "MIXDOWN_ARTIFACT_BYTES", default_value = "50GiB", value_parser = quantity::bytes)]
    artifact_bytes: u64,
    /// How long after their end jobs are archived: shown as before, but no longer retried.
    #[arg(long, value_name = "DURATION", env = "MIXDOWN_ARCHIVE_AFTER", default_value = "30d", value_parser = quantity::duration)]
    archive_after: Duration,
    /// Safe only while no worker runs.
    #[arg(long, hide = true, default_value = "24h", value_parser = quantity::duration)]
    orphan_grace: Duration,
    /// Most connections to the database.
    #[arg(long, value_name = "N", env = "MIXDOWN_DATABASE_CONNECTIONS", default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(2..=1000))]
    database_connections: u32,
    /// How long a task stays with a worker that is not heard of.
    #[arg(long, value_name = "DURATION", env = "MIXDOWN_LEASE", default_value = "30s", value_parser = quantity::duration)]
    lease: Duration,
    /// How often workers are to be heard of; at most half of --lease. A cancelled task is stopped within this time.
    #[arg(long, value_name = "DURATION", env = "MIXDOWN_HEARTBEAT", default_value = "1s", value_parser = quantity::duration)]
    heartbeat: Duration,
}

impl Arguments {
    /// Whether calls are encrypted.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// Takes the port.
    ///
    /// # Errors
    /// `port_taken`, or an address that is none of this machine.
    pub async fn bind(&self) -> Result<(TcpListener, SocketAddr), CommandError> {
        let failed = |error: &std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                CommandError::new(Exit::Failed, "port_taken", format!("another program listens on {}", self.listen))
                    .remedy("stop it, name another port with --listen, or take any free one with --listen 127.0.0.1:0")
            }
            std::io::ErrorKind::PermissionDenied => {
                CommandError::new(Exit::NotAllowed, "port_forbidden", format!("may not listen on {}", self.listen))
                    .remedy("name a port above 1023 with --listen")
            }
            _ => CommandError::new(Exit::BadInput, "bad_address", format!("cannot listen on {}", self.listen))
                .because(error)
                .remedy("write an address of this machine and a port, 127.0.0.1:7401 say"),
        };
        let listener = TcpListener::bind(&self.listen).await.map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        Ok((listener, address))
    }

    /// What the coordinator is told.
    #[must_use]
    pub fn config(&self, database_url: &str, store_url: &str, scratch_dir: &Path) -> Config {
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        Config {
            database_url: database_url.to_owned(),
            database_connections: self.database_connections,
            store_url: store_url.to_owned(),
            scratch_dir: scratch_dir.to_owned(),
            tls: tls.map(|(certificate_file, key_file)| Tls { certificate_file, key_file }),
            insecure: self.insecure,
            lease_seconds: self.lease.as_secs_f64(),
            heartbeat_seconds: self.heartbeat.as_secs_f64(),
            artifact_bytes: self.artifact_bytes,
            archive_after: self.archive_after,
            orphan_grace: self.orphan_grace,
        }
    }
}

/// Asks the store for something, so that one that cannot be reached is told at the start and not by every job.
///
/// # Errors
/// `store_unreachable`, or a URL that is none.
pub async fn check_store(store_url: &str) -> Result<(), CommandError> {
    let failed = |error: &blobs::Error| {
        if let blobs::Error::Url { .. } = error {
            return CommandError::new(Exit::BadInput, "bad_url", error.to_string())
                .remedy("name a folder, or a bucket as s3://BUCKET/PREFIX, with --store");
        }
        let told = CommandError::new(Exit::Failed, "store_unreachable", format!("cannot use the store {store_url}"))
            .because(error);
        // S3 signs requests with the time and refuses what is more than 15 minutes off.
        if told.causes.iter().any(|cause| cause.contains("RequestTimeTooSkewed")) {
            return told.remedy("set this machine's clock: the store refuses requests that are dated wrongly");
        }
        told.remedy(
            "check its address and credentials (AWS_* variables for s3://), and that the bucket or folder is there",
        )
    };
    let store = Store::open(store_url).map_err(|error| failed(&error))?;
    let place = store.blob("default", &"0".repeat(64)).map_err(|error| failed(&error))?;
    // Read, not only looked at: the answer to HEAD has no body that says what is wrong.
    match tokio::time::timeout(STORE_TIMEOUT, store.read(&place, 0)).await {
        Ok(asked) => asked.map(|_| ()).map_err(|error| failed(&error)),
        Err(_) => Err(CommandError::new(
            Exit::Failed,
            "store_unreachable",
            format!("the store {store_url} did not answer within {} s", STORE_TIMEOUT.as_secs()),
        )
        .remedy("check its address")),
    }
}

/// Waits until a coordinator answers on its port.
///
/// A listening socket takes connections before anybody serves them. So this sends what opens HTTP/2 and waits for
/// anything to come back; with TLS that is the refusal of this greeting.
pub async fn answers(address: SocketAddr) {
    let port = address.port();
    let near = match address {
        _ if !address.ip().is_unspecified() => address,
        SocketAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], port)),
        SocketAddr::V6(_) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
    };
    loop {
        if let Ok(mut stream) = TcpStream::connect(near).await
            && stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.is_ok()
            && stream.read(&mut [0; 16]).await.is_ok()
        {
            return;
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

/// Why a coordinator does not run.
#[must_use]
pub fn describe(error: &Error) -> CommandError {
    match error {
        Error::Database(error) => describe_database(error),
        Error::Unprotected { missing, remedy, address } => CommandError::new(
            Exit::BadInput,
            "unprotected",
            format!("refusing to listen on {address}, which other machines reach, without {missing}"),
        )
        .remedy(format!(
            "{remedy}, listen on 127.0.0.1, or pass --insecure if everybody who reaches this address may use the farm"
        )),
        Error::Lease { .. } => CommandError::new(Exit::BadInput, "bad_lease", error.to_string())
            .remedy("give --lease at least twice --heartbeat"),
        Error::File { path, source } => CommandError::io("use", path, source),
        Error::Store(store) => {
            CommandError::new(Exit::Failed, "store_unreachable", "cannot use the store").because(store)
        }
        Error::Queue(queue) => CommandError::new(Exit::Failed, "database", "the database failed").because(queue),
        Error::Serve { .. } => CommandError::new(Exit::Failed, "cannot_serve", error.to_string())
            .because(error)
            .remedy("check the certificate and its key"),
    }
}

/// Why the database cannot be used.
#[must_use]
pub fn describe_database(error: &database::Error) -> CommandError {
    let (exit, code, remedy) = match error {
        database::Error::Url(_) => {
            (Exit::BadInput, "bad_database_url", "write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
        }
        _ if error.is_refused() => (Exit::NotAllowed, "database_refused", "check user and password in --database-url"),
        database::Error::Connect { .. } => {
            (Exit::Failed, "database_unreachable", "check that PostgreSQL runs there, and --database-url")
        }
        database::Error::Migrate(_) => {
            (Exit::Failed, "database_migration", "use a `mixdown` at least as new as the one that made the database")
        }
    };
    CommandError::new(exit, code, error.to_string()).because(error).remedy(remedy)
}
