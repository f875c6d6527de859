//! `mixdown coordinator`

use std::path::PathBuf;

use mixdown_coordinator::server;
use serde_json::json;

use crate::errors::CommandError;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::{listening, logging};

/// Run a coordinator on a PostgreSQL of yours.
///
/// Coordinators keep nothing of their own: any number may run side by side on one database and one store, behind one
/// address. SIGTERM or Ctrl-C stops it; a lost one loses no work. The schema of the database is brought up to date at the
/// start. gRPC health and reflection are served on the same port.
///
/// With --json: one line on stdout when it is ready, {"ready":true,"listen":"ADDR"}.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  \
    mixdown coordinator --database-url postgres://mixdown@db/mixdown --store s3://masters/mixdown \\\n    \
    --listen 0.0.0.0:7401 --tls-cert farm.pem --tls-key farm.key\n\n\
    Beyond the loopback it listens only with TLS and a token in the database (`mixdown tokens create`), or --insecure.\n\
    An S3 store takes AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT from the environment.")]
pub struct Arguments {
    /// The database: postgres://USER:PASSWORD@HOST:PORT/DATABASE.
    #[arg(long, value_name = "URL", env = "MIXDOWN_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Where blobs lie: a folder, file:///PATH or s3://BUCKET/PREFIX; the same for the whole farm.
    #[arg(long, value_name = "URL", env = "MIXDOWN_STORE")]
    store: String,
    /// Folder for uploads that are under way; by default one in the system's folder for temporary files.
    #[arg(long, value_name = "DIR", env = "MIXDOWN_SCRATCH")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    listening: listening::Arguments,
    #[command(flatten)]
    logging: logging::Arguments,
}

/// Runs a coordinator until it is asked to stop.
///
/// # Errors
/// The port is taken, the database or the store cannot be used, others could call unhindered.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    logging::start(&arguments.logging);
    let interrupt = Interrupt::listen_while_serving()?;
    let (listener, address) = arguments.listening.bind().await?;
    listening::check_store(&arguments.store).await?;
    let scratch_dir = arguments.scratch.unwrap_or_else(|| std::env::temp_dir().join("mixdown-uploads"));
    let config = arguments.listening.config(&arguments.database_url, &arguments.store, &scratch_dir);
    let serving = server::serve(config, listener, interrupt.raised());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.map_err(|error| listening::describe(&error)),
        () = listening::answers(address) => {}
    }
    if output.json {
        output.record(&json!({ "ready": true, "listen": address.to_string() }))?;
    }
    tokio::select! {
        ended = serving => ended.map_err(|error| listening::describe(&error)),
        () = interrupt.insisted() => Ok(()),
    }
}
