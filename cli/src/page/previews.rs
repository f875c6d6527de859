//! What the player plays.

use std::collections::BTreeMap;
use std::path::Path;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::media::{preview_rate_hz, write_preview};

use super::Entry;
use crate::errors::CommandError;
use crate::progress::{Progress, Unit};

/// Folder of the previews, beside the page.
const FOLDER: &str = "previews";

/// What is heard of a file: of lossless ones the samples and their rate, so that files of one sound share a preview; of lossy
/// ones, whose samples were measured before the encoder, what a decoder makes of these very bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Sound {
    Samples(Digest, u32),
    Decoded(String),
}

impl Sound {
    fn of(entry: &Entry) -> Option<Self> {
        if entry.lossy.is_some() {
            return Some(Self::Decoded(entry.digest.clone()));
        }
        Some(Self::Samples(entry.quality.as_ref()?.samples_digest, entry.measurement.sample_rate_hz))
    }
}

/// Gives every entry whose file lies in `files` something to play for a page in `out`. A FLAC that browsers play and that lies
/// beside the page is played itself; of all others a FLAC of 16 bits is written, one for all files that sound the same.
///
/// # Errors
/// A file cannot be read back; a preview cannot be written.
pub fn write(files: &Path, out: &Path, entries: &mut [Entry]) -> Result<(), CommandError> {
    let mut known: BTreeMap<Sound, String> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| files == out && plays_itself(entry)) {
        if let Some(sound) = Sound::of(entry) {
            known.entry(sound).or_insert_with(|| entry.file.clone());
        }
    }
    let frames = entries.iter().map(|entry| entry.measurement.frames).sum();
    let progress = Progress::new("previews", frames, Unit::Work);
    for entry in entries.iter_mut() {
        let Some(sound) = Sound::of(entry) else { continue };
        if let Some(preview) = known.get(&sound) {
            entry.preview = Some(preview.clone());
        } else {
            let name = format!("{FOLDER}/{}.flac", entry.file);
            make(&files.join(&entry.file), &out.join(FOLDER), &out.join(&name))?;
            known.insert(sound, name.clone());
            entry.preview = Some(name);
        }
        progress.advance(entry.measurement.frames);
    }
    progress.finish();
    Ok(())
}

/// Whether browsers play the file as it is.
fn plays_itself(entry: &Entry) -> bool {
    let rate = entry.measurement.sample_rate_hz;
    entry.format.starts_with("FLAC") && preview_rate_hz(rate) == rate
}

fn make(from: &Path, folder: &Path, to: &Path) -> Result<(), CommandError> {
    std::fs::create_dir_all(folder).map_err(|error| CommandError::io("make", folder, &error))?;
    let partial = to.with_extension("part");
    let written = write_preview(from, &partial).map_err(|error| CommandError::from(&error));
    let moved =
        written.and_then(|()| std::fs::rename(&partial, to).map_err(|error| CommandError::io("write", to, &error)));
    if moved.is_err() {
        // What is left of a preview is of no use.
        let _ = std::fs::remove_file(&partial);
    }
    moved
}
