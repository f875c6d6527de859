-- The unfinished tasks of jobs ($1, $2) that are about to end, unless another active job waits for them.
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
