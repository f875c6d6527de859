//! Named limits: things of which there is a number, shared by the tasks of all projects.

use sqlx::PgPool;

use crate::queue::Error;

/// A named limit as it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LimitRow {
    /// By which jobs ask for it.
    pub name: String,
    /// Tasks that may hold it at once.
    pub count: i32,
    /// Tasks that do.
    pub held: i64,
}

/// Every limit by name.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool) -> Result<Vec<LimitRow>, Error> {
    Ok(sqlx::query_as(
        "select name, count,
             coalesce((select (counts ->> ('limit/' || name))::bigint from usage order by version desc limit 1), 0)
                 as held
         from named_limit order by name",
    )
    .fetch_all(pool)
    .await?)
}

/// Sets how many tasks may hold a limit at once. Those that hold it already go on.
///
/// # Errors
/// When the database fails.
pub async fn set(pool: &PgPool, name: &str, count: i32) -> Result<(), Error> {
    sqlx::query(
        "insert into named_limit (name, count) values ($1, $2)
         on conflict (name) do update set count = excluded.count",
    )
    .bind(name)
    .bind(count)
    .execute(pool)
    .await?;
    Ok(())
}

/// Removes a limit; says whether there was one. Tasks that ask for it wait until it is set again.
///
/// # Errors
/// When the database fails.
pub async fn remove(pool: &PgPool, name: &str) -> Result<bool, Error> {
    let removed = sqlx::query("delete from named_limit where name = $1").bind(name).execute(pool).await?;
    Ok(removed.rows_affected() > 0)
}

/// Whether a limit can have this name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().next().is_some_and(first)
        && text.bytes().all(|byte| first(byte) || matches!(byte, b'.' | b'_' | b'-'))
}
