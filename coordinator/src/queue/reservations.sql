-- The workers kept free, and for which tasks. A reservation holds while its task is ready and its worker takes tasks and
-- was heard of within $1 seconds.
select
    reservation.worker_id, reservation.project_id, reservation.task_id,
    demand.slots, demand.whole_worker, demand.memory_bytes, worker.slots as worker_slots,
    task.state = 'ready' and live.worker_id is not null as holds
from reservation
join task using (project_id, task_id)
join demand using (project_id, demand_id)
join worker on worker.worker_id = reservation.worker_id
left join live_workers($1) as live on live.worker_id = reservation.worker_id
