-- The attempts that worker $1 holds, locked.
select task.project_id, task.task_id, task.attempt, task.job_id, task.display_name, worker.worker_id,
    worker.name as worker_name
from task
join worker using (worker_id)
where task.worker_id = $1 and task.state = 'running'
order by task.task_id
for update of task
