//! The farm's clients: they submit as jobs end, some of it twice at once, and some change their minds.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::production::Production;
use crate::script::{Extent, mind};
use crate::{LIMIT, LOOK_EVERY};

/// Jobs under way at once, at most: so many that every worker has work and none of it waits long.
const JOBS_AT_ONCE: i64 = 6;

/// A database that does not answer within this is away.
const SIGHT: Duration = Duration::from_millis(500);

/// What clients were told.
#[derive(Debug, Default)]
pub struct Told {
    /// The jobs, in the order of their versions.
    pub jobs: Vec<String>,
    /// How many were submitted twice at once.
    pub twice: usize,
    /// Those that were cancelled and run again.
    pub cancelled: BTreeSet<String>,
    /// Those that failed and were run again.
    pub retried: BTreeSet<String>,
    /// Times that the input files were uploaded again.
    pub uploads: usize,
}

impl Told {
    /// Submits as many jobs as are wanted, and more until the faults are over.
    pub async fn submit(
        &mut self,
        extent: &Extent,
        client: &Client,
        pool: &PgPool,
        production: &Production,
        faults_over: &CancellationToken,
    ) {
        let mut minds: JoinSet<Option<String>> = JoinSet::new();
        while self.jobs.len() < extent.jobs || !faults_over.is_cancelled() {
            tokio::time::sleep(LOOK_EVERY).await;
            if active_jobs(pool).await.is_none_or(|active| active >= JOBS_AT_ONCE) {
                continue;
            }
            let index = self.jobs.len();
            let mind = mind(extent, index);
            let limits = if index.is_multiple_of(3) { vec![LIMIT.to_owned()] } else { Vec::new() };
            let version = index + 1;
            let session = production.version(version);
            let name = format!("version {version}");
            let Some(job) = client.submit(session, name, limits, mind.twice).await else {
                production.upload.again().await;
                self.uploads += 1;
                continue;
            };
            if let Some((after, again)) = mind.cancels {
                let (client, job) = (client.clone(), job.clone());
                minds.spawn(async move {
                    tokio::time::sleep(after).await;
                    // It may have ended.
                    if !client.cancel(&job).await {
                        return None;
                    }
                    tokio::time::sleep(again).await;
                    client.retry(&job).await;
                    Some(job)
                });
            }
            self.jobs.push(job);
            self.twice += usize::from(mind.twice);
        }
        self.cancelled.extend(minds.join_all().await.into_iter().flatten());
    }

    /// Asks for what failed for good, as poison say or for the want of an input file, until every job has succeeded.
    pub async fn ask_again(&mut self, client: &Client, pool: &PgPool, production: &Production) {
        loop {
            let failed = "select job_id::text, coalesce(failure_kind = 'storage', false) from job
                where state in ('failed', 'cancelled')";
            let failed: Vec<(String, bool)> = sqlx::query_as(failed).fetch_all(pool).await.unwrap_or_default();
            if failed.iter().any(|(_, storage)| *storage) {
                production.upload.again().await;
                self.uploads += 1;
            }
            for (job, _) in failed {
                client.retry(&job).await;
                self.retried.insert(job);
            }
            let unfinished = "select count(*) from job where state <> 'succeeded'";
            if sqlx::query_scalar::<_, i64>(unfinished).fetch_one(pool).await.is_ok_and(|jobs| jobs == 0) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The jobs that have not ended; none while the database is away.
pub async fn active_jobs(pool: &PgPool) -> Option<i64> {
    let count = sqlx::query_scalar("select count(*) from job where state = 'active'").fetch_one(pool);
    tokio::time::timeout(SIGHT, count).await.ok()?.ok()
}
