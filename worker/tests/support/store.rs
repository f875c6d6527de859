//! Stores: one in memory that counts and fails as told, and one in a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt as _;
use mixdown_worker::blobs::{Blob, BlobName, BlobStore, Durability, Error, Objects};
use object_store::memory::InMemory;
use tokio::sync::Semaphore;

use super::blob;

/// A store in memory with faults.
pub struct Faulty {
    inner: Objects,
    /// Calls that fail before any succeeds again.
    pub outage: AtomicUsize,
    /// Reads so far.
    pub gets: AtomicUsize,
    /// Bytes sent instead of a blob's own, so many times.
    pub wrong: Mutex<BTreeMap<BlobName, (usize, Vec<u8>)>>,
    /// Each read takes one.
    pub permits: Semaphore,
}

impl Faulty {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Objects::remote(Arc::new(InMemory::new())),
            outage: AtomicUsize::new(0),
            gets: AtomicUsize::new(0),
            wrong: Mutex::default(),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    /// A store that holds these blobs.
    pub async fn holding(blobs: &[&[u8]]) -> Arc<Self> {
        let store = Self::new();
        for bytes in blobs {
            put(&store.inner, bytes).await;
        }
        store
    }

    pub fn gets(&self) -> usize {
        self.gets.load(Ordering::SeqCst)
    }

    fn fail(&self) -> Result<(), Error> {
        let took = self.outage.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match took {
            Err(_) => Ok(()),
            Ok(_) => Err(Error::Store {
                path: "somewhere".into(),
                source: object_store::Error::Generic { store: "test", source: "the store is on fire".into() },
            }),
        }
    }
}

#[async_trait]
impl BlobStore for Faulty {
    async fn size(&self, blob: &BlobName) -> Result<u64, Error> {
        self.fail()?;
        self.inner.size(blob).await
    }

    async fn get(&self, blob: &BlobName) -> Result<Blob, Error> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.fail()?;
        self.permits.acquire().await.unwrap().forget();
        if let Some((times, bytes)) = self.wrong.lock().unwrap().get_mut(blob)
            && *times > 0
        {
            *times -= 1;
            let bytes = bytes::Bytes::from(bytes.clone());
            return Ok(Blob {
                size_bytes: bytes.len() as u64,
                bytes: futures::stream::once(async { Ok(bytes) }).boxed(),
            });
        }
        self.inner.get(blob).await
    }

    async fn put(&self, blob: &BlobName, file: &Path, durability: Durability) -> Result<(), Error> {
        self.fail()?;
        self.inner.put(blob, file, durability).await
    }
}

/// Stores bytes under their digest.
pub async fn put(store: &dyn BlobStore, bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    store.put(&blob(bytes), file.path(), Durability::Renderable).await.unwrap();
}

/// Reads a whole blob.
pub async fn read(store: &dyn BlobStore, name: &BlobName) -> Vec<u8> {
    let mut stream = store.get(name).await.unwrap().bytes;
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await {
        bytes.extend_from_slice(&part.unwrap());
    }
    bytes
}
