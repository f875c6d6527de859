//! Where a farm of the tests keeps its blobs: a folder, or a bucket; read and written past the farm.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use mixdown_proto::layout;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::s3_server::{Kind, S3Server};

/// Chooses what [`Store::of_tests`] gives: `folder` (also when it is not set), `moto` or `ceph`.
const KIND: &str = "MIXDOWN_TEST_STORE";

/// Where the farm's blobs lie, and the environment that opens it.
pub struct Store {
    /// A folder, or s3://BUCKET/PREFIX.
    pub url: String,
    /// AWS_ENDPOINT and the like.
    pub environment: Vec<(&'static str, String)>,
}

impl Store {
    /// An empty one of the kind that the environment asks for: a folder in this one, or a prefix of a server that all tests
    /// of this process share.
    pub fn of_tests(folder: &Path) -> Self {
        static SERVER: OnceLock<S3Server> = OnceLock::new();
        let kind = match std::env::var(KIND).as_deref() {
            Err(_) | Ok("" | "folder") => {
                let url = folder.join("store").to_str().expect("its path is text").to_owned();
                return Self { url, environment: Vec::new() };
            }
            Ok("moto") => Kind::Moto,
            Ok("ceph") => Kind::Ceph,
            Ok(other) => panic!("{KIND}={other:?}: expected folder, moto or ceph"),
        };
        let server = SERVER.get_or_init(|| S3Server::start(kind));
        server.store(&format!("farms/{}", uuid::Uuid::new_v4()))
    }

    /// Whether it is a folder: some things can be done to a folder alone.
    pub fn is_folder(&self) -> bool {
        !self.url.starts_with("s3://")
    }

    /// The store as the farm sees it.
    pub fn open(&self) -> Arc<dyn ObjectStore> {
        let Some(bucket) = self.url.strip_prefix("s3://") else {
            let folder = object_store::local::LocalFileSystem::new_with_prefix(&self.url);
            return Arc::new(folder.expect("the store's folder is there"));
        };
        // As in the program: a second installation means that one is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = object_store::aws::AmazonS3Builder::new().with_url(&self.url);
        for (name, value) in &self.environment {
            let key = name.to_ascii_lowercase().parse().expect("a variable of object_store");
            builder = builder.with_config(key, value);
        }
        let prefix = bucket.split_once('/').map_or("", |(_, prefix)| prefix).to_owned();
        let objects = builder.build().expect("the bucket is opened");
        Arc::new(object_store::prefix::PrefixStore::new(objects, prefix))
    }

    /// The bytes at a place; `None` when nothing is there.
    pub async fn read(&self, place: &str) -> Option<Vec<u8>> {
        match self.open().get(&path(place)).await {
            Ok(found) => Some(found.bytes().await.expect("the object is read").into()),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => panic!("{place}: {error}"),
        }
    }

    /// Other bytes at a place.
    pub async fn write(&self, place: &str, bytes: Vec<u8>) {
        self.open().put(&path(place), bytes.into()).await.expect("the object is written");
    }

    /// Nothing at a place.
    pub async fn remove(&self, place: &str) {
        self.open().delete(&path(place)).await.expect("the object is removed");
    }
}

/// The place of a blob of the project that has no name of its own.
pub fn blob(digest: &str) -> String {
    layout::blob("default", digest)
}

/// As the store names it.
pub fn path(place: &str) -> object_store::path::Path {
    object_store::path::Path::parse(place).expect("places are paths")
}
