-- Removes an archived job ($1, $2) from the tables of work, with the tasks that it planned.
with planned as (
    select task_id from task where project_id = $1 and job_id = $2
),
links as (delete from job_task where project_id = $1 and job_id = $2),
told as (delete from event where project_id = $1 and job_id = $2),
asked as (delete from deliverable where project_id = $1 and job_id = $2),
calls as (delete from request where project_id = $1 and job_id = $2),
needed as (delete from job_asset where project_id = $1 and job_id = $2),
waited as (
    delete from task_dependency
    where project_id = $1 and (task_id in (select task_id from planned) or on_task_id in (select task_id from planned))
),
read as (delete from task_input where project_id = $1 and task_id in (select task_id from planned)),
made as (delete from task_output where project_id = $1 and task_id in (select task_id from planned)),
tried as (delete from attempt where project_id = $1 and task_id in (select task_id from planned)),
gone as (delete from task where project_id = $1 and job_id = $2)
delete from job where project_id = $1 and job_id = $2
