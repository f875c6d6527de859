//! Keeps leases alive: one statement for the beats of many workers.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use super::Error;

/// How far an attempt got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The task.
    pub task_id: Uuid,
    /// The attempt.
    pub attempt: i32,
    /// Share that is done, 0 to 1.
    pub progress: f32,
}

/// A worker says that it lives, and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    /// Who.
    pub worker_id: Uuid,
    /// Every lease that it holds.
    pub leases: Vec<Progress>,
}

/// What the worker should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heartbeat {
    /// It was heard.
    Heard {
        /// Attempts of those named that hold their task no more: lost, cancelled or never known.
        stop: Vec<(Uuid, i32)>,
        /// It is to take no more tasks.
        drain: bool,
        /// Why it is given no tasks, if it is quarantined.
        quarantine_reason: Option<String>,
    },
    /// It has not registered.
    UnknownWorker,
}

/// Extends the leases of a worker from now on by the database's clock; see [`heartbeats`].
///
/// # Errors
/// When the database fails.
pub async fn heartbeat(
    pool: &PgPool,
    worker_id: Uuid,
    leases: &[Progress],
    lease: Duration,
) -> Result<Heartbeat, Error> {
    let beat = Beat { worker_id, leases: leases.to_vec() };
    let heard = heartbeats(pool, &[&beat], lease).await?;
    Ok(heard.into_iter().next().unwrap_or(Heartbeat::UnknownWorker))
}

/// Extends the leases of workers from now on by the database's clock, in one statement. Gives what each should know, in
/// order. Of two beats of one worker, name the later alone.
///
/// # Errors
/// When the database fails.
pub async fn heartbeats(pool: &PgPool, beats: &[&Beat], lease: Duration) -> Result<Vec<Heartbeat>, Error> {
    let named = || beats.iter().flat_map(|beat| beat.leases.iter().map(|lease| (beat.worker_id, lease)));
    type Row = (Uuid, String, Option<String>, Vec<Uuid>, Vec<i32>);
    let rows: Vec<Row> = sqlx::query_as(include_str!("beat.sql"))
        .bind(beats.iter().map(|beat| beat.worker_id).collect::<Vec<_>>())
        .bind(named().map(|(worker_id, _)| worker_id).collect::<Vec<_>>())
        .bind(named().map(|(_, lease)| lease.task_id).collect::<Vec<_>>())
        .bind(named().map(|(_, lease)| lease.attempt).collect::<Vec<_>>())
        .bind(named().map(|(_, lease)| lease.progress.clamp(0.0, 1.0)).collect::<Vec<_>>())
        .bind(lease.as_secs_f64())
        .fetch_all(pool)
        .await?;
    type Known = (String, Option<String>, HashSet<(Uuid, i32)>);
    let known: HashMap<Uuid, Known> = rows
        .into_iter()
        .map(|(worker_id, state, reason, tasks, attempts)| {
            (worker_id, (state, reason, tasks.into_iter().zip(attempts).collect()))
        })
        .collect();
    let heard = |beat: &&Beat| match known.get(&beat.worker_id) {
        None => Heartbeat::UnknownWorker,
        Some((state, quarantine_reason, held)) => Heartbeat::Heard {
            stop: lost(beat, held),
            drain: state != "active",
            quarantine_reason: quarantine_reason.clone(),
        },
    };
    Ok(beats.iter().map(heard).collect())
}

/// What these workers should know by now, without extending anything: they said that they live a while ago, and wait to be
/// told. In order.
///
/// # Errors
/// When the database fails.
pub async fn look(pool: &PgPool, beats: &[&Beat]) -> Result<Vec<Heartbeat>, Error> {
    let named = || beats.iter().flat_map(|beat| beat.leases.iter().map(|lease| (beat.worker_id, lease)));
    let held: Vec<(Uuid, i32)> = sqlx::query_as(include_str!("look_at_leases.sql"))
        .bind(named().map(|(worker_id, _)| worker_id).collect::<Vec<_>>())
        .bind(named().map(|(_, lease)| lease.task_id).collect::<Vec<_>>())
        .bind(named().map(|(_, lease)| lease.attempt).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
    let standing: Vec<(Uuid, String, Option<String>)> = sqlx::query_as(include_str!("standing_of_workers.sql"))
        .bind(beats.iter().map(|beat| beat.worker_id).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
    let held: HashSet<(Uuid, i32)> = held.into_iter().collect();
    let standing: HashMap<Uuid, (String, Option<String>)> =
        standing.into_iter().map(|(worker_id, state, reason)| (worker_id, (state, reason))).collect();
    let heard = |beat: &&Beat| {
        let known = standing.get(&beat.worker_id);
        Heartbeat::Heard {
            stop: lost(beat, &held),
            drain: known.is_some_and(|(state, _)| state != "active"),
            quarantine_reason: known.and_then(|(_, reason)| reason.clone()),
        }
    };
    Ok(beats.iter().map(heard).collect())
}

/// Those leases of a beat that are held no more.
fn lost(beat: &Beat, held: &HashSet<(Uuid, i32)>) -> Vec<(Uuid, i32)> {
    beat.leases.iter().map(|lease| (lease.task_id, lease.attempt)).filter(|lease| !held.contains(lease)).collect()
}
