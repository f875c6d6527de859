//! Blobs on the local disk, under their digest, bounded by size.
//!
//! A task reserves all its blobs at once, waiting for room if it must, and holds them until it ends. Because nobody who
//! holds blobs ever waits for room, no two tasks can wait for one another. What nobody holds goes, least recently used
//! first. A file is verified while it streams in, once more after a restart of the worker, and whenever its size or
//! time of change differs from what was seen then.

mod incoming;
mod inventory;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mixdown_dsp::digest::Digest;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::blobs::{self, BlobName, BlobStore};
use incoming::{Incoming, download, verified};
use inventory::{Entry, Inventory, OnDisk, Stamp, remove};

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
    /// Whether the store has damaged or lost the blob.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::WrongBytes { .. } | Self::WrongSize { .. } => true,
            Self::Store(error) => error.is_damage(),
            Self::TooSmall { .. } | Self::DiskFull { .. } | Self::Disk { .. } => false,
        }
    }

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
    inventory: Mutex<Inventory>,
    /// Told whenever a holder lets go.
    freed: Notify,
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
        let mut inventory = Inventory::new(dir, max_bytes);
        inventory.take_over()?;
        let shared = Shared {
            dir: dir.to_owned(),
            partial: partial.to_owned(),
            max_bytes,
            inventory: Mutex::new(inventory),
            freed: Notify::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Bytes that the cache counts now: files, and room reserved for files to come.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.shared.lock().used_bytes()
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
            if self.shared.lock().hold(&blobs) {
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
        let mut inventory = self.shared.lock();
        if inventory.contains(blob) || !inventory.make_room(bytes, &BTreeSet::new()) {
            return Ok(());
        }
        let path = inventory.path(blob);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(file, &path)?;
        inventory.add(blob.clone(), bytes, OnDisk::Verified(Stamp::of(&path)?));
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
        let path = self.shared.lock().path(blob);
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
        let mut inventory = self.shared.lock();
        self.blobs.keys().for_each(|blob| inventory.let_go(blob));
        drop(inventory);
        self.shared.freed.notify_waiters();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inventory> {
        // Nothing under the lock panics halfway through a change.
        self.inventory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry<T>(&self, blob: &BlobName, with: impl FnOnce(&mut Entry) -> T) -> T {
        with(self.lock().get_mut(blob).expect("because held entries stay"))
    }
}
