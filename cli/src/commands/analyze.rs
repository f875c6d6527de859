//! `mixdown analyze`

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::loudness::{Measurement, Meter};
use mixdown_dsp::media::{Decoder, MediaError};
use serde_json::{Value, json};

use crate::errors::{CommandError, Exit};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress::{Progress, Unit};
use crate::report;
use crate::tables::{self, Listing};

const BLOCK_FRAMES: usize = 16_384;

/// Measure loudness, peaks and length of audio files.
///
/// Integrated, momentary and short-term loudness by ITU-R BS.1770-5, loudness range by EBU Tech 3342, true peak by
/// oversampling. WAV, AIFF, FLAC, ALAC, MP3, Ogg Vorbis, Opus and AAC in MP4, 1 to 8 channels, weighed by the places that the
/// file gives them. Files are streamed, as many side by
/// side as there are cores. A file that cannot be measured is reported; the others are measured all the same and the
/// command ends with 2.
///
/// With --json: an array with one object per file, in the order given: `file` and either the measurements (`frames`,
/// `sample_rate_hz`, `channels`, `duration_seconds`, `integrated_lufs`, `loudness_range_lu`, `momentary_max_lufs`,
/// `short_term_max_lufs`, `true_peak_dbtp`, `sample_peak_dbfs`; levels of silence are null) or `error`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown analyze masters/*.wav\n  \
    mixdown analyze --json song.flac | jq '.[0].integrated_lufs'")]
pub struct Arguments {
    /// The audio files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Measures the files.
///
/// # Errors
/// How many files could not be measured; each has been reported.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let interrupt = Interrupt::listen()?;
    let results = measure_all(&arguments.files, &interrupt)?;
    let broken: Vec<&CommandError> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    if output.json {
        let entries: Vec<Value> =
            arguments.files.iter().zip(&results).map(|(file, result)| entry(file, result)).collect();
        output.document(&entries)?;
    } else if broken.len() < results.len() {
        output.line(&table(&arguments.files, &results))?;
    }
    let (count, files) = (broken.len(), results.len());
    for error in &broken {
        report::print(error);
    }
    match count {
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
    interrupt: &Interrupt,
) -> Result<Vec<Result<Measurement, CommandError>>, CommandError> {
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
                    let _ = measured.send((index, measure(file, interrupt)));
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

fn measure(file: &Path, interrupt: &Interrupt) -> Result<Measurement, CommandError> {
    let media_error = |error: MediaError| CommandError::from(&error);
    let mut decoder = Decoder::open(file).map_err(media_error)?;
    let channels = decoder.probe().channels as usize;
    let mut meter = Meter::new(decoder.probe().sample_rate_hz, channels).with_speakers(decoder.speakers());
    let mut block = Buffer::new(channels, BLOCK_FRAMES);
    loop {
        block.set_frames(BLOCK_FRAMES);
        if decoder.read(&mut block).map_err(media_error)? == 0 || interrupt.is_raised() {
            return Ok(meter.finish());
        }
        meter.push(&block);
    }
}

fn entry(file: &Path, result: &Result<Measurement, CommandError>) -> Value {
    let name = file.display().to_string();
    match result {
        Ok(measurement) => {
            let mut entry = json!({ "file": name });
            if let (Value::Object(entry), Ok(Value::Object(fields))) = (&mut entry, serde_json::to_value(measurement)) {
                entry.extend(fields);
            }
            entry
        }
        Err(error) => json!({ "file": name, "error": error.to_json() }),
    }
}

fn table(files: &[PathBuf], results: &[Result<Measurement, CommandError>]) -> String {
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
        let Ok(measured) = result else { continue };
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
