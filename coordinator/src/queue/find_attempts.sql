-- The attempts ($1 workers, $2 tasks, $3 numbers) that those workers ever had: their place among those asked for, their
-- project, the call that settled them, whether they have ended.
select asked.place - 1, attempt.project_id, attempt.settle_request_id, attempt.end_time is not null
from unnest($1::uuid[], $2::uuid[], $3::int[]) with ordinality as asked (worker_id, task_id, attempt, place)
-- For the key's sake: tasks are named without their project.
join task on task.task_id = asked.task_id
join attempt
    on attempt.project_id = task.project_id and attempt.task_id = asked.task_id and attempt.attempt = asked.attempt
    and attempt.worker_id = asked.worker_id
