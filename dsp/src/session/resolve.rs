//! Finds the files that clips play and processors need, and the cover, names them by their digest and reads what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::document::{AssetFacts, Document, PictureFacts};
use super::fault::Fault;
use super::files::files;
use super::{Folder, Inspection};
use crate::digest::Digest;
use crate::media::{self, MediaError, Picture, Probe};

/// No more files than this are read side by side: beyond, disks are slower.
const MAX_READERS: usize = 8;

/// Fills `document.assets` and `document.pictures` from the files that it names, found in `folder`; each distinct file is read once. Returns
/// the names of files of which no facts could be had, each with a fault where it is named first.
pub(super) fn resolve(document: &mut Document, folder: &Folder<'_>, faults: &mut Vec<Fault>) -> BTreeSet<String> {
    let places: Vec<(&str, String)> = files(document).into_iter().collect();
    let names: Vec<&str> = places.iter().map(|(name, _)| *name).collect();
    let mut assets = BTreeMap::new();
    let mut unresolved = BTreeSet::new();
    for ((name, place), facts) in places.iter().zip(read_all(&names, folder)) {
        match facts {
            Ok(facts) => {
                assets.insert((*name).to_owned(), facts);
            }
            Err(fault) => {
                faults.push(Fault { pointer: place.clone(), ..*fault });
                unresolved.insert((*name).to_owned());
            }
        }
    }
    document.assets = assets;
    if let Some((name, picture)) = document.metadata.cover.clone().map(|name| (name.clone(), cover(&name, folder.path)))
    {
        match picture {
            Ok(facts) => document.pictures = BTreeMap::from([(name, facts)]),
            Err(fault) => {
                faults.push(*fault);
                document.pictures.clear();
                unresolved.insert(name);
            }
        }
    }
    unresolved
}

/// The facts of every file, in the order of `names`, read on a few threads.
fn read_all(names: &[&str], folder: &Folder<'_>) -> Vec<Result<AssetFacts, Box<Fault>>> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(names.len()));
    let readers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_READERS).min(names.len());
    std::thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let facts = read(name, folder);
                    let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    found.push((*name, facts));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(name, _)| *name);
    found.into_iter().map(|(_, facts)| facts).collect()
}

/// The facts of one file; its fault lacks the pointer.
fn read(name: &str, folder: &Folder<'_>) -> Result<AssetFacts, Box<Fault>> {
    let Folder { inspection, digest_of, .. } = *folder;
    let path = folder.path.join(name);
    let is_file = path.metadata().map_err(|source| unreadable(name, &path, &source))?.is_file();
    if name.is_empty() || !is_file {
        let message = format!("{name:?} is no file ({})", path.display());
        return Err(fault("not_a_file", message, "the path of an audio file, relative to the session file"));
    }
    let probe = match inspection {
        Inspection::Headers | Inspection::Digests => media::probe(&path),
        Inspection::Whole => media::verify(&path),
    };
    let Probe { frames, sample_rate_hz, channels, lossy } = probe.map_err(|error| bad_media(name, &path, error))?;
    let facts = File::open(&path).and_then(|file| {
        let size_bytes = file.metadata()?.len();
        let digest = match inspection {
            Inspection::Headers => Digest::of(name.as_bytes()),
            Inspection::Digests => digest_of(&path)?,
            Inspection::Whole => Digest::of_reader(file)?,
        };
        Ok(AssetFacts { digest, size_bytes, frames, sample_rate_hz, channels, lossy })
    });
    let facts = facts.map_err(|source| unreadable(name, &path, &source))?;
    match (facts.frames, facts.sample_rate_hz) {
        (0, _) => Err(fault("empty", format!("{name:?} holds no audio"), "at least one frame")),
        (_, 0) => Err(fault("corrupt", format!("{name:?} has a sample rate of 0 Hz"), "a sample rate above 0")),
        _ => Ok(facts),
    }
}

fn cover(name: &str, folder: &Path) -> Result<PictureFacts, Box<Fault>> {
    let expected = "a PNG or JPEG of at most 16 MB beside the session file";
    let fault = |code, message| Box::new(Fault::at("/metadata/cover", code, message, expected));
    let picture = Picture::read(&folder.join(name)).map_err(|error| match error {
        MediaError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            fault("missing_file", format!("there is no file {name:?}"))
        }
        MediaError::Io { source, .. } => fault("unreadable_file", format!("{name:?} cannot be read: {source}")),
        MediaError::Bad { code, message, .. } => fault(code, format!("{name:?}: {message}")),
    })?;
    Ok(picture.facts())
}

/// A fault whose place the caller knows.
fn fault(code: &'static str, message: String, expected: impl Into<String>) -> Box<Fault> {
    Box::new(Fault::at("", code, message, expected))
}

fn unreadable(name: &str, path: &Path, source: &std::io::Error) -> Box<Fault> {
    if source.kind() == std::io::ErrorKind::NotFound {
        let message = format!("there is no file {name:?}");
        return fault("missing_file", message, format!("an audio file at {}", path.display()));
    }
    let message = format!("{name:?} cannot be read: {source}");
    fault("unreadable_file", message, format!("an audio file at {}", path.display()))
}

fn bad_media(name: &str, path: &Path, error: MediaError) -> Box<Fault> {
    match error {
        MediaError::Io { source, .. } => unreadable(name, path, &source),
        MediaError::Bad { code, message, .. } => {
            fault(code, format!("{name:?}: {message}"), "audio that can be decoded to its end")
        }
    }
}
