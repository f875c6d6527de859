-- Marks a running task ($1, $2) as done by attempt $3, with what the attempt cost.
with cost as (
    update attempt
    set cpu_seconds = $4, fetched_bytes = $5, stored_bytes = $6, realtime_factor = $7
    where project_id = $1 and task_id = $2 and attempt = $3
)
update task
set state = 'succeeded', end_time = now()
where project_id = $1 and task_id = $2 and attempt = $3 and state = 'running'
