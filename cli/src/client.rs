//! The connection to a coordinator.

use std::path::PathBuf;
use std::time::Duration;

use mixdown_proto::v1::blob_service_client::BlobServiceClient;
use mixdown_proto::v1::job_service_client::JobServiceClient;
use mixdown_proto::v1::worker_service_client::WorkerServiceClient;
use mixdown_proto::{MAX_MESSAGE_BYTES, MAX_REPORTS_BYTES};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::errors::{CommandError, Exit};

/// Where `mixdown serve` and `mixdown coordinator` listen, and where clients look, unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7401";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often an idle connection is proved alive, so that a watch notices a coordinator that is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Bytes of a download on their way before they are taken in: a few parts of it.
const WINDOW_BYTES: u32 = 4 << 20;

/// Which coordinator to call, and as whom.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Connection")]
pub struct Arguments {
    /// The coordinator: http://HOST:PORT, or https://HOST:PORT for TLS.
    #[arg(long, value_name = "URL", env = "MIXDOWN_COORDINATOR", default_value = "http://127.0.0.1:7401")]
    pub coordinator: String,
    /// Bearer token made by `mixdown tokens create`.
    #[arg(long, env = "MIXDOWN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// PEM file with the certificate authority of the coordinator, beside those of the system.
    #[arg(long, value_name = "FILE", env = "MIXDOWN_CA_CERT")]
    pub ca_cert: Option<PathBuf>,
}

/// Whether a connection failed because the certificate is not trusted, or names another host.
#[must_use]
pub fn is_distrust(error: &CommandError) -> bool {
    error.causes.iter().any(|cause| cause.contains("certificate"))
}

/// Adds the bearer token to every call.
#[derive(Debug, Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A channel with a token.
pub type Authorized = InterceptedService<Channel, Bearer>;

/// A coordinator that has been reached. Clones share the connection, which comes back by itself when it breaks.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    bearer: Bearer,
    url: String,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// `coordinator_unreachable`, or what is wrong with the URL, the token or the certificate.
    pub async fn connect(arguments: &Arguments) -> Result<Self, CommandError> {
        let url = arguments.coordinator.clone();
        let bad_url = || {
            CommandError::new(Exit::BadInput, "bad_url", format!("`{url}` is no coordinator's address"))
                .remedy("write http://HOST:PORT, or https://HOST:PORT for TLS")
        };
        let parsed = url::Url::parse(&url).map_err(|error| bad_url().because(&error))?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(bad_url());
        }
        let mut endpoint = Endpoint::from_shared(url.clone())
            .map_err(|error| bad_url().because(&error))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(2 * WINDOW_BYTES);
        if parsed.scheme() == "https" {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(path) = &arguments.ca_cert {
                let pem = std::fs::read(path).map_err(|error| CommandError::io("read", path, &error))?;
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            endpoint = endpoint.tls_config(tls).map_err(|error| {
                CommandError::new(Exit::BadInput, "bad_certificate", "cannot use the certificates given")
                    .because(&error)
            })?;
        }
        let bearer = match &arguments.token {
            None => Bearer(None),
            Some(token) => Bearer(Some(format!("Bearer {token}").parse().map_err(|_| {
                CommandError::new(Exit::BadInput, "bad_token", "the token holds characters that no token has")
            })?)),
        };
        let channel = endpoint.connect().await.map_err(|error| {
            let error = unreachable(&url).because(&error);
            if is_distrust(&error) {
                error.remedy("name its certificate authority with --ca-cert, and its host as the certificate does")
            } else {
                error
            }
        })?;
        Ok(Self { channel, bearer, url })
    }

    /// Jobs.
    #[must_use]
    pub fn jobs(&self) -> JobServiceClient<Authorized> {
        JobServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .max_decoding_message_size(MAX_REPORTS_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Blobs.
    #[must_use]
    pub fn blobs(&self) -> BlobServiceClient<Authorized> {
        BlobServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Workers.
    #[must_use]
    pub fn workers(&self) -> WorkerServiceClient<Authorized> {
        WorkerServiceClient::with_interceptor(self.channel.clone(), self.bearer.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// What a call failed with, as an error of the command.
    #[must_use]
    pub fn error(&self, doing: &str, status: &Status) -> CommandError {
        if is_transient(status) {
            return unreachable(&self.url).because(status);
        }
        let (exit, code, remedy) = match status.code() {
            Code::InvalidArgument | Code::OutOfRange => (Exit::BadInput, "invalid_argument", None),
            Code::NotFound => (Exit::BadInput, "not_found", Some("`mixdown jobs list` shows the jobs of your project")),
            Code::AlreadyExists => (Exit::BadInput, "already_exists", None),
            Code::Unauthenticated => (
                Exit::NotAllowed,
                "unauthenticated",
                Some("give a token with --token or MIXDOWN_TOKEN; `mixdown tokens create` makes one"),
            ),
            Code::PermissionDenied => (
                Exit::NotAllowed,
                "permission_denied",
                Some("use a token whose role may do this; `mixdown tokens create` makes one"),
            ),
            Code::DeadlineExceeded => (Exit::Cancelled, "timed_out", None),
            Code::Cancelled => (Exit::Cancelled, "cancelled", None),
            Code::DataLoss => {
                (Exit::Failed, "data_loss", Some("submit the session again: the farm makes the file anew"))
            }
            Code::FailedPrecondition => (Exit::Failed, "failed_precondition", None),
            Code::ResourceExhausted => (Exit::Failed, "resource_exhausted", Some("try again later")),
            Code::Unimplemented => {
                (Exit::Failed, "unimplemented", Some("use a coordinator and a `mixdown` of the same version"))
            }
            _ => (Exit::Failed, "coordinator_error", Some("the coordinator's log says more")),
        };
        let code = match status.get_details_error_info() {
            Some(info) if !info.reason.is_empty() => info.reason.to_ascii_lowercase(),
            _ => code.to_owned(),
        };
        let mut error = CommandError::new(exit, code, format!("cannot {doing}: {}", status.message()));
        error.remedy = remedy.map(Box::from);
        if let Some(bad_request) = status.get_details_bad_request() {
            error
                .causes
                .extend(bad_request.field_violations.into_iter().map(|it| format!("{}: {}", it.field, it.description)));
        }
        error
    }
}

/// Whether a call failed because the coordinator could not be reached or went away: calling again may help.
#[must_use]
pub fn is_transient(status: &Status) -> bool {
    // A connection that breaks in the middle of a stream comes as Unknown or Internal with the transport's error, or as
    // Cancelled when the coordinator resets its streams while stopping.
    match status.code() {
        Code::Unavailable => true,
        Code::Unknown | Code::Internal | Code::Cancelled => std::error::Error::source(status).is_some(),
        _ => false,
    }
}

fn unreachable(url: &str) -> CommandError {
    CommandError::new(Exit::Failed, "coordinator_unreachable", format!("cannot reach the coordinator at {url}"))
        .remedy("start one with `mixdown serve --data DIR`, or name another with --coordinator URL")
}
