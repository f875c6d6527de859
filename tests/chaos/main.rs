//! A farm under chaos: real processes, PostgreSQL and S3 suffer what the seed chooses while clients submit jobs; all the
//! while the rows are held to the rules, and in the end the truth is derived again from the rows and the bytes. See
//! docs/chaos.md.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, whose table is its result")]

mod beside;
mod client;
mod clients;
mod farm;
mod faults;
mod machine;
mod network;
mod production;
mod recovery;
mod relay;
mod report;
mod script;
#[path = "../support/mod.rs"]
mod support;
mod watch;

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use beside::Beside;
use client::Client;
use clients::Told;
use farm::Farm;
use production::Production;
use recovery::{Passed, Recoveries};
use report::Report;
use script::{Extent, Scene, scenes};
use support::audit;
use watch::Watch;

/// Faults under way at once, at most.
const AT_ONCE: usize = 2;
/// Of which there are two, and which every third job's tasks hold; the workers' six slots run five tasks of the project.
const LIMIT: &str = "plugin-x";
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// For Ceph and PostgreSQL to start; for one fault, that of a database that recovers included.
const SETTING_UP: Duration = Duration::from_secs(180);
const LONGEST_FAULT: Duration = Duration::from_secs(20);
/// For everything to end once nothing goes wrong any more.
const CALM_PATIENCE: Duration = Duration::from_secs(180);
const LONGEST_JOB: Duration = Duration::from_secs(5);

#[test]
fn a_farm_under_chaos_loses_nothing_and_does_nothing_twice() {
    if network::run_inside("a_farm_under_chaos_loses_nothing_and_does_nothing_twice") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let extent = Extent::of_environment();
    let patience =
        SETTING_UP + LONGEST_FAULT * extent.faults as u32 + LONGEST_JOB * extent.jobs as u32 + CALM_PATIENCE * 2;
    let ended = runtime.block_on(async { tokio::time::timeout(patience, chaos(&extent)).await });
    assert!(ended.is_ok(), "MIXDOWN_CHAOS_SEED={}: it did not end within {patience:?}", extent.seed);
}

async fn chaos(extent: &Extent) {
    println!("MIXDOWN_CHAOS_SEED={}: {} jobs, {} faults", extent.seed, extent.jobs, extent.faults);
    let mut farm = Farm::start(extent.seed).await;
    let pool = PgPool::connect_lazy(&farm.database_url()).unwrap();
    let mut production = Production::upload(&farm, &pool).await;
    sqlx::query("insert into named_limit values ($1, 2)").bind(LIMIT).execute(&pool).await.unwrap();
    sqlx::query("update project set running_limit = 5").execute(&pool).await.unwrap();
    let begun = Instant::now();
    let client = Client::new(farm.client.address);

    let (mut told, mut beside) = (Told::default(), Beside::default());
    let (faults_over, all_ended) = (CancellationToken::new(), CancellationToken::new());
    let clients = async {
        told.submit(extent, &client, &pool, &production, &faults_over).await;
        told.ask_again(&client, &pool, &production).await;
        all_ended.cancel();
    };
    let machines = async {
        let passed = suffer(&mut farm, &client, &pool, scenes(extent), &mut beside).await;
        faults_over.cancel();
        let deadline = Instant::now() + CALM_PATIENCE + LONGEST_JOB * extent.jobs as u32;
        while !all_ended.is_cancelled() {
            assert!(Instant::now() < deadline, "not every job has ended\n{}", farm.logs());
            farm.keep_up();
            tokio::time::sleep(LOOK_EVERY).await;
        }
        passed
    };
    // In a task of its own, so that nothing which holds the others up keeps it from looking.
    let over = CancellationToken::new();
    let mut watching = tokio::spawn(Watch::keep(pool.clone(), over.clone()));
    let passed = tokio::select! {
        watched = &mut watching => {
            let (_, wrong) = watched.unwrap();
            panic!("MIXDOWN_CHAOS_SEED={}: amid the chaos: {wrong:#?}\n{}", extent.seed, farm.logs())
        }
        (passed, ()) = async { tokio::join!(machines, clients) } => passed,
    };
    over.cancel();
    let (watch, mut wrong) = watching.await.unwrap();

    wrong.extend(audit::rows(&pool).await);
    farm.spare_nothing();
    until_collected(&pool).await;
    let collected = client.collect_garbage(Duration::ZERO).await;
    until_collected(&pool).await;
    wrong.extend(uncollected(&pool).await);
    wrong.extend(audit::rows(&pool).await);
    let holdings = audit::store(&pool, &farm.store(), &mut wrong).await;
    wrong
        .extend((holdings.orphans > 0).then(|| format!("{} blobs without a row were not collected", holdings.orphans)));
    let known: Vec<String> = sqlx::query_scalar("select job_id::text from job where display_name like 'version %'")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(known.iter().collect::<BTreeSet<_>>(), told.jobs.iter().collect(), "lost or doubled jobs");
    wrong.extend(production.differing(&pool, &told.jobs).await);
    let recoveries = Recoveries::find(&pool, &passed).await;
    let faults = amid_jobs(&pool, passed).await;
    let outcomes: Vec<(String, i64)> =
        sqlx::query_as("select coalesce(outcome, 'open'), count(*) from attempt group by 1")
            .fetch_all(&pool)
            .await
            .unwrap();
    let seen = std::mem::take(&mut *farm.relay().seen());
    let report = Report {
        seed: extent.seed,
        network: farm.network.kind(),
        told: &told,
        outcomes: outcomes.into_iter().collect(),
        faults: &faults,
        beside: &beside,
        seen: &seen,
        watch,
        recoveries: &recoveries,
        holdings: &holdings,
        collected: &collected,
        seconds: begun.elapsed().as_secs_f64(),
    };
    println!("{}", report.text());
    wrong.extend(seen.wrong.iter().cloned());
    wrong.extend(recoveries.unexplained.iter().cloned());
    assert!(wrong.is_empty(), "MIXDOWN_CHAOS_SEED={}: {wrong:#?}\n{}", extent.seed, farm.logs());
    report.is_of(extent);
}

