-- For each artifact of $2 that an unfinished task of project $1 makes: that task; the furthest, if there are several. From
-- the artifacts inwards, not from all unfinished tasks: `offset 0` keeps the order of the joins.
select distinct on (made.artifact_key) made.artifact_key, task.task_id
from unnest($2::text[]) as wanted (artifact_key)
cross join lateral (
    select task_id, artifact_key from task_output
    where project_id = $1 and artifact_key = wanted.artifact_key
    offset 0
) as made
cross join lateral (
    select task_id, state from task
    where project_id = $1 and task_id = made.task_id
    offset 0
) as task
where task.state in ('blocked', 'ready', 'running')
order by made.artifact_key, task.state desc, task.task_id
