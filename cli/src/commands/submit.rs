//! `mixdown submit`

use std::path::{Path, PathBuf};
use std::time::Duration;

use mixdown_dsp::session::{self, Inspection, ValidSession};
use mixdown_proto::v1::{
    Granularity, Job, KeepStems, Priority, Requirements, RevisionChange, SubmitJobRequest, SubmitJobResponse,
};
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::client::{self, Client, is_transient};
use crate::errors::{CommandError, Exit};
use crate::follow::{self, Manner};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::page::{self, Beside, Reference};
use crate::progress::say;
use crate::{quantity, result, session_file, upload};

/// A call that is repeated keeps its request id: the job is queued once, however often the answer gets lost.
const MAX_TRIES: u32 = 6;

/// Hand a session to a farm.
///
/// The audio files that the farm lacks are uploaded first, going on where an earlier try broke off; then the session is
/// queued. Files that nobody has written to since an earlier submit are not read again: their digests are kept in
/// ~/.cache/mixdown. With --wait the command follows the job to its end and prints what came of it: a table of the finished files
/// and a table of the tasks. Ctrl-C while waiting detaches: the job goes on, and `mixdown jobs watch ID` follows it again.
///
/// With --json: one object with `job` and `revision_changes`, and with --wait also `deliverables` and `tasks`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown submit song.toml --wait --out masters/\n  \
    mixdown submit song.toml --priority urgent\n  \
    mixdown submit song.toml --json | jq -r .job.job_id\n\n\
    Exit codes with --wait: 0 delivered, 1 failed, 2 the session or its media is bad, 3 cancelled or --timeout passed,\n\
    130 detached by Ctrl-C.")]
pub struct Arguments {
    /// The session file: TOML, or JSON by its extension.
    session: PathBuf,
    /// Follow the job to its end.
    #[arg(long)]
    wait: bool,
    /// Fetch the finished files into this folder; files of the same names are replaced.
    #[arg(long, value_name = "DIR", requires = "wait")]
    out: Option<PathBuf>,
    /// What is written beside the files: report.html and the previews that it plays, the page alone, or nothing.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t, requires = "out")]
    report: page::Wanted,
    /// Lay the spectrum of this file under those of the page, at the same loudness.
    #[arg(long, value_name = "FILE", requires = "out")]
    reference: Option<PathBuf>,
    /// Stop waiting after this long, 90s or 10m say; the job goes on.
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = quantity::duration)]
    timeout: Option<Duration>,
    /// The job's place between the jobs of its project.
    #[arg(long, value_enum, default_value_t = PriorityName::Normal)]
    priority: PriorityName,
    /// Whether stems that are rendered on the way are kept for later recalls.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = KeepStemsName::Auto)]
    keep_stems: KeepStemsName,
    /// How the session is cut into tasks; the audio is the same whatever the cut.
    #[arg(long, value_enum, value_name = "CUT", default_value_t = GranularityName::Auto)]
    granularity: GranularityName,
    /// Prefix in the store under which the finished files lie by name; by default jobs/ID.
    #[arg(long, value_name = "PREFIX")]
    deliver_to: Option<String>,
    /// Let finished files replace others of the same names under --deliver-to.
    #[arg(long)]
    replace: bool,
    /// A name for people; by default the session's title.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    #[command(flatten)]
    requirements: RequirementArguments,
    #[command(flatten)]
    connection: client::Arguments,
}

/// What each task of the job asks of a worker.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What each task asks of a worker")]
struct RequirementArguments {
    /// Only workers with this label, `gpu` say; repeat it for several.
    #[arg(long = "require-label", value_name = "NAME")]
    labels: Vec<String>,
    /// Slots that each task takes of its worker.
    #[arg(long = "require-slots", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    slots: u16,
    /// Each task takes a whole worker.
    #[arg(long = "require-whole-worker")]
    whole_worker: bool,
    /// Memory that each task needs at least, 16GiB say; by default what follows from the session.
    #[arg(long = "require-memory", value_name = "SIZE", value_parser = quantity::bytes)]
    memory: Option<u64>,
    /// A named limit that each task holds while it runs (`mixdown limits`); repeat it for several.
    #[arg(long = "limit", value_name = "NAME")]
    limits: Vec<String>,
}