/// Lets the faults happen; gives them as they came.
async fn suffer(
    farm: &mut Farm,
    client: &Client,
    pool: &PgPool,
    scenes: Vec<Scene>,
    beside: &mut Beside,
) -> Vec<Passed> {
    /// A fault under way.
    struct Active {
        scene: Scene,
        begun: SystemTime,
        until: Instant,
    }
    let mut passed: Vec<Passed> = Vec::new();
    let mut active: Vec<Active> = Vec::new();
    let mut asides = JoinSet::new();
    let mut to_come = scenes.into_iter().peekable();
    while to_come.peek().is_some() || !active.is_empty() {
        farm.keep_up();
        // One that clashes with what lasts waits for its end, and all of them for jobs to fall upon; while the database is
        // away no job ends.
        let may_begin =
            |scene: &Scene| active.len() < AT_ONCE && active.iter().all(|it| !it.scene.fault.clashes(scene.fault));
        if to_come.peek().is_some_and(may_begin)
            && clients::active_jobs(pool).await != Some(0)
            && let Some(scene) = to_come.next()
        {
            scene.fault.begin(farm).await;
            active.push(Active { scene, begun: SystemTime::now(), until: Instant::now() + scene.duration });
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let over = |it: &mut Active| Instant::now() >= it.until && it.scene.fault.may_end(farm);
        let over: Vec<Active> = active.extract_if(.., over).collect();
        for Active { scene: Scene { fault, aside, .. }, begun, .. } in over {
            fault.end(farm).await;
            passed.push(Passed {
                kind: fault.kind(),
                begun,
                ended: SystemTime::now(),
                worker: fault.worker().map(|index| farm.machines[index].name.clone()),
                silences: fault.silences(),
                upstream: fault.is_upstream(),
            });
            if let Some(aside) = aside {
                asides.spawn(aside.happen(client.clone(), pool.clone(), farm.relay().clone()));
            }
        }
    }
    asides.join_all().await.into_iter().for_each(|one| beside.add(one));
    passed
}

/// The faults during which a job was active.
async fn amid_jobs(pool: &PgPool, faults: Vec<Passed>) -> Vec<Passed> {
    let jobs: Vec<(f64, f64)> = sqlx::query_as(
        "select extract(epoch from create_time)::double precision, extract(epoch from end_time)::double precision from job",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let at = |seconds: f64| UNIX_EPOCH + Duration::from_secs_f64(seconds);
    let amid = |fault: &Passed| jobs.iter().any(|(begun, ended)| fault.overlaps(at(*begun), at(*ended)));
    faults.into_iter().filter(amid).collect()
}

/// Waits until nobody is collecting garbage: coordinators do by themselves too, and what one was about when it was killed is
/// taken back when PostgreSQL notices.
async fn until_collected(pool: &PgPool) {
    sqlx::raw_sql("begin; lock table blob; commit").execute(pool).await.unwrap();
}

/// What should have gone once all garbage was collected, and has not.
async fn uncollected(pool: &PgPool) -> Vec<String> {
    let left = "select 'blob ' || digest from blob
        where not uploaded and pinned_until < now()
            and not exists (
                select from artifact
                where artifact.project_id = blob.project_id and artifact.digest = blob.digest)
        union all
        select 'artifact ' || artifact_key from artifact where not master";
    let left: Vec<String> = sqlx::query_scalar(left).fetch_all(pool).await.unwrap();
    left.into_iter().map(|what| format!("{what} is needed by nobody, and was not collected")).collect()
}
