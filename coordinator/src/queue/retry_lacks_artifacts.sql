-- Whether a task that RetryJob would run again in job ($1, $2) reads an artifact that is neither stored nor made by a
-- task of the job that can be run.
select exists (
    select from tasks_to_retry($1, $2) as again
    join task_input on task_input.project_id = $1 and task_input.task_id = again.task_id
    where not exists (
        select from artifact
        where artifact.project_id = $1 and artifact.artifact_key = task_input.artifact_key)
    and not exists (
        select from task_dependency
        join task_output on task_output.project_id = $1 and task_output.task_id = task_dependency.on_task_id
        where task_dependency.project_id = $1 and task_dependency.task_id = again.task_id
            and task_output.artifact_key = task_input.artifact_key)
)
