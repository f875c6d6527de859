-- Counts a failure of task ($1, $2), as a loss of its worker ($3) or as its own. Gives both counts and how many
-- different workers were lost since the counts began.
with counted as (
    update task
    set failures = failures + (not $3)::int, losses = losses + $3::int
    where project_id = $1 and task_id = $2
    returning failures, losses
)
select
    counted.failures,
    counted.losses,
    (
        select count(distinct lost.worker_id)
        from (
            select worker_id from attempt
            where project_id = $1 and task_id = $2 and outcome = 'worker_lost'
            order by attempt desc
            limit counted.losses
        ) as lost
    )
from counted
