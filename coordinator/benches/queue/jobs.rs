//! Jobs of tasks that wait for nothing, and what they make.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mixdown_coordinator::blobs::Store;
use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::submit::{Requirements, Submission, Submitted, submit};
use mixdown_coordinator::state::Priority;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::{Key, Plan, PlannedTask, TaskSpec};
use sqlx::PgPool;
use uuid::Uuid;

/// Queues a job of so many tasks.
pub async fn queue(pool: &PgPool, tasks: usize) -> Uuid {
    let request_id = Uuid::new_v4();
    let document = format!("{{\"session\":\"{request_id}\"}}");
    let submission = Submission {
        project_id: "default".into(),
        request: Request::new(request_id, "SubmitJob", &[]),
        job_id: Uuid::now_v7(),
        session_digest: Digest::of(document.as_bytes()).to_string(),
        document,
        display_name: "A song".into(),
        priority: Priority::Normal,
        deliver_to: "album".into(),
        replace: false,
        revisions: BTreeMap::new(),
        assets: BTreeSet::new(),
        artifacts: BTreeMap::new(),
        // Never delivered: a job that ended would cost something else than tasks do.
        deliverables: vec![("Main.wav".into(), key(&format!("a master of {request_id}")))],
        requirements: Requirements::default(),
    };
    let task = |number| PlannedTask {
        spec: TaskSpec::default(),
        display_name: format!("{request_id} {number}"),
        makes: vec![key(&format!("{request_id} {number}"))],
        needs: Vec::new(),
        after: Vec::new(),
        cost: 100,
        memory_bytes: 1 << 26,
        revisions: BTreeMap::from([("gain".to_owned(), 1)]),
    };
    let plan = Plan { tasks: (0..tasks).map(task).collect(), cached: Vec::new() };
    match submit(pool, &submission, |_| plan).await.unwrap() {
        Submitted::Queued { job_id, .. } => job_id,
        other => panic!("{other:?}"),
    }
}

fn key(name: &str) -> Key {
    Key(Digest::of(name.as_bytes()))
}

/// What each task makes, by task: key, digest and size. All of it is in the store.
pub async fn products(pool: &PgPool, folder: &Path) -> BTreeMap<String, (String, String, i64)> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("select task_id, artifact_key from task_output").fetch_all(pool).await.unwrap();
    let store = Store::open(folder.to_str().unwrap()).unwrap();
    let product = |(task_id, key): (Uuid, String)| {
        // As audio would be: of each task its own.
        let bytes = format!("a stem of {task_id}");
        let digest = Digest::of(bytes.as_bytes()).to_string();
        let file = folder.join(store.blob("default", &digest).unwrap().as_ref());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &bytes).unwrap();
        (task_id.to_string(), (key, digest, bytes.len() as i64))
    };
    rows.into_iter().map(product).collect()
}

/// Does to the tables that jobs fill what autovacuum does within the first minute.
pub async fn analyze(pool: &PgPool) {
    sqlx::query("vacuum (analyze) job, job_task, task, task_output, demand, event, deliverable")
        .execute(pool)
        .await
        .unwrap();
}
