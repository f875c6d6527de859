//! What the cache holds: bookkeeping of entries, their files and their turns.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::blobs::BlobName;

/// Every blob that is there or for which room is reserved. Removes files; never reads or writes them.
#[derive(Debug)]
pub(super) struct Inventory {
    dir: PathBuf,
    max_bytes: u64,
    entries: BTreeMap<BlobName, Entry>,
    /// The sum over `entries`.
    used_bytes: u64,
    /// Counts uses; the order of eviction.
    uses: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub bytes: u64,
    /// Tasks that hold it.
    pub held: usize,
    pub disk: OnDisk,
    /// Held by whoever fetches or verifies: concurrent fetches of one blob happen once.
    pub turn: Arc<tokio::sync::Mutex<()>>,
    last_used: u64,
}

/// What is known of an entry's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDisk {
    /// Reserved, not fetched.
    Absent,
    /// Found at the start, left by an earlier life.
    Unverified,
    /// Its bytes were right when the file had this size and time of change.
    Verified(Stamp),
}

/// Tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub bytes: u64,
    pub changed: SystemTime,
}

impl Inventory {
    pub fn new(dir: &Path, max_bytes: u64) -> Self {
        Self { dir: dir.to_owned(), max_bytes, entries: BTreeMap::new(), used_bytes: 0, uses: 0 }
    }

    /// Takes up what an earlier life left, the file changed last as the one used last, and evicts what is too much.
    pub fn take_over(&mut self) -> io::Result<()> {
        let mut found = Vec::new();
        for project in subfolders(&self.dir)? {
            for shard in subfolders(&project)? {
                for file in fs::read_dir(&shard)? {
                    let file = file?;
                    let meta = file.metadata()?;
                    let digest = file.file_name().to_str().and_then(|name| name.parse().ok());
                    let project_id = project.file_name().and_then(|name| name.to_str()).map(str::to_owned);
                    match (project_id, digest) {
                        (Some(project_id), Some(digest)) if meta.is_file() => {
                            found.push((meta.modified()?, BlobName { project_id, digest }, meta.len()));
                        }
                        _ => tracing::warn!(path = %file.path().display(), "ignoring a file that is no blob"),
                    }
                }
            }
        }
        found.sort();
        for (_, name, bytes) in found {
            self.add(name, bytes, OnDisk::Unverified);
        }
        self.make_room(0, &BTreeSet::new());
        Ok(())
    }

    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    pub fn path(&self, blob: &BlobName) -> PathBuf {
        let digest = blob.digest.to_string();
        self.dir.join(&blob.project_id).join(&digest[..2]).join(digest)
    }

    pub fn contains(&self, name: &BlobName) -> bool {
        self.entries.contains_key(name)
    }

    pub fn get_mut(&mut self, name: &BlobName) -> Option<&mut Entry> {
        self.entries.get_mut(name)
    }

    pub fn add(&mut self, name: BlobName, bytes: u64, disk: OnDisk) {
        self.uses += 1;
        self.used_bytes += bytes;
        let entry = Entry { bytes, held: 0, last_used: self.uses, disk, turn: Arc::default() };
        self.entries.insert(name, entry);
    }

    /// Holds all of these, reserving room for those that are not there; changes nothing and returns `false` when what
    /// others hold leaves too little.
    pub fn hold(&mut self, blobs: &BTreeMap<BlobName, u64>) -> bool {
        for (name, bytes) in blobs {
            // Cut off by a crash: of no use, and its size would be miscounted.
            if self.entries.get(name).is_some_and(|entry| entry.held == 0 && entry.bytes != *bytes) {
                self.forget(name);
            }
        }
        let coming = blobs.iter().filter(|(name, _)| !self.contains(name)).map(|(_, bytes)| bytes).sum();
        if !self.make_room(coming, &blobs.keys().collect()) {
            return false;
        }
        for (name, bytes) in blobs {
            if !self.contains(name) {
                self.add(name.clone(), *bytes, OnDisk::Absent);
            }
            self.uses += 1;
            if let Some(entry) = self.entries.get_mut(name) {
                entry.held += 1;
                entry.last_used = self.uses;
            }
        }
        true
    }

    /// Undoes one [`hold`](Self::hold) of a blob; room that was reserved and not used is given back.
    pub fn let_go(&mut self, name: &BlobName) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.held -= 1;
        if entry.held == 0 && entry.disk == OnDisk::Absent {
            self.forget(name);
        }
    }

    /// Removes what nobody holds and is not in `kept`, least recently used first, until there is room for so many more
    /// bytes. Removes nothing and returns `false` when that cannot be reached.
    pub fn make_room(&mut self, bytes: u64, kept: &BTreeSet<&BlobName>) -> bool {
        let Some(most_bytes) = self.max_bytes.checked_sub(bytes) else { return false };
        let mut idle: Vec<(u64, BlobName, u64)> = self
            .entries
            .iter()
            .filter(|(name, entry)| entry.held == 0 && !kept.contains(name))
            .map(|(name, entry)| (entry.last_used, name.clone(), entry.bytes))
            .collect();
        if self.used_bytes - idle.iter().map(|(_, _, bytes)| bytes).sum::<u64>() > most_bytes {
            return false;
        }
        idle.sort();
        for (_, name, _) in idle {
            if self.used_bytes <= most_bytes {
                break;
            }
            self.forget(&name);
        }
        true
    }

    /// Removes an entry and its file: both under one lock, so that a new fetch of the same blob cannot come between.
    fn forget(&mut self, name: &BlobName) {
        if let Some(entry) = self.entries.remove(name) {
            remove(&self.path(name));
            self.used_bytes -= entry.bytes;
        }
    }
}

impl Stamp {
    pub fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self { bytes: meta.len(), changed: meta.modified()? })
    }
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove a file of the cache");
        }
        _ => {}
    }
}

fn subfolders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}
