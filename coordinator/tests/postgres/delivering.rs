//! Masters under their names: whose they are when several jobs, and several coordinators, write to one.

use std::sync::Arc;

use mixdown_coordinator::blobs::Store;
use mixdown_coordinator::blobs::naming::{Master, Put, There};
use mixdown_coordinator::queue::artifacts::Made;
use mixdown_coordinator::queue::deliveries::{self, Delivery, Turn};
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::retry_job::retry_job;
use mixdown_coordinator::queue::settle::{Outcome, Success};
use mixdown_coordinator::queue::submit::Submission;
use mixdown_coordinator::queue::{cancel, view};
use mixdown_coordinator::server::deliver::{deliver, mend_contested};
use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::Plan;
use mixdown_proto::layout;
use object_store::memory::InMemory;
use uuid::Uuid;

use crate::support::{Farm, farm::LEASE, key, planned, submission};

impl Farm {
    /// As a farm on a bucket; workers and coordinators share it.
    async fn on_a_bucket() -> Self {
        Self { store: Store::over(Arc::new(InMemory::new())), ..Self::new().await }
    }

    /// A job whose master, with these bytes, is stored and waits to be put under a name.
    async fn made(&self, bytes: &str, replace: bool) -> Delivery {
        let job = Submission { replace, deliverables: vec![("Main.wav".into(), key(bytes))], ..submission("default") };
        let plan = Plan { tasks: vec![planned(bytes, &[], &[])], cached: Vec::new() };
        let job_id = self.submit(&job, plan).await;
        let worker = self.worker(1).await;
        let task = self.claim_one(worker).await;
        let digest = Digest::of(bytes.as_bytes()).to_string();
        let file = self.folder.path().join(&digest);
        std::fs::write(&file, bytes).unwrap();
        self.store.put_file(&file, &self.store.blob("default", &digest).unwrap()).await.unwrap();
        let size_bytes = bytes.len() as i64;
        let artifacts = vec![Made { key: key(bytes).to_string(), digest, size_bytes, report_json: "{}".into() }];
        let success = Outcome::Success(Success { artifacts, ..Success::default() });
        self.settle(worker, &task, Uuid::new_v4(), success).await;
        let claimed = deliveries::claim(&self.pool, 1, LEASE).await.unwrap().remove(0);
        assert_eq!((claimed.job_id, claimed.replace, claimed.fresh), (job_id, replace, true));
        claimed
    }

    async fn deliver(&self, delivery: &Delivery) {
        deliver(&self.pool, &self.store, delivery).await.unwrap();
    }

