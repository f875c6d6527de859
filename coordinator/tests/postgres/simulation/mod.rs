//! A whole farm in virtual time on the real statements: shares, limits, starvation, workers that are lost. Small here; with
//! MIXDOWN_LONG set, as `make test-long` does, 1,000 workers run 100,000 tasks. It ends when every task has succeeded.
#![allow(clippy::print_stdout, reason = "a test, whose figures are its result")]

mod counts;
mod dice;
mod farm;
mod waits;

use std::collections::BTreeMap;

use mixdown_coordinator::queue::submit::Requirements;
use mixdown_coordinator::state::Priority;

use farm::{STEP, Simulation};
use waits::{ANYTHING, CAPPED_PROJECT, Demand, PLUGIN, STREAM, WHOLE};

/// Seconds that a task takes, at least and at most.
const TASK_SECONDS: (i64, i64) = (20, 180);
/// Weights of the projects that compete.
const WEIGHTS: [i32; 4] = [1, 2, 3, 4];
const CAPPED: &str = "capped";
const CAPPED_TASKS: i32 = 7;
/// Asks for whole workers alone: each task is the first of its project at once.
const WIDE: &str = "wide";
const GIB: i64 = 1 << 30;
/// Looks between two losses of workers.
const LOSS_EVERY: i64 = 25;

/// The sizes of one run.
#[derive(Debug, Clone, Copy)]
struct Size {
    workers: usize,
    tasks: usize,
    /// How many tasks may hold the named limit.
    licences: i32,
}

fn size() -> Size {
    match std::env::var_os("MIXDOWN_LONG") {
        Some(_) => Size { workers: 1000, tasks: 100_000, licences: 100 },
        None => Size { workers: 60, tasks: 2_000, licences: 5 },
    }
}

fn projects() -> Vec<(String, i32)> {
    let competing = WEIGHTS.iter().map(|weight| (format!("w{weight}"), *weight));
    competing.chain([CAPPED, WIDE, "stream"].map(|project| (project.to_owned(), 1))).collect()
}

/// Queues what the projects compete with.
async fn queue_all(farm: &mut Simulation) {
    let total: i32 = WEIGHTS.iter().sum();
    for _ in 0..farm.size.tasks / 40 {
        // By weight, so that the projects run out at about the same time.
        let mut pick = farm.dice.roll(total as u64) as i32;
        let weight = WEIGHTS.iter().find(|weight| {
            pick -= **weight;
            pick < 0
        });
        let (priority, requirements) = farm.mixture();
        farm.queue(&format!("w{}", weight.unwrap()), priority, requirements, 40).await;
    }
    farm.queue(CAPPED, Priority::Urgent, Requirements::default(), 100).await;
}

