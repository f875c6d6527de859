-- Lets jobs $3 of project $1 wait no longer for tasks $2.
delete from job_task where project_id = $1 and task_id = any ($2) and job_id = any ($3)
