//! What a claim decides about, read from the database: ready tasks, what runs, limits, workers and those kept free.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::Error;
use super::placement::{Asker, Candidate, Demand, Front, Offer, Project, Scene};

#[derive(Debug, sqlx::FromRow)]
struct FrontRow {
    project_id: String,
    demand_id: i32,
    priority: i16,
    slots: i32,
    whole_worker: bool,
    memory_bytes: i64,
    labels: Vec<String>,
    limits: Vec<String>,
    revisions: Json<BTreeMap<String, u32>>,
    weight: i32,
    running_limit: Option<i32>,
    task_ids: Vec<Uuid>,
    ready_micros: Vec<i64>,
    document_bytes: Vec<i64>,
    near: Vec<Option<Uuid>>,
    /// How many were looked for.
    asked_for: i64,
}

/// The ready tasks that a claim looks at.
#[derive(Debug)]
pub(crate) struct Supply {
    now_micros: i64,
    /// What runs, as the triggers of `lease` count it.
    counts: BTreeMap<String, i64>,
    limits: BTreeMap<String, i64>,
    fronts: Vec<FrontRow>,
}

impl Supply {
    /// Reads enough for so many tasks. Call it under the queue's lock.
    pub async fn read(transaction: &mut PgConnection, tasks: i64) -> Result<Self, Error> {
        let fronts = sqlx::query_as(include_str!("claim_supply.sql")).bind(tasks).fetch_all(&mut *transaction).await?;
        let (now_micros, counts, limits) = counts(transaction).await?;
        Ok(Self { now_micros, counts, limits, fronts })
    }

    /// The project of a front.
    pub fn project_of(&self, front: usize) -> &str {
        &self.fronts[front].project_id
    }

    /// What is to be decided, fronts in the order of this supply.
    pub fn scene<'a>(&self, askers: Vec<Asker<'a>>, reserved: &[Reservation]) -> Scene<'a> {
        let mut projects: Vec<Project> = Vec::new();
        let mut index_of: BTreeMap<&str, usize> = BTreeMap::new();
        let mut fronts = Vec::with_capacity(self.fronts.len());
        for row in &self.fronts {
            let project = *index_of.entry(&row.project_id).or_insert_with(|| {
                let kept = reserved.iter().filter(|kept| kept.project_id == row.project_id);
                projects.push(Project {
                    weight: row.weight,
                    running_tasks: self.count("tasks", &row.project_id),
                    running_slots: self.count("slots", &row.project_id)
                        + kept.map(|kept| i64::from(kept.slots_taken())).sum::<i64>(),
                    running_limit: row.running_limit.map(i64::from),
                });
                projects.len() - 1
            });
            fronts.push(row.front(project));
        }
        let left = |(name, count): (&String, &i64)| (name.clone(), count - self.count("limit", name));
        Scene {
            now_micros: self.now_micros,
            projects,
            fronts,
            limits: self.limits.iter().map(left).collect(),
            askers,
            reserved: reserved.iter().map(|kept| kept.task_id).collect(),
        }
    }

    fn count(&self, of: &str, name: &str) -> i64 {
        self.counts.get(&format!("{of}/{name}")).copied().unwrap_or(0)
    }

    /// Moves the fronts on from which something was placed.
    pub async fn move_fronts(&self, transaction: &mut PgConnection, placed: &BTreeSet<usize>) -> Result<(), Error> {
        let moved = || placed.iter().map(|front| &self.fronts[*front]);
        sqlx::query(include_str!("move_fronts.sql"))
            .bind(moved().map(|row| row.project_id.as_str()).collect::<Vec<_>>())
            .bind(moved().map(|row| row.demand_id).collect::<Vec<_>>())
            .bind(moved().map(|row| row.priority).collect::<Vec<_>>())
            .execute(transaction)
            .await?;
        Ok(())
    }
}

impl FrontRow {
    fn front(&self, project: usize) -> Front {
        let candidates = self.task_ids.iter().zip(&self.ready_micros).zip(&self.document_bytes).zip(&self.near);
        let candidates: Vec<Candidate> = candidates
            .map(|(((task_id, ready_micros), document_bytes), near)| Candidate {
                task_id: *task_id,
                ready_micros: *ready_micros,
                document_bytes: *document_bytes,
                near: *near,
            })
            .collect();
        Front {
            project,
            demand: Demand {
                slots: self.slots,
                whole_worker: self.whole_worker,
                memory_bytes: self.memory_bytes,
                labels: self.labels.clone(),
                limits: self.limits.clone(),
                revisions: self.revisions.0.clone(),
            },
            priority: self.priority.into(),
            more: i64::try_from(candidates.len()).is_ok_and(|found| found >= self.asked_for),
            candidates,
        }
    }
}

/// The time, what runs, and the named limits.
pub(crate) async fn counts(
    connection: &mut PgConnection,
) -> Result<(i64, BTreeMap<String, i64>, BTreeMap<String, i64>), Error> {
    let (now_micros, counts, limits): (i64, Json<_>, Json<_>) =
        sqlx::query_as(include_str!("claim_counts.sql")).fetch_one(connection).await?;
    Ok((now_micros, counts.0, limits.0))
}

/// What these workers offer, with the time of their registration.
pub(crate) async fn offers(connection: &mut PgConnection, workers: &[Uuid]) -> Result<Vec<(Uuid, i64, Offer)>, Error> {
    type Row = (Uuid, i64, i32, Option<i64>, Vec<String>, Json<BTreeMap<String, u32>>);
    let rows: Vec<Row> = sqlx::query_as(include_str!("offers.sql")).bind(workers).fetch_all(connection).await?;
    let offer = |(worker_id, register_micros, slots, memory_bytes, labels, revisions): Row| {
        (worker_id, register_micros, Offer { slots, memory_bytes, labels, revisions: revisions.0 })
    };
    Ok(rows.into_iter().map(offer).collect())
}

/// A worker kept free for a task.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Reservation {
    pub worker_id: Uuid,
    pub project_id: String,
    pub task_id: Uuid,
    slots: i32,
    whole_worker: bool,
    pub memory_bytes: i64,
    worker_slots: i32,
    holds: bool,
}

impl Reservation {
    /// Slots of the worker that the task will take.
    pub fn slots_taken(&self) -> i32 {
        if self.whole_worker { self.worker_slots } else { self.slots }
    }
}

/// The reservations that hold; the others are dropped.
pub(crate) async fn reservations(
    transaction: &mut PgConnection,
    lost_after: Duration,
) -> Result<Vec<Reservation>, Error> {
    let rows: Vec<Reservation> = sqlx::query_as(include_str!("reservations.sql"))
        .bind(lost_after.as_secs_f64())
        .fetch_all(&mut *transaction)
        .await?;
    let (held, stale): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.holds);
    if !stale.is_empty() {
        sqlx::query(include_str!("drop_reservations.sql"))
            .bind(stale.iter().map(|row| row.worker_id).collect::<Vec<_>>())
            .execute(transaction)
            .await?;
    }
    Ok(held)
}

/// Keeps a worker free for a task, if one can be.
pub(crate) async fn reserve(
    transaction: &mut PgConnection,
    project_id: &str,
    task_id: Uuid,
    lost_after: Duration,
) -> Result<(), Error> {
    sqlx::query(include_str!("reserve_worker.sql"))
        .bind(project_id)
        .bind(task_id)
        .bind(lost_after.as_secs_f64())
        .execute(transaction)
        .await?;
    Ok(())
}
