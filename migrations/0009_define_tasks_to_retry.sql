-- Which tasks a retry of a job runs again, in one place: the check that it can and the retry itself must agree.

-- The failed and cancelled tasks of a job, with those that succeeded in making artifacts which they read and which were
-- dropped since.
create function tasks_to_retry(of_project_id text, of_job_id uuid) returns table (task_id uuid)
language sql stable
begin atomic
    with recursive again (task_id) as (
        select task.task_id
        from job_task
        join task using (project_id, task_id)
        where job_task.project_id = of_project_id and job_task.job_id = of_job_id
            and task.state in ('failed', 'cancelled')
        union
        select task_dependency.on_task_id
        from again
        join task_dependency
            on task_dependency.project_id = of_project_id and task_dependency.task_id = again.task_id
        join task as maker on maker.project_id = of_project_id and maker.task_id = task_dependency.on_task_id
        join task_output on task_output.project_id = of_project_id and task_output.task_id = maker.task_id
        join task_input
            on task_input.project_id = of_project_id and task_input.task_id = again.task_id
            and task_input.artifact_key = task_output.artifact_key
        where maker.state = 'succeeded'
            and not exists (
                select from artifact
                where artifact.project_id = of_project_id and artifact.artifact_key = task_output.artifact_key)
    )
    select again.task_id from again;
end;
