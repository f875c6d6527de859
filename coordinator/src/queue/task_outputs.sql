-- The artifacts that tasks ($1, $2) are to make.
select task_output.task_id, task_output.artifact_key
from unnest($1::text[], $2::uuid[]) as asked (project_id, task_id)
join task_output using (project_id, task_id)
