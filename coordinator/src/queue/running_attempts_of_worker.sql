-- The attempts that worker $1 holds, locked.
select task.project_id, task.task_id, task.attempt, task.job_id, task.display_name, worker.worker_id,
    worker.name as worker_name
from attempt as held
join task using (project_id, task_id, attempt)
join worker on worker.worker_id = held.worker_id
where held.worker_id = $1 and held.end_time is null and task.state = 'running'
order by task.task_id
for update of task
