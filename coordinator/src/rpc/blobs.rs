//! BlobService.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use mixdown_proto::v1::blob_service_server::BlobService;
use mixdown_proto::v1::upload_request::Part;
use mixdown_proto::{MAX_PART_BYTES, v1};
use prost::Message as _;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::{Farm, auth, check, status};
use crate::queue::collecting::{self, Begun};
use crate::queue::garbage::{Amount, Bounds};
use crate::queue::{self, Error};
use crate::server::collect;

const MAX_DIGESTS: usize = 10_000;

/// Blobs, for clients.
#[derive(Debug, Clone)]
pub(crate) struct Blobs(pub Farm);

impl Blobs {
    /// The size of a blob that is stored; it is pinned for a day.
    async fn pin(&self, project_id: &str, digest: &str) -> Result<Option<i64>, Status> {
        let pinned: Vec<(String, i64)> = self.pin_all(project_id, &[digest.to_owned()]).await?;
        Ok(pinned.into_iter().next().map(|(_, size_bytes)| size_bytes))
    }

    async fn pin_all(&self, project_id: &str, digests: &[String]) -> Result<Vec<(String, i64)>, Status> {
        let pinned = sqlx::query_as(include_str!("pin_blobs.sql"))
            .bind(project_id)
            .bind(digests)
            .fetch_all(&self.0.pool)
            .await
            .map_err(Error::from)?;
        Ok(pinned)
    }

    fn scratch(&self, project_id: &str, digest: &str) -> PathBuf {
        self.0.scratch_dir.join("uploads").join(project_id).join(format!("{digest}.part"))
    }

    /// Receives what is announced into the scratch file. Whoever holds what is returned holds the file's lock: another upload
    /// of the blob would cut the file short while it is stored, or find it gone.
    async fn receive(
        &self,
        head: &v1::UploadHead,
        parts: &mut Streaming<v1::UploadRequest>,
        scratch: &Path,
    ) -> Result<tokio::fs::File, Status> {
        let failed = |error: std::io::Error| status::scratch(&error);
        let running = || status::aborted("UPLOAD_RUNNING", "another upload of this blob is under way; try again");
        if let Some(folder) = scratch.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        let file =
            std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(scratch).map_err(failed)?;
        // Held until the file is closed; by the system, so that it does not outlive a crash.
        if file.try_lock().is_err() {
            return Err(running());
        }
        // Between opening and locking, whoever held it may have stored the blob and removed the file.
        let is_there = std::fs::metadata(scratch).and_then(|named| {
            let held = file.metadata()?;
            Ok((named.dev(), named.ino()) == (held.dev(), held.ino()))
        });
        if !is_there.unwrap_or(false) {
            return Err(running());
        }
        let mut file = tokio::fs::File::from_std(file);
        let committed = file.metadata().await.map_err(failed)?.len();
        let offset = u64::try_from(head.offset_bytes).unwrap_or(u64::MAX);
        if offset > committed {
            let description = format!("{offset} lies beyond the {committed} bytes that are here");
            return Err(status::invalid_field("head.offset_bytes", description));
        }
        file.set_len(offset).await.map_err(failed)?;
        file.seek(std::io::SeekFrom::Start(offset)).await.map_err(failed)?;
        let mut received = offset;
        while let Some(message) = parts.message().await? {
            let Some(Part::Data(data)) = message.part else {
                return Err(status::invalid_field("part", "a head follows the first message".into()));
            };
            if data.len() > MAX_PART_BYTES {
                return Err(status::invalid_field("data", format!("{} bytes are more than 1 MiB", data.len())));
            }
            received += data.len() as u64;
            if received > u64::try_from(head.size_bytes).unwrap_or(0) {
                return Err(status::invalid_field("data", "more bytes came than were announced".into()));
            }
            file.write_all(&data).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        if received < u64::try_from(head.size_bytes).unwrap_or(0) {
            let message = format!("{received} of {} bytes came; go on from there", head.size_bytes);
            return Err(status::aborted("UPLOAD_INCOMPLETE", message));
        }
        Ok(file)
    }

    async fn store(&self, project_id: &str, head: &v1::UploadHead, scratch: &Path) -> Result<(), Status> {
        let file = scratch.to_owned();
        let hashed = tokio::task::spawn_blocking(move || {
            let digest = mixdown_dsp::digest::Digest::of_reader(std::fs::File::open(&file)?)?;
            Ok::<_, std::io::Error>(digest)
        });
        let digest =
            hashed.await.map_err(|error| status::internal(&error))?.map_err(|error| status::internal(&error))?;
        if digest.to_string() != head.digest {
            // Wrong from the start or broken on the way: it must begin again.
            let _ = tokio::fs::remove_file(scratch).await;
            let message = format!("the bytes that came have digest {digest}, not {}", head.digest);
            return Err(status::data_loss(message));
        }
        let place = self.0.store.blob(project_id, &head.digest)?;
        loop {
            self.0.store.put_file(scratch, &place).await?;
            // Whoever is dropping the same digest at this moment holds its row: the look after it sees what is left.
            let mut transaction = self.0.pool.begin().await.map_err(Error::from)?;
            sqlx::query(include_str!("record_upload.sql"))
                .bind(project_id)
                .bind(&head.digest)
                .bind(head.size_bytes)
                .execute(&mut *transaction)
                .await
                .map_err(Error::from)?;
            if self.0.store.size(&place).await?.is_some() {
                transaction.commit().await.map_err(Error::from)?;
                break;
            }
        }
        // What stays behind is only room.
        let _ = tokio::fs::remove_file(scratch).await;
        Ok(())
    }
}

#[tonic::async_trait]
impl BlobService for Blobs {
    async fn find_missing(
        &self,
        request: Request<v1::FindMissingRequest>,
    ) -> Result<Response<v1::FindMissingResponse>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let digests = request.into_inner().digests;
        if digests.len() > MAX_DIGESTS {
            return Err(status::invalid_field("digests", format!("{} are more than {MAX_DIGESTS}", digests.len())));
        }
        for digest in &digests {
            check::digest("digests", digest)?;
        }
        let found = self.pin_all(&project_id, &digests).await?;
        let found: std::collections::BTreeSet<String> = found.into_iter().map(|(digest, _)| digest).collect();
        let missing_digests = digests.into_iter().filter(|digest| !found.contains(digest)).collect();
        Ok(Response::new(v1::FindMissingResponse { missing_digests }))
    }

