//! Masters under their names: what lies there, and a copy of a blob put there whole.

use bytes::Bytes;
use futures::stream::StreamExt as _;
use mixdown_proto::layout;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, RenameOptions, RenameTargetMode, WriteMultipart};

use super::{Error, Soundness, Store};

/// S3 copies no more than this in one request.
const LARGEST_COPY_BYTES: u64 = 5 << 30;
/// Parts of one copy under way at once.
const PARTS_AT_ONCE: usize = 4;

/// A master in the store.
#[derive(Debug, Clone, Copy)]
pub struct Master<'a> {
    /// Whose it is.
    pub project_id: &'a str,
    /// Its blob.
    pub digest: &'a str,
    /// Its size.
    pub size_bytes: u64,
    /// A store may copy it unseen: it was hashed when it was stored, not long ago.
    pub fresh: bool,
}

/// What lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// The very bytes.
    Same,
    /// Other bytes.
    Other,
}

/// What came of putting a master under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It lies there.
    Written,
    /// Something appeared there since the look, and is as it was.
    Taken,
    /// The blob itself is damaged; nothing was written.
    Damaged,
}

impl Store {
    /// Compares what lies under a name with a master, by its bytes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn there(&self, master: Master<'_>, name: &Path) -> Result<There, Error> {
        Ok(match self.size(name).await? {
            None => There::Nothing,
            Some(size_bytes) if size_bytes != master.size_bytes => There::Other,
            Some(_) => match self.digest(name).await? {
                Some(digest) if digest == master.digest => There::Same,
                Some(_) => There::Other,
                None => There::Nothing,
            },
        })
    }

    /// Copies a master to a name, durably; readers see what was there before, or all of it. Where nothing was seen it is
    /// not to replace anything: a folder holds to that, in a bucket only its jobs' order does.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put_under(&self, master: Master<'_>, name: &Path, seen: There) -> Result<Put, Error> {
        if self.folder.is_some() {
            return self.put_in_folder(master, name, seen).await;
        }
        let from = self.blob(master.project_id, master.digest)?;
        if master.size_bytes > LARGEST_COPY_BYTES {
            return self.copy_through(master, &from, name).await;
        }
        if !master.fresh && self.look_at(master.project_id, master.digest).await? == Soundness::Damaged {
            return Ok(Put::Damaged);
        }
        match self.objects.copy(&from, name).await {
            Ok(()) => Ok(Put::Written),
            Err(object_store::Error::NotFound { .. }) => Ok(Put::Damaged),
            Err(source) => Err(Error::Store { what: format!("copy {from} to {name}"), source }),
        }
    }

    /// Bytes of its own, not a link: whoever then edits the master would edit the blob.
    async fn put_in_folder(&self, master: Master<'_>, name: &Path, seen: There) -> Result<Put, Error> {
        let from = self.blob(master.project_id, master.digest)?;
        let partial = self.place(&layout::partial(master.project_id, &uuid::Uuid::new_v4().to_string()))?;
        let copied = self.copy_through(master, &from, &partial).await?;
        if copied != Put::Written {
            return Ok(copied);
        }
        let mode = if seen == There::Nothing { RenameTargetMode::Create } else { RenameTargetMode::Overwrite };
        match self.objects.rename_opts(&partial, name, RenameOptions::new().with_target_mode(mode)).await {
            Ok(()) => Ok(Put::Written),
            Err(error) => {
                self.delete(&partial).await?;
                match error {
                    object_store::Error::AlreadyExists { .. } => Ok(Put::Taken),
                    source => Err(Error::Store { what: format!("move {partial} to {name}"), source }),
                }
            }
        }
    }

    async fn copy_through(&self, master: Master<'_>, from: &Path, to: &Path) -> Result<Put, Error> {
        let failed = |source| Error::Store { what: format!("copy {from} to {to}"), source };
        let Some(mut bytes) = self.read(from, 0).await? else { return Ok(Put::Damaged) };
        let mut copy = WriteMultipart::new(self.objects.put_multipart(to).await.map_err(failed)?);
        let mut hasher = blake3::Hasher::new();
        let mut part = async || -> Result<Option<Bytes>, object_store::Error> { bytes.next().await.transpose() };
        let read = loop {
            match part().await {
                Ok(Some(part)) => {
                    hasher.update(&part);
                    if let Err(error) = copy.wait_for_capacity(PARTS_AT_ONCE).await {
                        break Err(error);
                    }
                    copy.put(part);
                }
                Ok(None) => break Ok(hasher.finalize().to_hex().as_str() == master.digest),
                Err(error) => break Err(error),
            }
        };
        match read {
            Ok(true) => copy.finish().await.map(|_| Put::Written).map_err(failed),
            Ok(false) => {
                copy.abort().await.map_err(failed)?;
                Ok(Put::Damaged)
            }
            Err(error) => {
                // What could not be copied is what is told; a part that stays behind is swept.
                let _ = copy.abort().await;
                Err(failed(error))
            }
        }
    }
}
