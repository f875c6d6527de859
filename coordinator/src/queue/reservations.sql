-- The workers kept free, and for which tasks. A reservation holds while its task is ready and its worker takes tasks and
-- was heard of within $1 seconds. From the reservations inwards, of which there are few or none, not from all tasks.
select
    reservation.worker_id, reservation.project_id, reservation.task_id,
    demand.slots, demand.whole_worker, demand.memory_bytes, worker.slots as worker_slots,
    task.state = 'ready' and live.worker_id is not null as holds
from reservation
cross join lateral (
    select demand_id, state from task
    where task.project_id = reservation.project_id and task.task_id = reservation.task_id
    offset 0
) as task
join demand on demand.project_id = reservation.project_id and demand.demand_id = task.demand_id
join worker on worker.worker_id = reservation.worker_id
left join live_workers($1) as live on live.worker_id = reservation.worker_id
