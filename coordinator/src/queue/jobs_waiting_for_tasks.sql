-- The active jobs that wait for tasks ($1, $2), with their projects.
select distinct job.project_id, job.job_id
from unnest($1::text[], $2::uuid[]) as concerned (project_id, task_id)
join job_task using (project_id, task_id)
join job on job.project_id = job_task.project_id and job.job_id = job_task.job_id
where job.state = 'active'
order by job.project_id, job.job_id
