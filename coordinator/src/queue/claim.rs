//! Hands tasks to workers: one claim for all that wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::events::{self, Happened};
use super::placement::{Asker, Offer, Placed, Reserved, place};
use super::supply::{self, Supply};
use super::{Error, begin, begin_by_keys};

/// A worker asks for tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub worker_id: Uuid,
    /// At most this many.
    pub max_tasks: i32,
    /// The call: the same gives the same attempts again, as far as they still run.
    pub request_id: Uuid,
}

/// One task, leased.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Assignment {
    /// Whose it is.
    pub project_id: String,
    /// The task.
    pub task_id: Uuid,
    /// The fence of every later write.
    pub attempt: i32,
    /// The job that planned it.
    pub job_id: Uuid,
    /// The session document as JSON.
    #[sqlx(skip)]
    pub document: String,
    /// What to do, as JSON.
    pub spec: String,
    /// Slots it takes of its worker.
    pub slots: i32,
    /// Memory that is reserved for it.
    pub memory_bytes: i64,
    /// Keys of the artifacts that it reads.
    pub input_keys: Vec<String>,
    /// Their digests, in the same order.
    pub input_digests: Vec<String>,
    /// For people.
    pub display_name: String,
    worker_id: Uuid,
    lease_request_id: Uuid,
}

/// What came of asking for tasks.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// These tasks; none when none is ready.
    Assigned(Vec<Assignment>),
    /// The worker is to take no more.
    Drain,
    /// The worker has not registered.
    UnknownWorker,
}

/// What came of one claim for many.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// For each ask, in order.
    pub answers: Vec<Claim>,
    /// More tasks are ready than were looked at: those that got nothing should ask again at once.
    pub more: bool,
}

/// How claims are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// How long a lease lives without a heartbeat.
    pub lease: Duration,
    /// How long a worker may be silent before it counts as lost.
    pub lost_after: Duration,
    /// Whether workers may be kept free for tasks that have waited too long.
    pub reserve: bool,
}

/// Makes claims, and remembers what workers offer: that changes only when they register again.
#[derive(Debug, Default)]
pub struct Claimer {
    /// By worker, with the time of its registration in microseconds.
    offers: HashMap<Uuid, (i64, Arc<Offer>)>,
}

#[derive(Debug, sqlx::FromRow)]
struct AskerRow {
    place: i64,
    state: String,
    /// It is given nothing for now.
    quarantined: bool,
    register_micros: i64,
    used_slots: i64,
    used_memory_bytes: i64,
    answered: bool,
}

/// Leases up to `max_tasks` tasks to one worker; see [`Claimer::claim`].
///
/// # Errors
/// When the database fails.
pub async fn claim(
    pool: &PgPool,
    worker_id: Uuid,
    max_tasks: i32,
    request_id: Uuid,
    lease: Duration,
) -> Result<Claim, Error> {
    let terms = Terms { lease, lost_after: lease, reserve: true };
    let claims = Claimer::default().claim(pool, &[Ask { worker_id, max_tasks, request_id }], terms).await?;
    Ok(claims.answers.into_iter().next().unwrap_or(Claim::UnknownWorker))
}

impl Claimer {
    /// Leases ready tasks to the workers that ask, each at most once among them, in the order of `placement` and
    /// within every limit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&mut self, pool: &PgPool, asks: &[Ask], terms: Terms) -> Result<Claims, Error> {
        // Outside the lock, so that workers that find nothing do not hold up those that work.
        let anything: bool = sqlx::query_scalar(include_str!("any_supply.sql")).fetch_one(pool).await?;
        let (rows, more) = if anything {
            self.claim_supply(pool, asks, terms).await?
        } else {
            (askers(&mut *pool.acquire().await?, asks).await?, false)
        };
        let served: Vec<Ask> = rows
            .iter()
            .filter(|row| row.answered)
            .filter_map(|row| asks.get(usize::try_from(row.place).ok()?).copied())
            .collect();
        let mut assigned = assignments(pool, &served).await?;
        let mut answers = vec![Claim::UnknownWorker; asks.len()];
        for row in rows {
            let place = usize::try_from(row.place).unwrap_or(usize::MAX);
            let (Some(answer), Some(ask)) = (answers.get_mut(place), asks.get(place)) else { continue };
            *answer = if row.answered || row.state == "active" {
                Claim::Assigned(assigned.remove(&(ask.worker_id, ask.request_id)).unwrap_or_default())
            } else {
                Claim::Drain
            };
        }
        Ok(Claims { answers, more })
    }

    /// The claim itself: one transaction under the queue's lock. Gives the askers, those served among the answered, and
    /// whether to look again.
    async fn claim_supply(
        &mut self,
        pool: &PgPool,
        asks: &[Ask],
        terms: Terms,
    ) -> Result<(Vec<AskerRow>, bool), Error> {
        let mut transaction = begin(pool).await?;
        let mut rows = askers(&mut transaction, asks).await?;
        self.learn_offers(&mut transaction, asks, &rows).await?;
        let reserved = supply::reservations(&mut transaction, terms.lost_after).await?;
        let mut asking = Vec::new();
        let mut places = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let Some(ask) = usize::try_from(row.place).ok().and_then(|place| asks.get(place)) else { continue };
            let Some((_, offer)) = self.offers.get(&ask.worker_id) else { continue };
            if row.answered || row.quarantined || row.state != "active" || row.used_slots >= i64::from(offer.slots) {
                continue;
            }
            places.push((index, *ask));
            asking.push(Asker {
                worker_id: ask.worker_id,
                offer: offer.as_ref(),
                max_tasks: usize::try_from(ask.max_tasks).unwrap_or(0),
                used_slots: row.used_slots,
                used_memory_bytes: row.used_memory_bytes,
                reserved: reserved.iter().find(|kept| kept.worker_id == ask.worker_id).map(|kept| Reserved {
                    task_id: kept.task_id,
                    slots: kept.slots_taken(),
                    memory_bytes: kept.memory_bytes,
                }),
            });
        }
        if asking.is_empty() {
            return Ok((rows, false));
        }
        let wanted = asking.iter().map(|asker| asker.max_tasks as i64).sum();
        let supply = Supply::read(&mut transaction, wanted).await?;
        let workers: Vec<Uuid> = asking.iter().map(|asker| asker.worker_id).collect();
        let placement = place(supply.scene(asking, &reserved));
        let calls: Vec<Uuid> = places.iter().map(|(_, ask)| ask.request_id).collect();
        let claimed = write(&mut transaction, &supply, &placement.placed, &workers, &calls, terms.lease).await?;
        for placed in &placement.placed {
            rows[places[placed.asker].0].answered = true;
        }
        if !placement.placed.is_empty() {
            let fronts = placement.placed.iter().map(|placed| placed.front).collect();
            supply.move_fronts(&mut transaction, &fronts).await?;
        }
        if terms.reserve {
            for (front, task_id) in &placement.overdue {
                supply::reserve(&mut transaction, supply.project_of(*front), *task_id, terms.lost_after).await?;
            }
        }
        events::record_everywhere(&mut transaction, &claimed).await?;
        transaction.commit().await?;
        Ok((rows, placement.more))
    }

    /// Reads what workers offer that were not known yet, or registered again since.
    async fn learn_offers(
        &mut self,
        connection: &mut PgConnection,
        asks: &[Ask],
        rows: &[AskerRow],
    ) -> Result<(), Error> {
        let ask = |row: &AskerRow| usize::try_from(row.place).ok().and_then(|place| asks.get(place));
        let unknown: Vec<Uuid> = rows
            .iter()
            .filter_map(|row| Some((ask(row)?.worker_id, row.register_micros)))
            .filter(|(worker_id, micros)| self.offers.get(worker_id).is_none_or(|(known, _)| known != micros))
            .map(|(worker_id, _)| worker_id)
            .collect();
        if !unknown.is_empty() {
            for (worker_id, register_micros, offer) in supply::offers(connection, &unknown).await? {
                self.offers.insert(worker_id, (register_micros, Arc::new(offer)));
            }
        }
        Ok(())
    }
}

