-- Reserves $3 bytes for task ($1, $2) from now on.
update task
set memory_bytes = $3, memory_raises = memory_raises + 1
where project_id = $1 and task_id = $2
