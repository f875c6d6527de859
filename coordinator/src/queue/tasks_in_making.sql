-- For each artifact of $2 that an unfinished task of project $1 makes: that task; the furthest, if there are several.
select distinct on (task_output.artifact_key) task_output.artifact_key, task.task_id
from task_output
join task using (project_id, task_id)
where task_output.project_id = $1
    and task_output.artifact_key = any ($2)
    and task.state in ('blocked', 'ready', 'running')
order by task_output.artifact_key, task.state desc, task.task_id