    async fn get_upload(
        &self,
        request: Request<v1::GetUploadRequest>,
    ) -> Result<Response<v1::GetUploadResponse>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let digest = request.into_inner().digest;
        check::digest("digest", &digest)?;
        if let Some(size_bytes) = self.pin(&project_id, &digest).await? {
            return Ok(Response::new(v1::GetUploadResponse { committed_bytes: size_bytes, complete: true }));
        }
        let committed = tokio::fs::metadata(self.scratch(&project_id, &digest)).await.map_or(0, |meta| meta.len());
        let committed_bytes = i64::try_from(committed).unwrap_or(i64::MAX);
        Ok(Response::new(v1::GetUploadResponse { committed_bytes, complete: false }))
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadRequest>>,
    ) -> Result<Response<v1::UploadResponse>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let mut parts = request.into_inner();
        let Some(v1::UploadRequest { part: Some(Part::Head(head)) }) = parts.message().await? else {
            return Err(status::invalid_field("part", "the first message must be the head".into()));
        };
        check::digest("head.digest", &head.digest)?;
        if head.size_bytes < 0 || !(0..=head.size_bytes).contains(&head.offset_bytes) {
            return Err(status::invalid_field("head", "size and offset do not fit together".into()));
        }
        if let Some(size_bytes) = self.pin(&project_id, &head.digest).await? {
            return Ok(Response::new(v1::UploadResponse { digest: head.digest, size_bytes }));
        }
        let scratch = self.scratch(&project_id, &head.digest);
        let _lock = self.receive(&head, &mut parts, &scratch).await?;
        self.store(&project_id, &head, &scratch).await?;
        Ok(Response::new(v1::UploadResponse { digest: head.digest, size_bytes: head.size_bytes }))
    }

    async fn collect_garbage(
        &self,
        request: Request<v1::CollectGarbageRequest>,
    ) -> Result<Response<v1::CollectGarbageResponse>, Status> {
        auth::admin(&self.0, request.metadata()).await?;
        let request = request.into_inner();
        let request_id = check::uuid("request_id", &request.request_id)?;
        let content = v1::CollectGarbageRequest { request_id: String::new(), ..request.clone() };
        let call = queue::request::Request::new(request_id, "CollectGarbage", &[&content.encode_to_vec()]);
        let older_than = match request.unused_seconds {
            None => None,
            Some(seconds) => Some(
                Duration::try_from_secs_f64(seconds)
                    .map_err(|error| status::invalid_field("unused_seconds", error.to_string()))?,
            ),
        };
        let artifact_bytes = match request.artifact_bytes.map(u64::try_from) {
            None => None,
            Some(Ok(bytes)) => Some(bytes),
            Some(Err(_)) => return Err(status::invalid_field("artifact_bytes", "it is negative".into())),
        };
        let bounds = Bounds { artifact_bytes, older_than, masters: request.masters };
        let Farm { pool, store, orphan_grace, .. } = &self.0;
        let collected = match collecting::begin(pool, &call).await? {
            Begun::Answered(collected) => collected,
            Begun::Reused => return Err(status::request_reused()),
            Begun::New => {
                let collected = collect::collect(pool, store, &bounds, *orphan_grace, request.dry_run).await?;
                collecting::end(pool, &call, &collected).await?
            }
        };
        let amount = |amount: Amount| Some(v1::Amount { count: amount.count, bytes: amount.bytes });
        Ok(Response::new(v1::CollectGarbageResponse {
            artifacts: amount(collected.artifacts),
            blobs: amount(collected.blobs),
            orphans: amount(collected.orphans),
        }))
    }

    type DownloadStream = BoxStream<'static, Result<v1::DownloadResponse, Status>>;

    async fn download(&self, request: Request<v1::DownloadRequest>) -> Result<Response<Self::DownloadStream>, Status> {
        let project_id = auth::client(&self.0, request.metadata()).await?;
        let v1::DownloadRequest { digest, offset_bytes } = request.into_inner();
        check::digest("digest", &digest)?;
        let missing = || status::not_found("blob", &digest);
        // The row, not the store, says whether the project has it.
        let size_bytes = self.pin(&project_id, &digest).await?.ok_or_else(missing)?;
        if !(0..=size_bytes).contains(&offset_bytes) {
            return Err(status::invalid_field(
                "offset_bytes",
                format!("{offset_bytes} is not within 0 to {size_bytes}"),
            ));
        }
        if offset_bytes == size_bytes {
            let empty = v1::DownloadResponse { data: Vec::new(), size_bytes };
            return Ok(Response::new(futures::stream::iter([Ok(empty)]).boxed()));
        }
        let place = self.0.store.blob(&project_id, &digest)?;
        let offset = u64::try_from(offset_bytes).unwrap_or(0);
        let parts = self.0.store.read(&place, offset).await?.ok_or_else(missing)?;
        // Only a whole blob has a digest to compare.
        let hasher = (offset_bytes == 0).then(blake3::Hasher::new);
        let checked = Checked { farm: self.0.clone(), project_id, digest, place, parts, hasher };
        let told = futures::stream::try_unfold(checked, Checked::next).map_ok(move |part| {
            let cut = cut(part).into_iter();
            futures::stream::iter(cut.map(move |data| Ok(v1::DownloadResponse { data: data.into(), size_bytes })))
        });
        let told = told.try_flatten();
        Ok(Response::new(told.boxed()))
    }
}

