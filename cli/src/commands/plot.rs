//! `mixdown plot`

use std::path::{Path, PathBuf};

use mixdown_dsp::graph::loaded_processor;
use mixdown_dsp::nodes::Processor;
use mixdown_dsp::session::suggest::{did_you_mean, one_of};
use mixdown_dsp::session::valid::Insert;
use mixdown_dsp::session::{self, Inspection, ValidSession};

use crate::commands::presets::unknown;
use crate::errors::{CommandError, Exit};
use crate::output::Output;
use crate::plot::{draw, figure};

/// Draw what a processor does: a response, a static curve, a decay.
///
/// What is drawn is measured by running the processor: the magnitude of an EQ's impulse response, the output level of a
/// compressor or limiter against the level of a steady tone, the decay of a delay or reverb, the gains of a pan.
///
/// SUBJECT is a processor with its defaults (`compressor`), a preset (`compressor/vocal-gentle`), or an insert of a session
/// (`song.toml:Lead Vocal/tone`): track, bus or `master`, a slash, and the name of the insert. One without a name is called
/// by its processor and its place in the chain, from 1: `song.toml:master/eq-2`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  mixdown plot eq/vocal-clear --out clear.svg\n  mixdown plot limiter > limiter.svg\n  \
    mixdown plot 'song.toml:Lead Vocal/compressor-2' --out vocal.svg\n  \
    mixdown plot reverb/hall --json | jq '.curves[0].points'"
)]
pub struct Arguments {
    /// PROCESSOR, PROCESSOR/PRESET or SESSION:TRACK/INSERT.
    subject: String,
    /// The SVG file; stdout if not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The sample rate in Hz at which a processor or preset is measured; a session has its own.
    #[arg(long, default_value_t = 48_000, value_parser = clap::value_parser!(u32).range(44_100..=192_000))]
    sample_rate_hz: u32,
}

/// A processor, and where it works.
struct Subject {
    processor: Processor,
    sample_rate_hz: u32,
    channels: usize,
}

/// Draws a processor.
///
/// # Errors
/// If there is no such processor, preset or insert, or the file cannot be written.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let Subject { processor, sample_rate_hz, channels } = subject(arguments)?;
    let title = title(&arguments.subject);
    let figure = figure::of(title, &figure::bench(&processor, sample_rate_hz, channels));
    let svg = draw(&figure);
    if let Some(out) = &arguments.out {
        std::fs::write(out, &svg).map_err(|error| CommandError::io("write", out, &error))?;
    }
    match &arguments.out {
        _ if output.json => output.document(&figure),
        Some(_) => Ok(()),
        None => output.line(svg.trim_end()),
    }
}

/// The subject without the folders of its session.
fn title(subject: &str) -> String {
    match subject.split_once(':') {
        Some((path, insert)) => match Path::new(path).file_name() {
            Some(name) => format!("{}: {insert}", name.to_string_lossy()),
            None => subject.to_owned(),
        },
        None => subject.to_owned(),
    }
}

fn subject(arguments: &Arguments) -> Result<Subject, CommandError> {
    // A path may hold colons of its own: the first part that is a file is the session.
    let mut colons = arguments.subject.match_indices(':').map(|(at, _)| arguments.subject.split_at(at));
    if let Some((path, insert)) = colons.find(|(path, _)| Path::new(path).is_file()) {
        return in_session(Path::new(path), &insert[1..]);
    }
    if let Some((path, _)) = arguments.subject.rsplit_once(':') {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(CommandError::io("read", Path::new(path), &missing));
    }
    let (name, preset) = match arguments.subject.split_once('/') {
        Some((name, preset)) => (name, Some(preset)),
        None => (arguments.subject.as_str(), None),
    };
    let all = Processor::all();
    let Some(default) = all.iter().find(|processor| processor.name() == name) else {
        return Err(unknown("processor", name, Processor::REVISIONS.iter().map(|(name, _)| *name)));
    };
    let processor = match preset {
        None => default.clone(),
        Some(wanted) => match Processor::presets_of(name).find(|preset| preset.name == wanted) {
            Some(preset) => preset.processor.clone(),
            None => {
                let names: Vec<&str> = Processor::presets_of(name).map(|preset| preset.name.as_str()).collect();
                return Err(unknown("preset", wanted, names.into_iter()));
            }
        },
    };
    Ok(Subject { processor, sample_rate_hz: arguments.sample_rate_hz, channels: 2 })
}

/// The insert `OWNER/NAME` of a session.
fn in_session(path: &Path, wanted: &str) -> Result<Subject, CommandError> {
    let session = session::load(path, Inspection::Headers)
        .map_err(|faults| CommandError::faults(&path.display().to_string(), faults))?;
    let inserts = inserts(&session);
    match inserts.iter().find(|(name, ..)| name == wanted) {
        Some((_, insert, channels)) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            let processor = loaded_processor(&session, insert, |asset| folder.join(&asset.name));
            let processor = processor.map_err(|error| {
                CommandError::new(Exit::BadInput, "bad_media", format!("cannot load {wanted:?}")).because(&error)
            })?;
            Ok(Subject { processor, sample_rate_hz: session.sample_rate_hz, channels: *channels })
        }
        None => {
            let names = || inserts.iter().map(|(name, ..)| name.as_str());
            let message = format!("{} has no insert {wanted:?}{}", path.display(), did_you_mean(wanted, names()));
            Err(CommandError::new(Exit::BadInput, "unknown_insert", message)
                .remedy(format!("name {}", one_of(names()))))
        }
    }
}

/// Every insert at work, as `OWNER/NAME`, with the channels that reach it.
fn inserts(session: &ValidSession) -> Vec<(String, &Insert, usize)> {
    let tracks = session.tracks.iter().map(|track| (track.name.as_str(), &track.inserts, track.channels));
    let buses = session.buses.iter().map(|bus| (bus.name.as_str(), &bus.inserts, 2));
    let mut found = Vec::new();
    for (owner, inserts, mut channels) in tracks.chain(buses).chain([("master", &session.master.inserts, 2)]) {
        for insert in inserts {
            found.push((format!("{owner}/{}", insert.name), insert, channels));
            channels = insert.processor.parameters().channels_out(channels);
        }
    }
    found
}
