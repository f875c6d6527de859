-- Lets no task that a job ($1, $2) waits for stand behind the job's own priority ($3).
update task
set priority = $3
from job_task
where job_task.project_id = $1 and job_task.job_id = $2
    and task.project_id = $1 and task.task_id = job_task.task_id
    and task.priority > $3
    and task.state in ('blocked', 'ready', 'running')
