-- The attempt ($2, $3) of worker $1 if it still holds its task. This is the fence: no row, no write.
select task.project_id, task.task_id, task.attempt, task.job_id, task.display_name, worker.worker_id,
    worker.name as worker_name
from task
join worker using (worker_id)
where task.task_id = $2 and task.attempt = $3 and task.worker_id = $1 and task.state = 'running'
for update of task
