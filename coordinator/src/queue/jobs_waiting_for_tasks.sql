-- The active jobs of project $1 that wait for any of tasks $2.
select distinct job.job_id
from job_task
join job using (project_id, job_id)
where job_task.project_id = $1 and job_task.task_id = any ($2) and job.state = 'active'
order by job.job_id
