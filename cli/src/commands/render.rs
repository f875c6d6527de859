//! `mixdown render`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Instant;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::execute::{ExecuteError, Files, Made, Options, execute};
use mixdown_dsp::plan::{Granularity, KeepStems, Key, Keys, Plan, plan};
use mixdown_dsp::progress::Monitor;
use mixdown_dsp::session::valid::Content;
use mixdown_dsp::session::{self, Inspection, ValidSession};
use serde_json::Value;
use tempfile::TempDir;

use crate::deliverables::{self, Finished};
use crate::errors::{CommandError, Exit};
use crate::interrupt::Interrupt;
use crate::logging;
use crate::output::Output;
use crate::page::{self, Beside, Reference};
use crate::progress::{Progress, Unit};
use crate::session_file;

/// Names of everything unfinished in the output folder begin with it.
const PREFIX: &str = ".mixdown-";

/// Render a session on this machine: no farm, no database, no network.
///
/// The finished files are the same bytes that a farm makes of the session, whatever the number of threads. They appear
/// in DIR under their names once they are whole; files of the same names are replaced. Scratch space is taken in DIR
/// and given back at the end. Beside them lies `report.html`, a page with the quality of every file and a player, and in
/// `previews/` what it plays of files that browsers do not.
///
/// With --json: an array with one object per finished file: `file`, `path`, `digest`, `size_bytes`, `duration_seconds`,
/// `integrated_lufs`, `loudness_range_lu`, `true_peak_dbtp` and its whole report.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown render song.toml --out masters/\n  \
    mixdown render song.toml --out masters/ --mix main --mix instrumental\n\n\
    Three more flags serve tests and benches; they change no bit of the output:\n  \
    --block-frames N             frames per block, 1 to 65536; 512 by default\n  \
    --granularity fused|spread   one task, or one per stem, mix and master; fused by default\n  \
    --log FILTER                 tell on stderr, by info, how long the start took")]
pub struct Arguments {
    /// The session file: TOML, or JSON by its extension.
    session: PathBuf,
    /// Where the finished files go; made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only the deliverables of this mix, its groups among them; may be given more than once.
    #[arg(long = "mix", value_name = "NAME")]
    mixes: Vec<String>,
    /// What is written beside the files: the page and its previews, the page alone, or nothing.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    report: page::Wanted,
    /// Lay the spectrum of this file under those of the page, at the same loudness.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Threads that render; by default one per core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[arg(long, hide = true, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    block_frames: u32,
    #[arg(long, hide = true, value_enum, default_value_t = Cut::Fused)]
    granularity: Cut,
    #[arg(long, hide = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Cut {
    Fused,
    Spread,
}

/// Renders a session.
///
/// # Errors
/// The session's faults, broken media, a full disk, an interruption.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    if let Some(filter) = &arguments.log {
        logging::start(&logging::Arguments { log: filter.clone(), log_format: logging::Format::Text });
    }
    let interrupt = Interrupt::listen()?;
    let begun = Instant::now();
    let session = session_file::open(&arguments.session, Inspection::Headers)?;
    tracing::info!(seconds = begun.elapsed().as_secs_f64(), "the session is read");
    let start = Start { read: Instant::now(), audio: Once::new() };
    let wanted = wanted_deliverables(&session, &arguments.mixes)?;
    let reference = Reference::of_any(arguments.reference.as_deref(), &interrupt)?;
    let keys = Keys::of(&session);
    let granularity = match arguments.granularity {
        Cut::Fused => Granularity::Fused,
        Cut::Spread => Granularity::Spread,
    };
    // What is not wanted counts as there already: the plan stops at it.
    let wanted_keys: BTreeSet<Key> = wanted.iter().map(|&index| keys.masters[index]).collect();
    let not_wanted: BTreeSet<Key> = keys.masters.iter().filter(|key| !wanted_keys.contains(key)).copied().collect();
    let plan = plan(&session, &keys, &|key| not_wanted.contains(key), granularity, KeepStems::Never);

    std::fs::create_dir_all(&arguments.out).map_err(|error| CommandError::io("make", &arguments.out, &error))?;
    // Inside the output folder, so that finished files move into place by a rename.
    let scratch = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(&arguments.out)
        .map_err(|error| CommandError::io("write to", &arguments.out, &error))?;
    let options = Options {
        threads: arguments
            .threads
            .map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from),
        block_frames: arguments.block_frames as usize,
    };
    let mut made =
        run_plan(&session, &keys, &plan, &Bench::new(&arguments.session, &scratch), options, &interrupt, start)
            .map_err(|error| explain(error, &arguments.session, &arguments.out))?;
    let finished = wanted
        .iter()
        .map(|&index| deliver(&mut made, &keys.masters[index], &session.deliverables[index].file_name, &arguments.out))
        .collect::<Result<Vec<_>, _>>()?;
    let heading = page::heading(&session.document);
    Beside { heading, wanted: arguments.report, reference }.write(&arguments.out, &finished)?;
    if output.json {
        output.document(&deliverables::to_json(&finished))
    } else {
        output.line(&deliverables::table(&finished))
    }
}

