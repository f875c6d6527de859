//! `mixdown analyze`

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use mixdown_dsp::loudness::Measurement;
use mixdown_dsp::quality::{Level, Profile};
use mixdown_dsp::session::suggest::one_of;

use crate::analysis::{self, Analysis, Broken, Levels, Measured, MeasuredLevels};
use crate::errors::{CommandError, Exit};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::page::{self, Entry, Page, Reference};
use crate::progress::{Progress, Unit};
use crate::report;
use crate::tables::{self, Listing};

/// Measure loudness, peaks, quality and length of audio files.
///
/// Integrated, momentary and short-term loudness by ITU-R BS.1770-5, loudness range by EBU Tech 3342, true peak by
/// oversampling. WAV, AIFF, FLAC, ALAC, MP3, Ogg Vorbis, Opus and AAC in MP4, 1 to 8 channels, weighed by the places that the
/// file gives them. Files are streamed, as many side by
/// side as there are cores. A file that cannot be measured is reported; the others are measured all the same and the
/// command ends with 2.
///
/// With --profile: how each file does by a delivery profile. Format, true peak and defects warn or fail; of the loudness it
/// is told how much lower or higher the platform plays. The command ends with 1 when a file fails. With --html: everything
/// on one page, with waveform, loudness over time, spectrum, stereo and defects; by all profiles when none is named.
///
/// With --json: an array with one object per file, in the order given: `file` and either the measurements (`digest`,
/// `size_bytes`, `frames`, `sample_rate_hz`, `channels`, `duration_seconds`, `integrated_lufs`, `loudness_range_lu`,
/// `momentary_max_lufs`, `short_term_max_lufs`, `true_peak_dbtp`, `sample_peak_dbfs`; levels of silence are null; `format`,
/// `bits`, `quality`, `verdicts`) or `error`. `mixdown schema --analysis` prints its schema.
///
/// What is not shown is not measured: the table needs the levels alone, and they are read several times as fast as everything.
/// --measure levels asks the same of --json, whose objects then lack `digest`, `quality` and `verdicts`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown analyze masters/*.wav\n  \
    mixdown analyze --json --measure levels song.flac | jq '.[0].integrated_lufs'\n  \
    mixdown analyze song.wav --profile spotify --profile cd --html song.html\n\n\
    Exit codes: 0 measured, 1 a file fails a --profile, 2 a file cannot be measured or a profile is unknown.")]
pub struct Arguments {
    /// The audio files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge by this delivery profile; may be given more than once: spotify, apple_music, youtube, tidal, amazon_music,
    /// deezer, ebu_r128, cd, vinyl.
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// What to measure: `levels` (loudness and peaks) or `everything` (also digest, quality and verdicts). By default what is
    /// shown: levels for the table, everything with --json, --profile or --html.
    #[arg(long, value_name = "WHAT", value_enum, conflicts_with_all = ["profiles", "html"])]
    measure: Option<Measure>,
    /// Write a page with everything: one file that needs no other.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Lay the spectrum of this file under those of the page, at the same loudness.
    #[arg(long, value_name = "FILE", requires = "html")]
    reference: Option<PathBuf>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Measure {
    /// Loudness and peaks.
    Levels,
    /// Also digest, quality and verdicts.
    Everything,
}

/// What came of a file.
enum Figures {
    Levels(Levels),
    Everything(Box<Analysis>),
}

impl Figures {
    fn measurement(&self) -> &Measurement {
        match self {
            Self::Levels(levels) => &levels.measurement,
            Self::Everything(analysis) => &analysis.measurement,
        }
    }

    fn analysis(&self) -> Option<&Analysis> {
        match self {
            Self::Levels(_) => None,
            Self::Everything(analysis) => Some(analysis),
        }
    }
}

impl Arguments {
    fn measure(&self, output: Output) -> Measure {
        let shown = if output.json || self.html.is_some() || !self.profiles.is_empty() {
            Measure::Everything
        } else {
            Measure::Levels
        };
        self.measure.unwrap_or(shown)
    }
}

/// Measures the files.
///
/// # Errors
/// How many files could not be measured; each has been reported.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let interrupt = Interrupt::listen()?;
    let profiles = profiles(&arguments.profiles)?;
    let measure = |file: &Path| match arguments.measure(output) {
        Measure::Levels => Levels::of(file, &interrupt).map(Figures::Levels),
        Measure::Everything => {
            Analysis::of(file, &profiles, &interrupt).map(|analysis| Figures::Everything(Box::new(analysis)))
        }
    };
    let results = measure_all(&arguments.files, &measure, &interrupt)?;
    let broken: Vec<&CommandError> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    if output.json {
        let entries: Vec<analysis::Entry<'_>> =
            arguments.files.iter().zip(&results).map(|(file, result)| entry(file, result)).collect();
        output.document(&entries)?;
    } else if broken.len() < results.len() {
        output.line(&table(&arguments.files, &results))?;
        if !arguments.profiles.is_empty() {
            output.line(&verdicts(&arguments.files, &results))?;
        }
    }
    if let Some(html) = &arguments.html {
        let reference = Reference::of_any(arguments.reference.as_deref(), &interrupt)?;
        write_page(html, arguments, &results, reference)?;
    }
    let (count, files) = (broken.len(), results.len());
    for error in &broken {
        report::print(error);
    }
    match count {
        0 if !arguments.profiles.is_empty() => fails(&results),
        0 => Ok(()),
        _ => {
            Err(CommandError::new(Exit::BadInput, "bad_media", format!("{count} of {files} files cannot be measured"))
                .told_in_result())
        }
    }
}