/// A blob on its way to a client, compared with its digest at its end.
struct Checked {
    farm: Farm,
    project_id: String,
    digest: String,
    place: object_store::path::Path,
    parts: BoxStream<'static, Result<Bytes, object_store::Error>>,
    hasher: Option<blake3::Hasher>,
}

impl Checked {
    /// The next part; an error at the end if the bytes were not those of the digest.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Status> {
        if let Some(part) = self.parts.next().await {
            let what = || format!("read {}", self.place);
            let part = part.map_err(|source| crate::blobs::Error::Store { what: what(), source })?;
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&part);
            }
            return Ok(Some((part, self)));
        }
        if self.hasher.is_some_and(|hasher| hasher.finalize().to_hex().as_str() != self.digest) {
            self.farm.mender.begin(self.project_id, vec![self.digest.clone()]);
            return Err(status::data_loss(format!("the store has damaged blob {}", self.digest)));
        }
        Ok(None)
    }
}

/// Cuts a part of any size into parts that may cross the wire.
fn cut(mut part: Bytes) -> Vec<Bytes> {
    let mut parts = Vec::with_capacity(part.len().div_ceil(MAX_PART_BYTES));
    while !part.is_empty() {
        parts.push(part.split_to(part.len().min(MAX_PART_BYTES)));
    }
    parts
}
