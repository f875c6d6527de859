-- Puts the failed and cancelled tasks of job ($1, $2) back into the queue, with those tasks that made artifacts which
-- they read and which were dropped since. Gives the tasks and their names, in plan order.
with again as materialized (
    select task_id from tasks_to_retry($1, $2)
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
        ready_time = case when next_state.state = 'ready' then farm_now() end,
        not_before = farm_now(),
        failures = 0, storage_failures = 0, losses = 0, memory_raises = 0,
        failure_kind = null, failure_message = null, end_time = null
    from next_state
    where task.project_id = $1 and task.task_id = next_state.task_id
    returning task.task_id, task.display_name
)
select put_back.task_id, put_back.display_name from put_back order by put_back.task_id
