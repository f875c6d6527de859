//! The cache: bounded, verified, shared.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use mixdown_worker::blobs::{self, BlobName};
use mixdown_worker::cache::{Cache, Error, Hold};
use support::blob;
use support::store::{Faulty, put};
use tempfile::TempDir;

const A: &[u8] = b"aaaaaaaaaa";
const B: &[u8] = b"bbbbbbbbbb";
const C: &[u8] = b"cccccccccc";
const D: &[u8] = b"dddddddddd";

struct Folder {
    dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("blobs")).unwrap();
        fs::create_dir(dir.path().join("partial")).unwrap();
        Self { dir }
    }

    fn open(&self, max_bytes: u64) -> Cache {
        Cache::open(&self.dir.path().join("blobs"), &self.dir.path().join("partial"), max_bytes).unwrap()
    }

    fn partials(&self) -> usize {
        fs::read_dir(self.dir.path().join("partial")).unwrap().count()
    }
}

fn sizes(blobs: &[&[u8]]) -> BTreeMap<BlobName, u64> {
    blobs.iter().map(|bytes| (blob(bytes), bytes.len() as u64)).collect()
}

async fn fetch(cache: &Cache, store: &Faulty, bytes: &[u8]) -> (Hold, PathBuf) {
    let hold = cache.hold(sizes(&[bytes])).await.unwrap();
    let path = hold.fetch(store, &blob(bytes)).await.unwrap().path;
    assert_eq!(fs::read(&path).unwrap(), bytes);
    (hold, path)
}

#[tokio::test]
async fn the_least_recently_used_blob_makes_room() {
    let store = Faulty::holding(&[A, B, C, D]).await;
    let folder = Folder::new();
    let cache = folder.open(30);
    for bytes in [A, B, C, A, D] {
        fetch(&cache, &store, bytes).await;
        assert!(cache.used_bytes() <= 30);
    }
    assert_eq!(store.gets(), 4);
    for bytes in [A, C, D] {
        fetch(&cache, &store, bytes).await;
    }
    assert_eq!(store.gets(), 4, "these were kept");
    fetch(&cache, &store, B).await;
    assert_eq!(store.gets(), 5, "this one went");
}

#[tokio::test]
async fn what_a_task_holds_stays_and_others_wait_for_room() {
    let store = Faulty::holding(&[A, B, C]).await;
    let folder = Folder::new();
    let cache = folder.open(20);
    let (first, path) = fetch(&cache, &store, A).await;
    let mut second = Box::pin(cache.hold(sizes(&[B, C])));
    assert!(second.as_mut().now_or_never().is_none(), "there is no room while A is held");
    assert!(path.exists());
    drop(first);
    let second = second.now_or_never().expect("there is room now").unwrap();
    assert!(!path.exists());
    for bytes in [B, C] {
        second.fetch(&*store, &blob(bytes)).await.unwrap();
    }
}

#[tokio::test]
async fn a_task_that_can_never_fit_is_told_so() {
    let folder = Folder::new();
    let error = folder.open(15).hold(sizes(&[A, B])).await.unwrap_err();
    assert!(matches!(error, Error::TooSmall { needed_bytes: 20, cache_bytes: 15, .. }), "{error}");
}

#[tokio::test]
async fn concurrent_fetches_of_one_blob_happen_once() {
    let store = Faulty::holding(&[A]).await;
    let folder = Folder::new();
    let cache = folder.open(100);
    let (one, two) = (cache.hold(sizes(&[A])).await.unwrap(), cache.hold(sizes(&[A])).await.unwrap());
    let name = blob(A);
    let (first, second) = tokio::join!(one.fetch(&*store, &name), two.fetch(&*store, &name));
    let moved = [first.unwrap().fetched_bytes, second.unwrap().fetched_bytes];
    assert_eq!(moved.iter().sum::<u64>(), 10);
    assert_eq!(store.gets(), 1);
}

#[tokio::test]
async fn an_abandoned_fetch_leaves_nothing_and_another_takes_over() {
    let store = Faulty::holding(&[A]).await;
    store.permits.forget_permits(usize::MAX >> 3);
    let folder = Folder::new();
    let cache = folder.open(100);
    let name = blob(A);
    let (one, two) = (cache.hold(sizes(&[A])).await.unwrap(), cache.hold(sizes(&[A])).await.unwrap());
    let mut abandoned = Box::pin(one.fetch(&*store, &name));
    assert!(abandoned.as_mut().now_or_never().is_none());
    let mut waiting = Box::pin(two.fetch(&*store, &name));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(abandoned);
    drop(one);
    store.permits.add_permits(1);
    waiting.await.unwrap();
    assert_eq!(folder.partials(), 0);
}

#[tokio::test]
async fn room_reserved_and_not_used_is_given_back() {
    let folder = Folder::new();
    let cache = folder.open(10);
    drop(cache.hold(sizes(&[A])).await.unwrap());
    assert_eq!(cache.used_bytes(), 0);
}

