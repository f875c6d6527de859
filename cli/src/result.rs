//! Tells what came of a job: its finished files and its tasks.

use std::path::Path;

use mixdown_proto::v1::{GetJobResponse, JobState, RevisionChange};
use serde_json::{Value, json};

use crate::client::{Client, DEFAULT_LISTEN};
use crate::errors::CommandError;
use crate::output::Output;
use crate::page::Beside;
use crate::{deliverables, download, follow};

/// Fetches the finished files of a job that has ended into `out`, with a page of their quality, and prints the two tables, or one JSON object.
///
/// # Errors
/// Why the job is no success; what kept the files from being fetched.
pub async fn tell(
    client: &Client,
    ended: &GetJobResponse,
    revision_changes: &[RevisionChange],
    out: Option<&Path>,
    page: Beside,
    output: Output,
) -> Result<(), CommandError> {
    let succeeded = ended.job.as_ref().is_some_and(|job| job.state() == JobState::Succeeded);
    // The files of a job that failed half-way stay on the farm.
    let out = out.filter(|_| succeeded);
    let finished = download::all(client, &ended.deliverables, out).await?;
    if let Some(out) = out {
        tokio::task::block_in_place(|| page.write(out, &finished))?;
    }
    let failure = follow::failure(ended);
    if output.json {
        output.document(&json!({
            "job": ended.job.as_ref().map(follow::job_json),
            "revision_changes": revision_changes_json(revision_changes),
            "deliverables": deliverables::to_json(&finished),
            "tasks": ended.tasks.iter().map(follow::task_json).collect::<Vec<_>>(),
            "error": failure.as_ref().map(CommandError::to_json),
        }))?;
    } else {
        if !finished.is_empty() {
            output.line(&deliverables::table(&finished))?;
            output.line("")?;
        }
        output.line(&follow::task_table(&ended.tasks))?;
    }
    failure.map_or(Ok(()), |error| Err(error.told_in_result()))
}

/// The command that follows a job.
#[must_use]
pub fn watch_command(job_id: &str, coordinator: &str, out: Option<&Path>) -> String {
    let mut command = format!("mixdown jobs watch {job_id}");
    if let Some(out) = out {
        command.push_str(&format!(" --out {}", out.display()));
    }
    if coordinator != format!("http://{DEFAULT_LISTEN}") {
        command.push_str(&format!(" --coordinator {coordinator}"));
    }
    command
}

/// What sounds different, as JSON.
#[must_use]
pub fn revision_changes_json(changes: &[RevisionChange]) -> Vec<Value> {
    let entry = |change: &RevisionChange| json!({ "name": change.name, "from_revision": change.from_revision, "to_revision": change.to_revision });
    changes.iter().map(entry).collect()
}
