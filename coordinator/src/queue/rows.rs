//! What a plan is in rows: tasks, what they read, make and wait for.

use std::collections::{BTreeMap, BTreeSet};

use mixdown_dsp::plan::{Key, Plan, TaskKind};
use sqlx::PgConnection;
use uuid::Uuid;

use super::submit::Requirements;
use super::{Error, ending};
use crate::state::TaskState;

/// A task row to come.
pub(crate) struct TaskRow {
    pub task_id: Uuid,
    kind: TaskKind,
    pub display_name: String,
    pub spec: Option<String>,
    state: TaskState,
    cost: i64,
    memory_bytes: i64,
    revisions: serde_json::Value,
}

/// Whose tasks they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub project_id: &'a str,
    pub job_id: Uuid,
    pub priority: i16,
    /// Every artifact that the session can need, with the kind of task that makes it.
    pub artifacts: &'a BTreeMap<Key, TaskKind>,
    /// What each task asks of a worker.
    pub requirements: &'a Requirements,
}

/// What a plan is in rows.
pub(crate) struct Rows {
    /// The job's own tasks in plan order, those found stored first.
    pub tasks: Vec<TaskRow>,
    /// Tasks of other jobs that this one waits for, without those that they depend on.
    shared: BTreeSet<Uuid>,
    dependencies: Vec<(Uuid, Uuid)>,
    inputs: Vec<(Uuid, String)>,
    outputs: Vec<(Uuid, String)>,
}

impl Rows {
    /// The rows of a plan that was made with what is stored and what is in the making.
    pub fn of(owner: &Owner<'_>, plan: &Plan, stored: &BTreeSet<String>, in_making: &BTreeMap<String, Uuid>) -> Self {
        let mut rows = Self {
            tasks: Vec::new(),
            shared: BTreeSet::new(),
            dependencies: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        for (key, display_name) in &plan.cached {
            let text = key.to_string();
            match in_making.get(&text) {
                Some(task_id) if !stored.contains(&text) => {
                    rows.shared.insert(*task_id);
                }
                _ => rows.push_cached(owner, *key, text, display_name),
            }
        }
        let made_here: BTreeSet<&Key> = plan.tasks.iter().flat_map(|task| &task.makes).collect();
        let planned: Vec<Uuid> = plan.tasks.iter().map(|_| Uuid::now_v7()).collect();
        for (task_id, task) in planned.iter().zip(&plan.tasks) {
            let mut after: BTreeSet<Uuid> = task.after.iter().map(|index| planned[*index]).collect();
            for key in &task.needs {
                let text = key.to_string();
                if let Some(maker) = in_making.get(&text)
                    && !made_here.contains(key)
                    && !stored.contains(&text)
                {
                    after.insert(*maker);
                    rows.shared.insert(*maker);
                }
                rows.inputs.push((*task_id, text));
            }
            rows.outputs.extend(task.makes.iter().map(|key| (*task_id, key.to_string())));
            rows.tasks.push(TaskRow {
                task_id: *task_id,
                kind: task.spec.kind(),
                display_name: task.display_name.clone(),
                spec: Some(serde_json::to_string(&task.spec).expect("because a spec is lists of numbers")),
                state: if after.is_empty() { TaskState::Ready } else { TaskState::Blocked },
                cost: i64::try_from(task.cost).unwrap_or(i64::MAX),
                memory_bytes: i64::try_from(task.memory_bytes).unwrap_or(i64::MAX).max(owner.requirements.memory_bytes),
                revisions: serde_json::json!(task.revisions),
            });
            rows.dependencies.extend(after.into_iter().map(|on| (*task_id, on)));
        }
        rows
    }

    fn push_cached(&mut self, owner: &Owner<'_>, key: Key, text: String, display_name: &str) {
        let task_id = Uuid::now_v7();
        self.outputs.push((task_id, text));
        self.tasks.push(TaskRow {
            task_id,
            kind: owner.artifacts.get(&key).copied().unwrap_or(TaskKind::Fused),
            display_name: display_name.to_owned(),
            spec: None,
            state: TaskState::Succeeded,
            cost: 0,
            memory_bytes: 0,
            revisions: serde_json::json!({}),
        });
    }

    /// Adds the tasks with what they read and make and wait for.
    pub async fn insert(&self, transaction: &mut PgConnection, owner: &Owner<'_>) -> Result<(), Error> {
        let tasks = &self.tasks;
        let Requirements { slots, whole_worker, labels, limits, .. } = owner.requirements;
        let to_do = || tasks.iter().filter(|task| task.spec.is_some());
        sqlx::query(include_str!("insert_demands.sql"))
            .bind(owner.project_id)
            .bind(slots)
            .bind(whole_worker)
            .bind(labels)
            .bind(limits)
            .bind(to_do().map(|task| task.memory_bytes).collect::<Vec<_>>())
            .bind(to_do().map(|task| task.revisions.clone()).collect::<Vec<_>>())
            .execute(&mut *transaction)
            .await?;
        sqlx::query(include_str!("insert_tasks.sql"))
            .bind(owner.project_id)
            .bind(owner.job_id)
            .bind(owner.priority)
            .bind(tasks.iter().map(|task| task.task_id).collect::<Vec<_>>())
            .bind(tasks.iter().map(|task| task.kind.as_str()).collect::<Vec<_>>())
            .bind(tasks.iter().map(|task| task.display_name.as_str()).collect::<Vec<_>>())
            .bind(tasks.iter().map(|task| task.spec.as_deref()).collect::<Vec<_>>())
            .bind(tasks.iter().map(|task| task.state.as_str()).collect::<Vec<_>>())
            .bind(tasks.iter().map(|task| task.cost).collect::<Vec<_>>())
            .bind(tasks.iter().map(|task| task.memory_bytes).collect::<Vec<_>>())
            .bind(tasks.iter().map(|task| task.revisions.clone()).collect::<Vec<_>>())
            .bind(slots)
            .bind(whole_worker)
            .bind(labels)
            .bind(limits)
            .execute(&mut *transaction)
            .await?;
        for (statement, pairs) in [
            (include_str!("insert_task_inputs.sql"), &self.inputs),
            (include_str!("insert_task_outputs.sql"), &self.outputs),
        ] {
            let (ids, keys): (Vec<Uuid>, Vec<&str>) = pairs.iter().map(|(id, key)| (*id, key.as_str())).unzip();
            sqlx::query(statement).bind(owner.project_id).bind(ids).bind(keys).execute(&mut *transaction).await?;
        }
        let (ids, on): (Vec<Uuid>, Vec<Uuid>) = self.dependencies.iter().copied().unzip();
        sqlx::query(include_str!("insert_task_dependencies.sql"))
            .bind(owner.project_id)
            .bind(ids)
            .bind(on)
            .execute(transaction)
            .await?;
        Ok(())
    }

    /// Lets the job wait for its own tasks and for those of others that make what it needs.
    pub async fn link(&self, transaction: &mut PgConnection, owner: &Owner<'_>) -> Result<(), Error> {
        sqlx::query(include_str!("link_job_tasks.sql"))
            .bind(owner.project_id)
            .bind(owner.job_id)
            .bind(self.tasks.iter().map(|task| task.task_id).collect::<Vec<_>>())
            .bind(self.shared.iter().copied().collect::<Vec<_>>())
            .execute(&mut *transaction)
            .await?;
        sqlx::query(include_str!("raise_priority.sql"))
            .bind(owner.project_id)
            .bind(owner.job_id)
            .bind(owner.priority)
            .execute(&mut *transaction)
            .await?;
        ending::count_work(transaction, owner.project_id, &[owner.job_id]).await
    }
}
