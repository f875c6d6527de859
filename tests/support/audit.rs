//! Derives the truth again from the database's rows and the store's bytes, whatever the farm went through. Any test of
//! a farm may end with it.

pub mod rules;

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use mixdown_proto::layout;
use object_store::{ObjectStore, ObjectStoreExt as _};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::store::{Store, path};
use rules::{ALWAYS, AT_THE_END, ROWS, Rule, WORDS};

/// Breaches of one rule of which the rows are told.
const TOLD_WITH_ROWS: usize = 3;

/// What the store holds beside what the rows say.
#[derive(Debug, Default)]
pub struct Holdings {
    /// Blobs whose rows and bytes agree.
    pub blobs: usize,
    /// Blobs without a row, and files begun that were never moved: of attempts that did not count. Garbage collection finds
    /// them by their place.
    pub orphans: usize,
    /// Delivered masters whose bytes are those of the artifact.
    pub masters: usize,
}

/// Everything that the rows get wrong once everything has ended, in words; empty when all is well.
pub async fn rows(pool: &PgPool) -> Vec<String> {
    let mut connection = pool.acquire().await.expect("the database answers");
    let rules: Vec<Rule> = ALWAYS.into_iter().chain(AT_THE_END).collect();
    broken(&mut connection, &rules).await.expect("the rows are read")
}

/// The rows at one moment, whatever is under way.
#[derive(Debug)]
pub struct Snapshot {
    /// Attempts that run.
    pub running: i64,
    /// Everything that is wrong, in words; empty when all is well.
    pub wrong: Vec<String>,
}

/// Takes a snapshot.
///
/// # Errors
/// When the database fails.
pub async fn snapshot(pool: &PgPool) -> Result<Snapshot, sqlx::Error> {
    let mut transaction = pool.begin_with("begin isolation level repeatable read read only").await?;
    let running = sqlx::query_scalar("select count(*) from lease").fetch_one(&mut *transaction).await?;
    let wrong = broken(&mut transaction, &ALWAYS).await?;
    transaction.rollback().await?;
    Ok(Snapshot { running, wrong })
}

/// The breaches of these rules, each with the id of what breaks it and the rows of that.
///
/// # Errors
/// When the database fails.
pub async fn broken(connection: &mut PgConnection, rules: &[Rule]) -> Result<Vec<String>, sqlx::Error> {
    let mut wrong = Vec::new();
    for (rule, query) in rules {
        let query = AssertSqlSafe(format!("{WORDS}{query}"));
        let found: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut *connection).await?;
        for (place, id) in found.into_iter().enumerate() {
            let mut told = format!("{rule}: {id}");
            if place < TOLD_WITH_ROWS {
                let rows: Vec<String> = sqlx::query_scalar(ROWS).bind(&id).fetch_all(&mut *connection).await?;
                rows.iter().for_each(|row| told += &format!("\n    {row}"));
            }
            wrong.push(told);
        }
    }
    Ok(wrong)
}

/// Reads every blob and every delivered master and holds them against the rows; adds what is wrong.
pub async fn store(pool: &PgPool, store: &Store, wrong: &mut Vec<String>) -> Holdings {
    let objects = store.open();
    let mut holdings = Holdings::default();
    let known: Vec<(String, String)> = sqlx::query_as("select project_id, digest from blob where going_since is null")
        .fetch_all(pool)
        .await
        .expect("the blobs are listed");
    let stored: Vec<_> = objects.list(None).try_collect().await.expect("the store is listed");
    // What is left of them in the end is nobody's.
    let mut places: BTreeSet<String> = stored.into_iter().map(|object| object.location.to_string()).collect();
    places.remove(layout::IDENTITY);
    for (project, digest) in &known {
        let place = layout::blob(project, digest);
        match digest_of(&*objects, &place).await {
            Some(found) if found == *digest => holdings.blobs += 1,
            Some(found) => wrong.push(format!("blob {digest} holds the bytes of {found}")),
            None => wrong.push(format!("blob {digest} is not in the store")),
        }
        places.remove(&place);
    }
    let delivered: Vec<(String, String, String, String)> = sqlx::query_as(
        "select project_id, deliver_to, file_name, digest
         from deliverable join job using (project_id, job_id) join artifact using (project_id, artifact_key)
         where delivered",
    )
    .fetch_all(pool)
    .await
    .expect("the masters are listed");
    for (project, deliver_to, file_name, digest) in delivered {
        let place = layout::delivery(&project, &deliver_to, &file_name);
        places.remove(&place);
        match digest_of(&*objects, &place).await {
            Some(found) if found == digest => holdings.masters += 1,
            Some(found) => wrong.push(format!("{place} holds the bytes of {found}, not of {digest}")),
            None => wrong.push(format!("{place} is not in the store")),
        }
    }
    for place in places {
        if is_collectable(&place) {
            holdings.orphans += 1;
        } else {
            wrong.push(format!("{place} is nobody's, and garbage collection does not find it"));
        }
    }
    holdings
}

/// Whether garbage collection knows by its place what an object without a row is: a blob, or a file begun.
fn is_collectable(place: &str) -> bool {
    let parts: Vec<&str> = place.split('/').collect();
    match parts[..] {
        ["projects", project, "blobs", _, digest] => {
            digest.len() == 64
                && digest.bytes().all(|digit| digit.is_ascii_hexdigit())
                && place == layout::blob(project, digest)
        }
        ["projects", _, "partial", _] => true,
        _ => false,
    }
}

async fn digest_of(objects: &dyn ObjectStore, place: &str) -> Option<String> {
    let mut bytes = match objects.get(&path(place)).await {
        Ok(found) => found.into_stream(),
        Err(object_store::Error::NotFound { .. }) => return None,
        Err(error) => panic!("{place}: {error}"),
    };
    let mut hasher = blake3::Hasher::new();
    while let Some(part) = bytes.next().await {
        hasher.update(&part.expect("the object is read"));
    }
    Some(hasher.finalize().to_hex().to_string())
}
