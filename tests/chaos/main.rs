//! A farm under chaos: real processes, PostgreSQL and S3 suffer what the seed chooses while clients submit jobs; then the
//! truth is derived again from the rows and the bytes. See docs/chaos.md.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, whose table is its result")]

mod client;
mod farm;
mod faults;
mod network;
mod proxy;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use mixdown_dsp::digest::Digest;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use client::Client;
use farm::{Farm, LEASE};
use faults::Fault;
use report::{Passed, Recoveries, Report, recoveries};
use support::command::{mixdown, ran, render};
use support::fixture::Fixture;
use support::{audit, files};

/// How much of it.
struct Extent {
    seed: u64,
    jobs: usize,
    faults: usize,
}

impl Extent {
    fn of_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let faults = number("MIXDOWN_CHAOS_FAULTS").unwrap_or(15) as usize;
        // The short run is one of many tests: it should not fail by the luck of its seed on somebody else's change.
        let seed = || if faults < LONG_RUN_FAULTS { 1 } else { fastrand::u64(..1_000_000) };
        Self {
            seed: number("MIXDOWN_CHAOS_SEED").unwrap_or_else(seed),
            jobs: number("MIXDOWN_CHAOS_JOBS").unwrap_or(10) as usize,
            faults,
        }
    }
}

/// From so many faults on, times are held to their bound.
const LONG_RUN_FAULTS: usize = 100;
/// Faults under way at once, at most.
const AT_ONCE: usize = 2;
/// Jobs under way at once, at most: so many that every worker has work and none of it waits long.
const JOBS_AT_ONCE: usize = 4;
/// Of which there are two, and which every third job's tasks hold; the workers' six slots run five tasks of the project.
const LIMIT: &str = "plugin-x";
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// For Ceph and PostgreSQL to start; for one fault, that of a database that recovers included.
const SETTING_UP: Duration = Duration::from_secs(180);
const LONGEST_FAULT: Duration = Duration::from_secs(20);
/// For everything to end once nothing goes wrong any more.
const CALM_PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn a_farm_under_chaos_loses_nothing_and_does_nothing_twice() {
    if network::run_inside("a_farm_under_chaos_loses_nothing_and_does_nothing_twice") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let extent = Extent::of_environment();
    let patience = SETTING_UP + LONGEST_FAULT * u32::try_from(extent.faults).unwrap() + CALM_PATIENCE * 2;
    let ended = runtime.block_on(async { tokio::time::timeout(patience, chaos(&extent)).await });
    assert!(ended.is_ok(), "it did not end within {patience:?}");
}

/// A production of which every job renders its own version.
struct Production {
    fixture: Fixture,
    /// As a client sends it: with the facts of its files.
    session: Value,
}

