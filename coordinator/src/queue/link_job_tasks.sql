-- Links a job ($1, $2) to its own tasks ($3, in plan order) and, before them, to tasks of other jobs ($4) with everything
-- unfinished that those depend on. They come after what the job is linked to already.
with recursive shared (task_id) as (
    select unnest($4::uuid[])
    union
    select task_dependency.on_task_id
    from shared
    join task_dependency on task_dependency.project_id = $1 and task_dependency.task_id = shared.task_id
    join task on task.project_id = $1 and task.task_id = task_dependency.on_task_id
    where task.state in ('blocked', 'ready', 'running')
),
linked as (
    -- Ids of tasks rise in the order in which they were planned.
    select task_id, 0 as part, row_number() over (order by task_id) as place from shared
    union all
    select task_id, 1, place from unnest($3::uuid[]) with ordinality as own (task_id, place)
)
insert into job_task (project_id, job_id, position, task_id)
select
    $1, $2,
    row_number() over (order by part, place) - 1
        + coalesce((select max(position) + 1 from job_task where project_id = $1 and job_id = $2), 0),
    task_id
from linked
on conflict (project_id, job_id, task_id) do nothing
