-- Cancels the unfinished tasks of jobs ($1, $2) that are about to end, unless another active job waits for them. Ends
-- their running attempts and takes their leases away. Gives the tasks and their names.
with unwanted as (
    select distinct task.task_id
    from job_task
    join task using (project_id, task_id)
    where job_task.project_id = $1 and job_task.job_id = any ($2)
        and task.state in ('blocked', 'ready', 'running')
        and not exists (
            select from job_task as other_link
            join job as other using (project_id, job_id)
            where other_link.project_id = $1 and other_link.task_id = task.task_id
                and other.state = 'active' and other.job_id <> all ($2))
),
ended_attempt as (
    update attempt
    set outcome = 'cancelled', end_time = clock_timestamp()
    from unwanted
    where attempt.project_id = $1 and attempt.task_id = unwanted.task_id and attempt.end_time is null
),
taken_lease as (
    delete from lease using unwanted where lease.project_id = $1 and lease.task_id = unwanted.task_id
)
update task
set state = 'cancelled', end_time = now()
from unwanted
where task.project_id = $1 and task.task_id = unwanted.task_id
returning task.task_id, task.display_name
