-- At most $2 jobs that ended more than $1 seconds ago, oldest first. One whose tasks another job is linked to waits until that
-- one has gone.
select job.project_id, job.job_id
from job
where job.state <> 'active' and job.end_time < now() - make_interval(secs => $1)
    and not exists (
        select from task
        join job_task using (project_id, task_id)
        where task.project_id = job.project_id and task.job_id = job.job_id and job_task.job_id <> job.job_id)
order by job.end_time
limit $2
