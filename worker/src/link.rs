//! Calls to the coordinator, repeated until they are answered.

use std::time::Duration;

use mixdown_proto::v1::worker_service_client::WorkerServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};

use crate::backoff::Backoff;
use crate::config::Config;
use crate::worker::Error;

/// The client that calls are made with.
pub type Client = WorkerServiceClient<InterceptedService<Channel, Bearer>>;

/// Adds the token to every call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// The way to the coordinator. The connection beneath is made when needed and made again when lost.
#[derive(Clone)]
pub struct Link {
    client: Client,
    backoff: Backoff,
}

/// Where systems keep the certificates that they trust: Debian, Fedora, Alpine.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

impl Link {
    /// Prepares the way; connects with the first call.
    ///
    /// # Errors
    /// The URL, token or certificates cannot be used.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let url = &config.coordinator_url;
        let invalid = |what: &str| Error::Config(format!("`{url}` is no coordinator: {what}"));
        let mut endpoint = Endpoint::from_shared(url.clone())
            .map_err(|_| invalid("expected http://HOST:PORT or https://HOST:PORT"))?
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            // A long poll is silent: this notices a coordinator that vanished without closing the connection.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true);
        match endpoint.uri().scheme_str() {
            Some("http") => {}
            Some("https") => {
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted(config)?));
                endpoint =
                    endpoint.tls_config(tls).map_err(|error| Error::Config(format!("cannot use TLS: {error}")))?;
            }
            _ => return Err(invalid("expected http:// or https://")),
        }
        let token = match &config.token {
            None => None,
            Some(token) => {
                let value = format!("Bearer {}", token.trim()).parse();
                let mut value: MetadataValue<Ascii> =
                    value.map_err(|_| Error::Config("the token holds characters that no token has".into()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let client = WorkerServiceClient::with_interceptor(endpoint.connect_lazy(), Bearer(token))
            .max_decoding_message_size(mixdown_proto::MAX_MESSAGE_BYTES * MOST_TASKS_PER_LEASE)
            .max_encoding_message_size(mixdown_proto::MAX_REPORTS_BYTES);
        Ok(Self { client, backoff: config.backoff })
    }

    /// Makes a call, again and again until it is answered; an answer later than `patience` counts as none. Safe because
    /// every call may be repeated under its request id.
    ///
    /// # Errors
    /// The answer is a refusal that asking again would not change.
    pub async fn call<Q: Clone, T, F: Future<Output = Result<Response<T>, Status>>>(
        &self,
        what: &'static str,
        patience: Duration,
        request: Q,
        rpc: impl Fn(Client, Q) -> F,
    ) -> Result<T, Status> {
        let mut failures = 0;
        loop {
            let status = match self.call_once(patience, request.clone(), &rpc).await {
                Ok(answer) => {
                    if failures > 0 {
                        tracing::info!(call = what, failures, "the coordinator answers again");
                    }
                    return Ok(answer);
                }
                Err(status) if !may_pass(status.code()) => return Err(status),
                Err(status) => status,
            };
            failures += 1;
            if failures == 1 {
                tracing::warn!(call = what, code = ?status.code(), message = status.message(), "no answer; asking again");
            }
            self.backoff.sleep(failures).await;
        }
    }

    /// Makes a call once.
    ///
    /// # Errors
    /// There was no answer in time, or it is an error.
    pub async fn call_once<Q, T, F: Future<Output = Result<Response<T>, Status>>>(
        &self,
        patience: Duration,
        request: Q,
        rpc: impl FnOnce(Client, Q) -> F,
    ) -> Result<T, Status> {
        match tokio::time::timeout(patience, rpc(self.client.clone(), request)).await {
            Ok(answer) => Ok(answer?.into_inner()),
            Err(_) => Err(Status::deadline_exceeded("no answer in time")),
        }
    }

    /// The waits between calls.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        self.backoff
    }
}

/// Tasks that one call asks for at most: each may carry a session document of the largest size.
pub const MOST_TASKS_PER_LEASE: usize = 8;

fn may_pass(code: Code) -> bool {
    match code {
        Code::Unavailable
        | Code::Unknown
        | Code::Internal
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted
        | Code::ResourceExhausted
        | Code::DataLoss => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => false,
    }
}

fn trusted(config: &Config) -> Result<Vec<u8>, Error> {
    let path = match &config.tls_ca {
        Some(path) => path.as_path(),
        None => SYSTEM_BUNDLES.map(std::path::Path::new).into_iter().find(|path| path.exists()).ok_or_else(|| {
            Error::Config("this system keeps no certificates where they are looked for: name a file of them".into())
        })?,
    };
    std::fs::read(path)
        .map_err(|error| Error::Config(format!("cannot read certificates from {}: {error}", path.display())))
}
