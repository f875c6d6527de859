-- Cancels unfinished tasks $2 of project $1, ends their running attempts and takes their leases away. Gives the tasks and their
-- names.
with ended_attempt as (
    update attempt
    set outcome = 'cancelled', end_time = clock_timestamp()
    where project_id = $1 and task_id = any ($2) and end_time is null
),
taken_lease as (
    delete from lease where project_id = $1 and task_id = any ($2)
)
update task
set state = 'cancelled', end_time = now()
where project_id = $1 and task_id = any ($2)
returning task_id, display_name
