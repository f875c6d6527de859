//! Object storage, behind one small trait: today read and written directly by the store's URL.

mod links;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mixdown_dsp::digest::Digest;
use mixdown_proto::layout;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{ClientConfigKey, ObjectStore, ObjectStoreExt as _, RetryConfig};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

/// Names a blob: no digest of one project ever helps another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobName {
    /// Whose it is.
    pub project_id: String,
    /// What it holds.
    pub digest: Digest,
}

/// A blob that is being read.
pub struct Blob {
    /// Its size as the store tells it.
    pub size_bytes: u64,
    /// Its bytes in order; not verified.
    pub bytes: BoxStream<'static, Result<Bytes, Error>>,
}

/// Whether bytes must survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// They can be rendered again.
    Renderable,
    /// On disk, directory and all, before the call returns.
    Durable,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such blob. Asking again gives the same.
    #[error("the store has no {path}")]
    Missing {
        /// Its path in the store.
        path: String,
    },
    /// The store failed, or could not be reached. May pass.
    #[error("the store failed on {path}")]
    Store {
        /// The path concerned.
        path: String,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
    /// A local file could not be read.
    #[error("cannot read {path}")]
    Local {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether trying again may help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Store { .. })
    }

    /// Whether the store has lost the blob.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

/// Why a store URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is no URL that we know.
    #[error("`{url}` is no store: expected a folder, file:///FOLDER or s3://BUCKET/PREFIX")]
    Unknown {
        /// What was given.
        url: String,
    },
    /// The folder cannot be used.
    #[error("cannot use the store folder {path}: it must exist (a coordinator makes it at its first start)")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<object_store::Error>,
    },
    /// The bucket cannot be used.
    #[error("cannot use the store {url}")]
    Bucket {
        /// The URL.
        url: String,
        /// The cause.
        #[source]
        source: Box<object_store::Error>,
    },
}

/// What a worker needs of a store.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Which store this is, as a coordinator wrote into it; `None` when none did.
    async fn identity(&self) -> Result<Option<String>, Error> {
        Ok(None)
    }

    /// The size of a blob in bytes.
    async fn size(&self, blob: &BlobName) -> Result<u64, Error>;

    /// Reads a blob.
    async fn get(&self, blob: &BlobName) -> Result<Blob, Error>;

    /// Gives a blob a second name at `to`, where its bytes then are without having been moved; not verified. `false` where that
    /// cannot be had: then it is read.
    async fn link(&self, _blob: &BlobName, _to: &Path) -> Result<bool, Error> {
        Ok(false)
    }

    /// Stores a file as a blob: afterwards it is there whole, before that not at all. Its digest is the caller's word. The file may
    /// be the blob from then on: nobody writes to it any more.
    async fn put(&self, blob: &BlobName, file: &Path, durability: Durability) -> Result<(), Error>;
}

/// Opens a store by its URL. Buckets are reached with the usual `AWS_*` variables, `AWS_ENDPOINT` and `AWS_ALLOW_HTTP`
/// among them.
///
/// # Errors
/// See [`OpenError`]. That a bucket cannot be reached shows only when it is used.
pub fn open(store_url: &str) -> Result<Arc<dyn BlobStore>, OpenError> {
    if !store_url.contains("://") {
        return folder(Path::new(store_url));
    }
    let unknown = || OpenError::Unknown { url: store_url.to_owned() };
    let url = url::Url::parse(store_url).map_err(|_| unknown())?;
    match url.scheme() {
        "file" => folder(&url.to_file_path().map_err(|()| unknown())?),
        "s3" if url.has_host() => bucket(&url),
        _ => Err(unknown()),
    }
}

fn folder(path: &Path) -> Result<Arc<dyn BlobStore>, OpenError> {
    let files = LocalFileSystem::new_with_prefix(path)
        .map_err(|source| OpenError::Folder { path: path.to_owned(), source: Box::new(source) })?;
    let durable = Arc::new(files.clone().with_fsync(true));
    Ok(Arc::new(Objects { store: Arc::new(files.clone()), durable, folder: Some(files) }))
}

fn bucket(url: &url::Url) -> Result<Arc<dyn BlobStore>, OpenError> {
    // Slow links are fine, silent ones are not. Whole operations are tried again by the task; the client repeats only
    // single requests, and briefly, so that one refused part does not cost a whole upload.
    let retry = RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(10), ..RetryConfig::default() };
    let client = |key| AmazonS3ConfigKey::Client(key);
    // A second installation is refused, and means that one is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = AmazonS3Builder::from_env()
        .with_url(url.as_str())
        .with_config(client(ClientConfigKey::ConnectTimeout), "10 seconds")
        .with_config(client(ClientConfigKey::ReadTimeout), "30 seconds")
        .with_config(client(ClientConfigKey::Timeout), "1 day")
        .with_retry(retry);
    let bucket =
        builder.build().map_err(|source| OpenError::Bucket { url: url.to_string(), source: Box::new(source) })?;
    Ok(match url.path().trim_matches('/') {
        "" => Arc::new(Objects::remote(Arc::new(bucket))),
        prefix => Arc::new(Objects::remote(Arc::new(PrefixStore::new(bucket, prefix)))),
    })
}

