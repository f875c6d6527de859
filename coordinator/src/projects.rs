//! Projects as an admin sees them: their shares of the farm, and how much of each may run at once.

use sqlx::PgPool;

use crate::queue::Error;

/// A project as it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ProjectRow {
    /// Its id.
    pub project_id: String,
    /// Its share beside other projects that have tasks ready, 1 to 1000.
    pub weight: i32,
    /// Tasks that may run at once; none for any number.
    pub running_limit: Option<i32>,
    /// Tasks that run.
    pub running: i64,
    /// Jobs that have not ended.
    pub active_jobs: i64,
}

/// Every project by id.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool) -> Result<Vec<ProjectRow>, Error> {
    Ok(sqlx::query_as(
        "select project_id, weight, running_limit,
             coalesce((
                 select (counts ->> ('tasks/' || project_id))::bigint from usage order by version desc limit 1), 0)
                 as running,
             (select count(*) from job where job.project_id = project.project_id and job.state = 'active')
                 as active_jobs
         from project order by project_id",
    )
    .fetch_all(pool)
    .await?)
}

/// Changes what is given of a project; `Some(None)` lifts its limit. Gives the project, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn set(
    pool: &PgPool,
    project_id: &str,
    weight: Option<i32>,
    running_limit: Option<Option<i32>>,
) -> Result<Option<ProjectRow>, Error> {
    sqlx::query(
        "update project
         set weight = coalesce($2, weight), running_limit = case when $3 then $4 else running_limit end
         where project_id = $1",
    )
    .bind(project_id)
    .bind(weight)
    .bind(running_limit.is_some())
    .bind(running_limit.flatten())
    .execute(pool)
    .await?;
    Ok(list(pool).await?.into_iter().find(|row| row.project_id == project_id))
}
