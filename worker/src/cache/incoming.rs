//! A blob on its way from the store to the disk, verified while it streams in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use mixdown_dsp::digest::Digest;
use tokio::io::AsyncWriteExt as _;

use super::Error;
use super::inventory::{OnDisk, Stamp, remove};
use crate::blobs::{BlobName, BlobStore};

/// A file on its way in; removed when dropped unless it was moved into place.
pub(super) struct Incoming {
    pub path: PathBuf,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Brings a blob into `incoming`, verified, and moves it to `to`.
pub(super) async fn download(
    store: &dyn BlobStore,
    blob: &BlobName,
    expected_bytes: u64,
    incoming: Incoming,
    to: &Path,
) -> Result<Stamp, Error> {
    let disk = |source: io::Error| disk_error(&incoming.path, source);
    let wrong_size = |found_bytes| Error::WrongSize { digest: blob.digest, expected_bytes, found_bytes };
    if store.link(blob, &incoming.path).await? {
        let stamp = Stamp::of(&incoming.path).map_err(disk)?;
        if stamp.bytes != expected_bytes {
            return Err(wrong_size(stamp.bytes));
        }
        let found = digest_of(&incoming.path).await.map_err(disk)?;
        if found != blob.digest {
            return Err(Error::WrongBytes { digest: blob.digest, found });
        }
        place(&incoming.path, to).await.map_err(disk)?;
        // From before it was read: should somebody write to it, that shows.
        return Ok(stamp);
    }
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
    place(&incoming.path, to).await.map_err(disk)?;
    Stamp::of(to).map_err(|source| disk_error(to, source))
}

async fn place(incoming: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        tokio::fs::create_dir_all(parent).await?;
    }
    tokio::fs::rename(incoming, to).await
}

async fn digest_of(path: &Path) -> io::Result<Digest> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || Digest::of_reader(fs::File::open(path)?)).await;
    read.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

/// The stamp of a cached file if its bytes are right: known to be, or found to be by reading it.
pub(super) async fn verified(path: &Path, known: OnDisk, digest: Digest, expected_bytes: u64) -> Option<Stamp> {
    let stamp = Stamp::of(path).ok()?;
    if known == OnDisk::Verified(stamp) {
        return Some(stamp);
    }
    if stamp.bytes != expected_bytes {
        return None;
    }
    let found = digest_of(path).await.ok()?;
    (found == digest).then_some(stamp)
}

fn disk_error(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull { path },
        _ => Error::Disk { path, source },
    }
}