/// The deliverables of the mixes named, or all of them.
fn wanted_deliverables(session: &ValidSession, mixes: &[String]) -> Result<Vec<usize>, CommandError> {
    if mixes.is_empty() {
        return Ok((0..session.deliverables.len()).collect());
    }
    let known = || session.mixes.iter().map(|mix| format!("\"{}\"", mix.name)).collect::<Vec<_>>().join(", ");
    let mut wanted_mixes = BTreeSet::new();
    for name in mixes {
        let index = session.mixes.iter().position(|mix| mix.name == *name).ok_or_else(|| {
            CommandError::new(Exit::BadInput, "unknown_mix", format!("no mix is named \"{name}\""))
                .remedy(format!("name one of {}", known()))
        })?;
        wanted_mixes.insert(index);
    }
    let is_wanted = |content: Content| match content {
        Content::Mix(mix) => wanted_mixes.contains(&mix),
        Content::Group(print) => wanted_mixes.contains(&session.group_prints[print].mix),
        Content::Print(_) => false,
    };
    let wanted: Vec<usize> =
        (0..session.deliverables.len()).filter(|&index| is_wanted(session.deliverables[index].content)).collect();
    if wanted.is_empty() {
        let message = format!("the session delivers no file of {}", mixes.join(", "));
        return Err(CommandError::new(Exit::BadInput, "nothing_to_deliver", message)
            .remedy("add a deliverable of this mix to the session, or name another mix"));
    }
    Ok(wanted)
}

/// An artifact that lies in the scratch folder, or where it was delivered.
struct Stored {
    path: PathBuf,
    report: Value,
    delivered: bool,
}

/// Runs the tasks one after the other; each finds what the earlier ones made.
fn run_plan(
    session: &ValidSession,
    keys: &Keys,
    plan: &Plan,
    bench: &Bench<'_>,
    options: Options,
    interrupt: &Interrupt,
    start: Start,
) -> Result<BTreeMap<Key, Stored>, ExecuteError> {
    let total = plan.tasks.iter().map(|task| task.cost).sum();
    let monitor = Watch { progress: Progress::new("rendering", total, Unit::Work), interrupt, start };
    let mut stored = BTreeMap::new();
    for (index, task) in plan.tasks.iter().enumerate() {
        let work_dir = bench.scratch.join(format!("task-{index}"));
        std::fs::create_dir(&work_dir)
            .map_err(|source| ExecuteError::Io { what: format!("cannot make {}", work_dir.display()), source })?;
        let files = TaskFiles { bench, stored: &stored, work_dir };
        let made = execute(session, keys, &task.spec, &files, options, &monitor)?;
        for Made { key, path, master, .. } in made {
            let report = master.map_or(Value::Null, |(_, report)| report);
            stored.insert(key, Stored { path, report, delivered: false });
        }
    }
    Ok(stored)
}

