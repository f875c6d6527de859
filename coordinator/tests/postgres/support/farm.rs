use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mixdown_coordinator::blobs::Store;
use mixdown_coordinator::private_postgres::{Options, PrivatePostgres};
use mixdown_coordinator::queue::artifacts::Made;
use mixdown_coordinator::queue::claim::{Assignment, Claim, claim};
use mixdown_coordinator::queue::deliveries;
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::settle::{Outcome, Settled, Settlement, Success, settle};
use mixdown_coordinator::queue::submit::{Submission, Submitted, submit};
use mixdown_coordinator::queue::workers::{Order, Ordered, Registration, order, register};
use mixdown_coordinator::server::deliver::deliver;
use mixdown_coordinator::state::Failure;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::{Key, Plan};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use tokio::sync::OnceCell;
use uuid::Uuid;

pub const LEASE: Duration = Duration::from_secs(600);

static POSTGRES: OnceCell<PrivatePostgres> = OnceCell::const_new();

async fn postgres() -> &'static PrivatePostgres {
    POSTGRES
        .get_or_init(async || {
            let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("coordinator");
            // Dropping the last run's databases one by one takes longer than a new cluster.
            let _ = std::fs::remove_dir_all(&folder);
            let mut options = Options::new(folder);
            options.durable = false;
            options.search_path = std::env::var_os("PATH");
            options.programs_dir = std::env::var_os("MIXDOWN_POSTGRES_BIN").map(PathBuf::from);
            let postgres = PrivatePostgres::start(&options).await.unwrap();
            let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
            sqlx::query("create database test_template").execute(&mut connection).await.unwrap();
            mixdown_coordinator::database::open(&postgres.url_of("test_template"), 1).await.unwrap().close().await;
            postgres
        })
        .await
}

/// A farm without coordinators: operations are called directly.
pub struct Farm {
    pub pool: PgPool,
    pub store: Store,
    pub url: String,
    pub folder: tempfile::TempDir,
}