#[tokio::test]
async fn wrong_bytes_and_wrong_sizes_never_enter() {
    let store = Faulty::holding(&[A]).await;
    let folder = Folder::new();
    let cache = folder.open(100);
    store.wrong.lock().unwrap().insert(blob(A), (2, b"aaaaaaaaab".to_vec()));
    let hold = cache.hold(sizes(&[A])).await.unwrap();
    assert!(matches!(hold.fetch(&*store, &blob(A)).await, Err(Error::WrongBytes { .. })));
    store.wrong.lock().unwrap().insert(blob(A), (1, b"aaa".to_vec()));
    let short = hold.fetch(&*store, &blob(A)).await;
    assert!(matches!(short, Err(Error::WrongSize { expected_bytes: 10, found_bytes: 3, .. })), "{short:?}");
    assert_eq!(folder.partials(), 0);
    drop(hold);
    assert_eq!(cache.used_bytes(), 0);
}

#[tokio::test]
async fn a_file_is_read_again_only_when_its_size_or_time_changed() {
    let store = Faulty::holding(&[A]).await;
    let folder = Folder::new();
    let cache = folder.open(100);
    let (_hold, path) = fetch(&cache, &store, A).await;
    let changed = fs::metadata(&path).unwrap().modified().unwrap();
    let set_time = |time: SystemTime| fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();

    // The same bytes with another time: read, found right, not fetched.
    set_time(changed + Duration::from_secs(1));
    fetch(&cache, &store, A).await;
    assert_eq!(store.gets(), 1);

    // Other bytes of the same size with another time: read, found wrong, fetched.
    fs::write(&path, b"xxxxxxxxxx").unwrap();
    set_time(changed + Duration::from_secs(2));
    fetch(&cache, &store, A).await;
    assert_eq!(store.gets(), 2);

    // Other bytes behind an unchanged size and time are not looked for: that would be reading every file for every task.
    let seen = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, b"yyyyyyyyyy").unwrap();
    set_time(seen);
    let hold = cache.hold(sizes(&[A])).await.unwrap();
    assert_eq!(hold.fetch(&*store, &blob(A)).await.unwrap().fetched_bytes, 0);
}

#[tokio::test]
async fn a_blob_of_a_folder_is_verified_where_it_lies_and_again_when_somebody_wrote_to_it() {
    let store_dir = tempfile::tempdir().unwrap();
    let store = blobs::open(store_dir.path().to_str().unwrap()).unwrap();
    put(&*store, A).await;
    let folder = Folder::new();
    let cache = folder.open(100);
    let hold = cache.hold(sizes(&[A])).await.unwrap();
    let path = hold.fetch(&*store, &blob(A)).await.unwrap().path;
    let digest = blob(A).digest.to_string();
    let stored = store_dir.path().join(mixdown_proto::layout::blob(&blob(A).project_id, &digest));
    assert_eq!(fs::metadata(&path).unwrap().ino(), fs::metadata(&stored).unwrap().ino(), "it was not copied");
    assert_eq!(hold.fetch(&*store, &blob(A)).await.unwrap().fetched_bytes, 0);

    fs::write(&stored, b"xxxxxxxxxx").unwrap();
    fs::File::open(&stored).unwrap().set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
    let damaged = hold.fetch(&*store, &blob(A)).await;
    assert!(matches!(damaged, Err(Error::WrongBytes { .. })), "{damaged:?}");
    assert_eq!(folder.partials(), 0);
    assert!(!path.exists() && stored.exists());

    // Made whole by whoever has the bytes: another file under the same name.
    put(&*store, A).await;
    assert_eq!(fs::read(hold.fetch(&*store, &blob(A)).await.unwrap().path).unwrap(), A);
}

#[tokio::test]
async fn a_restarted_worker_finds_its_cache_and_trusts_none_of_it() {
    let store = Faulty::holding(&[A, B, C]).await;
    let folder = Folder::new();
    let cache = folder.open(100);
    let (_, good) = fetch(&cache, &store, A).await;
    let (_, broken) = fetch(&cache, &store, B).await;
    let (_, cut_off) = fetch(&cache, &store, C).await;
    drop(cache);
    fs::write(&broken, b"bbbbbbbbb?").unwrap();
    fs::write(&cut_off, b"ccc").unwrap();

    let cache = folder.open(100);
    assert_eq!(cache.used_bytes(), 23);
    for bytes in [A, B, C] {
        fetch(&cache, &store, bytes).await;
    }
    assert!(good.exists());
    assert_eq!(store.gets(), 3 + 2);
    assert_eq!(cache.used_bytes(), 30);
}

#[tokio::test]
async fn a_smaller_bound_takes_effect_at_the_next_start() {
    let store = Faulty::holding(&[A, B]).await;
    let folder = Folder::new();
    let cache = folder.open(100);
    let old = fetch(&cache, &store, A).await.1;
    let new = fetch(&cache, &store, B).await.1;
    fs::File::options().write(true).open(&old).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    drop(cache);
    let cache = folder.open(15);
    assert_eq!((old.exists(), new.exists(), cache.used_bytes()), (false, true, 10));
}

#[tokio::test]
async fn no_project_sees_the_blobs_of_another() {
    let store = Faulty::holding(&[A]).await;
    let folder = Folder::new();
    let cache = folder.open(100);
    fetch(&cache, &store, A).await;
    let other = BlobName { project_id: "p2".into(), digest: blob(A).digest };
    let hold = cache.hold(BTreeMap::from([(other.clone(), 10)])).await.unwrap();
    assert!(matches!(hold.fetch(&*store, &other).await, Err(Error::Store(_))));
}
