//! Calls to collect garbage, which may be repeated like any other.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgPool;

use super::Error;
use super::request::Request;

/// What is known of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun<A> {
    /// It is to be done.
    New,
    /// It was done, with this answer.
    Answered(A),
    /// Another call used the id.
    Reused,
}

/// Notes a call.
///
/// # Errors
/// When the database fails.
pub async fn begin<A: DeserializeOwned>(pool: &PgPool, request: &Request) -> Result<Begun<A>, Error> {
    let (hash, answer): (Vec<u8>, Option<serde_json::Value>) = sqlx::query_as(include_str!("begin_collection.sql"))
        .bind(request.request_id)
        .bind(request.content_hash.as_slice())
        .fetch_one(pool)
        .await?;
    if hash != request.content_hash {
        return Ok(Begun::Reused);
    }
    answer.map_or(Ok(Begun::New), |answer| read(request, answer).map(Begun::Answered))
}

/// Notes what it did; gives the answer, which is another's where a copy of the call has ended before.
///
/// # Errors
/// When the database fails.
pub async fn end<A: Serialize + DeserializeOwned>(pool: &PgPool, request: &Request, answer: &A) -> Result<A, Error> {
    let answer = serde_json::to_value(answer).map_err(|_| corrupt(request))?;
    let answer: serde_json::Value = sqlx::query_scalar(include_str!("end_collection.sql"))
        .bind(request.request_id)
        .bind(answer)
        .fetch_one(pool)
        .await?;
    read(request, answer)
}

fn read<A: DeserializeOwned>(request: &Request, answer: serde_json::Value) -> Result<A, Error> {
    serde_json::from_value(answer).map_err(|_| corrupt(request))
}

fn corrupt(request: &Request) -> Error {
    Error::Corrupt { what: format!("the answer to request {}", request.request_id) }
}
