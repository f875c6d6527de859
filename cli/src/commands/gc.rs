//! `mixdown gc`

use std::time::Duration;

use mixdown_proto::v1::{Amount, CollectGarbageRequest};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{self, Client};
use crate::errors::CommandError;
use crate::output::Output;
use crate::quantity;
use crate::tables::Listing;

/// Drop what nobody needs from the farm's store; for admins.
///
/// Artifacts that can be rendered again go by age and by size, least recently used first; input files go by age, and are
/// uploaded again by whoever submits their session again. Blobs that nothing refers to go always, and so does what lies in
/// the store for a day without the farm knowing it. Nothing goes that a job which has not ended needs. Masters stay unless
/// asked for, and those under their names stay always.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown gc --older-than 30d --dry-run\n  \
    mixdown gc --older-than 30d --artifact-bytes 500G --json")]
pub struct Arguments {
    /// Drop artifacts and input files that were not used for this long.
    #[arg(long, value_name = "DURATION", value_parser = quantity::duration)]
    older_than: Option<Duration>,
    /// Keep at most this many bytes of artifacts that can be rendered again.
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes)]
    artifact_bytes: Option<u64>,
    /// Drop masters by age too, as the farm keeps them for downloads and repeated jobs.
    #[arg(long, requires = "older_than")]
    masters: bool,
    /// Only tell what would be dropped.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: client::Arguments,
}

/// Collects garbage.
///
/// # Errors
/// What the coordinator says.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    let client = Client::connect(&arguments.connection).await?;
    let request = CollectGarbageRequest {
        unused_seconds: arguments.older_than.map(|age| age.as_secs_f64()),
        artifact_bytes: arguments.artifact_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        masters: arguments.masters,
        dry_run: arguments.dry_run,
        request_id: Uuid::new_v4().to_string(),
    };
    let answer = client.blobs().collect_garbage(request).await;
    let collected = answer.map_err(|status| client.error("collect garbage", &status))?.into_inner();
    let amounts = [
        ("artifacts", collected.artifacts.unwrap_or_default()),
        ("blobs", collected.blobs.unwrap_or_default()),
        ("orphans", collected.orphans.unwrap_or_default()),
    ];
    if output.json {
        let mut document = serde_json::Map::from_iter([("dry_run".to_owned(), Value::from(arguments.dry_run))]);
        document.extend(
            amounts.map(|(what, Amount { count, bytes })| (what.to_owned(), json!({ "count": count, "bytes": bytes }))),
        );
        return output.document(&document);
    }
    let mut listing =
        Listing::new(&[if arguments.dry_run { "Would be dropped" } else { "Dropped" }, ">Number", ">Bytes"]);
    for (what, Amount { count, bytes }) in amounts {
        listing.row([what.to_owned(), count.to_string(), bytes.to_string()]);
    }
    output.line(&listing.text())
}
