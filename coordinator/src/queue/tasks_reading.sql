-- The unfinished tasks of project $1 that read one of the artifacts $2, which are stored no more, with all that wait for them.
-- Running ones too, though one may have read it before: as a failure it would come back to an artifact that nobody makes any
-- more.
with recursive stranded (task_id) as (
    select task.task_id
    from task_input
    join task using (project_id, task_id)
    where task_input.project_id = $1 and task_input.artifact_key = any ($2)
        and task.state in ('blocked', 'ready', 'running')
    union
    select task.task_id
    from stranded
    join task_dependency on task_dependency.project_id = $1 and task_dependency.on_task_id = stranded.task_id
    join task on task.project_id = $1 and task.task_id = task_dependency.task_id
    where task.state = 'blocked'
)
select task_id from stranded