impl RequirementArguments {
    /// Nothing, when nothing is asked for.
    fn message(&self) -> Option<Requirements> {
        let asked = Requirements {
            slots: i32::from(self.slots),
            whole_worker: self.whole_worker,
            memory_bytes: self.memory.map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            labels: self.labels.clone(),
            limits: self.limits.clone(),
        };
        (asked != Requirements { slots: 1, ..Requirements::default() }).then_some(asked)
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PriorityName {
    /// Before everything else.
    Urgent,
    /// The usual.
    Normal,
    /// When nothing else waits.
    Bulk,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum KeepStemsName {
    /// When keeping one is cheaper than rendering it again.
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum GranularityName {
    /// By a cost model.
    Auto,
    /// One task for everything.
    Fused,
    /// A task per stem, mix and master.
    Spread,
}

/// Submits a session.
///
/// # Errors
/// The session's faults, a coordinator that cannot be reached or refuses, and with `--wait` whatever ended the job.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    let interrupt = Interrupt::listen()?;
    let session = session_file::open(&arguments.session, Inspection::Digests)?;
    let reference = Reference::of_any(arguments.reference.as_deref(), &interrupt)?;
    let client = Client::connect(&arguments.connection).await?;
    let queued = tokio::select! {
        queued = queue(&client, &arguments, &session) => queued?,
        () = interrupt.raised() => return Err(CommandError::interrupted("stopped; nothing was submitted")
            .remedy("submit again: what was uploaded is kept")),
    };
    let job = queued.job.unwrap_or_default();
    for change in &queued.revision_changes {
        say(&format!(
            "{} sounds different from the last job of this session: revision {} is now {}",
            change.name, change.from_revision, change.to_revision
        ));
    }
    if !arguments.wait {
        return tell_queued(&job, &queued.revision_changes, &arguments, output);
    }
    say(&format!("job {} is queued", job.job_id));
    let again = result::watch_command(&job.job_id, &arguments.connection.coordinator, arguments.out.as_deref());
    let manner = Manner { timeout: arguments.timeout, events: false };
    let ended = follow::to_its_end(&client, &job.job_id, &again, manner, &interrupt, output).await?;
    let heading = page::heading(&session.document);
    let page = Beside { heading, wanted: arguments.report, reference };
    let told = result::tell(&client, &ended, &queued.revision_changes, arguments.out.as_deref(), page, output).await;
    told.map_err(|error| with_places(error, &arguments.session))
}

async fn queue(
    client: &Client,
    arguments: &Arguments,
    session: &ValidSession,
) -> Result<SubmitJobResponse, CommandError> {
    let request = SubmitJobRequest {
        request_id: Uuid::new_v4().to_string(),
        session_json: session::to_json(&session.document),
        priority: match arguments.priority {
            PriorityName::Urgent => Priority::Urgent,
            PriorityName::Normal => Priority::Normal,
            PriorityName::Bulk => Priority::Bulk,
        }
        .into(),
        granularity: match arguments.granularity {
            GranularityName::Auto => Granularity::Auto,
            GranularityName::Fused => Granularity::Fused,
            GranularityName::Spread => Granularity::Spread,
        }
        .into(),
        keep_stems: match arguments.keep_stems {
            KeepStemsName::Auto => KeepStems::Auto,
            KeepStemsName::Always => KeepStems::Always,
            KeepStemsName::Never => KeepStems::Never,
        }
        .into(),
        display_name: arguments.name.clone().unwrap_or_default(),
        deliver_to: arguments.deliver_to.clone().unwrap_or_default(),
        replace: arguments.replace,
        requirements: arguments.requirements.message(),
    };
    upload::assets(client, session, &arguments.session).await?;
    let mut tries = 0;
    loop {
        tries += 1;
        match client.jobs().submit_job(request.clone()).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if is_transient(&status) && tries < MAX_TRIES => {
                tokio::time::sleep(Duration::from_millis(250 << tries)).await;
            }
            // A blob that was there a moment ago may have been cleared away.
            Err(status) if status.code() == Code::FailedPrecondition && tries == 1 => {
                if upload::assets(client, session, &arguments.session).await? == 0 {
                    return Err(client.error("submit the session", &status));
                }
            }
            Err(status) => return Err(client.error("submit the session", &status)),
        }
    }
}

fn tell_queued(
    job: &Job,
    revision_changes: &[RevisionChange],
    arguments: &Arguments,
    output: Output,
) -> Result<(), CommandError> {
    if output.json {
        return output.document(&json!({
            "job": follow::job_json(job),
            "revision_changes": result::revision_changes_json(revision_changes),
        }));
    }
    say(&format!(
        "queued; follow it with `{}`",
        result::watch_command(&job.job_id, &arguments.connection.coordinator, None)
    ));
    output.line(&job.job_id)
}

/// Broken media that a worker found, with the place in the session where it is used.
fn with_places(error: CommandError, session: &Path) -> CommandError {
    if error.code != "bad_media" {
        return error;
    }
    match session::load(session, Inspection::Whole) {
        Ok(_) => error,
        Err(faults) => {
            let told = error.in_result;
            let mut placed = CommandError::faults(&session.display().to_string(), faults);
            placed.in_result = told;
            placed.exit = Exit::BadInput;
            placed
        }
    }
}
