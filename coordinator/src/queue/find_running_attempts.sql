-- Those of the attempts ($1 workers, $2 tasks, $3 numbers) that still hold their tasks, with their place among those asked
-- for. This is the fence: no row, no write. The queue's lock holds them as they are.
select
    asked.place - 1 as place, task.project_id, task.task_id, task.attempt, task.job_id, task.display_name,
    worker.worker_id, worker.name as worker_name
from unnest($1::uuid[], $2::uuid[], $3::int[]) with ordinality as asked (worker_id, task_id, attempt, place)
join task on task.task_id = asked.task_id and task.attempt = asked.attempt and task.worker_id = asked.worker_id
join worker on worker.worker_id = asked.worker_id
where task.state = 'running'
order by task.task_id