/// Urgent work never ends in one project.
async fn keep_streaming(farm: &mut Simulation) {
    if farm.backlog().await.get("stream").is_none_or(|ready| *ready < farm.all_slots()) {
        farm.queue("stream", Priority::Urgent, Requirements::default(), farm.size.workers).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_farm_shares_by_weight_starves_nothing_keeps_every_limit_and_runs_everything() {
    let size = size();
    let mut farm = Simulation::new(size).await;
    queue_all(&mut farm).await;
    let (mut used, mut capacity, mut looks) = (BTreeMap::<String, i64>::new(), 0, 0);
    let mut whole = 0;
    loop {
        // With a bulk job behind it.
        keep_streaming(&mut farm).await;
        if looks == 8 {
            farm.queue("stream", Priority::Bulk, Requirements::default(), 2).await;
        }
        // Now and then a task needs a whole worker, while small ones of other projects take every slot that becomes free.
        if looks % 40 == 20 && whole < 4 {
            let wants = Requirements { whole_worker: true, slots: 4, ..Requirements::default() };
            farm.queue(WIDE, Priority::Urgent, wants, 1).await;
            whole += 1;
        }
        if looks % LOSS_EVERY == LOSS_EVERY / 2 {
            farm.lose_workers().await;
        }
        farm.step().await;
        let backlog = farm.backlog().await;
        let all_compete =
            WEIGHTS.iter().all(|weight| backlog.get(&format!("w{weight}")).is_some_and(|left| *left > 50));
        if !all_compete {
            break;
        }
        for (project, slots) in farm.slots() {
            *used.entry(project).or_default() += slots;
        }
        capacity += farm.all_slots();
        looks += 1;
    }
    shares_are_fair(&used);
    let utilisation = used.values().sum::<i64>() as f64 / capacity as f64;
    println!("{} workers, {looks} looks: {:.1} % of the slots in use", size.workers, 100.0 * utilisation);
    assert!(utilisation > 0.95, "{utilisation}");

    // The stream goes on until the bulk job behind it has begun, then everything is run out.
    let bulk = Demand { priority: Priority::Bulk as i16, what: STREAM };
    let ageing_bound = 30 * 60 + TASK_SECONDS.1 + 3 * STEP;
    let end = farm.now + 2 * ageing_bound;
    while !farm.waits.longest.contains_key(&bulk) && farm.now < end {
        keep_streaming(&mut farm).await;
        farm.step().await;
    }
    let end = farm.now + 24 * 3600;
    for look in 0.. {
        if farm.done == farm.asked.len() {
            break;
        }
        assert!(farm.now < end, "{} of {} tasks have not ended", farm.asked.len() - farm.done, farm.asked.len());
        if look % LOSS_EVERY == 0 && look < 4 * LOSS_EVERY {
            farm.lose_workers().await;
        }
        farm.step().await;
    }
    everything_ran_once(&farm).await;
    nothing_starved(&farm, bulk, ageing_bound);
}

/// Who competes shares by weight what the capped and the stream leave.
fn shares_are_fair(used: &BTreeMap<String, i64>) {
    let total: i32 = WEIGHTS.iter().sum();
    let competing: i64 = WEIGHTS.iter().map(|weight| used[&format!("w{weight}")]).sum();
    for weight in WEIGHTS {
        let share = used[&format!("w{weight}")] as f64 / competing as f64;
        let expected = f64::from(weight) / f64::from(total);
        println!("weight {weight}: {:.2} % of {:.0} %", 100.0 * share, 100.0 * expected);
        assert!((share / expected - 1.0).abs() < 0.05, "weight {weight}: {share} against {expected}");
    }
}

async fn everything_ran_once(farm: &Simulation) {
    let tasks = farm.asked.len() as i64;
    println!("{tasks} tasks in {} s of the farm's time, {} attempts lost with their workers", farm.now, farm.lost);
    assert_eq!(farm.count("select count(*) from task where state = 'succeeded'").await, tasks);
    assert_eq!(farm.count("select count(*) from attempt where outcome = 'succeeded'").await, tasks);
    let lost = farm.lost as i64;
    assert!(lost > 0);
    assert_eq!(farm.count("select count(*) from attempt where outcome = 'worker_lost'").await, lost);
    assert_eq!(farm.count("select count(*) from attempt").await, tasks + lost, "nothing else happened");
    assert_eq!(farm.count("select count(*) from lease").await, 0);
}

/// The bounds that docs/operations.md states; and no demand waits for longer than twice as long as tasks of one slot and the
/// same priority, a reservation, and what its own limit lets through.
fn nothing_starved(farm: &Simulation, bulk: Demand, ageing_bound: i64) {
    // 30 s and the longest task for a whole worker.
    let reserve_bound = 30 + TASK_SECONDS.1 + 3 * STEP;
    for (demand, seconds) in &farm.waits.longest {
        println!("{} of priority {} waited for {seconds} s at most", demand.what, demand.priority);
    }
    let plain = |demand: &Demand| farm.waits.longest[&Demand { what: ANYTHING, ..*demand }];
    // As long as it takes with so many at once all the time.
    let through = |what, at_once: i32| farm.waits.worked[what] / i64::from(at_once) + reserve_bound;
    for demand in farm.waits.longest.keys() {
        let bound = match demand.what {
            ANYTHING => continue,
            _ if *demand == bulk => ageing_bound,
            STREAM => continue,
            WHOLE => reserve_bound,
            PLUGIN => 2 * plain(demand) + through(PLUGIN, farm.size.licences),
            CAPPED_PROJECT => through(CAPPED_PROJECT, CAPPED_TASKS),
            _ => 2 * plain(demand) + reserve_bound,
        };
        let waited = farm.waits.longest[demand];
        assert!(waited <= bound, "{demand:?} waited for {waited} s, {bound} at most");
    }
    assert!(farm.waits.longest.contains_key(&bulk), "the bulk task behind the stream has begun");
    assert!(farm.waits.longest.keys().any(|demand| demand.what == WHOLE));
}
