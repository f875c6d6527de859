//! Object storage: a folder and a bucket keep the same promises.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mixdown_worker::blobs::{BlobStore, Delivered, Delivery, Durability, Error, Objects, OpenError, open};
use object_store::memory::InMemory;
use support::store::{put, read};
use support::{PROJECT, blob};
use tempfile::TempDir;

fn folder() -> (TempDir, Arc<dyn BlobStore>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path().to_str().unwrap()).unwrap();
    (dir, store)
}

fn bucket() -> Arc<dyn BlobStore> {
    Arc::new(Objects::remote(Arc::new(InMemory::new())))
}

/// Stores and delivers a master, as a task does.
async fn deliver(store: &dyn BlobStore, file_name: &str, bytes: &[u8], replace: bool) -> Delivered {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let blob = blob(bytes);
    store.put(&blob, file.path(), Durability::Durable).await.unwrap();
    let size_bytes = bytes.len() as u64;
    let delivery = Delivery { blob: &blob, size_bytes, file: file.path(), deliver_to: "album/one", file_name, replace };
    store.deliver(delivery).await.unwrap()
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
async fn a_delivery_is_made_once_and_replaced_only_when_told() {
    let (_dir, files) = folder();
    for store in [files, bucket()] {
        assert_eq!(deliver(&*store, "Main.wav", b"take one", false).await, Delivered::Written);
        assert_eq!(deliver(&*store, "Main.wav", b"take one", false).await, Delivered::AlreadyThere);
        let occupied = Delivered::Occupied { name: "album/one/Main.wav".into() };
        assert_eq!(deliver(&*store, "Main.wav", b"take two", false).await, occupied, "of the same size");
        assert_eq!(deliver(&*store, "Main.wav", b"take three", false).await, occupied, "of another size");
        assert_eq!(deliver(&*store, "Main.wav", b"take two", true).await, Delivered::Written);
        assert_eq!(deliver(&*store, "Main.wav", b"take two", false).await, Delivered::AlreadyThere);
    }
}

#[tokio::test]
async fn whoever_edits_a_delivered_file_does_not_edit_the_blob() {
    let (dir, store) = folder();
    deliver(&*store, "Main.wav", b"untouched", false).await;
    let delivered = dir.path().join("projects").join(PROJECT).join("album/one/Main.wav");
    std::fs::write(delivered, b"retouched").unwrap();
    assert_eq!(read(&*store, &blob(b"untouched")).await, b"untouched");
}

#[tokio::test]
async fn names_are_kept_as_they_are() {
    let (dir, store) = folder();
    let names = ["Song #1 (100%).wav", "Früh – früher.wav", "a b+c~d?.wav"];
    for name in names {
        deliver(&*store, name, name.as_bytes(), false).await;
        let delivered = dir.path().join("projects").join(PROJECT).join("album/one").join(name);
        assert_eq!(std::fs::read(delivered).unwrap(), name.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_jobs_that_deliver_under_one_name_one_is_told() {
    let (dir, store) = folder();
    let takes: Vec<_> = (0..8)
        .map(|take| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { deliver(&*store, "Main.wav", format!("take {take}").as_bytes(), false).await })
        })
        .collect();
    let mut written = 0;
    for take in takes {
        match take.await.unwrap() {
            Delivered::Written => written += 1,
            other => assert!(matches!(other, Delivered::Occupied { .. }), "{other:?}"),
        }
    }
    assert_eq!(written, 1);
    let left = files_below(&dir.path().join("projects").join(PROJECT).join("partial"));
    assert!(left.is_empty(), "{left:?}");
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