/// Measures every file, in order, on as many threads as there are cores.
fn measure_all(
    files: &[PathBuf],
    measure: &(dyn Fn(&Path) -> Result<Figures, CommandError> + Sync),
    interrupt: &Interrupt,
) -> Result<Vec<Result<Figures, CommandError>>, CommandError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let progress = Progress::new("measuring", files.len() as u64, Unit::Work);
    let next = AtomicUsize::new(0);
    let (measured, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let measured = measured.clone();
            scope.spawn(|| {
                let measured = measured;
                while !interrupt.is_raised() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index) else { break };
                    // The receiver outlives the scope.
                    let _ = measured.send((index, measure(file)));
                    progress.advance(1);
                }
            });
        }
    });
    drop(measured);
    progress.finish();
    if interrupt.is_raised() {
        return Err(CommandError::interrupted("stopped before every file was measured"));
    }
    let mut results: Vec<_> = results.into_iter().collect();
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// The profiles of these names; all of them when none is named.
fn profiles(names: &[String]) -> Result<Vec<&'static Profile>, CommandError> {
    if names.is_empty() {
        return Ok(Profile::all().iter().collect());
    }
    let known = || one_of(Profile::all().iter().map(|profile| profile.name.as_str()));
    let find = |name: &String| {
        Profile::find(name).ok_or_else(|| {
            CommandError::new(Exit::BadInput, "unknown_profile", format!("no delivery profile is named `{name}`"))
                .remedy(format!("name {}", known()))
        })
    };
    names.iter().map(find).collect()
}

/// Fails if a file fails a profile.
fn fails(results: &[Result<Figures, CommandError>]) -> Result<(), CommandError> {
    let verdicts = results.iter().flatten().filter_map(Figures::analysis).flat_map(|analysis| &analysis.verdicts);
    match verdicts.filter(|verdict| verdict.verdict == Level::Fail).count() {
        0 => Ok(()),
        count => {
            let verdicts = if count == 1 { "1 verdict is" } else { &format!("{count} verdicts are") };
            Err(CommandError::new(Exit::Failed, "profile_failed", format!("{verdicts} `fail`")).told_in_result())
        }
    }
}

fn write_page(
    html: &Path,
    arguments: &Arguments,
    results: &[Result<Figures, CommandError>],
    reference: Option<Reference>,
) -> Result<(), CommandError> {
    let entry = |(file, result): (&PathBuf, &Result<Figures, CommandError>)| {
        Some(Entry::measured(file, result.as_ref().ok()?.analysis()?))
    };
    let entries: Vec<Entry> = arguments.files.iter().zip(results).filter_map(entry).collect();
    let title = match entries.as_slice() {
        [one] => one.file.clone(),
        several => format!("{} files", several.len()),
    };
    page::write(html, &Page { title, about: String::new(), entries, reference })
}

fn entry<'a>(file: &Path, result: &'a Result<Figures, CommandError>) -> analysis::Entry<'a> {
    let file = file.display().to_string();
    match result {
        Ok(Figures::Levels(levels)) => analysis::Entry::Levels(MeasuredLevels { file, levels }),
        Ok(Figures::Everything(analysis)) => analysis::Entry::Measured(Measured { file, analysis }),
        Err(error) => analysis::Entry::Broken(Broken { file, error: error.document() }),
    }
}

/// How each file does by each profile.
fn verdicts(files: &[PathBuf], results: &[Result<Figures, CommandError>]) -> String {
    let mut listing = Listing::new(&["File", "Profile", "Verdict", "Loudness", "Findings"]);
    for (file, result) in files.iter().zip(results) {
        for verdict in result.iter().filter_map(Figures::analysis).flat_map(|analysis| &analysis.verdicts) {
            let findings: Vec<&str> = verdict.findings.iter().map(|finding| finding.text.as_str()).collect();
            listing.row([
                file.display().to_string(),
                verdict.title.clone(),
                page::word(verdict.verdict).to_owned(),
                verdict.playback.clone(),
                findings.join("; "),
            ]);
        }
    }
    listing.text()
}

fn table(files: &[PathBuf], results: &[Result<Figures, CommandError>]) -> String {
    let mut listing = Listing::new(&[
        "File",
        ">Length",
        ">Hz",
        ">Channels",
        ">Integrated LUFS",
        ">LRA LU",
        ">Momentary max",
        ">Short-term max",
        ">True peak dBTP",
        ">Sample peak dBFS",
    ]);
    for (file, result) in files.iter().zip(results) {
        let Ok(figures) = result else { continue };
        let measured = figures.measurement();
        listing.row([
            file.display().to_string(),
            tables::length(measured.duration_seconds),
            measured.sample_rate_hz.to_string(),
            measured.channels.to_string(),
            tables::level(measured.integrated_lufs),
            tables::level(measured.loudness_range_lu),
            tables::level(measured.momentary_max_lufs),
            tables::level(measured.short_term_max_lufs),
            tables::level(measured.true_peak_dbtp),
            tables::level(measured.sample_peak_dbfs),
        ]);
    }
    listing.text()
}
