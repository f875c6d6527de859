//! `mixdown jobs list|show|watch|report|cancel|retry`

use std::path::{Path, PathBuf};
use std::time::Duration;

use mixdown_proto::v1::{CancelJobRequest, GetJobResponse, JobState, ListJobsRequest, RetryJobRequest};
use serde_json::json;
use uuid::Uuid;

use crate::client::{self, Client};
use crate::deliverables;
use crate::download;
use crate::errors::{CommandError, Exit};
use crate::follow::{self, Manner};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::page::{self, Beside, Entry, Heading, Page, Reference};
use crate::progress::say;
use crate::tables::Listing;
use crate::{quantity, result};

const PAGE: i32 = 1000;

/// List, show, watch, report, cancel and retry jobs of your project.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown jobs list --state active\n  mixdown jobs show ID\n  \
    mixdown jobs watch ID --out masters/")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List jobs, newest first.
    #[command(after_long_help = "Example:\n  mixdown jobs list --state failed --json | jq -r '.[].job_id'")]
    List {
        /// Only jobs in this state.
        #[arg(long, value_enum)]
        state: Option<StateName>,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        #[command(flatten)]
        connection: client::Arguments,
    },
    /// Show a job with its tasks, why they wait, and its finished files.
    #[command(after_long_help = "Example:\n  mixdown jobs show 0190d5c2-7d5f-7b4e-9c55-2b7a5c0d9e11")]
    Show {
        /// The job.
        #[arg(value_name = "ID")]
        job_id: String,
        #[command(flatten)]
        connection: client::Arguments,
    },
    /// Follow a job to its end and print what came of it.
    ///
    /// With --json: one object a line per event, then one object a line with the result.
    #[command(after_long_help = "Example:\n  mixdown jobs watch 0190d5c2-7d5f-7b4e-9c55-2b7a5c0d9e11 --out masters/")]
    Watch {
        /// The job.
        #[arg(value_name = "ID")]
        job_id: String,
        /// Fetch the finished files into this folder.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// What is written beside the files: report.html and the previews that it plays, the page alone, or nothing.
        #[arg(long, value_name = "WHAT", value_enum, default_value_t, requires = "out")]
        report: page::Wanted,
        /// Lay the spectrum of this file under those of the page, at the same loudness.
        #[arg(long, value_name = "FILE", requires = "out")]
        reference: Option<PathBuf>,
        /// Stop waiting after this long, 90s or 10m say; the job goes on.
        #[arg(long, value_name = "DURATION", value_parser = quantity::duration)]
        timeout: Option<Duration>,
        #[command(flatten)]
        connection: client::Arguments,
    },
    /// Write the quality of a job's finished files as one page, from the reports that the farm keeps.
    ///
    /// With --previews: the files are fetched too, one after the other, and what the player of the page plays is made of
    /// them in `previews/` beside it. Without, the page has no player.
    #[command(
        after_long_help = "Example:\n  mixdown jobs report 0190d5c2-7d5f-7b4e-9c55-2b7a5c0d9e11 --html report.html --previews"
    )]
    Report {
        /// The job.
        #[arg(value_name = "ID")]
        job_id: String,
        /// The page.
        #[arg(long, value_name = "FILE")]
        html: PathBuf,
        /// Give the page a player: fetch the files and write previews of them beside the page.
        #[arg(long)]
        previews: bool,
        /// Lay the spectrum of this file under those of the page, at the same loudness.
        #[arg(long, value_name = "FILE")]
        reference: Option<PathBuf>,
        #[command(flatten)]
        connection: client::Arguments,
    },
    /// Stop a job.
    ///
    /// Waiting tasks stop at once, running ones within seconds. A task that another job waits for goes on.
    #[command(after_long_help = "Example:\n  mixdown jobs cancel 0190d5c2-7d5f-7b4e-9c55-2b7a5c0d9e11")]
    Cancel {
        /// The job.
        #[arg(value_name = "ID")]
        job_id: String,
        #[command(flatten)]
        connection: client::Arguments,
    },
    /// Run the failed and cancelled tasks of an ended job again; what succeeded stays.
    #[command(after_long_help = "Example:\n  mixdown jobs retry 0190d5c2-7d5f-7b4e-9c55-2b7a5c0d9e11")]
    Retry {
        /// The job.
        #[arg(value_name = "ID")]
        job_id: String,
        #[command(flatten)]
        connection: client::Arguments,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum StateName {
    Active,
    Succeeded,
    Failed,
    Cancelled,
}

/// Does what was asked with jobs.
///
/// # Errors
/// What the coordinator says; for `watch` also why the job is no success.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    match arguments.action {
        Action::List { state, limit, connection } => {
            list(&Client::connect(&connection).await?, state, limit as usize, output).await
        }
        Action::Show { job_id, connection } => show(&Client::connect(&connection).await?, &job_id, output).await,
        Action::Report { job_id, html, previews, reference, connection } => {
            let interrupt = Interrupt::listen()?;
            let reference = Reference::of_any(reference.as_deref(), &interrupt)?;
            let client = Client::connect(&connection).await?;
            tokio::select! {
                told = report(&client, &job_id, &html, previews, reference, output) => told,
                () = interrupt.raised() => Err(CommandError::interrupted("stopped before the page was written")),
            }
        }
        Action::Watch { job_id, out, report, reference, timeout, connection } => {
            let interrupt = Interrupt::listen()?;
            let reference = Reference::of_any(reference.as_deref(), &interrupt)?;
            let client = Client::connect(&connection).await?;
            let again = result::watch_command(&job_id, &connection.coordinator, out.as_deref());
            let manner = Manner { timeout, events: output.json };
            let ended = follow::to_its_end(&client, &job_id, &again, manner, &interrupt, output).await?;
            let page = Beside { heading: heading_of(&ended), wanted: report, reference };
            result::tell(&client, &ended, &[], out.as_deref(), page, output.in_records()).await
        }
        Action::Cancel { job_id, connection } => {
            let client = Client::connect(&connection).await?;
            let request = CancelJobRequest { request_id: Uuid::new_v4().to_string(), job_id: job_id.clone() };
            let answer = client.jobs().cancel_job(request).await;
            let answer = answer.map_err(|status| client.error(&format!("cancel job {job_id}"), &status))?;
            tell_state(answer.into_inner().job, output)
        }
        Action::Retry { job_id, connection } => {
            let client = Client::connect(&connection).await?;
            let request = RetryJobRequest { request_id: Uuid::new_v4().to_string(), job_id: job_id.clone() };
            let answer = client.jobs().retry_job(request).await;
            let answer = answer.map_err(|status| client.error(&format!("retry job {job_id}"), &status))?;
            tell_state(answer.into_inner().job, output)
        }
    }
}

