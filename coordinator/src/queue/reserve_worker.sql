-- Keeps a worker free for task ($1, $2): of those that could run it, were heard of within $3 seconds and are not kept free
-- for another, the one with the fewest slots in use. At most a quarter of the workers heard of are kept free at once.
insert into reservation (worker_id, project_id, task_id)
select worker.worker_id, $1, $2
from task
join demand using (project_id, demand_id)
join live_workers($3) as worker
    on worker.slots >= demand.slots and coalesce(worker.memory_bytes, demand.memory_bytes) >= demand.memory_bytes
    and demand.labels <@ worker.labels and demand.revisions <@ worker.revisions
cross join lateral (
    select coalesce(sum(lease.slots), 0) as slots
    from attempt
    join lease using (project_id, task_id, attempt)
    where attempt.worker_id = worker.worker_id and attempt.end_time is null
) as load
where task.project_id = $1 and task.task_id = $2
    and not exists (select from reservation where reservation.worker_id = worker.worker_id)
    and (select count(*) from reservation) < greatest(1, (select count(*) / 4 from live_workers($3)))
order by load.slots, worker.worker_id
limit 1
on conflict do nothing
