//! Fetches finished files from the farm: verified by digest, there whole under their names or not at all.

use std::path::Path;
use std::time::Duration;

use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::{Deliverable, DownloadRequest};
use tokio::io::AsyncWriteExt as _;

use crate::client::{Client, is_transient};
use crate::deliverables::Finished;
use crate::errors::{CommandError, Exit};
use crate::progress::{Progress, Unit};

/// Broken connections in a row, without a byte in between, before a download gives up.
const MAX_TRIES: u32 = 6;

/// Fetches finished files into `out`, or only tells of them when there is no `out`.
///
/// # Errors
/// A full disk, a coordinator that stays away, bytes that are not those of the digest.
pub async fn all(
    client: &Client,
    deliverables: &[Deliverable],
    out: Option<&Path>,
) -> Result<Vec<Finished>, CommandError> {
    let mut finished = Vec::new();
    let total: i64 = deliverables.iter().map(|file| file.size_bytes).sum();
    if let Some(out) = out {
        std::fs::create_dir_all(out).map_err(|error| CommandError::io("make", out, &error))?;
    }
    let progress = out.map(|_| Progress::new("downloading", u64::try_from(total).unwrap_or(0), Unit::Bytes));
    for file in deliverables.iter().filter(|file| !file.digest.is_empty()) {
        let mut it = Finished {
            file_name: file.file_name.clone(),
            digest: file.digest.clone(),
            size_bytes: u64::try_from(file.size_bytes).unwrap_or(0),
            path: None,
            report: serde_json::from_str(&file.report_json).unwrap_or_default(),
        };
        if let (Some(out), Some(progress)) = (out, &progress) {
            let target = out.join(local_name(&file.file_name)?);
            fetch(client, file, &target, progress).await?;
            it.path = Some(target.display().to_string());
        }
        finished.push(it);
    }
    Ok(finished)
}

/// A file name that stays within the folder it is put in, whatever the coordinator says.
fn local_name(file_name: &str) -> Result<&str, CommandError> {
    let plain = Path::new(file_name).file_name().is_some_and(|name| name == file_name);
    if plain {
        return Ok(file_name);
    }
    Err(CommandError::new(Exit::Failed, "bad_file_name", format!("the farm named a file `{file_name}`"))
        .remedy("only plain file names are written; fetch the file by its digest"))
}

async fn fetch(client: &Client, file: &Deliverable, target: &Path, progress: &Progress) -> Result<(), CommandError> {
    let doing = format!("download {}", file.file_name);
    if is_there(file, target) {
        progress.advance(u64::try_from(file.size_bytes).unwrap_or(0));
        return Ok(());
    }
    let failed = |error: &std::io::Error| CommandError::io("write", target, error);
    let folder = target.parent().unwrap_or(Path::new(""));
    // Beside its final name, so that it moves into place by a rename; gone again if anything fails.
    let partial = tempfile::Builder::new()
        .prefix(".mixdown-")
        .suffix(".part")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?;
    let mut writer = tokio::fs::File::from_std(partial.as_file().try_clone().map_err(|error| failed(&error))?);
    let mut hasher = blake3::Hasher::new();
    let mut at = 0_i64;
    let mut tries = 0;
    while at < file.size_bytes || tries == 0 {
        tries += 1;
        let request = DownloadRequest { digest: file.digest.clone(), offset_bytes: at };
        let received = async {
            let mut parts = client.blobs().download(request).await?.into_inner();
            while let Some(part) = parts.message().await? {
                if let Err(error) = writer.write_all(&part.data).await {
                    return Ok(Err(failed(&error)));
                }
                hasher.update(&part.data);
                at += i64::try_from(part.data.len()).unwrap_or(0);
                progress.advance(part.data.len() as u64);
                tries = 1;
            }
            Ok(Ok(()))
        }
        .await;
        match received {
            Ok(Ok(())) if at >= file.size_bytes => {}
            Ok(Ok(())) | Err(_) if tries < MAX_TRIES && received.as_ref().err().is_none_or(is_transient) => {
                tokio::time::sleep(Duration::from_millis(250 << tries)).await;
            }
            Ok(Ok(())) => return Err(cut_short(file, at)),
            Ok(Err(error)) => return Err(error),
            Err(status) => return Err(client.error(&doing, &status)),
        }
    }
    if hasher.finalize().to_hex().as_str() != file.digest {
        return Err(CommandError::new(Exit::Failed, "digest_mismatch", format!("{} came damaged", file.file_name))
            .remedy("try again; if it stays so, the farm's store is damaged"));
    }
    writer.flush().await.map_err(|error| failed(&error))?;
    writer.sync_all().await.map_err(|error| failed(&error))?;
    partial.persist(target).map_err(|error| failed(&error.error))?;
    Ok(())
}

/// Whether the very bytes lie there already.
fn is_there(file: &Deliverable, target: &Path) -> bool {
    let same_size = std::fs::metadata(target).is_ok_and(|it| i64::try_from(it.len()).ok() == Some(file.size_bytes));
    same_size
        && std::fs::File::open(target).and_then(Digest::of_reader).is_ok_and(|digest| digest.to_string() == file.digest)
}

fn cut_short(file: &Deliverable, at: i64) -> CommandError {
    let message = format!("{} ended after {at} of {} bytes", file.file_name, file.size_bytes);
    CommandError::new(Exit::Failed, "download_cut_short", message).remedy("try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        assert!(local_name("song.wav").is_ok());
        for name in ["../song.wav", "/etc/passwd", "a/b.wav", "..", ""] {
            assert!(local_name(name).is_err(), "{name}");
        }
    }
}
