-- Sets worker $1 aside if it failed tasks of at least $3 different jobs within the last $4 seconds and since it was last
-- forgiven, by failures of kinds $2 (those that may be its doing). A task that another worker failed likewise says
-- nothing: the fault is then the task's. Gives the worker's name and the number of jobs if it was set aside just now.
with failed as (
    select count(distinct task.job_id) as jobs
    from worker
    join attempt on attempt.worker_id = worker.worker_id
    join task using (project_id, task_id)
    where worker.worker_id = $1
        and attempt.outcome = 'failed'
        and attempt.failure_kind = any ($2)
        and attempt.end_time > greatest(now() - make_interval(secs => $4), worker.forgiven_time)
        and not exists (
            select from attempt as elsewhere
            where elsewhere.project_id = attempt.project_id and elsewhere.task_id = attempt.task_id
                and elsewhere.worker_id <> $1
                and elsewhere.outcome = 'failed' and elsewhere.failure_kind = any ($2))
)
update worker
set
    quarantine_reason = 'it failed tasks of ' || failed.jobs || ' jobs; the last failure: ' || $5,
    quarantine_time = now()
from failed
where worker.worker_id = $1 and worker.quarantine_reason is null and failed.jobs >= $3
returning worker.name, failed.jobs
