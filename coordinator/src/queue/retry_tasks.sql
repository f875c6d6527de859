-- Puts the failed and cancelled tasks of job ($1, $2) back into the queue, with those tasks that made artifacts which
-- they read and which were dropped since. Gives the tasks and their names, in plan order.
with recursive again (task_id) as (
    select task.task_id
    from job_task
    join task using (project_id, task_id)
    where job_task.project_id = $1 and job_task.job_id = $2 and task.state in ('failed', 'cancelled')
    union
    select task_dependency.on_task_id
    from again
    join task_dependency on task_dependency.project_id = $1 and task_dependency.task_id = again.task_id
    join task as maker on maker.project_id = $1 and maker.task_id = task_dependency.on_task_id
    join task_output on task_output.project_id = $1 and task_output.task_id = maker.task_id
    join task_input
        on task_input.project_id = $1 and task_input.task_id = again.task_id
        and task_input.artifact_key = task_output.artifact_key
    where maker.state = 'succeeded'
        and not exists (
            select from artifact
            where artifact.project_id = $1 and artifact.artifact_key = task_output.artifact_key)
),
next_state as (
    select
        again.task_id,
        case when exists (
            select from task_dependency
            join task as obstacle on obstacle.project_id = $1 and obstacle.task_id = task_dependency.on_task_id
            where task_dependency.project_id = $1 and task_dependency.task_id = again.task_id
                and (obstacle.state <> 'succeeded' or obstacle.task_id in (select task_id from again))
        ) then 'blocked' else 'ready' end as state
    from again
),
put_back as (
    update task
    set
        state = next_state.state,
        ready_time = case when next_state.state = 'ready' then now() end,
        not_before = now(),
        failures = 0, losses = 0,
        failure_kind = null, failure_message = null, end_time = null
    from next_state
    where task.project_id = $1 and task.task_id = next_state.task_id
    returning task.task_id, task.display_name
)
select put_back.task_id, put_back.display_name from put_back order by put_back.task_id
