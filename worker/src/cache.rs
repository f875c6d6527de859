//! Blobs on the local disk, under their digest, bounded by size.
//!
//! A task reserves all its blobs at once, waiting for room if it must, and holds them until it ends. Because nobody who
//! holds blobs ever waits for room, no two tasks can wait for one another. What nobody holds goes, least recently used
//! first. A file is verified while it streams in, once more after a restart of the worker, and whenever its size or
//! time of change differs from what was seen then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures::StreamExt as _;
use mixdown_dsp::digest::Digest;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::blobs::{self, BlobName, BlobStore};

/// Why a blob is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store did not give it.
    #[error(transparent)]
    Store(#[from] blobs::Error),
    /// The store gave other bytes, twice.
    #[error("the store holds wrong bytes under blob {digest}: they digest to {found}")]
    WrongBytes {
        /// The blob asked for.
        digest: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// The store holds a blob of another size than the session says.
    #[error("blob {digest} has {found_bytes} bytes in the store, expected {expected_bytes}")]
    WrongSize {
        /// The blob asked for.
        digest: Digest,
        /// What was expected.
        expected_bytes: u64,
        /// What the store says, or sent.
        found_bytes: u64,
    },
    /// What one task needs is larger than the cache may be.
    #[error("the task reads {needed_bytes} bytes, but the cache in {path} may hold {cache_bytes}: raise its bound")]
    TooSmall {
        /// The cache.
        path: PathBuf,
        /// What the task reads.
        needed_bytes: u64,
        /// The bound.
        cache_bytes: u64,
    },
    /// The disk is full.
    #[error("the disk of the cache folder {path} is full")]
    DiskFull {
        /// The file being written.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("cannot use the cached file {path}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether trying again may help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Store(error) if error.may_pass())
    }
}

/// The cache; clones share it.
#[derive(Debug, Clone)]
pub struct Cache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    partial: PathBuf,
    max_bytes: u64,
    // A plain mutex: nothing is awaited while it is held.
    state: Mutex<State>,
    /// Told whenever a holder lets go.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<BlobName, Entry>,
    /// The sum over `entries`.
    used_bytes: u64,
    /// Counts uses; the order of eviction.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    bytes: u64,
    held: usize,
    last_used: u64,
    disk: OnDisk,
    /// Held by whoever fetches or verifies: concurrent fetches of one blob happen once.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What is known of an entry's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDisk {
    /// Reserved, not fetched.
    Absent,
    /// Found at the start, left by an earlier life.
    Unverified,
    /// Its bytes were right when the file had this size and time of change.
    Verified(Stamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: SystemTime,
}

/// A blob that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file; stays until the [`Hold`] is dropped.
    pub path: PathBuf,
    /// Bytes that were moved to have it; 0 when it was in the cache.
    pub fetched_bytes: u64,
}

impl Cache {
    /// Takes over what an earlier life left in `dir`, evicting what is beyond `max_bytes`. Incoming files are written in
    /// `partial`, on the same file system.
    ///
    /// # Errors
    /// The folder cannot be read, or a file in it not removed.
    pub fn open(dir: &Path, partial: &Path, max_bytes: u64) -> io::Result<Self> {
        let mut state = State::default();
        let mut found = Vec::new();
        for project in subfolders(dir)? {
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
            state.add(name, bytes, OnDisk::Unverified);
        }
        let shared = Shared {
            dir: dir.to_owned(),
            partial: partial.to_owned(),
            max_bytes,
            state: Mutex::new(state),
            freed: Notify::new(),
        };
        shared.lock().evict(dir, max_bytes, &BTreeSet::new());
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Bytes that the cache counts now: files, and room reserved for files to come.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.shared.lock().used_bytes
    }

    /// Reserves room for these blobs of these sizes, all at once, and holds those that are there; waits while other tasks
    /// hold too much.
    ///
    /// # Errors
    /// [`Error::TooSmall`] when they would not fit even alone.
    pub async fn hold(&self, blobs: BTreeMap<BlobName, u64>) -> Result<Hold, Error> {
        let needed_bytes = blobs.values().sum();
        let cache_bytes = self.shared.max_bytes;
        if needed_bytes > cache_bytes {
            return Err(Error::TooSmall { path: self.shared.dir.clone(), needed_bytes, cache_bytes });
        }
        loop {
            let freed = self.shared.freed.notified();
            tokio::pin!(freed);
            // Registers interest before looking, so that room freed meanwhile is not missed.
            freed.as_mut().enable();
            if self.shared.lock().try_hold(&self.shared.dir, cache_bytes, &blobs) {
                return Ok(Hold { shared: Arc::clone(&self.shared), blobs });
            }
            freed.await;
        }
    }

