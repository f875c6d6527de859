-- The artifacts that task ($1, $2) is to make.
select artifact_key from task_output where project_id = $1 and task_id = $2 order by artifact_key