/// A store behind `object_store`.
#[derive(Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The same place, but each write is on disk before it returns.
    durable: Arc<dyn ObjectStore>,
    /// Where it is a folder, whose files may have names elsewhere too.
    folder: Option<LocalFileSystem>,
}

/// Bytes read from a file and sent at a time, and held in memory per part of an upload.
const READ_BYTES: usize = 1 << 20;
const PART_BYTES: usize = 8 << 20;
/// Parts of one upload under way at once.
const PARTS_AT_ONCE: usize = 4;

impl Objects {
    /// A store that is durable by itself and copies within itself: a bucket, or memory in tests.
    #[must_use]
    pub fn remote(store: Arc<dyn ObjectStore>) -> Self {
        Self { durable: Arc::clone(&store), store, folder: None }
    }

    /// The file that a path of a folder is.
    fn file_of(&self, path: &object_store::path::Path) -> Option<PathBuf> {
        self.folder.as_ref()?.path_to_filesystem(path).ok()
    }

    async fn upload(
        &self,
        store: &Arc<dyn ObjectStore>,
        to: &object_store::path::Path,
        file: &Path,
    ) -> Result<(), Error> {
        let local = |source| Error::Local { path: file.to_owned(), source };
        let opened = tokio::fs::File::open(file).await.map_err(local)?;
        let mut parts = ReaderStream::with_capacity(opened, READ_BYTES);
        let mut writer = BufWriter::with_capacity(Arc::clone(store), to.clone(), PART_BYTES);
        writer = writer.with_max_concurrency(PARTS_AT_ONCE);
        while let Some(part) = parts.next().await {
            let sent = match part {
                Ok(bytes) => writer.put(bytes).await.map_err(|source| failed(to, source)),
                Err(source) => Err(local(source)),
            };
            if let Err(error) = sent {
                // What could not be sent is what is told; a part that stays behind is swept by the bucket's rules.
                let _ = writer.abort().await;
                return Err(error);
            }
        }
        writer.shutdown().await.map_err(|source| {
            let source = object_store::Error::Generic { store: "upload", source: Box::new(source) };
            Error::Store { path: to.to_string(), source }
        })
    }
}

#[async_trait]
impl BlobStore for Objects {
    async fn identity(&self) -> Result<Option<String>, Error> {
        let path = path_of(layout::IDENTITY.to_owned())?;
        let read = async { self.store.get(&path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(failed(&path, source)),
        }
    }

    async fn size(&self, blob: &BlobName) -> Result<u64, Error> {
        let path = blob_path(blob)?;
        Ok(self.store.head(&path).await.map_err(|source| failed(&path, source))?.size)
    }

    async fn get(&self, blob: &BlobName) -> Result<Blob, Error> {
        let path = blob_path(blob)?;
        let result = self.store.get(&path).await.map_err(|source| failed(&path, source))?;
        let size_bytes = result.meta.size;
        let bytes = result.into_stream().map(move |part| part.map_err(|source| failed(&path, source))).boxed();
        Ok(Blob { size_bytes, bytes })
    }

    async fn link(&self, blob: &BlobName, to: &Path) -> Result<bool, Error> {
        let path = blob_path(blob)?;
        let Some(from) = self.file_of(&path) else { return Ok(false) };
        match tokio::fs::hard_link(&from, to).await {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::debug!(%error, path = %from.display(), "cannot be linked; reading it");
                Ok(false)
            }
        }
    }

    async fn put(&self, blob: &BlobName, file: &Path, durability: Durability) -> Result<(), Error> {
        let path = blob_path(blob)?;
        if let Some(to) = self.file_of(&path) {
            let from = file.to_owned();
            let linked = tokio::task::spawn_blocking(move || links::link_into(&from, &to, durability)).await;
            match linked.unwrap_or_else(|panic| Err(std::io::Error::other(panic))) {
                Ok(()) => return Ok(()),
                Err(error) => tracing::debug!(%error, file = %file.display(), "cannot be linked; copying it"),
            }
        }
        let store = match durability {
            Durability::Renderable => &self.store,
            Durability::Durable => &self.durable,
        };
        self.upload(store, &path, file).await
    }
}

fn blob_path(blob: &BlobName) -> Result<object_store::path::Path, Error> {
    path_of(layout::blob(&blob.project_id, &blob.digest.to_string()))
}

fn path_of(path: String) -> Result<object_store::path::Path, Error> {
    // Parsed, not converted: a name with `#` or `%` is stored as it is.
    object_store::path::Path::parse(&path).map_err(|source| Error::Store { path, source: source.into() })
}

fn failed(path: &object_store::path::Path, source: object_store::Error) -> Error {
    match source {
        object_store::Error::NotFound { .. } => Error::Missing { path: path.to_string() },
        source => Error::Store { path: path.to_string(), source },
    }
}