    /// Takes a file whose digest is known and which is stored already, if there is room without waiting. The file is moved.
    pub fn adopt(&self, blob: &BlobName, file: &Path) {
        if let Err(error) = self.try_adopt(blob, file) {
            tracing::warn!(path = %file.display(), %error, "cannot keep a file in the cache");
        }
    }

    fn try_adopt(&self, blob: &BlobName, file: &Path) -> io::Result<()> {
        let bytes = fs::metadata(file)?.len();
        let path = path_of(&self.shared.dir, blob);
        let mut state = self.shared.lock();
        if state.entries.contains_key(blob) || bytes > self.shared.max_bytes {
            return Ok(());
        }
        if !state.evict(&self.shared.dir, self.shared.max_bytes - bytes, &BTreeSet::new()) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(file, &path)?;
        let stamp = Stamp::of(&path)?;
        state.add(blob.clone(), bytes, OnDisk::Verified(stamp));
        Ok(())
    }
}

/// Blobs held for one task; let go when dropped.
#[derive(Debug)]
pub struct Hold {
    shared: Arc<Shared>,
    blobs: BTreeMap<BlobName, u64>,
}

impl Hold {
    /// Makes one of the held blobs present. A wrong file in the cache is dropped; wrong bytes from the store are fetched
    /// once more.
    ///
    /// # Errors
    /// See [`Error`]. The partial file of a failed or abandoned fetch is removed.
    pub async fn fetch(&self, store: &dyn BlobStore, blob: &BlobName) -> Result<Fetched, Error> {
        let expected_bytes = *self.blobs.get(blob).expect("because a task fetches only what it holds");
        let path = path_of(&self.shared.dir, blob);
        let (held_bytes, turn) = self.shared.entry(blob, |entry| (entry.bytes, Arc::clone(&entry.turn)));
        if held_bytes != expected_bytes {
            // Another task holds it at this moment, under another size.
            return Err(Error::WrongSize { digest: blob.digest, expected_bytes, found_bytes: held_bytes });
        }
        let _turn = turn.lock().await;
        let known = self.shared.entry(blob, |entry| entry.disk);
        if known != OnDisk::Absent {
            if let Some(stamp) = verified(&path, known, blob.digest, expected_bytes).await {
                self.shared.entry(blob, |entry| entry.disk = OnDisk::Verified(stamp));
                return Ok(Fetched { path, fetched_bytes: 0 });
            }
            tracing::warn!(blob.digest = %blob.digest, "a cached file has changed; fetching it again");
            self.shared.entry(blob, |entry| entry.disk = OnDisk::Absent);
            remove(&path);
        }
        let mut fetched_bytes = 0;
        let mut refetched = false;
        loop {
            let incoming = self.shared.partial.join(Uuid::new_v4().to_string());
            let result = download(store, blob, expected_bytes, Incoming { path: incoming }, &path).await;
            fetched_bytes += expected_bytes;
            match result {
                Ok(stamp) => {
                    self.shared.entry(blob, |entry| entry.disk = OnDisk::Verified(stamp));
                    return Ok(Fetched { path, fetched_bytes });
                }
                Err(Error::WrongBytes { digest, found }) if !refetched => {
                    tracing::warn!(%digest, %found, "the store sent wrong bytes; fetching once more");
                    refetched = true;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        for blob in self.blobs.keys() {
            let Some(entry) = state.entries.get_mut(blob) else { continue };
            entry.held -= 1;
            if entry.held == 0 && entry.disk == OnDisk::Absent {
                state.forget(&self.shared.dir, blob);
            }
        }
        drop(state);
        self.shared.freed.notify_waiters();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry<T>(&self, blob: &BlobName, with: impl FnOnce(&mut Entry) -> T) -> T {
        with(self.lock().entries.get_mut(blob).expect("because held entries stay"))
    }
}

impl State {
    fn add(&mut self, name: BlobName, bytes: u64, disk: OnDisk) {
        self.uses += 1;
        self.used_bytes += bytes;
        let entry = Entry { bytes, held: 0, last_used: self.uses, disk, turn: Arc::default() };
        self.entries.insert(name, entry);
    }

    fn try_hold(&mut self, dir: &Path, max_bytes: u64, blobs: &BTreeMap<BlobName, u64>) -> bool {
        for (name, bytes) in blobs {
            // Cut off by a crash: of no use, and its size would be miscounted.
            if self.entries.get(name).is_some_and(|entry| entry.held == 0 && entry.bytes != *bytes) {
                self.forget(dir, name);
            }
        }
        let coming: u64 =
            blobs.iter().filter(|(name, _)| !self.entries.contains_key(name)).map(|(_, bytes)| bytes).sum();
        let kept: BTreeSet<&BlobName> = blobs.keys().collect();
        if coming > max_bytes || !self.evict(dir, max_bytes - coming, &kept) {
            return false;
        }
        for (name, bytes) in blobs {
            if !self.entries.contains_key(name) {
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

    /// Removes what nobody holds and is not in `kept`, least recently used first, until at most `most_bytes` are used.
    /// Removes nothing and returns `false` when that cannot be reached.
    fn evict(&mut self, dir: &Path, most_bytes: u64, kept: &BTreeSet<&BlobName>) -> bool {
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
            self.forget(dir, &name);
        }
        true
    }

    /// Removes an entry and its file: both under the lock, so that a new fetch of the same blob cannot come between.
    fn forget(&mut self, dir: &Path, name: &BlobName) {
        if let Some(entry) = self.entries.remove(name) {
            remove(&path_of(dir, name));
            self.used_bytes -= entry.bytes;
        }
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self { bytes: meta.len(), changed: meta.modified()? })
    }
}

/// A file on its way in; removed when dropped unless it was moved into place.
struct Incoming {
    path: PathBuf,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

async fn download(
    store: &dyn BlobStore,
    blob: &BlobName,
    expected_bytes: u64,
    incoming: Incoming,
    to: &Path,
) -> Result<Stamp, Error> {
    let disk = |source: io::Error| disk_error(&incoming.path, source);
    let wrong_size = |found_bytes| Error::WrongSize { digest: blob.digest, expected_bytes, found_bytes };
    let mut source = store.get(blob).await?;
    if source.size_bytes != expected_bytes {
        return Err(wrong_size(source.size_bytes));
    }
    let mut file = tokio::fs::File::create(&incoming.path).await.map_err(disk)?;
    let mut hasher = blake3::Hasher::new();
    let mut received: u64 = 0;
    while let Some(part) = source.bytes.next().await {
        let part = part?;
        received += part.len() as u64;
        if received > expected_bytes {
            return Err(wrong_size(received));
        }
        hasher.update(&part);
        file.write_all(&part).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    drop(file);
    let found = Digest::from_bytes(*hasher.finalize().as_bytes());
    if found != blob.digest {
        return Err(Error::WrongBytes { digest: blob.digest, found });
    }
    if let Some(parent) = to.parent() {
        tokio::fs::create_dir_all(parent).await.map_err(disk)?;
    }
    tokio::fs::rename(&incoming.path, to).await.map_err(disk)?;
    Stamp::of(to).map_err(|source| disk_error(to, source))
}

/// The stamp of a cached file if its bytes are right: known to be, or found to be by reading it.
async fn verified(path: &Path, known: OnDisk, digest: Digest, expected_bytes: u64) -> Option<Stamp> {
    let stamp = Stamp::of(path).ok()?;
    if known == OnDisk::Verified(stamp) {
        return Some(stamp);
    }
    if stamp.bytes != expected_bytes {
        return None;
    }
    let path = path.to_owned();
    let found = tokio::task::spawn_blocking(move || Digest::of_reader(fs::File::open(path)?)).await.ok()?.ok()?;
    (found == digest).then_some(stamp)
}

fn disk_error(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull { path },
        _ => Error::Disk { path, source },
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove a file of the cache");
        }
        _ => {}
    }
}

fn path_of(dir: &Path, blob: &BlobName) -> PathBuf {
    let digest = blob.digest.to_string();
    dir.join(&blob.project_id).join(&digest[..2]).join(digest)
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
