-- Counts a failure of task ($1, $2) of kind $3: as a loss of its worker, as the store's, or as its own. Gives the counts, the
-- names of the different workers lost since they began, and what memory is reserved.
with counted as (
    update task
    set
        losses = losses + ($3 = 'worker_lost')::int,
        storage_failures = storage_failures + ($3 = 'storage')::int,
        failures = failures + ($3 not in ('worker_lost', 'storage'))::int
    where project_id = $1 and task_id = $2
    returning failures, storage_failures, losses, memory_raises, memory_bytes
)
select
    counted.failures, counted.storage_failures, counted.losses, counted.memory_raises, counted.memory_bytes,
    null::bigint as largest_worker_bytes,
    coalesce(
        (
            select array_agg(worker.name order by worker.name, worker.worker_id)
            from (
                select distinct lost.worker_id
                from (
                    select worker_id from attempt
                    where project_id = $1 and task_id = $2 and outcome = 'worker_lost'
                    order by attempt desc
                    limit counted.losses
                ) as lost
            ) as different
            join worker using (worker_id)
        ),
        '{}') as lost_workers
from counted
