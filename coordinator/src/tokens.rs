//! Bearer tokens: who may call, and for which project. The database holds their hashes alone.

use sqlx::PgPool;
use uuid::Uuid;

use crate::queue::Error;

/// What a token lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Submit and follow jobs of one project.
    Client,
    /// Take tasks of every project.
    Worker,
    /// Everything that a client of its project and a worker may, and look after the farm.
    Admin,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Caller {
    /// What it may do.
    pub role: Role,
    /// Its project; none for workers.
    pub project_id: Option<String>,
}

/// A token as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TokenRow {
    /// By which it is revoked.
    pub token_id: Uuid,
    /// For people: whose it is.
    pub name: String,
    /// What it lets its bearer do.
    pub role: Role,
    /// Its project; none for workers.
    pub project_id: Option<String>,
    /// When it was made, in microseconds since 1970.
    pub create_micros: i64,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Why a token cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The database failed.
    #[error(transparent)]
    Queue(#[from] Error),
    /// The system gives no random bytes.
    #[error("cannot draw random bytes")]
    Random(#[source] getrandom::Error),
    /// A worker serves all projects, everyone else one.
    #[error("a worker token takes no project, any other takes one")]
    Project,
    /// Project ids are path segments.
    #[error("`{0}` is no project id: expected 1 to 63 of a-z, 0-9 and `-`, not beginning with `-`")]
    ProjectId(String),
}

/// Makes a token, and its project when it is new. The token is told this once; the database keeps its hash.
///
/// # Errors
/// See [`CreateError`].
pub async fn create(
    pool: &PgPool,
    role: Role,
    project_id: Option<&str>,
    name: &str,
) -> Result<(Uuid, String), CreateError> {
    if (role == Role::Worker) != project_id.is_none() {
        return Err(CreateError::Project);
    }
    if let Some(project_id) = project_id
        && !is_project_id(project_id)
    {
        return Err(CreateError::ProjectId(project_id.to_owned()));
    }
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(CreateError::Random)?;
    let token = format!("mxd_{}", blake3::Hash::from_bytes(secret).to_hex());
    let token_id = Uuid::now_v7();
    sqlx::query("insert into project (project_id) select $1 where $1 is not null on conflict do nothing")
        .bind(project_id)
        .execute(pool)
        .await
        .map_err(Error::from)?;
    sqlx::query("insert into token (token_id, token_hash, role, project_id, name) values ($1, $2, $3, $4, $5)")
        .bind(token_id)
        .bind(hash(&token).as_slice())
        .bind(role)
        .bind(project_id)
        .bind(name)
        .execute(pool)
        .await
        .map_err(Error::from)?;
    Ok((token_id, token))
}

/// Every token, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool) -> Result<Vec<TokenRow>, Error> {
    Ok(sqlx::query_as(
        "select token_id, name, role, project_id, revoke_time is not null as revoked,
             (extract(epoch from create_time) * 1000000)::bigint as create_micros
         from token order by create_time, token_id",
    )
    .fetch_all(pool)
    .await?)
}

/// Revokes a token; says whether there was one that was not revoked.
///
/// # Errors
/// When the database fails.
pub async fn revoke(pool: &PgPool, token_id: Uuid) -> Result<bool, Error> {
    let revoked = sqlx::query("update token set revoke_time = now() where token_id = $1 and revoke_time is null")
        .bind(token_id)
        .execute(pool)
        .await?;
    Ok(revoked.rows_affected() > 0)
}

/// Who bears a token; `None` if nobody may.
///
/// # Errors
/// When the database fails.
pub async fn find(pool: &PgPool, token: &str) -> Result<Option<Caller>, Error> {
    Ok(sqlx::query_as("select role, project_id from token where token_hash = $1 and revoke_time is null")
        .bind(hash(token).as_slice())
        .fetch_optional(pool)
        .await?)
}

/// Whether any token is valid.
///
/// # Errors
/// When the database fails.
pub async fn any(pool: &PgPool) -> Result<bool, Error> {
    Ok(sqlx::query_scalar("select exists (select from token where revoke_time is null)").fetch_one(pool).await?)
}

fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

fn is_project_id(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
