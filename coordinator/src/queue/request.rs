//! Calls that may be repeated: the first answer is given again, other content under the same id is refused.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;

/// What makes two calls the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Chosen by the caller.
    pub request_id: Uuid,
    /// BLAKE3 of the call's name and content.
    pub content_hash: [u8; 32],
}

impl Request {
    /// The identity of a call of `name` whose content is `parts`.
    #[must_use]
    pub fn new(request_id: Uuid, name: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in std::iter::once(&name.as_bytes()).chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self { request_id, content_hash: *hasher.finalize().as_bytes() }
    }
}

/// What is known of a request id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Known {
    /// Nothing.
    New,
    /// The same call was answered before.
    Answered { job_id: Uuid, answer: serde_json::Value },
    /// Another call used the id.
    Reused,
}

/// Looks a request up. Call it under the queue's lock, so that two repetitions cannot both find it new.
pub(crate) async fn find(transaction: &mut PgConnection, project_id: &str, request: &Request) -> Result<Known, Error> {
    let row: Option<(Vec<u8>, Uuid, serde_json::Value)> = sqlx::query_as(include_str!("find_request.sql"))
        .bind(project_id)
        .bind(request.request_id)
        .fetch_optional(transaction)
        .await?;
    Ok(match row {
        None => Known::New,
        Some((hash, job_id, answer)) if hash == request.content_hash => Known::Answered { job_id, answer },
        Some(_) => Known::Reused,
    })
}

/// Remembers the answer to a request, in the transaction that did what it asked.
pub(crate) async fn remember(
    transaction: &mut PgConnection,
    project_id: &str,
    request: &Request,
    job_id: Uuid,
    answer: &serde_json::Value,
) -> Result<(), Error> {
    sqlx::query(include_str!("remember_request.sql"))
        .bind(project_id)
        .bind(request.request_id)
        .bind(request.content_hash.as_slice())
        .bind(job_id)
        .bind(answer)
        .execute(transaction)
        .await?;
    Ok(())
}
