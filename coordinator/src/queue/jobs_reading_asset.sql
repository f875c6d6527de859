-- The active jobs of project $1 that have unfinished tasks and need input file $2.
select job_asset.job_id
from job_asset
join job using (project_id, job_id)
where job_asset.project_id = $1 and job_asset.digest = $2 and job.state = 'active'
    and exists (
        select from job_task
        join task using (project_id, task_id)
        where job_task.project_id = $1 and job_task.job_id = job_asset.job_id
            and task.state in ('blocked', 'ready', 'running'))
order by job_asset.job_id
