-- Ends those of the jobs ($1, $2) that have everything, and gives them.
update job
set state = 'succeeded', end_time = now()
from unnest($1::text[], $2::uuid[]) as perhaps (project_id, job_id)
where job.project_id = perhaps.project_id and job.job_id = perhaps.job_id and job.state = 'active'
    and job.undone_tasks = 0
    and not exists (
        select from deliverable
        where deliverable.project_id = job.project_id and deliverable.job_id = job.job_id and not delivered)
returning job.project_id, job.job_id
