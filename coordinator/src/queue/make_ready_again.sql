-- Makes a running task ($1, $2) ready again, to be claimed after $3 seconds. Without a delay it keeps its age.
update task
set
    state = 'ready', not_before = farm_now() + make_interval(secs => $3),
    ready_time = case when $3 > 0 then farm_now() + make_interval(secs => $3) else ready_time end
where project_id = $1 and task_id = $2 and state = 'running'
