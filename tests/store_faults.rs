//! What goes wrong between the farm and its store over HTTP, one fault at a time, before Ceph's S3 gateway: each heals with
//! the right bytes, or the job is told.

mod support;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use support::command::render;
use support::farm::Farm;
use support::fixture::Fixture;
use support::s3_server::{Kind, S3Server};
use support::way::{StoreFault, Strike, Target, Way};
use support::{assert_same_files, files};

const SPREAD: [&str; 4] = ["--granularity", "spread", "--keep-stems", "always"];
/// Every failure of the store fails the attempt: what heals then is the farm, not the worker alone.
const IMPATIENT: [&str; 2] = ["--storage-patience", "0s"];
/// What names any blob.
const BLOBS: &str = "/blobs/";
/// More than one operation's own tries.
const REQUESTS: usize = 8;

/// A farm that reaches its store through a way that can fail.
struct Scene {
    farm: Farm,
    way: Way,
    fixture: Fixture,
    out: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        static SERVER: OnceLock<S3Server> = OnceLock::new();
        let server = SERVER.get_or_init(|| S3Server::start(Kind::Ceph));
        let way = Way::open("127.0.0.1", Target::Tcp(server.address.parse().expect("an address")), 1).await;
        let store = S3Server::store_at(&way.address.to_string(), &format!("farms/{}", uuid::Uuid::new_v4()));
        let farm = Farm::start_on(store, 0).await;
        Self { farm, way, fixture: Fixture::new(2.0), out: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Lets a fault hit the next requests.
    fn strike(&self, fault: StoreFault, method: &'static str, about: &str, requests: usize) {
        self.way.strike(Strike { fault, method, about: about.to_owned(), left: requests });
    }

    fn calm(&self) -> BTreeMap<String, Vec<u8>> {
        let calm = self.out.path().join("calm");
        render(&self.fixture.write(), &calm, &[]);
        files(&calm)
    }

    /// Runs a job to its end, with a fault for requests of these methods, each so many times once its inputs are there; the
    /// masters must be those of a calm render.
    async fn heals(&mut self, fault: StoreFault, methods: &[&'static str], requests: usize) {
        let expected = self.calm();
        let job = self.farm.queue(&self.fixture.write(), &SPREAD);
        methods.iter().for_each(|method| self.strike(fault, method, BLOBS, requests));
        let worker = self.farm.start_worker(&IMPATIENT);
        let folder = self.out.path().join(&job);
        self.farm.finish(&job, &folder).await;
        // The next one's cache holds nothing.
        self.farm.workers[worker].signal(Signal::SIGTERM);
        self.farm.workers[worker].wait();
        assert_eq!(self.way.left(), 0, "{fault:?}: every one of the requests was hit");
        assert_same_files(&files(&folder), &expected, &format!("{fault:?}"));
        let ends = "select distinct outcome || coalesce(' ' || failure_kind, '') from attempt order by 1";
        for end in self.farm.texts(ends).await {
            assert!(["failed storage", "succeeded"].contains(&&*end), "{fault:?}: an attempt {end}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_answers_500_503_or_429_to_reads_and_writes_costs_time_alone() {
    let mut scene = Scene::new().await;
    for (number, status) in [500, 503, 429].into_iter().enumerate() {
        // A fader that moved: the mixes are made again.
        scene.fixture.document["tracks"][1]["fader_db"] = json!(-3.0 - number as f64);
        scene.heals(StoreFault::Status(status), &["GET ", "PUT ", "HEAD "], REQUESTS).await;
    }
    let failed = scene.farm.count("select count(*) from attempt where failure_kind = 'storage'").await;
    assert!(failed >= 3, "{failed} attempts failed: the farm tried again, not the client alone");
    scene.farm.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_falls_silent_is_given_up_and_asked_again() {
    let mut scene = Scene::new().await;
    // For longer than anybody waits.
    scene.heals(StoreFault::Stall(Duration::from_secs(600)), &["GET "], 1).await;
    scene.farm.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_cut_short_are_never_taken_for_whole() {
    let mut scene = Scene::new().await;
    scene.heals(StoreFault::Truncate, &["GET "], REQUESTS).await;
    scene.farm.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_change_on_their_way_to_the_store_are_never_stored() {
    let mut scene = Scene::new().await;
    scene.heals(StoreFault::WrongPut, &["PUT "], 6).await;
    scene.farm.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_file_that_reads_wrong_for_a_while_at_both_ends_is_not_condemned() {
    let mut scene = Scene::new().await;
    let expected = scene.calm();
    let job = scene.farm.queue(&scene.fixture.write(), &SPREAD);
    let input = "select digest from blob where uploaded order by size_bytes desc limit 1";
    let input = scene.farm.texts(input).await.remove(0);
    // The worker reads it twice in each attempt; the coordinator looks once in between, and finds it wrong too.
    scene.strike(StoreFault::WrongBytes, "GET ", &input, 6);
    scene.farm.start_worker(&IMPATIENT);
    let folder = scene.out.path().join("farm");
    scene.farm.finish(&job, &folder).await;
    assert_eq!(scene.way.left(), 0);
    assert_same_files(&files(&folder), &expected, "after wrong bytes");
    let named = "select failure_message from attempt where failure_kind = 'storage'";
    let named = scene.farm.texts(named).await;
    assert!(!named.is_empty() && named.iter().all(|message| message.contains(&input)), "{named:?}");
    assert_eq!(scene.farm.count("select count(*) from worker where quarantine_reason is not null").await, 0);
    scene.farm.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_answers_well_fails_the_job_as_storage() {
    for (fault, cause) in [(StoreFault::Status(500), "500"), (StoreFault::Truncate, "blobs/")] {
        let mut scene = Scene::new().await;
        let job = scene.farm.queue(&scene.fixture.write(), &["--granularity", "fused"]);
        // What is left of the attempts that the store may fail: the last.
        scene.farm.execute("update task set storage_failures = 7").await;
        scene.strike(fault, "GET ", BLOBS, usize::MAX);
        scene.farm.start_worker(&IMPATIENT);
        assert_ne!(scene.farm.run(["jobs", "watch", &job]).code, 0);
        let told = scene.farm.texts("select failure_kind || ': ' || failure_message from job").await.remove(0);
        assert!(told.starts_with("storage: ") && told.contains(cause), "{fault:?}: {told}");
    }
}
