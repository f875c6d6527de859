-- Ends those of the jobs $2 of project $1 that have everything, and gives them.
update job
set state = 'succeeded', end_time = now()
where project_id = $1 and job_id = any ($2) and state = 'active'
    and not exists (
        select from job_task
        join task using (project_id, task_id)
        where job_task.project_id = $1 and job_task.job_id = job.job_id and task.state <> 'succeeded')
    and not exists (
        select from deliverable
        where deliverable.project_id = $1 and deliverable.job_id = job.job_id and not delivered)
returning job_id