async fn list(client: &Client, state: Option<StateName>, limit: usize, output: Output) -> Result<(), CommandError> {
    let state = match state {
        None => JobState::Unspecified,
        Some(StateName::Active) => JobState::Active,
        Some(StateName::Succeeded) => JobState::Succeeded,
        Some(StateName::Failed) => JobState::Failed,
        Some(StateName::Cancelled) => JobState::Cancelled,
    };
    let mut jobs = Vec::new();
    let mut page_token = String::new();
    while jobs.len() < limit {
        let page_size = i32::try_from(limit - jobs.len()).unwrap_or(PAGE).min(PAGE);
        let request = ListJobsRequest { page_size, page_token, state: state.into() };
        let answer = client.jobs().list_jobs(request).await;
        let page = answer.map_err(|status| client.error("list jobs", &status))?.into_inner();
        jobs.extend(page.jobs);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if output.json {
        return output.document(&jobs.iter().map(follow::job_json).collect::<Vec<_>>());
    }
    let mut listing = Listing::new(&["=Job", "Name", "State", ">Done", "Priority", "Queued"]);
    for job in &jobs {
        listing.row([
            job.job_id.clone(),
            job.display_name.clone(),
            follow::job_state(job.state()),
            format!("{:.0} %", job.progress * 100.0),
            follow::priority(job.priority()),
            job.create_time.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]);
    }
    output.line(&listing.text())
}

async fn show(client: &Client, job_id: &str, output: Output) -> Result<(), CommandError> {
    let answer = follow::job(client, job_id).await?;
    let finished = download::all(client, &answer.deliverables, None).await?;
    if output.json {
        return output.document(&json!({
            "job": answer.job.as_ref().map(follow::job_json),
            "deliverables": deliverables::to_json(&finished),
            "tasks": answer.tasks.iter().map(follow::task_json).collect::<Vec<_>>(),
        }));
    }
    let job = answer.job.unwrap_or_default();
    output.line(&format!("{}  {}  {}", job.job_id, job.display_name, follow::job_state(job.state())))?;
    if let Some(failure) = job.failure.as_ref().filter(|failure| !failure.message.is_empty()) {
        output.line(&failure.message)?;
    }
    if !finished.is_empty() {
        output.line(&deliverables::table(&finished))?;
    }
    output.line(&follow::task_table(&answer.tasks))
}

async fn report(
    client: &Client,
    job_id: &str,
    html: &Path,
    previews: bool,
    reference: Option<Reference>,
    output: Output,
) -> Result<(), CommandError> {
    let answer = follow::job(client, job_id).await?;
    let finished = download::all(client, &answer.deliverables, None).await?;
    let mut entries: Vec<Entry> = finished.iter().filter_map(Entry::of).collect();
    if entries.is_empty() {
        let message = format!("job {job_id} has no finished files to report on");
        return Err(CommandError::new(Exit::BadInput, "nothing_to_report", message)
            .remedy(format!("`mixdown jobs show {job_id}` tells where it stands")));
    }
    if previews {
        let out = html.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Gone again when the previews are made.
        let files = tempfile::Builder::new()
            .prefix(".mixdown-")
            .tempdir_in(out)
            .map_err(|error| CommandError::io("write to", out, &error))?;
        download::all(client, &answer.deliverables, Some(files.path())).await?;
        tokio::task::block_in_place(|| page::write_previews(files.path(), out, &mut entries))?;
    }
    let Heading { title, about } = heading_of(&answer);
    page::write(html, &Page { title, about, entries, reference })?;
    if !previews {
        say("the page has no player; --previews fetches what one plays");
    }
    if output.json {
        return output.document(&json!({ "job_id": job_id, "html": html.display().to_string() }));
    }
    output.line(&html.display().to_string())
}

/// What stands at the top of a job's page.
fn heading_of(answer: &GetJobResponse) -> Heading {
    let job = answer.job.clone().unwrap_or_default();
    Heading { title: job.display_name, about: format!("Job {}", job.job_id) }
}

fn tell_state(job: Option<mixdown_proto::v1::Job>, output: Output) -> Result<(), CommandError> {
    let job = job.unwrap_or_default();
    if output.json {
        return output.document(&json!({ "job": follow::job_json(&job) }));
    }
    output.line(&format!("{}  {}", job.job_id, follow::job_state(job.state())))
}
