-- The attempts ($1 workers, $2 tasks, $3 numbers) that those workers ever had: their place among those asked for, their
-- project, the call that settled them, whether they have ended. From what is asked inwards, not from all attempts.
select asked.place - 1, found.project_id, found.settle_request_id, found.end_time is not null
from unnest($1::uuid[], $2::uuid[], $3::int[]) with ordinality as asked (worker_id, task_id, attempt, place)
cross join lateral (
    select * from attempt
    where attempt.task_id = asked.task_id and attempt.attempt = asked.attempt and attempt.worker_id = asked.worker_id
    offset 0
) as found