impl Farm {
    pub async fn new() -> Self {
        let postgres = postgres().await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name} template test_template")))
            .execute(&mut connection)
            .await
            .unwrap();
        let url = postgres.url_of(&name);
        let pool = mixdown_coordinator::database::open(&url, 6).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store").to_str().unwrap()).unwrap();
        Self { pool, store, url, folder }
    }

    pub async fn submit(&self, submission: &Submission, plan: Plan) -> Uuid {
        match submit(&self.pool, submission, |_| plan).await.unwrap() {
            Submitted::Queued { job_id, .. } => job_id,
            other => panic!("{other:?}"),
        }
    }

    /// A worker that can render everything the hand-made plans need.
    pub async fn worker(&self, slots: i32) -> Uuid {
        let worker_id = Uuid::new_v4();
        self.register(worker_id, slots, &[("gain", 1)]).await;
        worker_id
    }

    pub async fn register(&self, worker_id: Uuid, slots: i32, revisions: &[(&str, u32)]) {
        register(&self.pool, &Self::registration(worker_id, slots, revisions)).await.unwrap();
    }

    /// A worker with labels and memory.
    pub async fn worker_with(&self, slots: i32, memory_bytes: i64, labels: &[&str]) -> Uuid {
        let worker_id = Uuid::new_v4();
        let registration = Registration {
            memory_bytes: Some(memory_bytes),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..Self::registration(worker_id, slots, &[("gain", 1)])
        };
        register(&self.pool, &registration).await.unwrap();
        worker_id
    }

    fn registration(worker_id: Uuid, slots: i32, revisions: &[(&str, u32)]) -> Registration {
        Registration {
            worker_id,
            name: format!("worker {}", &worker_id.to_string()[..4]),
            slots,
            revisions: revisions
                .iter()
                .map(|(name, revision)| ((*name).to_owned(), *revision))
                .collect::<BTreeMap<_, _>>(),
            version: "test".into(),
            request_id: Uuid::new_v4(),
            memory_bytes: None,
            labels: Vec::new(),
            life: 0,
        }
    }

    /// Lets a worker not have been heard of for an hour, as if its machine had died.
    pub async fn fall_silent(&self, worker_id: Uuid) {
        sqlx::query("update worker_pulse set heartbeat_time = farm_now() - interval '1 hour' where worker_id = $1")
            .bind(worker_id)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// An order of an admin's, by a call of its own.
    pub async fn order(&self, worker: &str, what: Order) -> Ordered {
        order(&self.pool, worker, what, &Request::new(Uuid::new_v4(), "order", &[]), 600.0).await.unwrap()
    }

    pub async fn claim(&self, worker_id: Uuid, max_tasks: i32) -> Vec<Assignment> {
        match claim(&self.pool, worker_id, max_tasks, Uuid::new_v4(), LEASE).await.unwrap() {
            Claim::Assigned(assigned) => assigned,
            other => panic!("{other:?}"),
        }
    }

    pub async fn claim_one(&self, worker_id: Uuid) -> Assignment {
        let mut assigned = self.claim(worker_id, 1).await;
        assert_eq!(assigned.len(), 1);
        assigned.remove(0)
    }

    /// Stores what a task makes, one blob per output named after its key.
    pub async fn make(&self, project_id: &str, task_id: Uuid) -> Vec<Made> {
        let keys: Vec<(String, bool)> = sqlx::query_as(
            "select artifact_key, exists (select from deliverable where deliverable.artifact_key = task_output.artifact_key)
             from task_output where task_id = $1 order by 1",
        )
        .bind(task_id)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let mut made = Vec::new();
        for (key, master) in keys {
            let bytes = format!("the bytes of {key}");
            let digest = Digest::of(bytes.as_bytes()).to_string();
            let file = self.folder.path().join(&digest);
            std::fs::write(&file, &bytes).unwrap();
            self.store.put_file(&file, &self.store.blob(project_id, &digest).unwrap()).await.unwrap();
            let report_json = if master { "{\"integrated_lufs\":-14.0}".to_owned() } else { String::new() };
            made.push(Made { key, digest, size_bytes: bytes.len() as i64, report_json });
        }
        made
    }

    pub async fn succeed(&self, worker_id: Uuid, assignment: &Assignment) -> Settled {
        let artifacts = self.make(&assignment.project_id, assignment.task_id).await;
        let success = Success { artifacts, cpu_seconds: 1.5, realtime_factor: 40.0, ..Success::default() };
        let settled = self.settle(worker_id, assignment, Uuid::new_v4(), Outcome::Success(success)).await;
        self.deliver_all().await;
        settled
    }

    /// Puts every master that waits for it under its name, as coordinators do.
    pub async fn deliver_all(&self) {
        loop {
            let claimed = deliveries::claim(&self.pool, 100, LEASE).await.unwrap();
            if claimed.is_empty() {
                return;
            }
            for delivery in claimed {
                deliver(&self.pool, &self.store, &delivery).await.unwrap();
            }
        }
    }

    pub async fn fail(&self, worker_id: Uuid, assignment: &Assignment, failure: Failure) -> Settled {
        self.settle(worker_id, assignment, Uuid::new_v4(), Outcome::Failure(failure)).await
    }

    pub async fn settle(
        &self,
        worker_id: Uuid,
        assignment: &Assignment,
        request_id: Uuid,
        outcome: Outcome,
    ) -> Settled {
        let settlement =
            Settlement { worker_id, task_id: assignment.task_id, attempt: assignment.attempt, request_id, outcome };
        settle(&self.pool, &self.store, &settlement).await.unwrap()
    }

    /// Runs every task there is until none is ready.
    pub async fn run_all(&self, worker_id: Uuid) -> usize {
        let mut ran = 0;
        loop {
            let assigned = self.claim(worker_id, 1).await;
            let Some(assignment) = assigned.first() else { return ran };
            assert_eq!(self.succeed(worker_id, assignment).await, Settled::Accepted);
            ran += 1;
        }
    }

    /// Lets every lease run out, as if its time had passed.
    pub async fn let_leases_run_out(&self) {
        sqlx::query("update lease set expire_time = now() - interval '1 second'").execute(&self.pool).await.unwrap();
        mixdown_coordinator::queue::expire::expire(&self.pool).await.unwrap();
    }

    /// Lets every task that is ready have waited longer.
    pub async fn let_wait(&self, seconds: i32) {
        sqlx::query("update task set ready_time = ready_time - make_interval(secs => $1) where state = 'ready'")
            .bind(f64::from(seconds))
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Why each task of a job waits, in plan order; empty for those that do not.
    pub async fn reasons(&self, project_id: &str, job_id: Uuid) -> Vec<String> {
        let tasks = mixdown_coordinator::queue::view::tasks(&self.pool, project_id, job_id, None, 60.0).await.unwrap();
        tasks.into_iter().map(|task| task.waiting_reason).collect()
    }

    /// What runs, as the database counts it: by project and by named limit; zeros are left out.
    pub async fn usage(&self) -> serde_json::Value {
        sqlx::query_scalar("select counts from usage order by version desc limit 1")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Lets every delay before another attempt pass.
    pub async fn let_delays_pass(&self) {
        let passed = "update task
             set not_before = now(), ready_time = case when ready_time > now() then create_time else ready_time end
             where state = 'ready'";
        sqlx::query(passed).execute(&self.pool).await.unwrap();
    }

    pub async fn state(&self, job_id: Uuid) -> String {
        sqlx::query_scalar("select state from job where job_id = $1").bind(job_id).fetch_one(&self.pool).await.unwrap()
    }

    /// Name and state of each task of a job, in plan order.
    pub async fn tasks(&self, job_id: Uuid) -> Vec<(String, String)> {
        sqlx::query_as(
            "select display_name, task.state from job_task join task using (project_id, task_id)
             where job_task.job_id = $1 order by position",
        )
        .bind(job_id)
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    /// Every attempt's outcome, in order; `-` for one that runs.
    pub async fn outcomes(&self, task_id: Uuid) -> Vec<String> {
        sqlx::query_scalar("select coalesce(outcome, '-') from attempt where task_id = $1 order by attempt")
            .bind(task_id)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    /// Whether these artifacts are stored, for plans that look.
    pub async fn stored(&self) -> Vec<Key> {
        let keys: Vec<String> =
            sqlx::query_scalar("select artifact_key from artifact").fetch_all(&self.pool).await.unwrap();
        keys.iter().map(|key| Key(key.parse().unwrap())).collect()
    }
}
