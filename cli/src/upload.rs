//! Brings the input files of a session to the farm: those it lacks, from where an earlier try broke off.

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mixdown_dsp::session::ValidSession;
use mixdown_proto::MAX_PART_BYTES;
use mixdown_proto::v1::{FindMissingRequest, GetUploadRequest, UploadHead, UploadRequest, upload_request};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::client::{Client, is_transient};
use crate::errors::{CommandError, Exit};
use crate::progress::{Progress, Unit};

/// Digests per call of FindMissing; the protocol's limit.
const MAX_DIGESTS: usize = 10_000;
const MAX_TRIES: u32 = 6;

/// Uploads what the farm lacks of a session's assets. Returns how many files were sent.
///
/// # Errors
/// A file that cannot be read or has changed since it was hashed; a coordinator that stays away.
pub async fn assets(client: &Client, session: &ValidSession, session_file: &Path) -> Result<usize, CommandError> {
    let folder = session_file.parent().unwrap_or(Path::new(""));
    let files: BTreeMap<String, (PathBuf, u64)> = session
        .input_files()
        .map(|file| (file.digest.to_string(), (folder.join(file.name), file.size_bytes)))
        .collect();
    let missing = find_missing(client, files.keys().cloned().collect()).await?;
    let total = missing.iter().filter_map(|digest| files.get(digest)).map(|(_, size_bytes)| size_bytes).sum();
    if missing.is_empty() {
        return Ok(0);
    }
    let progress = Progress::new("uploading", total, Unit::Bytes);
    for digest in &missing {
        let Some((path, size_bytes)) = files.get(digest) else { continue };
        upload(client, digest, path, *size_bytes, &progress).await?;
    }
    Ok(missing.len())
}

async fn find_missing(client: &Client, digests: Vec<String>) -> Result<Vec<String>, CommandError> {
    let mut missing = Vec::new();
    for page in digests.chunks(MAX_DIGESTS) {
        let request = FindMissingRequest { digests: page.to_vec() };
        let answer = client.blobs().find_missing(request).await;
        missing.extend(
            answer
                .map_err(|status| client.error("ask which files the farm lacks", &status))?
                .into_inner()
                .missing_digests,
        );
    }
    Ok(missing)
}

/// Uploads one file, going on after broken connections.
async fn upload(
    client: &Client,
    digest: &str,
    path: &Path,
    size_bytes: u64,
    progress: &Progress,
) -> Result<(), CommandError> {
    let doing = format!("upload {}", path.display());
    let mut counted_bytes = 0;
    let mut tries = 0;
    loop {
        let before = counted_bytes;
        tries += 1;
        match try_upload(client, digest, path, size_bytes, progress, &mut counted_bytes).await {
            Ok(()) => {
                progress.advance(size_bytes.saturating_sub(counted_bytes));
                return Ok(());
            }
            Err(Stopped::Local(error)) => return Err(error),
            // Somebody else uploads the same file (or it broke off): what has come so far counts for us too.
            Err(Stopped::Remote(status)) if is_transient(&status) || status.code() == Code::Aborted => {
                if counted_bytes > before {
                    tries = 1;
                }
                if tries >= MAX_TRIES {
                    return Err(client.error(&doing, &status));
                }
                tokio::time::sleep(Duration::from_millis(250 << tries)).await;
            }
            Err(Stopped::Remote(status)) => return Err(client.error(&doing, &status)),
        }
    }
}

enum Stopped {
    Local(CommandError),
    Remote(tonic::Status),
}

impl From<tonic::Status> for Stopped {
    fn from(status: tonic::Status) -> Self {
        Self::Remote(status)
    }
}

async fn try_upload(
    client: &Client,
    digest: &str,
    path: &Path,
    size_bytes: u64,
    progress: &Progress,
    counted_bytes: &mut u64,
) -> Result<(), Stopped> {
    let local = |error: &std::io::Error| Stopped::Local(CommandError::io("read", path, error));
    let mut blobs = client.blobs();
    let begun = blobs.get_upload(GetUploadRequest { digest: digest.to_owned() }).await?.into_inner();
    if begun.complete {
        return Ok(());
    }
    let offset_bytes = u64::try_from(begun.committed_bytes).unwrap_or(0).min(size_bytes);
    let mut file = tokio::fs::File::open(path).await.map_err(|error| local(&error))?;
    file.seek(SeekFrom::Start(offset_bytes)).await.map_err(|error| local(&error))?;
    if offset_bytes > *counted_bytes {
        progress.advance(offset_bytes - *counted_bytes);
        *counted_bytes = offset_bytes;
    }

    // Parts wait here while the connection takes earlier ones: memory stays flat.
    let (parts, sending) = tokio::sync::mpsc::channel::<UploadRequest>(4);
    let head = UploadHead {
        digest: digest.to_owned(),
        size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
        offset_bytes: i64::try_from(offset_bytes).unwrap_or(i64::MAX),
    };
    let read = async {
        let mut left_bytes = size_bytes - offset_bytes;
        let mut at = offset_bytes;
        let mut send = parts.send(UploadRequest { part: Some(upload_request::Part::Head(head)) }).await;
        while left_bytes > 0 && send.is_ok() {
            let mut data = vec![0; usize::try_from(left_bytes).unwrap_or(usize::MAX).min(MAX_PART_BYTES)];
            file.read_exact(&mut data).await.map_err(|error| changed(path, &error))?;
            let length = data.len() as u64;
            send = parts.send(UploadRequest { part: Some(upload_request::Part::Data(data)) }).await;
            left_bytes -= length;
            at += length;
            if at > *counted_bytes {
                progress.advance(at - *counted_bytes);
                *counted_bytes = at;
            }
        }
        drop(parts);
        Ok::<(), CommandError>(())
    };
    let call = blobs.upload(ReceiverStream::new(sending).map(|part| part));
    let (read, called) = tokio::join!(read, call);
    read.map_err(Stopped::Local)?;
    called?;
    Ok(())
}

fn changed(path: &Path, error: &std::io::Error) -> CommandError {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return CommandError::new(
            Exit::BadInput,
            "file_changed",
            format!("{} became shorter while it was sent", path.display()),
        )
        .remedy("submit again when nothing writes to it");
    }
    CommandError::io("read", path, error)
}
