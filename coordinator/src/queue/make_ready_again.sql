-- Makes a running task ($1, $2) ready again, to be claimed after $3 seconds. It keeps its age.
update task
set state = 'ready', not_before = now() + make_interval(secs => $3)
where project_id = $1 and task_id = $2 and state = 'running'
