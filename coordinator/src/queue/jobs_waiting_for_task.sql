-- The active jobs of project $1 that wait for task $2.
select job_id
from job_task
join job using (project_id, job_id)
where job_task.project_id = $1 and job_task.task_id = $2 and job.state = 'active'
order by job_id