impl Production {
    /// Uploads the files with a first job, while all is calm.
    async fn upload(farm: &Farm, pool: &PgPool) -> Self {
        let mut fixture = Fixture::new(1.5);
        fixture.document["mixes"] = json!([{ "name": "main" }]);
        fixture.document["deliverables"] = json!([
            { "name": "main", "mix": "main", "format": "wav", "depth": "24" },
            { "name": "Vox", "print": "Vox", "format": "flac", "depth": "24" },
        ]);
        let session = fixture.write();
        let url = format!("http://{}", farm.client.address);
        let submit = || ran(mixdown().arg("submit").arg(&session).args(["--coordinator", &url]).output().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        // The coordinators are starting.
        let mut first = submit();
        while first.code != 0 {
            assert!(Instant::now() < deadline, "{first:?}\n{}", farm.logs());
            tokio::time::sleep(LOOK_EVERY).await;
            first = submit();
        }
        let document: String = sqlx::query_scalar("select document from session").fetch_one(pool).await.unwrap();
        Self { fixture, session: serde_json::from_str(&document).unwrap() }
    }

    fn fader_db(version: usize) -> Value {
        json!(-2.0 - 0.01 * version as f64)
    }

    /// What a client sends.
    fn version(&self, version: usize) -> String {
        let mut session = self.session.clone();
        session["tracks"][1]["fader_db"] = Self::fader_db(version);
        session["tracks"][3]["clips"][0]["gain_db"] = Self::fader_db(version);
        session.to_string()
    }

    /// Digest by file name of what a calm render of it gives.
    fn calm(&mut self, version: usize) -> BTreeMap<String, String> {
        self.fixture.document["tracks"][1]["fader_db"] = Self::fader_db(version);
        self.fixture.document["tracks"][3]["clips"][0]["gain_db"] = Self::fader_db(version);
        let out = tempfile::tempdir().unwrap();
        render(&self.fixture.write(), out.path(), &[]);
        files(out.path()).into_iter().map(|(name, bytes)| (name, Digest::of(&bytes).to_string())).collect()
    }
}

/// A fault, how long it lasts, and whether afterwards somebody settles what has ended long ago.
type Scene = (Fault, Duration, bool);

/// What the seed decides, all of it drawn before anything happens: so the same seed gives the same faults in the same order.
struct Script {
    /// By job: whether it is submitted twice at once.
    twice: Vec<bool>,
    faults: Vec<Scene>,
}

impl Script {
    fn draw(extent: &Extent, machines: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(extent.seed);
        let twice = (0..extent.jobs).map(|_| random.u8(..10) < 3).collect();
        let faults = (0..extent.faults)
            .map(|_| {
                let fault = Fault::choose(&mut random, machines);
                (fault, fault.duration(&mut random), random.u8(..10) < 3)
            })
            .collect();
        Self { twice, faults }
    }
}

/// A fault under way.
struct Active {
    fault: Fault,
    begun: SystemTime,
    until: Instant,
    late: bool,
}

async fn chaos(extent: &Extent) {
    println!("MIXDOWN_CHAOS_SEED={}: {} jobs, {} faults", extent.seed, extent.jobs, extent.faults);
    let mut farm = Farm::start().await;
    let script = Script::draw(extent, farm.machines.len());
    let pool = PgPool::connect_lazy(&farm.database_url()).unwrap();
    let production = Production::upload(&farm, &pool).await;
    sqlx::query("insert into named_limit values ($1, 2)").bind(LIMIT).execute(&pool).await.unwrap();
    sqlx::query("update project set running_limit = 5").execute(&pool).await.unwrap();
    let begun = Instant::now();
    let client = Client::new(farm.client.address);

    // Clients submit as jobs end; what they were told is what must be there afterwards.
    let jobs = {
        let versions: Vec<(String, bool)> =
            script.twice.iter().enumerate().map(|(index, twice)| (production.version(index + 1), *twice)).collect();
        let (client, pool) = (client.clone(), pool.clone());
        tokio::spawn(async move {
            let mut jobs = Vec::new();
            for (index, (session, twice)) in versions.into_iter().enumerate() {
                while active_jobs(&pool).await.is_none_or(|active| active >= JOBS_AT_ONCE as i64) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                let limits = if index % 3 == 0 { vec![LIMIT.to_owned()] } else { Vec::new() };
                jobs.push(client.submit(session, format!("version {}", index + 1), limits, twice).await);
            }
            jobs
        })
    };
    let mut passed: Vec<Passed> = Vec::new();
    let mut active: Vec<Active> = Vec::new();
    let mut late_settlements = 0;
    let mut to_come = script.faults.iter().copied().peekable();
    while to_come.peek().is_some() || !active.is_empty() {
        farm.keep_up();
        // One that clashes with what lasts waits for its end.
        let may_begin =
            |(fault, ..): &Scene| active.len() < AT_ONCE && active.iter().all(|it| !it.fault.clashes(*fault));
        if let Some((fault, duration, late)) = to_come.next_if(may_begin) {
            fault.begin(&mut farm).await;
            active.push(Active { fault, begun: SystemTime::now(), until: Instant::now() + duration, late });
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let over: Vec<Active> = active.extract_if(.., |it| Instant::now() >= it.until).collect();
        for Active { fault, begun, late, .. } in over {
            fault.end(&mut farm).await;
            passed.push(Passed {
                kind: fault.kind(&farm),
                begun,
                ended: SystemTime::now(),
                worker: fault.worker(&farm).map(|index| farm.machines[index].name.clone()),
                upstream: fault.is_upstream(&farm),
            });
            if late {
                late_settlements += settle_late(&client, &pool).await;
            }
        }
    }

    // Calm again: everything must end. What failed for good, as poison say, was told to its client, who asks for more.
    let deadline = Instant::now() + CALM_PATIENCE;
    let mut retried = BTreeSet::new();
    let jobs = tokio::time::timeout(CALM_PATIENCE, jobs).await.expect("every submit is answered").unwrap();
    loop {
        farm.keep_up();
        let failed = "select job_id from job where state in ('failed', 'cancelled')";
        let failed: Vec<Uuid> = sqlx::query_scalar(failed).fetch_all(&pool).await.unwrap();
        for job in failed {
            retried.insert(job);
            client.retry(job.to_string()).await;
        }
        match active_jobs(&pool).await {
            Some(0) => break,
            active => assert!(Instant::now() < deadline, "{active:?} jobs have not ended\n{}", farm.logs()),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }

    let mut wrong = audit::rows(&pool).await;
    let holdings = audit::store(&pool, &farm.store(), &mut wrong).await;
    let known: Vec<String> = sqlx::query_scalar("select job_id::text from job where display_name like 'version %'")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(known.iter().collect::<BTreeSet<_>>(), jobs.iter().collect(), "lost or doubled jobs");
    assert_eq!(jobs.len(), extent.jobs);
    wrong.extend(calm_differs(production, &pool, &jobs).await);
    let recoveries: Recoveries = recoveries(&pool, &passed).await;
    let outcomes: Vec<(String, i64)> =
        sqlx::query_as("select coalesce(outcome, 'open'), count(*) from attempt group by 1")
            .fetch_all(&pool)
            .await
            .unwrap();
    let report = Report {
        seed: extent.seed,
        network: farm.network.kind(),
        jobs: jobs.len(),
        retried: retried.len(),
        submitted_twice: script.twice.iter().filter(|twice| **twice).count(),
        late_settlements,
        outcomes: outcomes.into_iter().collect(),
        faults: &passed,
        recoveries: &recoveries,
        holdings: &holdings,
        seconds: begun.elapsed().as_secs_f64(),
    };
    println!("{}", report.text());
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", farm.logs());
    // The short run shares its processors with other tests: its times say nothing.
    let longest = recoveries.alone.last().copied().unwrap_or_default();
    assert!(extent.faults < LONG_RUN_FAULTS || longest < 2 * LEASE, "a task ran again only after {longest:?}");
}

/// The jobs that have not ended; none while the database is away.
async fn active_jobs(pool: &PgPool) -> Option<i64> {
    sqlx::query_scalar("select count(*) from job where state = 'active'").fetch_one(pool).await.ok()
}

/// What a worker long given up for dead would say.
async fn settle_late(client: &Client, pool: &PgPool) -> usize {
    let ended =
        "select worker_id, task_id, attempt from attempt where end_time is not null order by end_time desc limit 2";
    let ended: Vec<(Uuid, Uuid, i32)> = sqlx::query_as(ended).fetch_all(pool).await.unwrap_or_default();
    for (worker, task, attempt) in &ended {
        assert!(!client.settle_late(*worker, *task, *attempt).await, "attempt {attempt} of {task} counted twice");
    }
    ended.len()
}

/// Masters that are not what a calm render gives.
async fn calm_differs(mut production: Production, pool: &PgPool, jobs: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        let expected = production.calm(index + 1);
        let found: Vec<(String, String)> = sqlx::query_as(
            "select file_name, digest from deliverable join artifact using (project_id, artifact_key)
             where job_id::text = $1",
        )
        .bind(job)
        .fetch_all(pool)
        .await
        .unwrap();
        let found: BTreeMap<String, String> = found.into_iter().collect();
        if found != expected {
            wrong.push(format!("job {job} gave {found:?}, a calm render {expected:?}"));
        }
    }
    wrong
}
