-- The newest 20 attempts, oldest first, of those tasks of job ($1, $2) of which an attempt ended without success.
select
    newest.task_id, newest.attempt, newest.outcome, newest.failure_kind, newest.failure_message,
    worker.name as worker_name,
    (extract(epoch from newest.start_time) * 1000000)::bigint as start_micros,
    (extract(epoch from newest.end_time) * 1000000)::bigint as end_micros
from job_task
cross join lateral (
    select * from attempt
    where attempt.project_id = job_task.project_id and attempt.task_id = job_task.task_id
    order by attempt desc
    limit 20
) as newest
join worker using (worker_id)
where job_task.project_id = $1 and job_task.job_id = $2
    and exists (
        select from attempt
        where attempt.project_id = job_task.project_id and attempt.task_id = job_task.task_id
            and attempt.outcome <> 'succeeded')
order by job_task.position, newest.attempt
