//! The object store: `projects/ID/blobs/AA/DIGEST` for bytes under their digest, and names below `projects/ID/` for
//! what is delivered ([`naming`]).

pub mod naming;

use std::io::{Seek as _, SeekFrom};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use mixdown_proto::layout;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    ClientConfigKey, GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt as _, PutMode,
    WriteMultipart,
};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

/// Bytes written to the store at once.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Bytes read from a folder at once: as many as a part of a download holds.
const READ_BYTES: usize = mixdown_proto::MAX_PART_BYTES;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names no store.
    #[error("`{url}` is no store: expected a folder, file:///FOLDER or s3://BUCKET/PREFIX")]
    Url {
        /// The URL as given.
        url: String,
    },
    /// The store failed.
    #[error("cannot {what} in the store")]
    Store {
        /// What was being done.
        what: String,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
    /// A local file failed.
    #[error("cannot {what}")]
    File {
        /// What was being done.
        what: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// A store of blobs.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Where it is one.
    folder: Option<PathBuf>,
}

/// A blob that lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Whose it is.
    pub project_id: String,
    /// Its name.
    pub digest: String,
    /// Its size.
    pub bytes: i64,
}

/// What the bytes of a blob are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soundness {
    /// Those of its digest.
    Sound,
    /// Others, or none.
    Damaged,
}

impl Store {
    /// Opens a store by its URL: a folder (made when it is missing), `file:///FOLDER`, or `s3://BUCKET/PREFIX` with the
    /// usual `AWS_*` variables.
    ///
    /// # Errors
    /// When the URL names no store, or the folder cannot be made.
    pub fn open(url: &str) -> Result<Self, Error> {
        let bad_url = || Error::Url { url: url.to_owned() };
        let Some((scheme, _)) = url.split_once("://") else { return Self::open_folder(FilePath::new(url)) };
        let parsed = url::Url::parse(url).map_err(|_| bad_url())?;
        match scheme {
            "file" => Self::open_folder(&parsed.to_file_path().map_err(|()| bad_url())?),
            "s3" => {
                // A second installation is refused, and means that one is there.
                let _ = rustls::crypto::ring::default_provider().install_default();
                // A large master may take a store long to copy; one that says nothing for this long is away.
                let client = |key| AmazonS3ConfigKey::Client(key);
                let objects = AmazonS3Builder::from_env()
                    .with_url(url)
                    .with_config(client(ClientConfigKey::ReadTimeout), "60 seconds")
                    .with_config(client(ClientConfigKey::Timeout), "1 hour")
                    .build()
                    .map_err(|source| Error::Store { what: format!("open {url}"), source })?;
                let prefix = Path::from_url_path(parsed.path()).map_err(|_| bad_url())?;
                Ok(Self { objects: Arc::new(objects), prefix, folder: None })
            }
            _ => Err(bad_url()),
        }
    }

