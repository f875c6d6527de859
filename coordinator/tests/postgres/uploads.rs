use futures::StreamExt as _;
use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::{DownloadRequest, FindMissingRequest, GetUploadRequest, GetUploadResponse};
use tonic::Code;

use crate::support::Farm;
use crate::support::running::upload;

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index * 31 % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_goes_up_and_comes_down_from_any_offset() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut client = coordinator.blobs().await;
    // Larger than a part of the store and of the wire.
    let content = bytes(9 * 1024 * 1024 + 17);
    let digest = Digest::of(&content).to_string();
    let find = FindMissingRequest { digests: vec![digest.clone()] };
    assert_eq!(
        client.find_missing(find.clone()).await.unwrap().into_inner().missing_digests,
        std::slice::from_ref(&digest)
    );
    let stored =
        client.upload(futures::stream::iter(upload(&content, &digest, 0, 1 << 20))).await.unwrap().into_inner();
    assert_eq!((stored.digest.as_str(), stored.size_bytes), (digest.as_str(), content.len() as i64));
    assert!(client.find_missing(find).await.unwrap().into_inner().missing_digests.is_empty());
    for offset in [0, 1, 1 << 20, content.len() - 1, content.len()] {
        let request = DownloadRequest { digest: digest.clone(), offset_bytes: offset as i64 };
        let mut parts = client.download(request).await.unwrap().into_inner();
        let mut down = Vec::new();
        while let Some(part) = parts.next().await {
            let part = part.unwrap();
            assert!(part.data.len() <= 1 << 20);
            assert_eq!(part.size_bytes, content.len() as i64);
            down.extend(part.data);
        }
        assert!(down == content[offset..], "from {offset}");
    }
    let (pinned,): (bool,) = sqlx::query_as("select uploaded and pinned_until > now() + interval '23 hours' from blob")
        .fetch_one(&farm.pool)
        .await
        .unwrap();
    assert!(pinned);
    assert_eq!(std::fs::read_dir(farm.folder.path().join("scratch/uploads/default")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_goes_on_where_it_stopped() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut client = coordinator.blobs().await;
    let content = bytes(3000);
    let digest = Digest::of(&content).to_string();
    let mut half = upload(&content, &digest, 0, 1000);
    half.truncate(3);
    let broken = client.upload(futures::stream::iter(half)).await.unwrap_err();
    assert_eq!(broken.code(), Code::Aborted);
    let get = GetUploadRequest { digest: digest.clone() };
    let held = client.get_upload(get.clone()).await.unwrap().into_inner();
    assert_eq!(held, GetUploadResponse { committed_bytes: 2000, complete: false });
    let beyond = client.upload(futures::stream::iter(upload(&content, &digest, 2500, 1000))).await.unwrap_err();
    assert_eq!(beyond.code(), Code::InvalidArgument);
    client.upload(futures::stream::iter(upload(&content, &digest, 2000, 1000))).await.unwrap();
    let held = client.get_upload(get).await.unwrap().into_inner();
    assert_eq!(held, GetUploadResponse { committed_bytes: 3000, complete: true });
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_those_announced_are_refused_and_forgotten() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut client = coordinator.blobs().await;
    let content = bytes(3000);
    let digest = Digest::of(b"something else").to_string();
    let wrong = client.upload(futures::stream::iter(upload(&content, &digest, 0, 1000))).await.unwrap_err();
    assert_eq!(wrong.code(), Code::DataLoss);
    let held = client.get_upload(GetUploadRequest { digest: digest.clone() }).await.unwrap().into_inner();
    assert_eq!(held, GetUploadResponse { committed_bytes: 0, complete: false });
    let gone = client.download(DownloadRequest { digest, offset_bytes: 0 }).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let bad = client.find_missing(FindMissingRequest { digests: vec!["AB".into()] }).await.unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_blob_is_a_blob() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut client = coordinator.blobs().await;
    let digest = Digest::of(b"").to_string();
    client.upload(futures::stream::iter(upload(b"", &digest, 0, 1000))).await.unwrap();
    let mut parts = client.download(DownloadRequest { digest, offset_bytes: 0 }).await.unwrap().into_inner();
    assert!(parts.next().await.unwrap().unwrap().data.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn uploads_of_one_blob_at_once_all_succeed_or_are_told_to_try_again() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    for round in 0..20 {
        let content = bytes(70_000 + round);
        let digest = Digest::of(&content).to_string();
        let uploads = (0..8).map(|_| async {
            let mut client = coordinator.blobs().await;
            loop {
                match client.upload(futures::stream::iter(upload(&content, &digest, 0, 1000))).await {
                    Ok(stored) => break assert_eq!(stored.into_inner().size_bytes, content.len() as i64),
                    Err(busy) => assert_eq!(busy.code(), Code::Aborted, "{busy}"),
                }
            }
        });
        futures::future::join_all(uploads).await;
        let mut client = coordinator.blobs().await;
        let mut parts = client.download(DownloadRequest { digest, offset_bytes: 0 }).await.unwrap().into_inner();
        let mut down = Vec::new();
        while let Some(part) = parts.next().await {
            down.extend(part.unwrap().data);
        }
        assert!(down == content);
    }
    assert_eq!(std::fs::read_dir(farm.folder.path().join("scratch/uploads/default")).unwrap().count(), 0);
}