    /// Delivers what was put off as well, until nothing waits.
    async fn deliver_to_the_end(&self) {
        while self.count("select count(*) from deliverable join job using (project_id, job_id) where state = 'active' and not delivered").await > 0 {
            sqlx::query("update deliverable set not_before = now()").execute(&self.pool).await.unwrap();
            for delivery in deliveries::claim(&self.pool, 100, LEASE).await.unwrap() {
                self.deliver(&delivery).await;
            }
        }
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// What lies under the name of these tests.
    async fn named(&self) -> String {
        let name = self.store.place(&layout::delivery("default", "album", "Main.wav")).unwrap();
        let mut parts = self.store.read(&name, 0).await.unwrap().unwrap();
        let mut bytes = Vec::new();
        while let Some(part) = futures::StreamExt::next(&mut parts).await {
            bytes.extend_from_slice(&part.unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    /// As a coordinator that stood still between its last look and its write.
    async fn write_late(&self, delivery: &Delivery) {
        let name = self.store.place(&layout::delivery("default", "album", "Main.wav")).unwrap();
        let size_bytes = delivery.size_bytes.unsigned_abs();
        let master = Master { project_id: "default", digest: &delivery.digest, size_bytes, fresh: true };
        assert_eq!(self.store.put_under(master, &name, There::Other).await.unwrap(), Put::Written);
    }
}

#[tokio::test]
async fn a_master_is_put_under_its_name_once_and_replaces_others_only_when_told() {
    for farm in [Farm::new().await, Farm::on_a_bucket().await] {
        let first = farm.made("take one", false).await;
        farm.deliver(&first).await;
        assert_eq!((farm.named().await.as_str(), farm.state(first.job_id).await.as_str()), ("take one", "succeeded"));
        for other in ["take two", "take three"] {
            let refused = farm.made(other, false).await;
            farm.deliver(&refused).await;
            let job = view::job(&farm.pool, "default", refused.job_id).await.unwrap().unwrap();
            let message = job.failure_message.unwrap();
            assert!(message.starts_with("album/Main.wav holds other bytes"), "{message}");
            assert_eq!(farm.named().await, "take one");
        }
        let replacing = farm.made("take four", true).await;
        farm.deliver(&replacing).await;
        assert_eq!(farm.named().await, "take four");
        assert_eq!(deliveries::claim(&farm.pool, 9, LEASE).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_job_asked_for_last_has_the_name_whichever_ends_last() {
    for farm in [Farm::new().await, Farm::on_a_bucket().await] {
        let (earlier, later) = (farm.made("the mix", true).await, farm.made("the recall", true).await);
        farm.deliver(&later).await;
        farm.deliver(&earlier).await;
        assert_eq!(farm.named().await, "the recall");
        assert_eq!(farm.state(earlier.job_id).await, "succeeded", "its master is there, under its digest");
        let told = farm.count("select count(*) from event where message like '%asked for later%'").await;
        assert_eq!(told, 1);
    }
}

#[tokio::test]
async fn a_coordinator_that_wakes_in_mid_delivery_does_not_keep_the_name() {
    for (farm, dies) in [(Farm::new().await, false), (Farm::on_a_bucket().await, true)] {
        let earlier = farm.made("the mix", true).await;
        assert_eq!(deliveries::take_name(&farm.pool, &earlier).await.unwrap(), Turn::Taken);
        let later = farm.made("the recall", true).await;
        farm.deliver(&later).await;
        assert_eq!(farm.named().await, "the recall");
        assert_eq!(deliveries::take_name(&farm.pool, &earlier).await.unwrap(), Turn::Superseded);
        farm.write_late(&earlier).await;
        assert_eq!(farm.named().await, "the mix");
        if !dies {
            deliveries::done(&farm.pool, &earlier).await.unwrap();
        }
        mend_contested(&farm.pool, &farm.store).await.unwrap();
        assert_eq!(farm.named().await, "the recall");
        // Nobody looks for ever.
        assert_eq!(deliveries::contested(&farm.pool).await.unwrap().len(), 1);
        sqlx::query("update delivered_name set contested_until = now() - interval '1 second'")
            .execute(&farm.pool)
            .await
            .unwrap();
        mend_contested(&farm.pool, &farm.store).await.unwrap();
        assert_eq!(deliveries::contested(&farm.pool).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_jobs_that_deliver_under_one_name_at_once_one_is_not_told_off() {
    for farm in [Farm::new().await, Farm::on_a_bucket().await] {
        let mut takes = Vec::new();
        for take in 0..8 {
            takes.push(farm.made(&format!("take {take}"), false).await);
        }
        futures::future::join_all(takes.iter().map(|delivery| farm.deliver(delivery))).await;
        farm.deliver_to_the_end().await;
        let succeeded = farm.count("select count(*) from job where state = 'succeeded'").await;
        assert_eq!((succeeded, farm.count("select count(*) from job where state = 'failed'").await), (1, 7));
        let winner: String = sqlx::query_scalar(
            "select artifact.digest from job join deliverable using (project_id, job_id)
             join artifact using (project_id, artifact_key) where state = 'succeeded'",
        )
        .fetch_one(&farm.pool)
        .await
        .unwrap();
        assert_eq!(Digest::of(farm.named().await.as_bytes()).to_string(), winner);
    }
}

#[tokio::test]
async fn a_cancelled_job_holds_no_name() {
    let farm = Farm::new().await;
    let cancelled = farm.made("never mind", false).await;
    assert_eq!(deliveries::take_name(&farm.pool, &cancelled).await.unwrap(), Turn::Taken);
    let waiting = farm.made("take two", false).await;
    assert_eq!(deliveries::take_name(&farm.pool, &waiting).await.unwrap(), Turn::Wait);
    let call = Request::new(Uuid::new_v4(), "CancelJob", &[]);
    cancel::cancel(&farm.pool, "default", cancelled.job_id, &call).await.unwrap();
    farm.deliver(&waiting).await;
    assert_eq!(farm.named().await, "take two");
}

#[tokio::test]
async fn a_master_is_copied_by_one_coordinator_and_by_another_if_that_is_lost() {
    let farm = Farm::new().await;
    let claimed = farm.made("take one", false).await;
    assert_eq!(deliveries::claim(&farm.pool, 1, LEASE).await.unwrap(), []);
    deliveries::put_off(&farm.pool, &claimed, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(deliveries::claim(&farm.pool, 1, LEASE).await.unwrap(), [claimed]);
}

#[tokio::test]
async fn a_name_that_the_store_refuses_fails_its_job_in_the_end_and_may_be_tried_again() {
    let farm = Farm::new().await;
    let delivery = farm.made("take one", false).await;
    let in_the_way = farm.folder.path().join("store/projects/default/album");
    std::fs::write(&in_the_way, "a file where a folder is to be").unwrap();
    let mut tries = 0;
    while farm.state(delivery.job_id).await == "active" {
        let cause = deliver(&farm.pool, &farm.store, &delivery).await.unwrap_err();
        deliveries::failed(&farm.pool, &delivery, &cause.to_string()).await.unwrap();
        tries += 1;
    }
    assert!((10..100).contains(&tries), "{tries}");
    let job = view::job(&farm.pool, "default", delivery.job_id).await.unwrap().unwrap();
    let message = job.failure_message.unwrap();
    assert!(message.starts_with("cannot put Main.wav under its name: cannot "), "{message}");
    std::fs::remove_file(&in_the_way).unwrap();
    let call = Request::new(Uuid::new_v4(), "RetryJob", &[]);
    retry_job(&farm.pool, "default", delivery.job_id, &call).await.unwrap();
    farm.deliver_all().await;
    assert_eq!((farm.state(delivery.job_id).await.as_str(), farm.named().await.as_str()), ("succeeded", "take one"));
}

#[tokio::test]
async fn whoever_edits_a_delivered_file_does_not_edit_the_blob() {
    let farm = Farm::new().await;
    let delivery = farm.made("untouched", false).await;
    farm.deliver(&delivery).await;
    std::fs::write(farm.folder.path().join("store/projects/default/album/Main.wav"), b"retouched").unwrap();
    let blob = farm.store.blob("default", &delivery.digest).unwrap();
    assert_eq!(std::fs::read(farm.folder.path().join("store").join(blob.as_ref())).unwrap(), b"untouched");
    assert_eq!(std::fs::read_dir(farm.folder.path().join("store/projects/default/partial")).unwrap().count(), 0);
}

#[tokio::test]
async fn names_are_kept_as_they_are() {
    let farm = Farm::new().await;
    for name in ["Song #1 (100%).wav", "Früh – früher.wav", "a b+c~d?.wav"] {
        let delivery = Delivery { file_name: name.into(), ..farm.made(name, false).await };
        farm.deliver(&delivery).await;
        let delivered = farm.folder.path().join("store/projects/default/album").join(name);
        assert_eq!(std::fs::read(delivered).unwrap(), name.as_bytes());
    }
}
