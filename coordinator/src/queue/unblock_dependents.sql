-- Makes ready the tasks that waited for tasks ($1, $2) last of all; gives them, with their names. Whoever made most of
-- what a task reads is likely to have it in its cache.
update task
set
    state = 'ready', ready_time = farm_now(),
    near_worker_id = (
        select maker.worker_id
        from task_dependency as made
        join task as maker on maker.project_id = made.project_id and maker.task_id = made.on_task_id
        where made.project_id = task.project_id and made.task_id = task.task_id and maker.worker_id is not null
        group by maker.worker_id
        order by count(*) desc, maker.worker_id
        limit 1
    )
from (
    select distinct waiting.project_id, waiting.task_id
    from unnest($1::text[], $2::uuid[]) as done (project_id, task_id)
    join task_dependency as waiting on waiting.project_id = done.project_id and waiting.on_task_id = done.task_id
) as waiting
where task.project_id = waiting.project_id and task.task_id = waiting.task_id
    and task.state = 'blocked'
    and not exists (
        select from task_dependency as other
        join task as obstacle on obstacle.project_id = other.project_id and obstacle.task_id = other.on_task_id
        where other.project_id = task.project_id and other.task_id = task.task_id and obstacle.state <> 'succeeded')
returning task.project_id, task.task_id, task.display_name
