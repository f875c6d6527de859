//! `mixdown workers list|drain|release`

use mixdown_proto::v1::{DrainWorkerRequest, ListWorkersRequest, ReleaseWorkerRequest, Worker};
use serde_json::{Value, json};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::client::{self, Client};
use crate::errors::CommandError;
use crate::output::Output;
use crate::tables::Listing;

/// List, drain and release workers; for admins.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown workers list\n  mixdown workers drain studio-2\n  \
    mixdown workers release studio-2")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the workers of the farm.
    #[command(after_long_help = "Example:\n  mixdown workers list --json | jq '.[] | select(.state == \"lost\")'")]
    List {
        #[command(flatten)]
        connection: client::Arguments,
    },
    /// Tell a worker to take no more tasks, end what it holds and leave.
    ///
    /// When it is started again it takes tasks again.
    #[command(after_long_help = "Example:\n  mixdown workers drain studio-2")]
    Drain {
        /// The worker, by id or name.
        worker: String,
        #[command(flatten)]
        connection: client::Arguments,
    },
    /// Give a quarantined worker tasks again, and forgive what it failed.
    ///
    /// A worker is quarantined when it fails the tasks of three jobs within an hour while no other worker failed them too:
    /// `list` shows why. It stays so over restarts.
    #[command(after_long_help = "Example:\n  mixdown workers release studio-2")]
    Release {
        /// The worker, by id or name.
        worker: String,
        #[command(flatten)]
        connection: client::Arguments,
    },
}

/// Does what was asked with workers.
///
/// # Errors
/// What the coordinator says.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    match arguments.action {
        Action::List { connection } => list(&Client::connect(&connection).await?, output).await,
        Action::Drain { worker, connection } => {
            let client = Client::connect(&connection).await?;
            let request = DrainWorkerRequest { request_id: Uuid::new_v4().to_string(), worker: worker.clone() };
            let answer = client.workers().drain_worker(request).await;
            tell(&client, &format!("drain worker {worker}"), answer.map(|answer| answer.into_inner().worker), output)
        }
        Action::Release { worker, connection } => {
            let client = Client::connect(&connection).await?;
            let request = ReleaseWorkerRequest { request_id: Uuid::new_v4().to_string(), worker: worker.clone() };
            let answer = client.workers().release_worker(request).await;
            tell(&client, &format!("release worker {worker}"), answer.map(|answer| answer.into_inner().worker), output)
        }
    }
}

/// Shows a worker as it stands after an order.
fn tell(
    client: &Client,
    doing: &str,
    answer: Result<Option<Worker>, Status>,
    output: Output,
) -> Result<(), CommandError> {
    let worker = answer.map_err(|status| {
        let error = client.error(doing, &status);
        match status.code() {
            Code::NotFound => error.remedy("`mixdown workers list` shows the workers of the farm"),
            _ => error,
        }
    })?;
    let worker = worker.unwrap_or_default();
    if output.json {
        return output.document(&json!({ "worker": worker_json(&worker) }));
    }
    output.line(&format!("{}  {}", worker.name, state(&worker)))
}

async fn list(client: &Client, output: Output) -> Result<(), CommandError> {
    let mut workers = Vec::new();
    let mut page_token = String::new();
    loop {
        let answer = client.workers().list_workers(ListWorkersRequest { page_size: 1000, page_token }).await;
        let page = answer.map_err(|status| client.error("list workers", &status))?.into_inner();
        workers.extend(page.workers);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if output.json {
        return output.document(&workers.iter().map(worker_json).collect::<Vec<_>>());
    }
    let mut listing =
        Listing::new(&["=Worker", "Name", "State", ">Running", ">Slots", ">Memory", "Labels", "Heard of", "Version"]);
    for worker in &workers {
        listing.row([
            worker.worker_id.clone(),
            worker.name.clone(),
            state(worker),
            worker.running.to_string(),
            format!("{}/{}", worker.used_slots, worker.slots),
            memory(worker),
            worker.labels.join(","),
            worker.heartbeat_time.as_ref().map(ToString::to_string).unwrap_or_default(),
            worker.version.clone(),
        ]);
    }
    output.line(&listing.text())?;
    for worker in &workers {
        if let Some(quarantine) = &worker.quarantine {
            let since = quarantine.create_time.as_ref().map(ToString::to_string).unwrap_or_default();
            output.line(&format!("{} is quarantined since {since}: {}", worker.name, quarantine.reason))?;
        }
    }
    Ok(())
}

/// Reserved and in all, in GiB; empty when the worker did not say.
fn memory(worker: &Worker) -> String {
    let gib = |bytes: i64| bytes as f64 / f64::from(1 << 30);
    if worker.memory_bytes == 0 {
        return String::new();
    }
    format!("{:.1}/{:.1} GiB", gib(worker.used_memory_bytes), gib(worker.memory_bytes))
}

fn state(worker: &Worker) -> String {
    worker.state().as_str_name().trim_start_matches("WORKER_STATE_").to_ascii_lowercase()
}

fn worker_json(worker: &Worker) -> Value {
    json!({
        "worker_id": worker.worker_id,
        "name": worker.name,
        "state": state(worker),
        "slots": worker.slots,
        "used_slots": worker.used_slots,
        "memory_bytes": (worker.memory_bytes > 0).then_some(worker.memory_bytes),
        "used_memory_bytes": worker.used_memory_bytes,
        "labels": worker.labels,
        "running": worker.running,
        "heartbeat_time": worker.heartbeat_time.as_ref().map(ToString::to_string),
        "version": worker.version,
        "quarantine": worker.quarantine.as_ref().map(|quarantine| json!({
            "reason": quarantine.reason,
            "create_time": quarantine.create_time.as_ref().map(ToString::to_string),
        })),
    })
}
