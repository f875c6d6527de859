-- Fails a running task ($1, $2) for good.
update task
set state = 'failed', failure_kind = $3, failure_message = $4, end_time = now()
where project_id = $1 and task_id = $2 and state = 'running'