async fn askers(connection: &mut PgConnection, asks: &[Ask]) -> Result<Vec<AskerRow>, Error> {
    Ok(sqlx::query_as(include_str!("askers.sql"))
        .bind(asks.iter().map(|ask| ask.worker_id).collect::<Vec<_>>())
        .bind(asks.iter().map(|ask| ask.request_id).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?)
}

/// Writes what was placed on workers, for their calls. Gives what to tell about it.
async fn write(
    transaction: &mut PgConnection,
    supply: &Supply,
    placed: &[Placed],
    workers: &[Uuid],
    calls: &[Uuid],
    lease: Duration,
) -> Result<Vec<Happened>, Error> {
    if placed.is_empty() {
        return Ok(Vec::new());
    }
    let claimed: Vec<(String, Uuid, String)> = sqlx::query_as(include_str!("claim.sql"))
        .bind(placed.iter().map(|placed| supply.project_of(placed.front)).collect::<Vec<_>>())
        .bind(placed.iter().map(|placed| placed.task_id).collect::<Vec<_>>())
        .bind(placed.iter().map(|placed| workers[placed.asker]).collect::<Vec<_>>())
        .bind(placed.iter().map(|placed| calls[placed.asker]).collect::<Vec<_>>())
        .bind(placed.iter().map(|placed| placed.slots).collect::<Vec<_>>())
        .bind(lease.as_secs_f64())
        .fetch_all(transaction)
        .await?;
    Ok(claimed.into_iter().map(|(project_id, task_id, message)| Happened::to(&project_id, task_id, message)).collect())
}

/// What calls were given, by worker and call.
async fn assignments(pool: &PgPool, served: &[Ask]) -> Result<HashMap<(Uuid, Uuid), Vec<Assignment>>, Error> {
    let mut given: HashMap<(Uuid, Uuid), Vec<Assignment>> = HashMap::new();
    if served.is_empty() {
        return Ok(given);
    }
    let mut transaction = begin_by_keys(pool).await?;
    let rows: Vec<Assignment> = sqlx::query_as(include_str!("assignments.sql"))
        .bind(served.iter().map(|ask| ask.worker_id).collect::<Vec<_>>())
        .bind(served.iter().map(|ask| ask.request_id).collect::<Vec<_>>())
        .fetch_all(&mut *transaction)
        .await?;
    let wanted: BTreeSet<(&str, Uuid)> = rows.iter().map(|row| (row.project_id.as_str(), row.job_id)).collect();
    let (projects, jobs): (Vec<&str>, Vec<Uuid>) = wanted.into_iter().unzip();
    let documents: Vec<(String, Uuid, String)> =
        sqlx::query_as(include_str!("documents.sql")).bind(projects).bind(jobs).fetch_all(&mut *transaction).await?;
    let documents: BTreeMap<(String, Uuid), String> =
        documents.into_iter().map(|(project_id, job_id, document)| ((project_id, job_id), document)).collect();
    for mut row in rows {
        let of = (row.project_id.clone(), row.job_id);
        let document =
            documents.get(&of).ok_or_else(|| Error::Corrupt { what: format!("the session of job {}", of.1) })?;
        row.document.clone_from(document);
        given.entry((row.worker_id, row.lease_request_id)).or_default().push(row);
    }
    Ok(given)
}
