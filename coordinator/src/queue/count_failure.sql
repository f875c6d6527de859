-- Counts a failure of task ($1, $2) of kind $3: as a loss of its worker, as the store's, or as its own. Gives the counts, the
-- names of the different workers lost since they began, what memory is reserved, and the most that could be: what the
-- largest worker has, in whole steps, of those that were heard of within $4 seconds and could run the task but for its
-- memory; null where one does not say what it has.
with counted as (
    update task
    set
        losses = losses + ($3 = 'worker_lost')::int,
        storage_failures = storage_failures + ($3 = 'storage')::int,
        failures = failures + ($3 not in ('worker_lost', 'storage'))::int
    where project_id = $1 and task_id = $2
    returning project_id, demand_id, failures, storage_failures, losses, memory_raises
)
select
    counted.failures, counted.storage_failures, counted.losses, counted.memory_raises, demand.memory_bytes,
    (
        select case when bool_and(worker.memory_bytes is not null) then max(memory_step_within(worker.memory_bytes)) end
        from live_workers($4) as worker
        where worker.slots >= demand.slots and worker.labels @> demand.labels and worker.revisions @> demand.revisions
    ) as largest_worker_bytes,
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
join demand using (project_id, demand_id)
