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

/// Gives every entry that lies in `out` something to play. A FLAC that browsers play is played itself; of all others a FLAC
/// of 16 bits is written, one for all files that hold the same samples.
///
/// # Errors
/// A file cannot be read back; a preview cannot be written.
pub fn write(out: &Path, entries: &mut [Entry]) -> Result<(), CommandError> {
    let mut known: BTreeMap<(Digest, u32), String> = BTreeMap::new();
    let key = |entry: &Entry| Some((entry.quality.as_ref()?.samples_digest, entry.measurement.sample_rate_hz));
    for entry in entries.iter().filter(|entry| plays_itself(entry)) {
        if let Some(key) = key(entry) {
            known.entry(key).or_insert_with(|| entry.file.clone());
        }
    }
    let frames = entries.iter().map(|entry| entry.measurement.frames).sum();
    let progress = Progress::new("previews", frames, Unit::Work);
    for entry in entries.iter_mut() {
        let Some(key) = key(entry) else { continue };
        if let Some(preview) = known.get(&key) {
            entry.preview = Some(preview.clone());
        } else {
            let name = format!("{FOLDER}/{}.flac", entry.file);
            make(&out.join(&entry.file), &out.join(FOLDER), &out.join(&name))?;
            known.insert(key, name.clone());
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
