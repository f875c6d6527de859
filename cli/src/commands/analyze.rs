//! `mixdown analyze`

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::true_peak::TruePeakReader;
use mixdown_dsp::loudness::Measurement;
use mixdown_dsp::media::{Decoder, MediaError};
use mixdown_dsp::quality::{Analyzer, FileFacts, Level, Profile, Quality, Source, Verdict};
use mixdown_dsp::session::suggest::one_of;
use serde_json::{Value, json};

use crate::errors::{CommandError, Exit};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::page::{self, Entry, Page};
use crate::progress::{Progress, Unit};
use crate::report;
use crate::tables::{self, Listing};

const BLOCK_FRAMES: usize = 16_384;

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
/// With --json: an array with one object per file, in the order given: `file` and either the measurements (`frames`,
/// `sample_rate_hz`, `channels`, `duration_seconds`, `integrated_lufs`, `loudness_range_lu`, `momentary_max_lufs`,
/// `short_term_max_lufs`, `true_peak_dbtp`, `sample_peak_dbfs`; levels of silence are null; `format`, `quality` and
/// `verdicts` as the schema of reports has them) or `error`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown analyze masters/*.wav\n  \
    mixdown analyze --json song.flac | jq '.[0].integrated_lufs'\n  \
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
    /// Write a page with everything: one file that needs no other.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Lay the spectrum of this file under those of the page, at the same loudness.
    #[arg(long, value_name = "FILE", requires = "html")]
    reference: Option<PathBuf>,
}

/// What was found in a file.
struct Analysed {
    measurement: Measurement,
    quality: Quality,
    verdicts: Vec<Verdict>,
    format: &'static str,
    bits: Option<u32>,
}

/// Measures the files.
///
/// # Errors
/// How many files could not be measured; each has been reported.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let interrupt = Interrupt::listen()?;
    let profiles = profiles(&arguments.profiles)?;
    let results = measure_all(&arguments.files, &profiles, &interrupt)?;
    let broken: Vec<&CommandError> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    if output.json {
        let entries: Vec<Value> =
            arguments.files.iter().zip(&results).map(|(file, result)| entry(file, result)).collect();
        output.document(&entries)?;
    } else if broken.len() < results.len() {
        output.line(&table(&arguments.files, &results))?;
        if !arguments.profiles.is_empty() {
            output.line(&verdicts(&arguments.files, &results))?;
        }
    }
    if let Some(html) = &arguments.html {
        let reference = arguments.reference.as_deref().map(|file| measure(file, &[], &interrupt)).transpose()?;
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
    profiles: &[&Profile],
    interrupt: &Interrupt,
) -> Result<Vec<Result<Analysed, CommandError>>, CommandError> {
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
                    let _ = measured.send((index, measure(file, profiles, interrupt)));
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

fn measure(file: &Path, profiles: &[&Profile], interrupt: &Interrupt) -> Result<Analysed, CommandError> {
    let media_error = |error: MediaError| CommandError::from(&error);
    let mut decoder = Decoder::open(file).map_err(media_error)?;
    let channels = decoder.probe().channels as usize;
    let source = Source {
        sample_rate_hz: decoder.probe().sample_rate_hz,
        channels,
        speakers: decoder.speakers(),
        nominal_bits: decoder.bits(),
    };
    let mut analyzer = Analyzer::new(source, TruePeakReader::new);
    let mut block = Buffer::new(channels, BLOCK_FRAMES);
    loop {
        block.set_frames(BLOCK_FRAMES);
        if decoder.read(&mut block).map_err(media_error)? == 0 || interrupt.is_raised() {
            break;
        }
        analyzer.push(&block);
    }
    let analysis = analyzer.finish();
    let (measurement, quality) = (analysis.measurement, analysis.quality);
    let facts = FileFacts { lossy: decoder.probe().lossy, bits: decoder.bits() };
    let verdict = |profile: &&Profile| Verdict::new(profile, &facts, &measurement, &quality);
    let verdicts = profiles.iter().map(verdict).collect();
    Ok(Analysed { measurement, quality, verdicts, format: decoder.format(), bits: decoder.bits() })
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
fn fails(results: &[Result<Analysed, CommandError>]) -> Result<(), CommandError> {
    let verdicts = results.iter().flatten().flat_map(|analysed| &analysed.verdicts);
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
    results: &[Result<Analysed, CommandError>],
    reference: Option<Analysed>,
) -> Result<(), CommandError> {
    let entry = |(file, result): (&PathBuf, &Result<Analysed, CommandError>)| {
        let analysed = result.as_ref().ok()?;
        Some(Entry {
            file: file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned(),
            content: String::new(),
            format: format_words(analysed),
            digest: String::new(),
            size_bytes: std::fs::metadata(file).map_or(0, |it| it.len()),
            measurement: analysed.measurement.clone(),
            quality: Some(analysed.quality.clone()),
            verdicts: analysed.verdicts.clone(),
            note: String::new(),
            head_seconds: 0.0,
            preview: None,
        })
    };
    let entries: Vec<Entry> = arguments.files.iter().zip(results).filter_map(entry).collect();
    let title = match entries.as_slice() {
        [one] => one.file.clone(),
        several => format!("{} files", several.len()),
    };
    let reference = arguments.reference.as_ref().zip(reference).map(|(file, analysed)| {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        page::Reference {
            name,
            spectrum: analysed.quality.spectrum,
            integrated_lufs: analysed.measurement.integrated_lufs,
        }
    });
    page::write(html, &Page { title, about: String::new(), entries, reference })
}

/// `FLAC 24-bit 44100 Hz`
fn format_words(analysed: &Analysed) -> String {
    let bits = match analysed.bits {
        Some(32) => " 32-bit".to_owned(),
        Some(bits) => format!(" {bits}-bit"),
        None => String::new(),
    };
    format!("{}{bits} {} Hz", analysed.format.to_uppercase(), analysed.measurement.sample_rate_hz)
}

fn entry(file: &Path, result: &Result<Analysed, CommandError>) -> Value {
    let name = file.display().to_string();
    match result {
        Ok(analysed) => {
            let mut entry = json!({
                "file": name,
                "format": analysed.format,
                "quality": analysed.quality,
                "verdicts": analysed.verdicts,
            });
            let measurement = serde_json::to_value(&analysed.measurement);
            if let (Value::Object(entry), Ok(Value::Object(fields))) = (&mut entry, measurement) {
                entry.extend(fields);
            }
            entry
        }
        Err(error) => json!({ "file": name, "error": error.to_json() }),
    }
}

/// How each file does by each profile.
fn verdicts(files: &[PathBuf], results: &[Result<Analysed, CommandError>]) -> String {
    let mut listing = Listing::new(&["File", "Profile", "Verdict", "Loudness", "Findings"]);
    for (file, result) in files.iter().zip(results) {
        for verdict in result.iter().flat_map(|analysed| &analysed.verdicts) {
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

fn table(files: &[PathBuf], results: &[Result<Analysed, CommandError>]) -> String {
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
        let Ok(Analysed { measurement: measured, .. }) = result else { continue };
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