/// Puts a finished file into the output folder under its name: there whole, or not at all.
fn deliver(made: &mut BTreeMap<Key, Stored>, key: &Key, file_name: &str, out: &Path) -> Result<Finished, CommandError> {
    let Some(stored) = made.get_mut(key) else {
        let message = format!("no task made {file_name}");
        return Err(CommandError::new(Exit::Failed, "internal", message).remedy("report this with the session"));
    };
    let target = out.join(file_name);
    let failed = |error: &std::io::Error| CommandError::io("write", &target, error);
    // Two deliverables may be of one recipe: the later ones are copies.
    if stored.delivered {
        let partial = out.join(format!("{PREFIX}{key}.part"));
        std::fs::copy(&stored.path, &partial).and_then(|_| std::fs::rename(&partial, &target)).map_err(|error| {
            let _ = std::fs::remove_file(&partial);
            failed(&error)
        })?;
    } else {
        // A rename may reach the disk before the bytes do.
        std::fs::File::open(&stored.path).and_then(|file| file.sync_all()).map_err(|error| failed(&error))?;
        std::fs::rename(&stored.path, &target).map_err(|error| failed(&error))?;
        stored.path.clone_from(&target);
        stored.delivered = true;
    }
    let file = std::fs::File::open(&target).map_err(|error| failed(&error))?;
    let size_bytes = file.metadata().map_err(|error| failed(&error))?.len();
    let digest = match stored.report.get("digest").and_then(Value::as_str) {
        Some(digest) => digest.to_owned(),
        None => Digest::of_reader(file).map_err(|error| failed(&error))?.to_string(),
    };
    Ok(Finished::at(&target, file_name, digest, size_bytes, stored.report.clone()))
}

/// What failed, with the place in the session where broken media is used.
fn explain(error: ExecuteError, session: &Path, out: &Path) -> CommandError {
    match error {
        ExecuteError::BadMedia(message) => match session::load(session, Inspection::Whole) {
            Err(faults) => CommandError::faults(&session.display().to_string(), faults),
            Ok(_) => CommandError::new(Exit::BadInput, "bad_media", message)
                .remedy("`mixdown check SESSION` decodes every file of the session"),
        },
        ExecuteError::BadSession(message) => CommandError::new(Exit::BadInput, "bad_session", message),
        ExecuteError::Io { what, source } => {
            let mut error = CommandError::io("render into", out, &source);
            error.causes.insert(0, what);
            error
        }
        ExecuteError::Cancelled => CommandError::interrupted("stopped before the render ended; nothing was delivered"),
    }
}

/// The folders of a render.
struct Bench<'a> {
    /// Where the session lies; its assets lie beside it.
    session_dir: PathBuf,
    scratch: &'a Path,
}

impl<'a> Bench<'a> {
    fn new(session: &Path, scratch: &'a TempDir) -> Self {
        Self { session_dir: session.parent().unwrap_or(Path::new("")).to_owned(), scratch: scratch.path() }
    }
}

/// Where one task finds and leaves its files.
struct TaskFiles<'a> {
    bench: &'a Bench<'a>,
    stored: &'a BTreeMap<Key, Stored>,
    work_dir: PathBuf,
}

impl Files for TaskFiles<'_> {
    fn asset(&self, name: &str, _: &Digest) -> PathBuf {
        self.bench.session_dir.join(name)
    }

    fn artifact(&self, key: &Key) -> PathBuf {
        // A key that nothing made names a file that is not there: the task then fails on reading it.
        self.stored.get(key).map_or_else(|| self.bench.scratch.join(key.to_string()), |stored| stored.path.clone())
    }

    fn work_dir(&self) -> &Path {
        &self.work_dir
    }
}

struct Watch<'a> {
    progress: Progress,
    interrupt: &'a Interrupt,
    start: Start,
}

/// Tells the log when the first block of audio was through.
struct Start {
    read: Instant,
    audio: Once,
}

impl Monitor for Watch<'_> {
    fn advance(&self, frames: u64) {
        let Start { read, audio } = &self.start;
        audio.call_once(|| tracing::info!(seconds = read.elapsed().as_secs_f64(), "the first audio is processed"));
        self.progress.advance(frames);
    }

    fn is_cancelled(&self) -> bool {
        self.interrupt.is_raised()
    }
}
