//! What runs, counted on this side and by the database.

use std::collections::BTreeMap;

use super::farm::Simulation;
use super::{CAPPED, CAPPED_TASKS};

impl Simulation {
    /// Limits, as this side counts them, and as the database does.
    pub async fn check(&self) {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for (task_id, running) in &self.running {
            let asked = &self.asked[task_id];
            *counts.entry(format!("tasks/{}", asked.project)).or_default() += 1;
            *counts.entry(format!("slots/{}", asked.project)).or_default() += i64::from(running.assignment.slots);
            for limit in &asked.requirements.limits {
                *counts.entry(format!("limit/{limit}")).or_default() += 1;
            }
        }
        let count = |name: &str| counts.get(name).copied().unwrap_or(0);
        assert!(count("limit/plugin-x") <= i64::from(self.size.licences));
        assert!(count(&format!("tasks/{CAPPED}")) <= i64::from(CAPPED_TASKS));
        assert_eq!(self.farm.usage().await, serde_json::json!(counts));
    }

    /// Slots of the living workers.
    pub fn all_slots(&self) -> i64 {
        self.workers.iter().filter(|worker| !worker.lost).map(|worker| i64::from(worker.slots)).sum()
    }

    /// Those in use, by project.
    pub fn slots(&self) -> BTreeMap<String, i64> {
        let mut slots = BTreeMap::new();
        for (task_id, running) in &self.running {
            if !self.workers[running.worker].lost {
                *slots.entry(self.asked[task_id].project.clone()).or_default() += i64::from(running.assignment.slots);
            }
        }
        slots
    }

    /// Projects that have tasks ready which any worker could run.
    pub async fn backlog(&self) -> BTreeMap<String, i64> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select project_id, count(*) from task join demand using (project_id, demand_id)
             where state = 'ready' and labels = '{}' and limits = '{}' and slots = 1 group by 1",
        )
        .fetch_all(&self.farm.pool)
        .await
        .unwrap();
        rows.into_iter().collect()
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.farm.pool).await.unwrap()
    }
}
