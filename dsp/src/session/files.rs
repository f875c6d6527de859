//! The audio files that a document names.

use std::collections::BTreeMap;

use super::document::{Document, Insert};

/// Every file that a clip or an insert names, each once, by name, with the pointer to where it is named first.
pub(super) fn files(document: &Document) -> BTreeMap<&str, String> {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for (track, named) in document.tracks.iter().enumerate() {
        for (index, clip) in named.clips.iter().enumerate() {
            files.entry(&clip.file).or_insert_with(|| format!("/tracks/{track}/clips/{index}/file"));
        }
    }
    let tracks = document.tracks.iter().enumerate();
    let chains = tracks.map(|(index, track)| (format!("/tracks/{index}"), &track.inserts));
    let buses = document.buses.iter().enumerate().map(|(index, bus)| (format!("/buses/{index}"), &bus.inserts));
    for (owner, inserts) in chains.chain(buses).chain([("/master".to_owned(), &document.master.inserts)]) {
        for (index, insert) in inserts.iter().enumerate() {
            if let Some(file) = file(insert) {
                let name = insert.processor.name();
                files.entry(file).or_insert_with(|| format!("{owner}/inserts/{index}/{name}/file"));
            }
        }
    }
    files
}

/// The file of an insert; an empty name is a fault of its own.
fn file(insert: &Insert) -> Option<&str> {
    insert.processor.file().filter(|file| !file.is_empty())
}