    fn open_folder(folder: &FilePath) -> Result<Self, Error> {
        let what = || format!("make the store's folder {}", folder.display());
        std::fs::create_dir_all(folder).map_err(|source| Error::File { what: what(), source })?;
        let objects = object_store::local::LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| Error::Store { what: what(), source })?
            .with_automatic_cleanup(false)
            .with_fsync(true);
        Ok(Self { objects: Arc::new(objects), prefix: Path::default(), folder: Some(folder.to_owned()) })
    }

    /// A store over any implementation, for tests.
    #[must_use]
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, prefix: Path::default(), folder: None }
    }

    /// Its folder, where it is one.
    pub(crate) fn folder(&self) -> Option<&FilePath> {
        self.folder.as_deref()
    }

    /// A place below the store's prefix. `below` is used as it is, not percent-encoded: workers do the same.
    ///
    /// # Errors
    /// When it is no path.
    pub fn place(&self, below: &str) -> Result<Path, Error> {
        let failed =
            |source: object_store::path::Error| Error::Store { what: format!("name {below}"), source: source.into() };
        let below = Path::parse(below).map_err(failed)?;
        Ok(self.prefix.parts().chain(below.parts()).collect())
    }

    /// Where a blob lies.
    ///
    /// # Errors
    /// When project or digest are no parts of a path.
    pub fn blob(&self, project_id: &str, digest: &str) -> Result<Path, Error> {
        self.place(&layout::blob(project_id, digest))
    }

    /// The size of what lies at a place; `None` if nothing does.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn size(&self, place: &Path) -> Result<Option<u64>, Error> {
        match self.objects.head(place).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(Error::Store { what: format!("look for {place}"), source }),
        }
    }

    /// The first of these blobs that is not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn first_missing(
        &self,
        project_id: &str,
        digests: impl Iterator<Item = &str>,
    ) -> Result<Option<String>, Error> {
        for digest in digests {
            if self.size(&self.blob(project_id, digest)?).await?.is_none() {
                return Ok(Some(digest.to_owned()));
            }
        }
        Ok(None)
    }

    /// Puts a local file in its place, replacing what is there.
    ///
    /// # Errors
    /// When the file or the store fails; nothing is then visible in the place.
    pub async fn put_file(&self, file: &FilePath, place: &Path) -> Result<(), Error> {
        let what = || format!("store {place}");
        let read = |source| Error::File { what: format!("read {}", file.display()), source };
        let mut source = tokio::fs::File::open(file).await.map_err(read)?;
        let mut part = vec![0; PART_BYTES];
        let first = fill(&mut source, &mut part).await.map_err(read)?;
        if first < PART_BYTES {
            part.truncate(first);
            return self
                .objects
                .put(place, part.into())
                .await
                .map(drop)
                .map_err(|source| Error::Store { what: what(), source });
        }
        let upload = self.objects.put_multipart(place).await.map_err(|source| Error::Store { what: what(), source })?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        let mut filled = first;
        while filled > 0 {
            upload.put(Bytes::copy_from_slice(&part[..filled]));
            upload.wait_for_capacity(2).await.map_err(|source| Error::Store { what: what(), source })?;
            match fill(&mut source, &mut part).await {
                Ok(bytes) => filled = bytes,
                Err(source) => {
                    // What was begun is given up; that it cannot be is of no more use to know.
                    let _ = upload.abort().await;
                    return Err(read(source));
                }
            }
        }
        upload.finish().await.map(drop).map_err(|source| Error::Store { what: what(), source })
    }

    /// The bytes of a place from an offset on, in parts as the store gives them; `None` if nothing is there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read(
        &self,
        place: &Path,
        offset: u64,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, object_store::Error>>>, Error> {
        let options = GetOptions::new().with_range((offset > 0).then_some(GetRange::Offset(offset)));
        match self.objects.get_opts(place, options).await {
            Ok(found) => Ok(Some(in_parts(found))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(Error::Store { what: format!("read {place}"), source }),
        }
    }

    /// Deletes what lies at a place, if anything does.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, place: &Path) -> Result<(), Error> {
        match self.objects.delete(place).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Store { what: format!("delete {place}"), source }),
        }
    }

    /// Which store this is: a UUID that lies in it, put there by whoever asks first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn identity(&self) -> Result<String, Error> {
        let place = self.place(layout::IDENTITY)?;
        let failed = |source| Error::Store { what: format!("read {place}"), source };
        for _ in 0..2 {
            match self.objects.get(&place).await {
                Ok(found) => {
                    let bytes = found.bytes().await.map_err(failed)?;
                    return Ok(String::from_utf8_lossy(&bytes).trim().to_owned());
                }
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(failed(source)),
            }
            let drawn = uuid::Uuid::new_v4().to_string();
            // Another coordinator may be first; what is there afterwards is what counts.
            match self.objects.put_opts(&place, drawn.into(), PutMode::Create.into()).await {
                Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(source) => return Err(failed(source)),
            }
        }
        Err(Error::File {
            what: format!("find {place} after it was written"),
            source: std::io::ErrorKind::NotFound.into(),
        })
    }

    /// The blobs that lie in the store and were written before `old`.
    pub fn blobs_before(&self, old: SystemTime) -> BoxStream<'static, Result<Object, Error>> {
        let root: Path = self.prefix.parts().chain(Path::from("projects").parts()).collect();
        let listed = self.objects.list(Some(&root));
        let objects = listed.filter_map(move |found| {
            let object = match found {
                Ok(meta) if SystemTime::from(meta.last_modified) < old => object(&root, &meta).map(Ok),
                Ok(_) => None,
                Err(source) => Some(Err(Error::Store { what: format!("list {root}"), source })),
            };
            std::future::ready(object)
        });
        objects.boxed()
    }

    /// Whether a blob is there and was written before `old`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_older(&self, project_id: &str, digest: &str, old: SystemTime) -> Result<bool, Error> {
        let place = self.blob(project_id, digest)?;
        match self.objects.head(&place).await {
            Ok(meta) => Ok(SystemTime::from(meta.last_modified) < old),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(Error::Store { what: format!("look for {place}"), source }),
        }
    }

    /// Reads a blob and compares its digest.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look_at(&self, project_id: &str, digest: &str) -> Result<Soundness, Error> {
        let found = self.digest(&self.blob(project_id, digest)?).await?;
        Ok(if found.as_deref() == Some(digest) { Soundness::Sound } else { Soundness::Damaged })
    }

    async fn digest(&self, place: &Path) -> Result<Option<String>, Error> {
        let Some(mut parts) = self.read(place, 0).await? else { return Ok(None) };
        let mut hasher = blake3::Hasher::new();
        while let Some(part) = parts.next().await {
            hasher.update(&part.map_err(|source| Error::Store { what: format!("read {place}"), source })?);
        }
        Ok(Some(hasher.finalize().to_hex().to_string()))
    }
}

/// The bytes of what was found. A file is read in larger parts than the library would: each costs a turn of another thread.
fn in_parts(found: GetResult) -> BoxStream<'static, Result<Bytes, object_store::Error>> {
    let GetResultPayload::File(mut file, path) = found.payload else { return found.into_stream() };
    let range = found.range;
    if let Err(error) = file.seek(SeekFrom::Start(range.start)) {
        return futures::stream::iter([Err(read_error(&path, error))]).boxed();
    }
    let file = tokio::fs::File::from_std(file).take(range.end - range.start);
    ReaderStream::with_capacity(file, READ_BYTES)
        .map(move |part| part.map_err(|error| read_error(&path, error)))
        .boxed()
}

fn read_error(path: &FilePath, error: std::io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "folder", source: format!("cannot read {}: {error}", path.display()).into() }
}

/// What lies at `projects/PROJECT/blobs/AB/DIGEST`; nothing else is a blob.
fn object(root: &Path, meta: &object_store::ObjectMeta) -> Option<Object> {
    let parts: Vec<_> = meta.location.prefix_match(root)?.collect();
    let [project_id, blobs, _, digest] = parts.as_slice() else { return None };
    let digest = digest.as_ref();
    let named = blobs.as_ref() == "blobs" && digest.parse::<mixdown_dsp::digest::Digest>().is_ok();
    named.then(|| Object {
        project_id: project_id.as_ref().to_owned(),
        digest: digest.to_owned(),
        bytes: i64::try_from(meta.size).unwrap_or(i64::MAX),
    })
}

/// Reads until the buffer is full or the file ends.
async fn fill(file: &mut tokio::fs::File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]).await? {
            0 => break,
            bytes => filled += bytes,
        }
    }
    Ok(filled)
}
