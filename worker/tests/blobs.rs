//! Object storage: a folder and a bucket keep the same promises.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mixdown_worker::blobs::{BlobStore, Durability, Error, Objects, OpenError, open};
use object_store::memory::InMemory;
use support::blob;
use support::store::{put, read};
use tempfile::TempDir;

fn folder() -> (TempDir, Arc<dyn BlobStore>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path().to_str().unwrap()).unwrap();
    (dir, store)
}

fn bucket() -> Arc<dyn BlobStore> {
    Arc::new(Objects::remote(Arc::new(InMemory::new())))
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_blob_larger_than_one_part_comes_back_as_it_was() {
    let bytes: Vec<u8> = (0..20_000_003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (_dir, files) = folder();
    for store in [files, bucket()] {
        put(&*store, &bytes).await;
        assert_eq!(store.size(&blob(&bytes)).await.unwrap(), bytes.len() as u64);
        assert!(read(&*store, &blob(&bytes)).await == bytes);
    }
}

#[tokio::test]
async fn a_blob_that_is_not_there_is_missing_and_not_an_outage() {
    let (_dir, files) = folder();
    for store in [files, bucket()] {
        let error = store.get(&blob(b"nothing")).await.err().unwrap();
        assert!(matches!(error, Error::Missing { .. }) && !error.may_pass(), "{error}");
    }
}

#[tokio::test]
async fn an_empty_file_is_a_blob_like_any_other() {
    let (_dir, files) = folder();
    for store in [files, bucket()] {
        put(&*store, b"").await;
        assert_eq!(read(&*store, &blob(b"")).await, b"");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_leaves_nothing_in_the_store() {
    let (dir, store) = folder();
    let missing = dir.path().join("no such file");
    let error = store.put(&blob(b"x"), &missing, Durability::Renderable).await.unwrap_err();
    assert!(matches!(error, Error::Local { .. }), "{error}");
    assert!(files_below(dir.path()).is_empty());
}

#[test]
fn a_store_that_cannot_be_one_is_refused_with_what_was_expected() {
    for url in ["ftp://host/x", "s3:///prefix", "gs://bucket"] {
        let error = open(url).err().unwrap();
        assert!(matches!(&error, OpenError::Unknown { url: named } if named == url), "{error}");
        assert!(error.to_string().contains("s3://BUCKET/PREFIX"));
    }
    assert!(matches!(open("/no/such/folder"), Err(OpenError::Folder { .. })));
}

fn inode(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

#[tokio::test]
async fn a_file_beside_a_folder_store_becomes_the_blob_itself_and_replaces_what_was_there() {
    let (dir, store) = folder();
    let name = blob(b"audio");
    let place = dir.path().join(mixdown_proto::layout::blob(&name.project_id, &name.digest.to_string()));
    let files = tempfile::tempdir().unwrap();
    for (index, durability) in [Durability::Renderable, Durability::Durable].into_iter().enumerate() {
        let file = files.path().join(index.to_string());
        std::fs::write(&file, b"audio").unwrap();
        std::fs::File::open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        // Twice: an answer may be lost.
        for _ in 0..2 {
            store.put(&name, &file, durability).await.unwrap();
            assert_eq!(inode(&place), inode(&file), "{durability:?}");
        }
        // One that looked a day old would be taken for an orphan.
        assert!(std::fs::metadata(&place).unwrap().modified().unwrap().elapsed().unwrap() < Duration::from_secs(3600));
    }
    assert_eq!(files_below(dir.path()), std::slice::from_ref(&place), "nothing is left on its way");
    std::fs::remove_dir_all(files.path()).unwrap();
    assert_eq!(read(&*store, &name).await, b"audio");
}

#[tokio::test]
async fn a_file_on_another_file_system_is_copied() {
    let (dir, store) = folder();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    if std::fs::metadata(elsewhere.path()).unwrap().dev() == std::fs::metadata(dir.path()).unwrap().dev() {
        return;
    }
    let file = elsewhere.path().join("file");
    std::fs::write(&file, b"audio").unwrap();
    store.put(&blob(b"audio"), &file, Durability::Durable).await.unwrap();
    assert_eq!(read(&*store, &blob(b"audio")).await, b"audio");
    assert!(!store.link(&blob(b"audio"), &elsewhere.path().join("link")).await.unwrap());
    assert_eq!(files_below(dir.path()).len(), 1);
}

#[tokio::test]
async fn only_a_folder_gives_its_blobs_a_second_name() {
    let (_dir, files) = folder();
    let to = tempfile::tempdir().unwrap();
    put(&*files, b"audio").await;
    assert!(files.link(&blob(b"audio"), &to.path().join("audio")).await.unwrap());
    assert_eq!(std::fs::read(to.path().join("audio")).unwrap(), b"audio");
    assert!(!files.link(&blob(b"nothing"), &to.path().join("nothing")).await.unwrap());
    let bucket = bucket();
    put(&*bucket, b"audio").await;
    assert!(!bucket.link(&blob(b"audio"), &to.path().join("other")).await.unwrap());
}
